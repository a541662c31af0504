"""Scores beside torch-fidelity's and torchmetrics': images a second, memory, and agreement.

    python -m benchmarks.score [--images 256] [--repeats 3] [--quick] [--dry]

All read the same PNGs of 256x256 and the same file of seeded random weights in the layout of the
network of 2015: the numbers mean nothing, the work is that of the published weights. Every
measurement is a process of its own, taken in turns; figures are medians. Writes
benchmarks/results/score.json.

`images_per_s_…` is an Inception Score with the network in memory and one batch passed: PNGs are
read and decoded, resized, passed through the network, and scored. torch-fidelity and torchmetrics
run at torch-fidelity's default batch of 64; `…_batch_8` is torch-fidelity at the batch that it is
fastest with. `speedup_is` is over the default, `speedup_is_batch_8` over the other.

`…_all_s` is one call for IS, FID, KID, precision and recall of two folders, the network's loading
included, imports left out. facegan's order of the splits is its own, so all use one split; the
subsets of KID are the same. facegan's side is the network and the formulas of `facegan score`,
without its fixed feature, its verdict and its store. `difference_…` are relative, of precision and
recall absolute. `memory_mib_…` is the most that the process held; torch-fidelity's processes that
decode are not counted in.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.result import Target, report
from benchmarks.scorers import SIDE_PX, Done, Job, fidelity_formulas, formulas, probe, timed
from benchmarks.turns import add_turns, command_line, in_own_process, parsed
from facegan.score.fast import has_bf16
from facegan.score.inception import random_weights

TARGETS: dict[str, Target] = {
    "speedup_is": (">=", 2.0),
    "speedup_all": (">=", 2.0),
    "speedup_bf16": (">=", 3.5),
    "difference_is": ("<=", 1e-4),
    "difference_fid": ("<=", 1e-4),
    "difference_kid": ("<=", 1e-4),
}


def alone(job: Job) -> Done:
    """`probe` where nothing else was run before."""
    return in_own_process(_alone, job)


def _alone(job: Job) -> Done:
    """The peers' loaders start processes: as the system does by default, not as this one began."""
    multiprocessing.set_start_method(None, force=True)
    return probe(job)


def draw(folder: Path, count: int, *, faded: bool, seed: int) -> Path:
    """A folder of portraits as PNGs; `faded` ones have less contrast, so that the sets differ."""
    from PIL import Image

    from pipeline.portraits import portraits

    folder.mkdir()
    for place, portrait in enumerate(portraits(count, seed, size_px=SIDE_PX)):
        image = portrait.image // 8 * 7 + np.uint8(16) if faded else portrait.image
        Image.fromarray(image).save(folder / f"{place:05}.png", compress_level=1)
    return folder


def jobs(scratch: Path, count: int) -> dict[str, Job]:
    """All by the names of their figures."""
    weights = random_weights(scratch / "weights.pth", seed=0, network="fid2015")
    generated = draw(scratch / "generated", count, faded=True, seed=1)
    real = draw(scratch / "real", count, faded=False, seed=2)
    of = partial(Job, weights=weights, generated=generated, real=real)
    found = {
        "torch_fidelity": of("torch_fidelity_is"),
        "torch_fidelity_batch_8": of("torch_fidelity_is", batch=8),
        "torchmetrics": of("torchmetrics_is"),
        "facegan_fp32": of("facegan_is"),
        "torch_fidelity_all": of("torch_fidelity_all"),
        "facegan_all": of("facegan_all"),
    }
    if has_bf16(torch.device("cpu")):
        found["facegan_bf16"] = of("facegan_is", precision="bf16")
    return found


def figures_of(taken: Mapping[str, Sequence[Done]], count: int) -> dict[str, float]:
    """Medians, ratios and differences."""
    seconds = {name: statistics.median(d.seconds for d in all_) for name, all_ in taken.items()}
    values = {name: all_[0].values for name, all_ in taken.items()}
    figures: dict[str, float] = {"images": count}
    for name, all_ in taken.items():
        whole = name.endswith("_all")
        figures[f"{name}_s" if whole else f"images_per_s_{name}"] = (
            seconds[name] if whole else count / seconds[name]
        )
        figures[f"memory_mib_{name}"] = statistics.median(d.memory_mib for d in all_)
    peer = seconds["torch_fidelity"]
    figures["speedup_is"] = peer / seconds["facegan_fp32"]
    figures["speedup_is_batch_8"] = seconds["torch_fidelity_batch_8"] / seconds["facegan_fp32"]
    figures["speedup_all"] = seconds["torch_fidelity_all"] / seconds["facegan_all"]
    if "facegan_bf16" in seconds:
        figures["speedup_bf16"] = peer / seconds["facegan_bf16"]
        figures["difference_bf16_is"] = _relative(
            values["facegan_bf16"]["is"], values["facegan_fp32"]["is"]
        )
    for name, theirs in values["torch_fidelity_all"].items():
        ours, share = values["facegan_all"][name], name in ("precision", "recall")
        figures[f"difference_{name}"] = abs(ours - theirs) if share else _relative(ours, theirs)
    return figures


def time_formulas(count: int) -> dict[str, float]:
    """Seconds of the formulas alone, on features drawn at random."""
    rng = np.random.default_rng(0)
    real, generated = (np.abs(rng.normal(size=(count, 2048))).astype(np.float32) for _ in range(2))
    size = min(1000, count)
    return {
        "formulas_s_facegan": timed(lambda: formulas(real, generated)).seconds,
        "formulas_s_torch_fidelity": timed(
            lambda: fidelity_formulas(real, generated, size)
        ).seconds,
    }


def _relative(found: float, expected: float) -> float:
    return abs(found - expected) / abs(expected)


def rounds(
    work: Mapping[str, Job], repeats: int, run: Callable[[Job], Done] = alone
) -> Iterator[tuple[str, Done]]:
    """Every job in turn, `repeats` times."""
    for _ in range(repeats):
        for name, job in work.items():
            yield name, run(job)


def parse() -> argparse.Namespace:
    """Options, those of `--quick` filled in."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, default=256, help="in each of the two folders")
    add_turns(parser, quick="32 images")
    options = parsed(parser)
    options.images = 32 if options.quick else options.images
    return options


def main() -> None:
    """Measure, print, write."""
    options = parse()
    taken: dict[str, list[Done]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, done in rounds(jobs(Path(scratch), options.images), options.repeats):
            taken.setdefault(name, []).append(done)
            print(f"  {name:<24} {done.seconds:8.2f} s {done.memory_mib:8.0f} MiB", flush=True)
    figures = figures_of(taken, options.images) | time_formulas(options.images)
    names = ("torch", "torchvision", "torch-fidelity", "torchmetrics", "numpy", "scipy")
    report("score", figures, TARGETS, dry=options.dry, packages=names)


if __name__ == "__main__":
    main()
