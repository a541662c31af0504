"""The limits of this machine for one iteration: its arithmetic, and its arithmetic and memory.

    python -m benchmarks.roofline --device cpu --size 256 --batch 16 [--json] [--kernels] [--write]

`benchmarks/counting.py` says what is counted and what is assumed, `benchmarks/peaks.py` measures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

import torch
from rich.console import Console
from rich.table import Column, Table

from benchmarks import counting, peaks
from benchmarks.counting import Counter, Kernel, Layer
from benchmarks.peaks import Peaks
from benchmarks.result import write
from facegan.config import ModelConfig

ITERATIONS = 50_000
"""Of the articles' training."""


def counters(config: ModelConfig, batch: int) -> dict[str, Counter]:
    """The loops that are limited: the textbook's, ours in either precision."""
    return {
        "textbook fp32": counting.textbook(config, batch),
        "facegan fp32": Counter(config, batch, "fp32"),
        "facegan bf16": Counter(config, batch, "bf16"),
    }


def limits(counter: Counter, found: Peaks) -> dict[str, float]:
    """Least times of one iteration and of all, in seconds."""
    flops_per_s = found.flops_per_s[counter.precision]
    floor = counter.flops / flops_per_s
    roofline = counter.least_seconds(flops_per_s, found.bytes_per_s)
    return {
        "gflop": counter.flops / 1e9,
        "megabytes": sum(kernel.bytes for kernel in counter.kernels()) / 1e6,
        "floor_s": floor,
        "roofline_s": roofline,
        "images_per_s": counter.batch / roofline,
        "floor_50k_s": ITERATIONS * floor,
        "roofline_50k_s": ITERATIONS * roofline,
    }


def figures(config: ModelConfig, batch: int, found: Peaks) -> dict[str, float]:
    """Flat: the machine's rates and every limit."""
    flat = found.figures()
    for name, counter in counters(config, batch).items():
        for key, value in limits(counter, found).items():
            flat[f"{name.replace(' ', '_')}_{key}"] = value
    return flat


def layer_table(config: ModelConfig) -> Table:
    """Both networks, an image."""
    table = Table("layer", *_right("MMAC", "weights", "outputs"), title="Forward, one image")
    networks = (
        ("G", counting.generator_layers(config)),
        ("D", counting.discriminator_layers(config)),
    )
    for network, layers in networks:
        for layer in layers:
            _layer_row(table, f"{network} {layer.name}", layer)
        total = f"{counting.macs(layers) / 1e6:,.1f}"
        table.add_row(network, total, f"{counting.parameters(layers):,}", "", style="bold")
    return table


def kernel_table(kernels: Iterable[Kernel], flops_per_s: float, bytes_per_s: float) -> Table:
    """Each kernel's two least times; the larger counts."""
    heads = ("GFLOP", "MB", "arithmetic us", "memory us")
    table = Table("kernel", *_right(*heads), title="One iteration")
    for kernel in kernels:
        times = kernel.flops / flops_per_s, kernel.bytes / bytes_per_s
        cells = [f"{1e6 * seconds:,.1f}" for seconds in times]
        table.add_row(kernel.name, f"{kernel.flops / 1e9:.2f}", f"{kernel.bytes / 1e6:.2f}", *cells)
    return table


def by_kind(counter: Counter) -> list[Kernel]:
    """One kernel for all of a kind; its counts are sums."""
    kinds: dict[str, list[Kernel]] = {}
    for kernel in counter.kernels():
        kinds.setdefault(kernel.kind, []).append(kernel)
    return [
        Kernel(
            f"{len(them)} x {kind}",
            kind,
            sum(kernel.flops for kernel in them),
            sum(kernel.bytes for kernel in them),
        )
        for kind, them in kinds.items()
    ]


def limit_table(config: ModelConfig, batch: int, found: Peaks) -> Table:
    """Floor and roofline of each loop."""
    heads = ("GFLOP", "MB", "floor ms", "roofline ms", "images/s", "50k floor s", "50k roofline s")
    title = f"Limits: {config.image_size} px, width {config.width:g}, batch {batch}"
    table = Table("loop", *_right(*heads), title=title)
    for name, counter in counters(config, batch).items():
        values = limits(counter, found)
        table.add_row(
            name,
            f"{values['gflop']:,.1f}",
            f"{values['megabytes']:,.0f}",
            f"{1e3 * values['floor_s']:,.3f}",
            f"{1e3 * values['roofline_s']:,.3f}",
            f"{values['images_per_s']:,.0f}",
            f"{values['floor_50k_s']:,.1f}",
            f"{values['roofline_50k_s']:,.1f}",
        )
    return table


def _layer_row(table: Table, name: str, layer: Layer) -> None:
    cells = f"{layer.macs / 1e6:,.1f}", f"{layer.weights:,}", f"{layer.outputs:,}"
    table.add_row(name, *cells)


def _right(*heads: str) -> list[Column]:
    return [Column(head, justify="right") for head in heads]


def show(config: ModelConfig, batch: int, found: Peaks, *, kernels: bool) -> None:
    """Everything as tables."""
    console = Console(width=120)
    rates = ", ".join(f"{name} {rate / 1e12:.3g}" for name, rate in found.flops_per_s.items())
    memory = f"{found.bytes_per_s / 1e9:,.0f} GB/s"
    console.print(f"{found.device}, {found.threads} threads: TFLOP/s {rates}; memory {memory}")
    console.print(layer_table(config))
    counter = Counter(config, batch, "bf16")
    rows = counter.kernels() if kernels else by_kind(counter)
    console.print(kernel_table(rows, found.flops_per_s["bf16"], found.bytes_per_s))
    console.print(limit_table(config, batch, found))


def main() -> None:
    """Measure, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--edge", type=int, help="side of the multiplied matrices")
    parser.add_argument("--mib", type=int, help="size of the copied tensor")
    parser.add_argument("--json", action="store_true", help="figures alone, on stdout")
    parser.add_argument("--kernels", action="store_true", help="each kernel, not each kind")
    parser.add_argument("--write", action="store_true", help="keep them in benchmarks/results")
    options = parser.parse_args()
    config = ModelConfig(image_size=options.size, width=options.width)
    found = peaks.measure(torch.device(options.device), edge=options.edge, mib=options.mib)
    values = figures(config, options.batch, found)
    if options.json:
        print(json.dumps(values, indent=2))
    else:
        show(config, options.batch, found, kernels=options.kernels)
    if options.write:
        name = "roofline" if options.device == "cpu" else f"roofline-{options.device}"
        write(name, values, {}, packages=("torch",))


if __name__ == "__main__":
    main()
