"""The only reader and writer of tar shards and their index.

A shard is a plain USTAR file in WebDataset's layout: for each face `KEY.png`, then `KEY.json`.
`index.json` beside the shards names every member with its offset, so that one face is one ranged
read. The same entries give the same bytes: members in the order given, no times, no owners.

A shard's name, `faces-000000-5f3a9c01.tar`, ends in the first digits of its own hash: a new set of
shards never overwrites the old one, so that a kill at any moment leaves an index that fits.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO, Any

from facegan.core import files
from facegan.core.errors import ShardError
from facegan.core.shard_index import (
    INDEX_NAME,
    Member,
    Shard,
    ShardIndex,
    as_json,
    from_json,
    selection_hash,
)

__all__ = [
    "INDEX_NAME",
    "Entry",
    "Member",
    "Shard",
    "ShardIndex",
    "open_index",
    "read_facts",
    "read_member",
    "read_members",
    "selection_hash",
    "write_shards",
]

_KEY = re.compile(r"[A-Za-z0-9_-]+")
MAX_SHARD_BYTES = 256 * 2**20
"""Large enough that a read is sequential, small enough to be sent again."""
MAX_FACTS_BYTES = 2**20
"""Of one image's JSON."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One face on its way into a shard."""

    key: str
    """Letters, digits, `_` and `-`: WebDataset cuts names at the first dot."""
    png: bytes
    metadata: Mapping[str, Any]
    split: str = "train"


def write_shards(
    folder: Path,
    entries: Iterable[Entry],
    *,
    image_size: int,
    config: Mapping[str, Any],
    max_bytes: int = MAX_SHARD_BYTES,
) -> ShardIndex:
    """Write `entries` as tars of at most about `max_bytes`, then the index.

    The index is replaced last: until then a reader sees the shards that stood there before, and
    shards that the new index does not name are removed after it.

    Raises:
        ShardError: there is no entry, or two entries share a key.
        WorkspaceError: the folder cannot be written.
        ValueError: a key holds something else than letters, digits, `_` and `-`.
    """
    shards: list[Shard] = []
    members: list[Member] = []
    for shard, inside in _fill(folder, _unique(entries), max_bytes):
        shards.append(shard)
        members.extend(inside)
    if not members:
        raise ShardError("no faces to pack", hint="facegan crop")
    index = ShardIndex(
        folder=folder,
        image_size=image_size,
        selection=selection_hash(member.sha256 for member in members),
        config=dict(config),
        shards=tuple(shards),
        members=tuple(members),
    )
    files.write_json(folder / INDEX_NAME, as_json(index))
    _remove_others(folder, {shard.file for shard in shards})
    return index


def open_index(folder: Path) -> ShardIndex:
    """Read `folder/index.json`.

    Raises:
        ShardError: it is missing, unreadable, of another version, or names a tar that is not there.
    """
    path = folder / INDEX_NAME
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ShardError(f"no shards in {folder}", hint="facegan crop") from None
    except (OSError, ValueError) as error:
        raise ShardError(f"cannot read {path}: {error}", hint="facegan shard") from error
    index = from_json(folder, value)
    for shard in index.shards:
        size = _size(folder / shard.file)
        if size != shard.bytes:
            found = "is missing" if size is None else f"has {size} bytes, not {shard.bytes}"
            raise ShardError(f"{folder / shard.file} {found}", hint="facegan shard")
    return index


def read_members(index: ShardIndex, members: Iterable[Member]) -> Iterator[bytes]:
    """The PNG bytes of `members`, each checked against its hash; a tar is opened once in a row.

    Raises:
        ShardError: a tar cannot be read or its bytes are not those that were written.
    """
    with contextlib.closing(_opened(index, members)) as opened:
        for file, member in opened:
            yield _read(file, index.folder, member)


def read_member(index: ShardIndex, member: Member) -> bytes:
    """The PNG bytes of one member.

    Raises:
        ShardError: as `read_members`.
    """
    return next(read_members(index, [member]))


def read_facts(index: ShardIndex) -> Iterator[tuple[Member, dict[str, Any]]]:
    """What stands beside each image in its JSON, in the index's order.

    Raises:
        ShardError: a tar cannot be read, or holds something else there.
    """
    with contextlib.closing(_opened(index, index.members)) as opened:
        for file, member in opened:
            yield member, _facts(file, index.folder, member)


def _opened(
    index: ShardIndex, members: Iterable[Member]
) -> Generator[tuple[IO[bytes], Member], None, None]:
    """Each member with its open tar."""
    with contextlib.ExitStack() as stack:
        opened: tuple[str, IO[bytes]] | None = None
        for member in members:
            if opened is None or opened[0] != member.shard:
                stack.close()
                opened = member.shard, stack.enter_context(_open(index.folder / member.shard))
            yield opened[1], member


def _facts(file: IO[bytes], folder: Path, member: Member) -> dict[str, Any]:
    """The member that follows the image."""
    try:
        file.seek(member.offset + _padded(member.size))
        info = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "strict")
        value = json.loads(file.read(info.size)) if info.size <= MAX_FACTS_BYTES else None
        if info.name == f"{member.key}.json" and isinstance(value, dict):
            return value
    except (OSError, TypeError, ValueError, RecursionError, tarfile.TarError):
        pass
    raise ShardError(
        f"{folder / member.shard} is corrupt at {member.key}: no facts follow the image",
        hint="facegan shard",
    )


def _read(file: IO[bytes], folder: Path, member: Member) -> bytes:
    file.seek(member.offset)
    data = file.read(member.size)
    if files.sha256_of(data) != member.sha256:
        raise ShardError(
            f"{folder / member.shard} is corrupt at {member.key}: its bytes are not those that "
            "were written",
            hint="facegan shard",
        )
    return data


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ShardError(f"cannot read {path}: {error.strerror}", hint="facegan shard") from error


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _unique(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in entries:
        if not _KEY.fullmatch(entry.key):
            raise ValueError(f"{entry.key!r} is no key of a shard")
        if entry.key in seen:
            raise ShardError(f"two faces share the key {entry.key}")
        seen.add(entry.key)
        yield entry


def _fill(
    folder: Path, entries: Iterator[Entry], max_bytes: int
) -> Iterator[tuple[Shard, list[Member]]]:
    """One tar after another until there are no more entries."""
    entry = next(entries, None)
    for number in count():
        if entry is None:
            return
        scratch = folder / f"faces-{number:06d}.tar.part"
        members: list[Member] = []
        with files.atomic_writer(scratch) as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                while entry is not None and (not members or file.tell() < max_bytes):
                    members.append(_add(tar, entry))
                    entry = next(entries, None)
            size = file.tell()
        digest = files.sha256_of_file(scratch)
        name = f"faces-{number:06d}-{digest[:8]}.tar"
        _rename(scratch, scratch.with_name(name))
        yield (
            Shard(name, digest, len(members), size),
            [replace(member, shard=name) for member in members],
        )


def _add(tar: tarfile.TarFile, entry: Entry) -> Member:
    """Append one face to a tar that has no name yet."""
    _append(tar, f"{entry.key}.png", entry.png)
    offset = tar.offset - _padded(len(entry.png))
    text = json.dumps(dict(entry.metadata), sort_keys=True, ensure_ascii=False)
    _append(tar, f"{entry.key}.json", text.encode())
    return Member(entry.key, "", offset, len(entry.png), files.sha256_of(entry.png), entry.split)


def _rename(path: Path, name: Path) -> None:
    try:
        path.replace(name)
    except OSError as error:
        raise files.write_error(name, error) from error


def _append(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # TarInfo's defaults are the determinism: time 0, owner 0, mode 0644.
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _padded(size: int) -> int:
    """Bytes that a member of `size` takes in a tar."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _remove_others(folder: Path, names: set[str]) -> None:
    """Drop the shards of earlier indexes, and what a kill left half written."""
    for pattern in ("faces-*", ".faces-*", f".{INDEX_NAME}.*"):
        for path in folder.glob(pattern):
            if path.name not in names:
                with contextlib.suppress(OSError):  # a reader on Windows holds it
                    path.unlink()
