"""Whether bf16 costs quality: the same training in both precisions, seed by seed.

    python -m benchmarks.precision SHARDS [--iters 1000] [--seeds 3] [--device cpu]

Seed, weights, order, augmentation and latents are the same; the precision alone differs. Writes
benchmarks/results/precision.json. The targets: bf16's mean distance, and its mean similarity of
pairs, lie at most one standard deviation of the fp32 seeds above fp32's. `…_raw` are the same
trainings without the average.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

from benchmarks.quality import Quality, Reference, samples_of, training_images
from benchmarks.result import report
from benchmarks.turns import command_line
from facegan.config import ModelConfig, TrainConfig
from facegan.train import fit

PRECISIONS = ("fp32", "bf16")
TARGETS = {"swd_difference_in_sd": ("<=", 1.0), "ms_ssim_difference_in_sd": ("<=", 1.0)}


def config_of(options: argparse.Namespace, seed: int, precision: str) -> TrainConfig:
    """One training; everything that is not given is as `facegan train` has it."""
    return TrainConfig(
        model=ModelConfig(image_size=options.size, width=options.width),
        iters=options.iters,
        batch=options.batch,
        seed=seed,
        device=options.device,
        precision=precision,
        sample_every=options.iters,
        checkpoint_every=options.iters,
        keep_checkpoints=1,
        name=f"{precision}-{seed}",
    )


def train_all(
    options: argparse.Namespace, reference: Reference, runs: Path
) -> dict[str, list[Quality]]:
    """Qualities by precision, with and without the average, in the order of the seeds."""
    found: dict[str, list[Quality]] = {}
    for seed, precision in product(range(options.seeds), PRECISIONS):
        done = fit(config_of(options, seed, precision), options.shards, runs)
        for name, raw in ((precision, False), (f"{precision}_raw", True)):
            samples = samples_of(done.run_dir, options.samples, options.device, raw=raw)
            quality = reference.quality(samples, options.pairs)
            found.setdefault(name, []).append(quality)
            print(f"{name}, seed {seed}: {quality}, {done.seconds:.0f} s", flush=True)
    return found


def figures_of(found: Mapping[str, Sequence[Quality]], real: Quality) -> dict[str, float]:
    """Mean and standard deviation of the seeds, and the difference that has a target."""
    figures = {"real_swd": real.swd, "real_ms_ssim": real.ms_ssim}
    for precision, qualities in found.items():
        figures |= _spread(f"{precision}_swd", (quality.swd for quality in qualities))
        figures |= _spread(f"{precision}_ms_ssim", (quality.ms_ssim for quality in qualities))
    for measure in ("swd", "ms_ssim"):
        difference = figures[f"bf16_{measure}_mean"] - figures[f"fp32_{measure}_mean"]
        figures[f"{measure}_difference_in_sd"] = difference / figures[f"fp32_{measure}_sd"]
    return figures


def _spread(name: str, values: Iterable[float]) -> dict[str, float]:
    """Each seed's value, their mean, and their standard deviation (divided by n - 1)."""
    each = list(values)
    figures = {f"{name}_seed_{seed}": value for seed, value in enumerate(each)}
    return figures | {f"{name}_mean": statistics.mean(each), f"{name}_sd": statistics.stdev(each)}


def parse() -> argparse.Namespace:
    """Options."""
    parser = command_line(__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--iters", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3, help="at least 2")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds is {options.seeds}: a standard deviation needs 2")
    return options


def main() -> None:
    """Train, measure, write."""
    options = parse()
    images = training_images(options.shards, options.size)
    reference = Reference.of(images, options.samples)
    print(f"{len(images)} training images, {len(reference.near)} in each set", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        found = train_all(options, reference, options.runs or Path(scratch))
    figures: dict[str, float] = {
        "iterations": options.iters,
        "samples": options.samples,
        "images_a_set": len(reference.near),
    }
    figures |= figures_of(found, reference.quality(reference.far, options.pairs))
    report("precision", figures, TARGETS, dry=options.dry, packages=("torch", "numpy"))


if __name__ == "__main__":
    main()
