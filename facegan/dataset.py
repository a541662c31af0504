"""Shards to batches: every training image decoded once, then drawn by number.

The order of the images is a function of (seed, iteration), so a resumed run needs to know nothing
but its iteration.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from facegan.core.errors import ConfigError, ShardError
from facegan.core.shards import Member, ShardIndex, read_members
from facegan.images import Pixels, decode_png, to_float
from facegan.randomness import generator_for

_CHUNK = 64
"""Images that one thread reads in a row: one opened tar, few hand-overs."""


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


def load_images(index: ShardIndex, image_size: int, *, split: str = "train") -> Tensor:
    """Decode all images of a split, in parallel; Pillow lets go of the interpreter meanwhile.

    Larger images are reduced to `image_size` by the mean over the area of each new pixel.

    Args:
        index: the opened shards.
        image_size: height and width of the result.
        split: which part of the images.

    Returns:
        (N, 3, H, W) uint8 in [0, 255], RGB, contiguous, on the CPU, in the index's order.

    Raises:
        ConfigError: `image_size` is above the shards' size.
        ShardError: a shard is corrupt, or the split has no images.
    """
    check_size(index, image_size)
    members = index.split(split)
    if not members:
        raise ShardError(
            f"no images to train on in {index.folder}: its {split} split is empty",
            hint="facegan crop",
        )
    images = np.empty((len(members), 3, image_size, image_size), dtype=np.uint8)

    def fill(first: int) -> None:
        chunk = members[first : first + _CHUNK]
        for place, (member, data) in enumerate(
            zip(chunk, read_members(index, chunk), strict=True), start=first
        ):
            images[place] = _decode(index, member, data, image_size).transpose(2, 0, 1)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(fill, range(0, len(members), _CHUNK)):
            pass
    return torch.from_numpy(images)


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


def _decode(index: ShardIndex, member: Member, data: bytes, image_size: int) -> Pixels:
    try:
        return decode_png(data, image_size)
    except ValueError as error:
        raise ShardError(
            f"cannot read {member.key}.png in {index.folder / member.shard}: {error}",
            hint="facegan shard",
        ) from error
