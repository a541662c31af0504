"""`facegan shard`: faces, or any folder of them -> tar shards and their index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import BYTES
from facegan.core.counted import counted
from facegan.core.funnel import packed_folder, stopped_crop, unfinished_crop


@facegan_command(
    "shard",
    examples=("facegan shard", "facegan shard ~/faces --size 64"),
    dry_run=True,
    stops_softly=True,
)
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@option(
    "--size",
    type=int,
    default=None,
    help="Of FOLDER's images: 32, 48, 64, 96, 128, 192, 256, 384, 512, 768 or 1024 px."
    "  [default: 256]",
)
@option("--max-bytes", type=BYTES, default="256MiB", help="Of one shard, about.")
@option(
    "--hold-out",
    type=float,
    default=None,
    help="Share that training never sees.  [default: as cropped; 0.1 of FOLDER]",
)
def command(
    session: Session,
    folder: Path | None,
    size: int | None,
    max_bytes: int,
    hold_out: float | None,
) -> Result:
    """Pack the kept faces, or the images of FOLDER, into shards that `facegan train` reads.

    The shards are plain tar files in WebDataset's layout; the same faces give the same bytes. The
    kept faces are packed at the size that `facegan crop` has cut them to. FOLDER's images are cut
    to a square and resized; no face is looked for in them. What was packed before is replaced.
    """
    from pipeline.config import ShardConfig

    config = ShardConfig(size=size, max_bytes=max_bytes, hold_out=hold_out).validate()
    before = _there(session)
    if session.dry_run:
        return _plan(session, folder, before)
    from pipeline.pack import pack, record

    if folder is None:
        index = pack(session.workspace, config, listener=session.listener)
        result = _result(session, index, {}, _following(session))
        return _with_replaced(result, before, index) if packed_folder(before) else result
    from facegan.core.lock import exclusive
    from pipeline.pack_folder import pack_folder

    session.workspace.create()
    with exclusive(session.workspace):
        report = pack_folder(
            folder,
            session.workspace.shards,
            config,
            listener=session.listener,
            should_stop=session.should_stop,
        )
        if report.index is not None:
            record(session.workspace, report.index)
    if report.index is None:
        line = f"stopped before the shards were written; those in {session.workspace.shards} stay"
        return Result({"stopped": True}, (line,), session.again, interrupted=True)
    return _with_replaced(_result(session, report.index, report.rejected), before, report.index)


def _plan(session: Session, folder: Path | None, before: Any) -> Result:
    """What would be packed and what that replaces."""
    shards = session.workspace.shards
    stopped = None
    if folder is None:
        from facegan.core.catalog import Catalog

        kept: set[str] = set()
        if session.workspace.catalog.exists():
            with Catalog(session.workspace.catalog) as catalog:
                kept, stopped = catalog.kept_crops(), stopped_crop(catalog)
        count = len(kept)
        what = f"{counted(count, 'kept face')} of {session.workspace.faces}"
    else:
        from pipeline.pack_folder import listed

        count = len(listed(folder))
        what = f"what is an image of {counted(count, 'file')} in {folder}"
    lines = [f"would pack {what} into {shards}", *([stopped] if stopped else [])]
    if before is not None and count:
        lines.append(
            f"would replace {_packed(before)} that are packed there now, where they differ"
        )
    data = {
        "from": str(folder or session.workspace.faces),
        "shards": str(shards),
        "count": count,
        "replaces": before.count if before is not None and count else 0,
    }
    return Result(data, tuple(lines))


def _with_replaced(result: Result, before: Any, index: Any) -> Result:
    """The result, with a line on the other images that were packed before."""
    if before is None or before.selection == index.selection:
        return result
    return replace(result, lines=(*result.lines, f"replaced {_packed(before)}"))


def _packed(index: Any) -> str:
    """How many images of what size of which folder."""
    folder = packed_folder(index)
    where = f" from {folder}" if folder else " of the workspace's faces"
    return f"the {index.count} images of {index.image_size} px{where}"


def _there(session: Session) -> Any:
    """The index that stands in the workspace, or None."""
    from facegan.core.errors import ShardError
    from facegan.core.shards import open_index

    try:
        return open_index(session.workspace.shards)
    except ShardError:
        return None


def _following(session: Session) -> str:
    """What makes something of the packed faces: a `facegan crop` that was stopped comes first."""
    from facegan.core.catalog import Catalog

    with Catalog(session.workspace.catalog) as catalog:
        return unfinished_crop(catalog) or "facegan train"


def _result(
    session: Session,
    index: Any,
    rejected: Mapping[str, Sequence[str]],
    following: str = "facegan train",
) -> Result:
    from facegan.commands._table import bytes_text
    from facegan.core.shard_index import HELD_OUT

    size = sum(shard.bytes for shard in index.shards)
    held_out = len(index.split(HELD_OUT))
    line = (
        f"{index.count} images of {index.image_size} px in {len(index.shards)} shards "
        f"({bytes_text(size)}) in {index.folder}, {held_out} of them held out"
    )
    left_out = [
        f"left out, {reason}: {len(names)} ({', '.join(names[:5])}{', …' if names[5:] else ''})"
        for reason, names in rejected.items()
    ]
    data = {
        "images": index.count,
        "held_out": held_out,
        "image_size": index.image_size,
        "shards": [shard.file for shard in index.shards],
        "selection": index.selection,
        "rejected": {reason: list(names) for reason, names in rejected.items()},
    }
    return Result(data, (line, *left_out), session.flag(following))
