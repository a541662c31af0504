"""The textbook loop beside facegan's, interleaved in one process.

    python -m benchmarks.train --device cpu --sizes 256 --batches 16 --repeats 7

Writes benchmarks/results/train.json, or train-cuda.json: the figures of one machine a file. A key
is DEVICE_FIGURE_SIZE for a batch of 16 and DEVICE_FIGURE_SIZE_batch_BATCH for others; figures of
other loops than `facegan train` as it is carry the loop's name before the figure's. What was not
measured is not there.

    s_per_iteration    median over the turns; s_per_iteration_min the least
    gemm_share         operations of the convolutions over those of the largest measured product
    roofline_share     least time by benchmarks/counting.py and the measured rates over the median
    memory_mb          the most held until the first figures: CUDA's allocations, or a process of
                       its own (PyTorch's 300 MB included)
    first_s            until the first figures: networks, trials of precisions, compilation, capture
    waiting_share      time in which inputs were drawn or waited for, over all
"""

from __future__ import annotations

import argparse
import csv
import gc
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import torch

from benchmarks import peaks
from benchmarks.contenders import FACEGAN, TEXTBOOK, Begun, Spec, begin, counter, probe
from benchmarks.peaks import Peaks
from benchmarks.result import Target, write
from benchmarks.turns import command_line, in_own_process
from facegan.core.errors import FaceganError

SIZES = (64, 128, 256)
BATCHES = (16, 64, 256)
ENGINES = {"cpu": ("eager", "compiled"), "cuda": ("eager", "compiled", "captured")}
TARGETS: dict[str, dict[str, Target]] = {
    "cpu": {"cpu_speedup_256": (">=", 2.5), "cpu_waiting_share": ("<=", 0.01)},
    "cuda": {
        "cuda_speedup_256": (">=", 8),
        "cuda_seconds_50k": ("<=", 75),
        "cuda_roofline_share_256_batch_256": (">=", 0.5),
        "cuda_waiting_share": ("<=", 0.01),
    },
}
FULL_RUN = {"iteration": 50_000, "nimg": 50_000 * 16}
"""Last row of the history of the articles' training."""


@dataclass(slots=True)
class Measured:
    """A contender and its turns."""

    spec: Spec
    begun: Begun
    seconds: list[float] = field(default_factory=list)
    """An iteration's, one number a turn."""
    waited_s: list[float] = field(default_factory=list)
    """Likewise, of it."""

    @property
    def median(self) -> float:
        """Of one iteration."""
        return statistics.median(self.seconds)

    @property
    def waiting_share(self) -> float:
        """Of all turns that were timed."""
        return sum(self.waited_s) / sum(self.seconds)


def specs(device: str, size: int, batch: int, width: float, *, engines: bool) -> Iterator[Spec]:
    """The textbook's loop, ours as it chooses, and with `engines` every engine and precision."""
    yield Spec(TEXTBOOK, device, size, batch, width)
    yield Spec(FACEGAN, device, size, batch, width)
    if engines:
        for engine, precision in product(ENGINES[device], ("fp32", "bf16")):
            yield Spec(f"{engine}_{precision}", device, size, batch, width, engine, precision)


def interleave(measured: list[Measured], repeats: int) -> None:
    """Turn by turn: A B A B, so that what the machine does besides hits all alike."""
    for _ in range(repeats):
        for one in measured:
            take_turn(one)


def take_turn(one: Measured) -> None:
    """Run a turn and note its times."""
    device, contender = torch.device(one.spec.device), one.begun.contender
    peaks.synchronise(device)
    waited, begun = contender.waited_s, time.perf_counter()
    contender.run()
    peaks.synchronise(device)
    one.seconds.append((time.perf_counter() - begun) / contender.turn)
    one.waited_s.append((contender.waited_s - waited) / contender.turn)


def key(spec: Spec, figure: str) -> str:
    """The name of a figure; see the module.

    >>> key(Spec("", "cuda", 256, 256), "roofline_share"), key(Spec("", "cpu", 256, 16), "speedup")
    ('cuda_roofline_share_256_batch_256', 'cpu_speedup_256')
    """
    name = f"{spec.name}_" if spec.name else ""
    batch = "" if spec.batch == 16 else f"_batch_{spec.batch}"
    return f"{spec.device}_{name}{figure}_{spec.size}{batch}"


def figures_of(one: Measured, found: Peaks) -> dict[str, float]:
    """All of one contender."""
    contender = one.begun.contender
    count = counter(one.spec, contender.precision)
    flops_per_s = found.flops_per_s[contender.precision]
    least = count.least_seconds(flops_per_s, found.bytes_per_s)
    values = {
        "s_per_iteration": one.median,
        "s_per_iteration_min": min(one.seconds),
        "iterations_per_s": 1 / one.median,
        "images_per_s": one.spec.batch / one.median,
        "gemm_share": count.flops / one.median / flops_per_s,
        "roofline_share": least / one.median,
        "memory_mb": one.begun.memory_bytes / 1e6,
        "first_s": one.begun.first_s,
    }
    if one.spec.name != TEXTBOOK:
        values["waiting_share"] = one.waiting_share
    if one.spec.name == FACEGAN:
        values["chose_bf16"] = float(contender.precision == "bf16")
        values["chose_captured"] = float(contender.engine == "captured")
    return {key(one.spec, name): value for name, value in values.items()}


def compare(measured: list[Measured], found: Peaks) -> dict[str, float]:
    """Figures of every contender, and how much faster each is than the textbook's loop."""
    book = measured[0]
    figures: dict[str, float] = {}
    for one in measured:
        figures |= figures_of(one, found)
        if one is not book:
            figures[key(one.spec, "speedup")] = book.median / one.median
            figures[key(one.spec, "speedup_min")] = min(book.seconds) / min(one.seconds)
    return figures


def measure(wanted: list[Spec], repeats: int) -> list[Measured]:
    """Begin all, then interleave; an engine that does not work here is left out and named."""
    measured = []
    for spec in wanted:
        try:
            measured.append(Measured(spec, _begin(spec)))
        except (FaceganError, RuntimeError) as error:
            if spec.engine == "auto":
                raise
            print(f"  {spec.name} left out: {error}", flush=True)
    interleave(measured, 1)
    for one in measured:
        one.seconds.clear()
        one.waited_s.clear()
    interleave(measured, repeats)
    return measured


def _begin(spec: Spec) -> Begun:
    """On the CPU the first turn is measured in a process of its own, for the memory's sake."""
    if spec.device == "cuda":
        return begin(spec)
    first_s, memory_bytes = in_own_process(probe, spec)
    return Begun(begin(spec).contender, first_s, memory_bytes)


def seconds_of_full_run(history: Path) -> float:
    """Training time of the articles' training, by the record that the run itself kept.

    Grids and checkpoints are in it, loading and capture are not. It is the host's time when the
    last iteration was issued, which the device ends at most `log_every` iterations later.

    Raises:
        ValueError: it is not the record of 50,000 iterations of 16.
    """
    with history.open(newline="") as file:
        *_, last = csv.DictReader(file)
    reached = {name: int(last[name]) for name in FULL_RUN}
    if reached != FULL_RUN:
        raise ValueError(f"{history} ends at {reached}, not at {FULL_RUN}")
    return float(last["seconds"])


def report(measured: list[Measured], figures: dict[str, float]) -> None:
    """A line a contender."""
    for one in measured:
        contender = one.begun.contender
        name = one.spec.name or f"facegan ({contender.engine} {contender.precision})"
        speedup = figures.get(key(one.spec, "speedup"), 1.0)
        print(
            f"  {name:<26} {1e3 * one.median:>10.2f} ms  (min {1e3 * min(one.seconds):.2f})"
            f"  x{speedup:<6.2f} roofline {figures[key(one.spec, 'roofline_share')]:.2f}",
            flush=True,
        )


def parse() -> argparse.Namespace:
    """Options, those of `--quick` filled in."""
    parser = command_line(__doc__)
    parser.add_argument("--device", choices=tuple(ENGINES), default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=7, help="turns of each loop")
    parser.add_argument("--quick", action="store_true", help="256 px, batch 16, three turns")
    parser.add_argument("--all-engines", action="store_true", help="every engine and precision")
    parser.add_argument("--full-run", type=Path, help="history.csv of 50,000 iterations of 16")
    options = parser.parse_args()
    if options.width != 1 and not options.dry:
        parser.error(f"--width is {options.width:g}: no figure's name tells it, so --dry is needed")
    if options.quick:
        options.sizes, options.batches, options.repeats = (256,), (16,), 3
    return options


def main() -> None:
    """Measure, print, write."""
    options = parse()
    found = peaks.measure(torch.device(options.device))
    figures = {f"{options.device}_{name}": value for name, value in found.figures().items()}
    figures[f"{options.device}_threads"] = found.threads
    waiting = []
    for size, batch in product(options.sizes, options.batches):
        print(f"{options.device}, {size} px, batch {batch}", flush=True)
        wanted = specs(options.device, size, batch, options.width, engines=options.all_engines)
        measured = measure(list(wanted), options.repeats)
        found_here = compare(measured, found)
        report(measured, found_here)
        figures |= found_here
        waiting += [one.waiting_share for one in measured]
        del measured
        gc.collect()
    figures[f"{options.device}_waiting_share"] = max(waiting)
    if options.full_run:
        figures["cuda_seconds_50k"] = seconds_of_full_run(options.full_run)
    if not options.dry:
        name = "train" if options.device == "cpu" else f"train-{options.device}"
        print(write(name, figures, TARGETS[options.device], packages=("torch", "numpy")))


if __name__ == "__main__":
    main()
