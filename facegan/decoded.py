"""All images of a split, decoded into one file that any later run maps into memory.

The file is named after the images in it, so that it needs no look at the shards to be trusted. It
appears whole or not at all; of several processes that want it at once, one decodes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facegan.core.files import atomic_writer, sha256_of, write_error
from facegan.core.shards import Member, ShardIndex
from facegan.dataset import decode_all
from facegan.images import Pixels

_VERSION = 1
"""Raised when the same PNGs would give other bytes."""


def decoded_path(cache: Path, members: Sequence[Member], image_size: int) -> Path:
    """Where the decoded images lie, once they do: the same images in the same order, one name.

    Args:
        cache: the folder of such files.
        members: the images.
        image_size: height and width that they are reduced to.
    """
    lines = [f"{_VERSION}", *(f"{one.sha256} {one.split}" for one in members)]
    name = sha256_of("\n".join(lines).encode())[:16]
    return cache / f"decoded-{name}-{image_size}.u8"


def has_length(path: Path, length: int) -> bool:
    """Whether there is a file of that many bytes."""
    try:
        return path.stat().st_size == length
    except OSError:
        return False


def open_whole(path: Path, count: int, image_size: int) -> Pixels | None:
    """A file of decoded images, mapped into memory.

    Args:
        path: the file.
        count: N, how many images it must hold.
        image_size: their height and width.

    Returns:
        (N, 3, H, W) uint8 in [0, 255], RGB, read-only; None where the file is missing, unreadable
        or of another length.
    """
    shape = (count, 3, image_size, image_size)
    if not has_length(path, count * 3 * image_size**2):
        return None
    try:
        return np.memmap(path, dtype=np.uint8, mode="r", shape=shape).view(np.ndarray)
    except (OSError, ValueError):  # ValueError: it was cut meanwhile
        return None


def map_images(
    index: ShardIndex, members: Sequence[Member], image_size: int, cache: Path
) -> Pixels:
    """The decoded images as a file mapped into memory; decodes them where that is not done yet.

    Another process that decodes the same images is waited for.

    Args:
        index: the opened shards.
        members: the images, at least one.
        image_size: height and width of the result.
        cache: the folder of such files; made when it is missing.

    Returns:
        (N, 3, H, W) uint8 in [0, 255], RGB, read-only, in the order of `members`.

    Raises:
        ShardError: a shard is corrupt.
        WorkspaceError: the file cannot be written or read again, or the disk is full.
    """
    path = decoded_path(cache, members, image_size)
    images = open_whole(path, len(members), image_size)
    if images is None:
        with _locked(path):
            images = open_whole(path, len(members), image_size)
            if images is None:
                _build(path, index, members, image_size)
                images = open_whole(path, len(members), image_size)
    if images is None:
        raise write_error(path, OSError("what was written cannot be read"))
    return images


def discard_others(path: Path) -> None:
    """Remove the decoded files of other faces: of people too who were taken out since.

    A run that still maps one keeps it to its end.

    Args:
        path: the file that stays, whether it is there or not.
    """
    faces = path.stem.rpartition("-")[0]
    for other in path.parent.glob("decoded-*.u8"):
        if other.stem.rpartition("-")[0] != faces:
            with contextlib.suppress(OSError):
                other.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others from writing `path`; ends with the process at the latest."""
    lock = path.with_suffix(".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise write_error(lock, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise write_error(lock, error) from error
        yield


def _build(path: Path, index: ShardIndex, members: Sequence[Member], image_size: int) -> None:
    """Decode into `path`; what a kill left half-written goes first."""
    for half in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            half.unlink()
    with atomic_writer(path) as file:
        # Written, not mapped: on a full disk a write is an error, a mapped page ends the process.
        def store(place: int, pixels: Pixels) -> None:
            _write_at(file.fileno(), pixels.tobytes(), place * pixels.nbytes)

        decode_all(index, members, image_size, store)


def _write_at(file: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
