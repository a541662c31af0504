"""The only reader and writer of tar shards and their index.

A shard is a plain USTAR file in WebDataset's layout: for each face `KEY.png`, then `KEY.json`.
`index.json` beside the shards names every member with its offset, so that one face is one ranged
read. The same entries give the same bytes: members in the order given, no times, no owners.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from facegan.core import files
from facegan.core.errors import ShardError

INDEX_NAME = "index.json"
INDEX_VERSION = 1
MAX_SHARD_BYTES = 256 * 2**20
"""Large enough that a read is sequential, small enough to be sent again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One face on its way into a shard."""

    key: str
    png: bytes
    metadata: Mapping[str, Any]
    split: str = "train"


@dataclass(frozen=True, slots=True)
class Member:
    """One PNG inside a shard."""

    key: str
    shard: str
    """The tar's file name."""
    offset: int
    """Of the PNG's first byte in the tar."""
    size: int
    """Bytes of the PNG."""
    sha256: str
    split: str


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar."""

    file: str
    sha256: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """What `index.json` says."""

    folder: Path
    image_size: int
    """Side of every image, in pixels."""
    selection: str
    """Hash of the selection of faces that the shards hold."""
    config: Mapping[str, Any]
    shards: tuple[Shard, ...]
    members: tuple[Member, ...]

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.members)

    def split(self, name: str) -> tuple[Member, ...]:
        """The members of one split, in order."""
        return tuple(member for member in self.members if member.split == name)


def selection_hash(sha256s: Iterable[str]) -> str:
    """Hash of a set of faces, in whatever order they come.

    >>> selection_hash(["b", "a"]) == selection_hash(["a", "b"])
    True
    """
    return hashlib.sha256("\n".join(sorted(sha256s)).encode()).hexdigest()


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
    """
    shards: list[Shard] = []
    members: list[Member] = []
    for written in _fill(folder, _unique(entries), max_bytes):
        shards.append(written[0])
        members.extend(written[1])
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
    files.write_json(folder / INDEX_NAME, _as_json(index))
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
    index = _from_json(folder, value)
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
    with contextlib.ExitStack() as stack:
        opened: tuple[str, IO[bytes]] | None = None
        for member in members:
            if opened is None or opened[0] != member.shard:
                stack.close()
                opened = member.shard, stack.enter_context(_open(index.folder / member.shard))
            yield _read(opened[1], index.folder, member)


def read_member(index: ShardIndex, member: Member) -> bytes:
    """The PNG bytes of one member.

    Raises:
        ShardError: as `read_members`.
    """
    return next(read_members(index, [member]))


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
        if entry.key in seen:
            raise ShardError(f"two faces share the key {entry.key}")
        seen.add(entry.key)
        yield entry


def _fill(
    folder: Path, entries: Iterator[Entry], max_bytes: int
) -> Iterator[tuple[Shard, list[Member]]]:
    """One tar after another until there are no more entries."""
    entry = next(entries, None)
    number = 0
    while entry is not None:
        name = f"faces-{number:06d}.tar"
        members: list[Member] = []
        with files.atomic_writer(folder / name) as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                while entry is not None and (not members or file.tell() < max_bytes):
                    members.append(_add(tar, name, entry))
                    entry = next(entries, None)
            size = file.tell()
        digest = files.sha256_of_file(folder / name)
        yield Shard(name, digest, len(members), size), members
        number += 1


def _add(tar: tarfile.TarFile, shard: str, entry: Entry) -> Member:
    _append(tar, f"{entry.key}.png", entry.png)
    offset = tar.offset - _padded(len(entry.png))
    text = json.dumps(dict(entry.metadata), sort_keys=True, ensure_ascii=False)
    _append(tar, f"{entry.key}.json", text.encode())
    digest = files.sha256_of(entry.png)
    return Member(entry.key, shard, offset, len(entry.png), digest, entry.split)


def _append(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # TarInfo's defaults are the determinism: time 0, owner 0, mode 0644.
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _padded(size: int) -> int:
    """Bytes that a member of `size` takes in a tar."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in folder.glob("faces-*.tar"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _as_json(index: ShardIndex) -> dict[str, Any]:
    return {
        "version": INDEX_VERSION,
        "image_size": index.image_size,
        "count": index.count,
        "selection": index.selection,
        "config": dict(index.config),
        "shards": [asdict(shard) for shard in index.shards],
        "members": [asdict(member) for member in index.members],
    }


def _from_json(folder: Path, value: Any) -> ShardIndex:
    path = folder / INDEX_NAME
    try:
        if value["version"] != INDEX_VERSION:
            raise ShardError(
                f"{path} has version {value['version']}, this facegan reads {INDEX_VERSION}",
                hint="facegan shard",
            )
        return ShardIndex(
            folder=folder,
            image_size=int(value["image_size"]),
            selection=str(value["selection"]),
            config=dict(value["config"]),
            shards=tuple(Shard(**shard) for shard in value["shards"]),
            members=tuple(Member(**member) for member in value["members"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ShardError(f"{path} is not an index: {error!r}", hint="facegan shard") from error
