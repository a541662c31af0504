"""Shards to batches: every training image decoded once, then drawn by number.

The order of the images is a function of (seed, iteration), so a resumed run needs to know nothing
but its iteration. `feed` decides where the decoded images lie.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor

from facegan.core.errors import ConfigError, ShardError
from facegan.core.shards import Member, ShardIndex, read_members
from facegan.images import Pixels, decode_png, to_float
from facegan.randomness import generator_for

_CHUNK = 64
"""Images that one thread reads in a row: one opened tar, few hand-overs."""

_CPU = torch.device("cpu")

_BLOCK_BYTES = 256 * 2**20
"""Host memory that images take on their way to another device."""


def check_size(index: ShardIndex, image_size: int) -> None:
    """Refuse to train on images that would have to be enlarged.

    Raises:
        ConfigError: `image_size` is above the shards' size.
    """
    if image_size > index.image_size:
        raise ConfigError(
            f"--size is {image_size}: the images in {index.folder} are {index.image_size} px, "
            f"and {index.image_size} is the most that can be trained on",
            hint=f"facegan crop --size {image_size}",
        )


def members_of(index: ShardIndex, image_size: int, split: str) -> tuple[Member, ...]:
    """The images to train on, in the index's order; at least one.

    Raises:
        ConfigError: `image_size` is above the shards' size.
        ShardError: the split has no images.
    """
    check_size(index, image_size)
    members = index.split(split)
    if not members:
        raise ShardError(
            f"no images to train on in {index.folder}: its {split} split is empty",
            hint="facegan crop",
        )
    return members


def load_images(
    index: ShardIndex,
    image_size: int,
    *,
    split: str = "train",
    device: torch.device = _CPU,
) -> Tensor:
    """Decode all images of a split, in parallel.

    The host holds no more than one block of them on their way to another device.

    Args:
        index: the opened shards.
        image_size: height and width of the result.
        split: which part of the images.
        device: where they shall lie.

    Returns:
        (N, 3, H, W) uint8 in [0, 255], RGB, contiguous, on `device`, in the index's order.

    Raises:
        ConfigError: `image_size` is above the shards' size.
        ShardError: a shard is corrupt, or the split has no images.
    """
    members = members_of(index, image_size, split)
    shape = (len(members), 3, image_size, image_size)
    images = torch.empty(shape, dtype=torch.uint8, device=device)
    step = max(1, _BLOCK_BYTES // images[0].numel())
    for first in range(0, len(members), step):
        block = images[first : first + step]
        here = block if device.type == "cpu" else torch.empty(block.shape, dtype=torch.uint8)
        decode_all(index, members[first : first + step], image_size, here.numpy().__setitem__)
        if here is not block:
            block.copy_(here)
    return images


def decode_all(
    index: ShardIndex,
    members: Sequence[Member],
    image_size: int,
    store: Callable[[int, Pixels], None],
) -> None:
    """Decode images in parallel; Pillow lets go of the interpreter meanwhile.

    Args:
        index: the opened shards.
        members: which images.
        image_size: height and width of the results.
        store: gets each place in `members` once, with its image as `decode` gives it; called from
            several threads at a time.

    Raises:
        ShardError: a shard is corrupt.
    """

    def run(first: int) -> None:
        chunk = decode(index, members[first : first + _CHUNK], image_size)
        for place, pixels in enumerate(chunk, start=first):
            store(place, pixels)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(run, range(0, len(members), _CHUNK)):
            pass


def decode(index: ShardIndex, members: Sequence[Member], image_size: int) -> Iterator[Pixels]:
    """Images one after another.

    Larger ones are reduced to `image_size` by the mean over the area of each new pixel.

    Yields:
        (3, H, W) uint8 in [0, 255], RGB, not contiguous; one for each of `members`.

    Raises:
        ShardError: a shard is corrupt.
    """
    for member, data in zip(members, read_members(index, members), strict=True):
        try:
            pixels = decode_png(data, image_size)
        except ValueError as error:
            raise ShardError(
                f"cannot read {member.key}.png in {index.folder / member.shard}: {error}",
                hint="facegan shard",
            ) from error
        yield pixels.transpose(2, 0, 1)


def batch_indices(count: int, batch: int, seed: int, iteration: int) -> Tensor:
    """The numbers of an iteration's images.

    An endless sequence of permutations of the images, one an epoch, is cut into batches; a batch
    may reach over several epochs.

    Args:
        count: images in all, at least 1.
        batch: images wanted.
        seed: the run's `--seed`.
        iteration: from 0.

    Returns:
        (B,) int64 in [0, count), on the CPU.
    """
    position, end = iteration * batch, (iteration + 1) * batch
    parts: list[Tensor] = []
    while position < end:
        epoch, offset = divmod(position, count)
        part = _permutation(count, seed, epoch)[offset : offset + end - position]
        parts.append(part)
        position += len(part)
    return torch.cat(parts)


def take_batch(images: Tensor, indices: Tensor) -> Tensor:
    """Images by number, on the networks' scale.

    Args:
        images: (N, 3, H, W) uint8 in [0, 255], on any device.
        indices: (B,) int64 in [0, N).

    Returns:
        (B, 3, H, W) float32 in [-1, 1], on the images' device.
    """
    return to_float(images[indices.to(images.device, non_blocking=True)])


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> Tensor:
    """(N,) int64; kept for the batches of the same epoch, so it must not be changed."""
    return torch.randperm(count, generator=generator_for(seed, "order", epoch))
