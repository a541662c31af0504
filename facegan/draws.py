"""What iterations learn from, drawn ahead in blocks: functions of the seed and the iteration alone.

Everything is drawn on the CPU for the whole batch and sliced by process, so that no result depends
on the device, on the number of processes, or on where a run was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from facegan.augment import DRAWS
from facegan.config import TrainConfig
from facegan.dataset import batch_indices
from facegan.randomness import generator_for
from facegan.step import average_share


@dataclass(frozen=True, slots=True)
class Draws:
    """The inputs of K successive iterations, one row each."""

    indices: Tensor
    """(K, B) int64: numbers of the real images."""
    uniforms: Tensor
    """(K, B, 4) float32 in [0, 1): for `augment`."""
    latents: Tensor
    """(K, B, Z) float32, N(0, 1)."""
    shares: Tensor
    """(K,) float32 in [0, 1]: for `update_average`."""

    def __len__(self) -> int:
        return len(self.shares)

    def to(self, device: torch.device) -> Draws:
        """The same rows on a device."""
        return Draws(*(getattr(self, each.name).to(device) for each in fields(self)))

    def copy_(self, other: Draws) -> None:
        """Take over the rows of `other`, which may be fewer, at the addresses that are there."""
        for each in fields(self):
            getattr(self, each.name)[: len(other)].copy_(getattr(other, each.name))


def draw(
    config: TrainConfig, count: int, first: int, rows: int, part: slice = slice(None)
) -> Draws:
    """The inputs of the iterations `first`, `first + 1`, ….

    Args:
        config: batch, seed, latent size and half-life of the average.
        count: training images in all, at least 1.
        first: iteration, from 0.
        rows: K, at least 1.
        part: which of a batch's images; the others are those of other processes.

    Returns:
        On the CPU.
    """
    iterations = range(first, first + rows)
    parts = [_row(config, count, iteration) for iteration in iterations]
    indices, uniforms, latents = (
        torch.stack(column)[:, part] for column in zip(*parts, strict=True)
    )
    shares = [
        average_share(config, iteration) if config.ema_kimg else 0.0 for iteration in iterations
    ]
    return Draws(indices, uniforms, latents, torch.tensor(shares))


def _row(config: TrainConfig, count: int, iteration: int) -> tuple[Tensor, Tensor, Tensor]:
    seed, batch = config.seed, config.batch
    return (
        batch_indices(count, batch, seed, iteration),
        torch.rand(batch, DRAWS, generator=generator_for(seed, "augmentation", iteration)),
        torch.randn(
            batch, config.model.latent_size, generator=generator_for(seed, "latents", iteration)
        ),
    )
