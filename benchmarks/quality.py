"""How good a run's samples are without a downloaded network, beside real images.

    python -m benchmarks.quality RUN SHARDS [--device cuda] [--samples 1000] [--write NAME]

The distance falls with the number of images in the sets, so all distances here are of equally many:
as many as half the training images, or as there are samples if these are fewer.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.result import write
from facegan.core.shards import open_index
from facegan.dataset import load_images
from facegan.sample import generate, latents
from facegan.score.offline import pair_similarity, sliced_wasserstein
from facegan.trained import load_generator

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one set of images."""

    swd: float
    """Sliced Wasserstein distance to training images, x 1,000: lower is nearer."""
    ms_ssim: float
    """Mean over random pairs: lower is more varied."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Training images in two halves: what samples are compared with, and what comes next to it."""

    near: Images
    far: Images

    @classmethod
    def of(cls, images: Images, most: int, seed: int = 0) -> Reference:
        """Two disjoint random sets of at most `most` images each."""
        order = np.random.default_rng(seed).permutation(len(images))
        half = min(most, len(images) // 2)
        return cls(images[order[:half]], images[order[half : 2 * half]])

    def quality(self, images: Images, pairs: int) -> Quality:
        """Of at least as many images as each half has."""
        count = len(self.near)
        distance = sliced_wasserstein(self.near, images[:count])
        return Quality(distance.mean, pair_similarity(images, pairs=pairs).mean)


def training_images(shards: Path, size: int) -> Images:
    """(N, S, S, 3) uint8 of the training split."""
    images = load_images(open_index(shards), size)
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def samples_of(run: Path, count: int, device: str, *, raw: bool = False) -> Images:
    """(count, S, S, 3) uint8 of the run's newest checkpoint, as `facegan sample` draws them."""
    generator, _, model = load_generator(run, device=device, raw=raw)
    drawn = latents(count, model.latent_size, seed=0)
    return np.concatenate(list(generate(generator, drawn, batch=64, device=device)))


def main() -> None:
    """Print the measures of a run and of real images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", type=Path)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--write", metavar="NAME", help="name of a file in benchmarks/results")
    options = parser.parse_args()
    samples = samples_of(options.run, options.samples, options.device)
    reference = Reference.of(training_images(options.shards, samples.shape[1]), options.samples)
    figures: dict[str, float] = {"images_a_set": len(reference.near), "samples": len(samples)}
    for name, images in (("samples", samples), ("real", reference.far)):
        quality = reference.quality(images, options.pairs)
        figures |= {f"{name}_swd": quality.swd, f"{name}_ms_ssim": quality.ms_ssim}
    print(json.dumps(figures, indent=2))
    if options.write:
        write(options.write, figures, {}, packages=("torch", "numpy"))


if __name__ == "__main__":
    main()
