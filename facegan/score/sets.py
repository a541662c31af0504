"""Sets of images that can be measured: what a generator draws, a folder of pictures, shards.

Each has a hash of its content, so that what was computed of it once can be found again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from facegan.core.errors import ScoreError
from facegan.core.files import sha256_of_file
from facegan.core.shards import Member, ShardIndex, read_members
from facegan.images import Pixels, decode_picture, decode_png, picture_size

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")
R = TypeVar("R")

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""Of the pictures in a folder; other files are passed over."""


class ImageSet(Protocol):
    """Images of one size, in a fixed order."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def content(self) -> str:
        """SHA-256 of what decides the images; of a generator's, not of how many are drawn."""

    @property
    def about(self) -> Mapping[str, Any]:
        """For `scores.json`."""

    def __len__(self) -> int:
        """How many images."""

    def read(self, first: int, count: int) -> Pixels:
        """`count` images from the `first` on, fewer at the end.

        Returns:
            (n, H, W, 3) uint8 in [0, 255], RGB.

        Raises:
            ScoreError, ShardError, CheckpointError: they cannot be read or drawn.
        """


@dataclass(frozen=True, slots=True)
class Generated:
    """Images that a generator draws."""

    name: str
    generator: nn.Module
    latents: Tensor
    """(N, Z) float32."""
    content: str
    device: torch.device | str = "cpu"
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.latents)

    def read(self, first: int, count: int) -> Pixels:
        """See `ImageSet`; the same latents give the same images whatever else is drawn."""
        from facegan.sample import generate

        z = self.latents[first : first + count]
        return np.concatenate(list(generate(self.generator, z, batch=count, device=self.device)))


@dataclass(frozen=True, slots=True)
class Packed:
    """Images of shards, as training at this size sees them."""

    name: str
    index: ShardIndex
    members: tuple[Member, ...]
    size_px: int
    """Side that they are reduced to."""

    @property
    def content(self) -> str:
        """Hash of the images' own hashes and the size."""
        return _hash_of([str(self.size_px), *(member.sha256 for member in self.members)])

    @property
    def about(self) -> Mapping[str, Any]:
        """The selection of faces that they are of."""
        return {"shards": str(self.index.folder), "selection": self.index.selection}

    def __len__(self) -> int:
        return len(self.members)

    def read(self, first: int, count: int) -> Pixels:
        """See `ImageSet`."""
        some = self.members[first : first + count]
        decode = partial(decode_png, size_px=self.size_px)
        return np.stack(_parallel(decode, list(read_members(self.index, some))))


@dataclass(frozen=True, slots=True)
class Pictures:
    """PNG, JPEG or WebP files of a folder and those below it, in an order drawn by a seed."""

    name: str
    paths: tuple[Path, ...]
    content: str
    """Hash of the files' own hashes."""
    size_px: tuple[int, int]
    """Height and width of all of them."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Where they are."""
        return {"folder": self.name}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, first: int, count: int) -> Pixels:
        """See `ImageSet`; grey pictures get three equal channels."""
        some = self.paths[first : first + count]
        return np.stack(_parallel(_picture, some))


def pictures(folder: Path, *, limit: int | None = None, seed: int = 0) -> Pictures:
    """The pictures of a folder.

    Args:
        folder: searched with all folders below it.
        limit: take so many; all of them by default.
        seed: of their order, 0 or more: the first of them stand for all in some measures.

    Raises:
        ScoreError: there is no such folder, no picture in it, one that cannot be read, or pictures
            of different sizes.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise ScoreError(f"no pictures in {folder}: files ending in {kinds} are looked for")
    # A part of a folder that is sorted by person would be no sample of it.
    order = np.random.default_rng(seed).permutation(len(found))
    found = [found[place] for place in order[:limit]]
    try:
        content = _hash_of(_parallel(sha256_of_file, found))
    except OSError as error:
        raise ScoreError(f"cannot read the pictures in {folder}: {error.strerror}") from error
    sizes = _parallel(_size, found)
    for path, size in zip(found, sizes, strict=True):
        if size != sizes[0]:
            raise _mixed(found[0], sizes[0], path, size)
    return Pictures(str(folder), tuple(found), content, sizes[0])


def parts(count: int, size: int) -> list[tuple[int, int]]:
    """(first, length) of consecutive parts of `size`, the last one as long as it comes.

    >>> parts(5, 2)
    [(0, 2), (2, 2), (4, 1)]
    """
    bounds = [*range(0, count, size), count]
    return [(first, stop - first) for first, stop in pairwise(bounds)]


def _size(path: Path) -> tuple[int, int]:
    """What the file says, before anything is decoded."""
    with _naming(path):
        return picture_size(path)


def _picture(path: Path) -> Pixels:
    with _naming(path):
        return decode_picture(path.read_bytes())


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except OSError as error:
        raise ScoreError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ScoreError(
            f"cannot score {path}: {error}", hint="remove it, or put it right"
        ) from error


def _mixed(first: Path, size: tuple[int, int], second: Path, other: tuple[int, ...]) -> ScoreError:
    shapes = f"{first.name} has {size[1]}x{size[0]} px, {second.name} {other[1]}x{other[0]} px"
    return ScoreError(
        f"the pictures in {first.parent} are of different sizes: {shapes}",
        hint="make them one size: a score depends on it",
    )


def _parallel(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def _hash_of(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def batches(images: ImageSet, first: int, count: int, batch: int) -> Iterator[Pixels]:
    """Images `first` to `first + count`, at most `batch` at a time."""
    for start, length in parts(count, batch):
        yield images.read(first + start, length)
