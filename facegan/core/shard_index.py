"""What `index.json` beside the shards says, as records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facegan.core.errors import ShardError

INDEX_NAME = "index.json"
INDEX_VERSION = 1
TRAIN, HELD_OUT = "train", "held_out"
"""The splits: faces to train on, and faces that no training sees, for the scores."""
_SHARD_NAME = re.compile(r"faces-[0-9]{6,}-[0-9a-f]{8}\.tar")


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

    >>> selection_hash(["b", "a", "b"]) == selection_hash(["a", "b"])
    True
    """
    return hashlib.sha256("\n".join(sorted(set(sha256s))).encode()).hexdigest()


def as_json(index: ShardIndex) -> dict[str, Any]:
    """An index as JSON holds it."""
    return {
        "version": INDEX_VERSION,
        "image_size": index.image_size,
        "count": index.count,
        "selection": index.selection,
        "config": dict(index.config),
        "shards": [asdict(shard) for shard in index.shards],
        "members": [asdict(member) for member in index.members],
    }


def from_json(folder: Path, value: Any) -> ShardIndex:
    """An index of what JSON held.

    Raises:
        ShardError: it is of another version, or no index.
    """
    path = folder / INDEX_NAME
    try:
        if value["version"] != INDEX_VERSION:
            raise ShardError(
                f"{path} has version {value['version']}, this facegan reads {INDEX_VERSION}",
                hint="facegan shard",
            )
        shards = tuple(Shard(**shard) for shard in value["shards"])
        names = {shard.file for shard in shards if _SHARD_NAME.fullmatch(shard.file)}
        members = tuple(Member(**member) for member in value["members"])
        if len(names) != len(shards) or not {member.shard for member in members} <= names:
            raise ValueError("names of shards")
        return ShardIndex(
            folder=folder,
            image_size=int(value["image_size"]),
            selection=str(value["selection"]),
            config=dict(value["config"]),
            shards=shards,
            members=members,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ShardError(f"{path} is not an index: {error!r}", hint="facegan shard") from error
