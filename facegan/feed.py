"""Batches on the device before the loop asks for them.

    device     all images lie there decoded; a batch is one gather
    mapped     decoded into a file; threads copy the coming batches out of it
    streamed   threads read and decode the coming batches

Threads touch host memory alone: every call of CUDA is made by the caller of `announce` and `batch`,
so that no thread can disturb a graph while it is captured.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Self, TypeVar

import torch
from torch import Tensor

from facegan.core.events import Listener, Note, silent
from facegan.core.shards import Member, ShardIndex
from facegan.dataset import decode, load_images, members_of
from facegan.decoded import decoded_path, discard_others, has_length, map_images
from facegan.images import Pixels
from facegan.placement import Placement, choose_placement, free_memory, place_images, size_text
from facegan.staging import Staging

__all__ = [
    "DEPTH",
    "Feed",
    "Placement",
    "PrefetchedFeed",
    "ResidentFeed",
    "Source",
    "choose_placement",
    "free_memory",
    "open_feed",
]

DEPTH = 4
"""Batches that are filled ahead of use: one slow read is hidden by three others."""

_T = TypeVar("_T")

_THREADS = min(16, cpu_count() or 1)

_PIECE = 4
"""Streamed images that one thread decodes in a row: a batch of 16 keeps four threads busy."""


class Feed(ABC):
    """Images by number, in the order in which they are announced. Call `close`, or use `with`."""

    def __init__(self, placement: Placement, count: int, images: Tensor | None) -> None:
        self.placement = placement
        """Where the decoded images lie."""
        self.count = count
        """N, the images in all."""
        self.images = images
        """(N, 3, H, W) uint8 in [0, 255], RGB, on the device; None unless all of them lie there.
        Who gathers from it need neither announce nor ask for batches."""
        self.waited_s = 0.0
        """Host time that `batch` has spent waiting for images so far."""
        self._rows: deque[Tensor] = deque()

    def announce(self, indices: Tensor) -> None:
        """Say which images the next batches are, after those that were announced before.

        Args:
            indices: (K, B) int64 in [0, N), on the CPU; one row a batch.

        Raises:
            ValueError: it has another shape or type, or names an image that is not there.
        """
        if indices.ndim != 2 or indices.dtype != torch.int64 or indices.device.type != "cpu":
            raise ValueError(f"not (K, B) int64 on the CPU: {indices.shape} {indices.dtype}")
        if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.count:
            raise ValueError(f"there are {self.count} images, numbered from 0")
        self._rows.extend(indices.unbind())

    @abstractmethod
    def batch(self) -> Tensor:
        """The next announced batch.

        Returns:
            (B, 3, H, W) uint8 in [0, 255], RGB, on the device; the caller's own. On CUDA it may
            still be on its way there: the current stream is in order.

        Raises:
            ShardError: a shard is corrupt.
            RuntimeError: no batch is announced.
        """

    def close(self) -> None:
        """Forget what was announced and end the threads; a second call does nothing."""
        self._rows.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ResidentFeed(Feed):
    """All images on the device; announcing only queues."""

    def __init__(self, images: Tensor) -> None:
        """Of images (N, 3, H, W) uint8 in [0, 255], RGB, on the device."""
        super().__init__(Placement.DEVICE, len(images), images)
        self._all = images

    def batch(self) -> Tensor:
        """As `Feed.batch`; never waits for images."""
        numbers = _next(self._rows)
        return self._all[numbers.to(self._all.device, non_blocking=True)]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a prefetched feed has its images from."""

    count: int
    """N, the images in all."""
    image_size: int
    """Their height and width."""
    fill: Callable[[Sequence[int], Pixels], None]
    """Puts the images of n numbers into (n, 3, H, W) uint8; called by several threads at a time."""
    piece: int
    """Images that one call fills at most."""


@dataclass(frozen=True, slots=True)
class _Load:
    """A batch that threads are filling."""

    buffer: Tensor
    pieces: tuple[Future[None], ...]


class PrefetchedFeed(Feed):
    """Threads fill the next batches, `DEPTH` of them at most, in host memory."""

    def __init__(self, placement: Placement, source: Source, device: torch.device) -> None:
        """Nothing is read before the first batch is announced.

        Args:
            placement: where `source` has its images.
            source: fills batches.
            device: where batches shall lie.
        """
        super().__init__(placement, source.count, images=None)
        self._source = source
        self._staging = Staging(device)
        self._loads: deque[_Load] = deque()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="facegan-feed")

    def announce(self, indices: Tensor) -> None:
        """As `Feed.announce`; prefetching begins."""
        super().announce(indices)
        self._prefetch()

    def batch(self) -> Tensor:
        """As `Feed.batch`."""
        load = _next(self._loads)
        self._wait(load)
        images = self._staging.send(load.buffer)
        self._prefetch()
        return images

    def close(self) -> None:
        """As `Feed.close`; waits for the pieces that are being filled."""
        super().close()
        self._loads.clear()
        self._threads.shutdown(cancel_futures=True)

    def _prefetch(self) -> None:
        size = self._source.image_size
        while self._rows and len(self._loads) < DEPTH:
            numbers: list[int] = self._rows.popleft().tolist()
            buffer = self._staging.take((len(numbers), 3, size, size))
            pieces = self._begin(numbers, buffer.numpy())
            self._loads.append(_Load(buffer, tuple(pieces)))

    def _begin(self, numbers: list[int], out: Pixels) -> Iterator[Future[None]]:
        for first in range(0, len(numbers), self._source.piece):
            part = slice(first, first + self._source.piece)
            yield self._threads.submit(self._source.fill, numbers[part], out[part])

    def _wait(self, load: _Load) -> None:
        """Until all pieces are at an end; then raise what one of them raised."""
        if not all(piece.done() for piece in load.pieces):
            began = time.perf_counter()
            wait(load.pieces)
            self.waited_s += time.perf_counter() - began
        for piece in load.pieces:
            piece.result()


def open_feed(
    index: ShardIndex,
    image_size: int,
    device: torch.device,
    *,
    cache: Path,
    split: str = "train",
    placement: Placement | None = None,
    listener: Listener = silent,
) -> Feed:
    """Get the images of a split ready where they fit, and say where that is.

    Args:
        index: the opened shards.
        image_size: height and width that larger images are reduced to.
        device: where batches shall lie.
        cache: the folder of decoded files; made when it is needed.
        split: which part of the images.
        placement: where the decoded images shall lie; without it the sizes decide.
        listener: gets one note, before the decoding begins.

    Raises:
        ConfigError: `image_size` is above the shards' size.
        ShardError: a shard is corrupt, or the split has no images.
        WorkspaceError: the decoded file cannot be written.
    """
    members = members_of(index, image_size, split)
    path = decoded_path(cache, members, image_size)
    discard_others(path)
    decoded_bytes = len(members) * 3 * image_size**2
    reason = ""
    if placement is None:
        is_there = has_length(path, decoded_bytes)
        placement, reason = place_images(decoded_bytes, device, cache, is_there=is_there)
    where = {
        Placement.DEVICE: f"on the {device.type}",
        Placement.MAPPED: f"memory-mapped in {path}",
        Placement.STREAMED: "streamed from the shards",
    }[placement]
    images = f"{len(members):,} images of {image_size} px, {size_text(decoded_bytes)} decoded"
    listener(Note("train", f"{images}: {where}{reason}"))
    if placement is Placement.DEVICE:
        return ResidentFeed(load_images(index, image_size, split=split, device=device))
    if placement is Placement.MAPPED:
        copy = partial(_copy, map_images(index, members, image_size, cache))
        source = Source(len(members), image_size, copy, piece=len(members))
    else:
        read = partial(_decode, index, members, image_size)
        source = Source(len(members), image_size, read, piece=_PIECE)
    return PrefetchedFeed(placement, source, device)


def _copy(images: Pixels, numbers: Sequence[int], out: Pixels) -> None:
    for image, number in zip(out, numbers, strict=True):
        image[:] = images[number]


def _decode(
    index: ShardIndex,
    members: Sequence[Member],
    image_size: int,
    numbers: Sequence[int],
    out: Pixels,
) -> None:
    wanted = [members[number] for number in numbers]
    for image, pixels in zip(out, decode(index, wanted, image_size), strict=True):
        image[:] = pixels


def _next(queue: deque[_T]) -> _T:
    if not queue:
        raise RuntimeError("no batch is announced")
    return queue.popleft()
