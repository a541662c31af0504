"""A generator's images: the same latents, and as far as can be the same bytes, every time.

What holds: one checkpoint, one seed, one machine -> the same bytes, whatever `count` and `batch`
are, for the network always computes tiles of the same 16 latents (the last one padded). Without
tiles it would not: of the batches 1, 2, 3, 7, 8, 16, 32 and 64, those of 3 and 7 changed the last
bits of the floats on a CPU, and one pixel value in 100,000 by 1. Another processor, device, number
of threads or PyTorch version may still round otherwise: then single pixels differ by 1, the latents
not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facegan import images
from facegan.core import events, files
from facegan.core.errors import CheckpointError
from facegan.randomness import seed_for

STAGE = "sample"
GRID_NAME = "grid.png"
MANIFEST_NAME = "samples.json"
_BLOCK = 256
_TILE = 16


def latents(count: int, latent_size: int, seed: int) -> Tensor:
    """Standard normal latents, of which the first k do not depend on `count`.

    They are drawn in blocks of 256 rows, each from a generator of its own for (seed, block). NumPy
    draws them on every device: its ziggurat gives the same bits on every processor, where PyTorch's
    CPU and CUDA generators differ.

    Args:
        count: N, 0 or more.
        latent_size: Z.
        seed: 0 or more.

    Returns:
        (N, Z) float32, N(0, 1), on the CPU.

    >>> torch.equal(latents(3, 4, seed=7), latents(300, 4, seed=7)[:3])
    True
    """
    blocks = [_block(seed, block, latent_size) for block in range(-(-count // _BLOCK))]
    rows = np.concatenate(blocks) if blocks else np.empty((0, latent_size), np.float32)
    return torch.from_numpy(rows[:count].copy())


def _block(seed: int, block: int, latent_size: int) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed_for(seed, "sample latents", block))
    return generator.standard_normal((_BLOCK, latent_size), dtype=np.float32)


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Latents on the great circle from `start` to `end`, the lengths interpolated linearly.

    On the straight line the middle would be shorter than any latent that training has seen.

    Args:
        start: (Z,) float32, not zero.
        end: (Z,) float32, not zero.
        steps: S, at least 2: both ends are among them.

    Returns:
        (S, Z) float32. Where the two point (nearly) the same way, or opposite ways, between which
        no circle is the one, the straight line.

    References:
        K. Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985, section 3.3.
        T. White, "Sampling Generative Networks", 2016, arXiv:1609.04468, section 2. Deviation: the
        directions and the lengths are interpolated apart, so that every length lies between the
        two.
    """
    a, b = start.double(), end.double()
    t = torch.linspace(0.0, 1.0, steps, dtype=torch.float64).unsqueeze(1)  # (S, 1)
    cosine = torch.dot(a / a.norm(), b / b.norm()).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    if torch.sin(angle) < 1e-6:
        return torch.lerp(a, b, t).float()
    directions = torch.sin((1.0 - t) * angle) * a / a.norm() + torch.sin(t * angle) * b / b.norm()
    path: Tensor = directions / torch.sin(angle) * torch.lerp(a.norm(), b.norm(), t)
    return path.float()


def generate(
    generator: nn.Module,
    latents: Tensor,
    *,
    batch: int = 64,
    device: torch.device | str | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """The images of the latents, in order, with BatchNorm's running statistics.

    The generator's mode is restored before each batch is handed out; gradients are not recorded.

    Args:
        generator: (B, Z) -> (B, 3, S, S) float in [-1, 1].
        latents: (N, Z) float32, any device.
        batch: images in one array at most; no image depends on it.
        device: where the generator is; by default its first parameter's.

    Yields:
        (B, S, S, 3) uint8 in [0, 255], RGB.

    Raises:
        CheckpointError: the generator's outputs are not finite.
    """
    if device is None:
        device = next((weight.device for weight in generator.parameters()), torch.device("cpu"))
    waiting: list[NDArray[np.uint8]] = []
    for start in range(0, len(latents), _TILE):
        waiting.extend(_tile(generator, latents[start : start + _TILE].to(device)))
        while len(waiting) >= batch:
            yield np.stack(waiting[:batch])
            del waiting[:batch]
    if waiting:
        yield np.stack(waiting)


def _tile(generator: nn.Module, z: Tensor) -> NDArray[np.uint8]:
    """The images of at most `_TILE` latents, computed as a full tile."""
    padded = torch.cat([z, z.new_zeros(_TILE - len(z), z.shape[1])])
    with evaluating(generator), torch.inference_mode():
        pictures = generator(padded)[: len(z)]
    if not torch.isfinite(pictures).all():
        raise CheckpointError(
            "the generator's images are not finite: the training of this checkpoint diverged",
            hint="sample an earlier checkpoint of the run",
        )
    return images.to_uint8(pictures)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode within the block; each part's own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@dataclass(frozen=True, slots=True)
class Samples:
    """What was written."""

    folder: Path
    count: int
    grid: Path


def write_samples(
    batches: Iterable[NDArray[np.uint8]],
    folder: Path,
    *,
    columns: int = 8,
    about: Mapping[str, Any] | None = None,
    total: int | None = None,
    listener: events.Listener = events.silent,
) -> Samples:
    """Single PNGs `000000.png`, …, a grid of the first `columns` squared, and `samples.json`.

    Each file appears whole or not at all. Where an earlier call wrote to the folder (its
    `samples.json` says so), its images beyond the new count are removed, so that the folder never
    mixes two checkpoints' samples.

    Args:
        batches: (B, S, S, 3) uint8 in [0, 255], RGB, as `generate` gives them; at least one image.
        folder: it is made where there is none.
        columns: images in a row of the grid.
        about: what the images are (checkpoint, iteration, seed, …): stored in `samples.json`.
        total: how many images will come, for the progress bar.
        listener: gets the progress.

    Raises:
        WorkspaceError: the folder cannot be written.
        ValueError: there is no image.
    """
    listener(events.Started(STAGE, total=total, unit="image"))
    manifest = folder / MANIFEST_NAME
    ours = manifest.is_file()
    files.write_json(manifest, {**(about or {}), "complete": False})
    first: list[NDArray[np.uint8]] = []
    count = 0
    try:
        for batch in batches:
            for image in batch:
                files.write_bytes(folder / f"{count:06d}.png", images.encode_png(image))
                count += 1
            first.extend(batch[: columns * columns - len(first)])
            listener(events.Advanced(STAGE, count))
    finally:
        listener(events.Finished(STAGE))
    if not count:
        raise ValueError("write_samples needs at least one image")
    if ours:
        _remove_surplus(folder, count)
    grid = folder / GRID_NAME
    files.write_bytes(grid, images.encode_png(images.grid(np.stack(first), columns)))
    files.write_json(manifest, {**(about or {}), "count": count, "complete": True})
    return Samples(folder, count, grid)


def _remove_surplus(folder: Path, count: int) -> None:
    """Remove the numbered images from `count` on: an earlier call made them."""
    for path in folder.glob("[0-9]*.png"):
        if path.stem.isdecimal() and int(path.stem) >= count:
            path.unlink(missing_ok=True)
