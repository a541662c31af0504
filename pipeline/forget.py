"""Images and all that came from them -> gone, and remembered so that they do not come back.

First the catalog sets everything aside, in one transaction: from then on nothing of it is served
or fetched again. Then the files go, then the shards are packed anew. A kill in between leaves what
the next call of `forget`, of whatever target, takes up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, FaceganError, ShardError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace, write_error
from facegan.core.lock import exclusive
from facegan.core.shards import INDEX_NAME, ShardIndex, open_index, read_facts
from facegan.core.taking_out import TakingOut
from pipeline.config import ShardConfig
from pipeline.credits import FILES as CREDITS
from pipeline.credits import is_ours
from pipeline.forget_target import Target, target_of
from pipeline.pack import pack
from pipeline.sources import SOURCES

STAGE = "forget"
OF_REAL_FACES = (
    "cache/decoded-*.u8",
    "cache/.decoded-*",
    "cache/features*",
    "cache/answers",
    "cache/thumbs",
    "review/kept-*.png",
    "review/rejected-*.png",
    *(f"answers/{source}.{ending}" for source in SOURCES for ending in ("html", "json")),
    *(f"answers/.{source}.*.tmp" for source in SOURCES),
    # Their figures show real faces beside samples; a run can be scored against any faces.
    "runs/*/*/scores*.png",
    "scores/*/scores*.png",
    *CREDITS,
    *(f"shards/{name}" for name in CREDITS),
)
"""What was made of images, below the workspace; facegan makes it again when it is wanted. Files of
one's own that are called so are none of it."""


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What would go."""

    target: Target
    images: int
    faces: int
    """Kept ones, of these images."""
    addresses: int
    """That would not be fetched again."""
    staying: int
    """Images of the query that another one has found too."""
    trained: tuple[str, ...]
    """Runs that were trained with them."""
    unknown: tuple[str, ...]
    """Runs of which that cannot be told: which faces they saw is not on record."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What went."""

    plan: ForgetPlan
    files: int
    """Removed: images, faces, and what was made of them."""
    shards: str | None
    """packed anew, removed, or None where they held none of it."""
    shard_images: int
    """In the shards now."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        done = {"files": self.files, "shards": self.shards, "shard_images": self.shard_images}
        return self.plan.as_dict() | done


def plan_forget(
    text: str, workspace: Workspace, *, kind: str | None = None, every: bool = False
) -> ForgetPlan:
    """Find what would go.

    Args:
        text: an address, a host, a hash (or its beginning), or a query.
        workspace: where it is looked for.
        kind: which of them; None goes by the shape.
        every: of a query, also images that another query has found.

    Raises:
        ConfigError: it is of no such kind, or could be two things.
        WorkspaceError: there is no catalog, or it knows no such query or hash.
    """
    _refuse_nowhere(workspace)
    with TakingOut(workspace.catalog) as taking:
        return _plan(text, kind, every, workspace, taking)


def forget(
    text: str,
    workspace: Workspace,
    *,
    kind: str | None = None,
    every: bool = False,
    listener: Listener = silent,
) -> ForgetReport:
    """Take out what `plan_forget` finds, with its faces, and keep it from coming back.

    Args:
        text: as for `plan_forget`.
        workspace: what is changed.
        kind: as for `plan_forget`.
        every: as for `plan_forget`.
        listener: hears of the packing.

    Raises:
        ConfigError, WorkspaceError: as `plan_forget`; or another facegan is at work, or a file
            cannot be removed: the same call goes on from there.
    """
    _refuse_nowhere(workspace)
    with exclusive(workspace), TakingOut(workspace.catalog) as taking:
        plan = _plan(text, kind, every, workspace, taking)
        taking.take_out(plan.target.kind, plan.target.value)
        files = sum(_remove(path) for path in _files(workspace, taking.files()))
        shards, count = _repack(workspace, taking, listener)
        if plan.addresses or taking.gone_images():
            files += sum(map(_remove, _made_of_images(workspace)))
        taking.finish()
    return ForgetReport(plan, files, shards, count)


def _refuse_nowhere(workspace: Workspace) -> None:
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no catalog in {workspace.root}", hint='facegan scrape "artist"')


def _plan(
    text: str, kind: str | None, every: bool, workspace: Workspace, taking: TakingOut
) -> ForgetPlan:
    target = target_of(text, kind, taking)
    if every and target.kind != "query":
        raise ConfigError("--all is for a search term: of anything else all goes")
    found = taking.find(target.kind, target.value, every=every)
    trained, unknown = _runs(workspace, taking)
    return ForgetPlan(
        target,
        found.images,
        found.kept_faces,
        found.addresses,
        found.staying,
        tuple(trained),
        tuple(unknown),
    )


def _runs(workspace: Workspace, taking: TakingOut) -> tuple[list[str], list[str]]:
    """Runs that have seen what is to go, and those of which that cannot be told."""
    with Catalog(workspace.catalog) as catalog:
        _note_selection(workspace, catalog)
        runs = [(str(run["name"]), str(run["selection"])) for run in reversed(catalog.runs())]
        unknown = [name for name, selection in runs if not catalog.knows_selection(selection)]
    seen = taking.trained_on()
    return [name for name, selection in runs if selection in seen], unknown


def _note_selection(workspace: Workspace, catalog: Catalog) -> None:
    """Put on record what the shards hold, where an earlier facegan has packed them."""
    index = _index(workspace)
    if index is None or catalog.knows_selection(index.selection):
        return
    try:
        members = [
            (member.sha256, str(facts.get("image_sha256") or ""), member.split)
            for member, facts in read_facts(index)
        ]
    except ShardError:
        return
    catalog.record_selection(index.selection, members)


def _index(workspace: Workspace) -> ShardIndex | None:
    try:
        return open_index(workspace.shards)
    except ShardError:
        return None


def _files(workspace: Workspace, paths: Iterable[str]) -> Iterator[Path]:
    """Paths of the catalog, and what a kill left half written beside them.

    What leads out of the workspace is none of ours.
    """
    for name in paths:
        path = workspace.root / name
        if name and not Path(name).is_absolute() and ".." not in Path(name).parts:
            yield path
            yield from path.parent.glob(f".{path.name}.*.tmp")


def _made_of_images(workspace: Workspace) -> list[Path]:
    found = (path for pattern in OF_REAL_FACES for path in sorted(workspace.root.glob(pattern)))
    return [path for path in found if path.name not in CREDITS or is_ours(path)]


def _remove(path: Path, *, inside: bool = False) -> int:
    """Delete a file, or a folder with all that is in it; how many files that were.

    A folder that lies elsewhere, behind a link, is emptied; links inside it are not followed.
    """
    try:
        if path.is_dir() and not (inside and path.is_symlink()):
            count = sum(_remove(one, inside=True) for one in path.iterdir())
            if not path.is_symlink():
                path.rmdir()
            return count
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise write_error(path, error) from error
    return 1


# the shards


def _repack(workspace: Workspace, taking: TakingOut, listener: Listener) -> tuple[str | None, int]:
    """Pack the shards without what has gone; shards that cannot be are removed.

    Returns:
        packed, removed, or None where nothing was to be done; images in the shards.
    """
    if not any(workspace.shards.glob("faces-*")):
        return None, 0
    index = _index(workspace)
    if index is not None and not _holds(index, taking):
        _remove_tars(workspace, {shard.file for shard in index.shards})
        return None, index.count
    if index is None or index.config.get("source") == "catalog":
        try:
            return "packed", pack(workspace, _settings(index), listener=listener).count
        except FaceganError as error:
            listener(
                Note(STAGE, f"the shards cannot be packed anew: {error.message}", warning=True)
            )
    else:
        text = f"the shards of a folder held a face that was taken out: {workspace.shards}"
        listener(Note(STAGE, f"{text} is emptied", warning=True))
    _remove_shards(workspace)
    return "removed", 0


def _holds(index: ShardIndex, taking: TakingOut) -> bool:
    """Whether the shards hold a face that has gone, or tell of its image."""
    crops, images = taking.gone_crops(), taking.gone_images()
    if not images or any(member.sha256 in crops for member in index.members):
        return bool(images)
    try:
        return any(str(facts.get("image_sha256")) in images for _, facts in read_facts(index))
    except ShardError:
        return True  # for all that can be told


def _settings(index: ShardIndex | None) -> ShardConfig:
    """Those that the shards were packed with."""
    wanted = index.config.get("max_bytes") if index else None
    config = ShardConfig(max_bytes=wanted) if isinstance(wanted, int) else ShardConfig()
    return ShardConfig() if config.problems() else config


def _remove_shards(workspace: Workspace) -> None:
    """The index goes first: nobody finds tars without it."""
    _remove(workspace.shards / INDEX_NAME)
    _remove_tars(workspace, set())
    with Catalog(workspace.catalog) as catalog:
        catalog.record_shards([], "")


def _remove_tars(workspace: Workspace, named: set[str]) -> None:
    """All but those that the index names: a kill leaves earlier ones."""
    for pattern in ("faces-*", ".faces-*"):
        for path in workspace.shards.glob(pattern):
            if path.name not in named:
                _remove(path)
