"""What each part of the CPU's training loop is worth: the loop with one part changed, interleaved.

    python -m benchmarks.variants [--size 256] [--repeats 7]

Writes benchmarks/results/variants.json. `loop_ms` is an iteration as `facegan train` runs it in
fp32, eagerly; every other figure in ms is the same iteration with one thing changed, all taken in
turns in one process, and `layer_…_ms` are the two deepest layers alone, forward and backward, as
PyTorch computes them and as matrix products.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.result import write
from facegan import convolutions
from facegan.config import ModelConfig, TrainConfig
from facegan.convolutions import Doubling, Halving
from facegan.step import Networks, build, train_step, update_average

CPU = torch.device("cpu")
BATCH = 16
Run = Callable[[], None]


def iteration(networks: Networks, size: int) -> Run:
    """One iteration on noise."""
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(BATCH, 3, size, size, generator=generator) * 2 - 1
    latents = torch.randn(BATCH, 100, generator=generator)
    share = torch.tensor(0.01)

    def run() -> None:
        train_step(networks, real, latents)
        update_average(networks, share)

    return run


@contextlib.contextmanager
def native() -> Iterator[None]:
    """The deepest layers as PyTorch's own convolutions."""
    with mock.patch.object(convolutions, "_as_product", return_value=False):
        yield


def natively(run: Run) -> Run:
    """The same in `native`."""

    def changed() -> None:
        with native():
            run()

    return changed


def plain_adam(networks: Networks) -> Networks:
    """Adam as a loop over weights and operations."""
    for _, _, adam in networks.pairs():
        for group in adam.param_groups:
            group["fused"], group["foreach"] = None, False
    return networks


def contiguous(networks: Networks) -> Networks:
    """Weights, moments and so activations in PyTorch's usual memory format."""
    for _, network, adam in networks.pairs():
        network.to(memory_format=torch.contiguous_format)
        for parameter in network.parameters():
            state = adam.state[parameter]
            for moment in ("exp_avg", "exp_avg_sq"):
                state[moment] = state[moment].contiguous()
    return networks


def variants(size: int) -> dict[str, Run]:
    """Name -> an iteration."""
    config = TrainConfig(model=ModelConfig(size), precision="fp32")
    bf16, no_average = replace(config, precision="bf16"), replace(config, ema_kimg=0.0)
    return {
        "loop": iteration(build(config, CPU), size),
        "native_convolutions": natively(iteration(build(config, CPU), size)),
        "contiguous_native": natively(iteration(contiguous(build(config, CPU)), size)),
        "plain_adam": iteration(plain_adam(build(config, CPU)), size),
        "no_average": iteration(build(no_average, CPU), size),
        "bf16": iteration(build(bf16, CPU), size),
    }


def layer(kind: type[Doubling] | type[Halving], width_in: int, width_out: int, side: int) -> Run:
    """Forward and backward of one layer."""
    one: nn.Module = kind(width_in, width_out, bias=False)
    one.to(memory_format=torch.channels_last)
    x = torch.randn(BATCH, width_in, side, side).to(memory_format=torch.channels_last)
    x.requires_grad_()
    gradient: Tensor = torch.randn_like(one(x))

    def run() -> None:
        one.zero_grad()
        x.grad = None
        one(x).backward(gradient)

    return run


def layers() -> dict[str, Run]:
    """The two layers of 256 px and width 1, both ways."""
    spread, gather = layer(Doubling, 1024, 512, 4), layer(Halving, 512, 1024, 8)
    return {
        "layer_generator_product": spread,
        "layer_generator_native": natively(spread),
        "layer_discriminator_product": gather,
        "layer_discriminator_native": natively(gather),
    }


def interleave(runs: dict[str, Run], repeats: int) -> dict[str, list[float]]:
    """Seconds of every turn, after two that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(-2, repeats):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if turn >= 0:
                taken[name].append(time.perf_counter() - began)
    return taken


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    taken = interleave(layers(), 3 * options.repeats)
    taken |= interleave(variants(options.size), options.repeats)
    figures = {"size": float(options.size), "batch": float(BATCH)}
    for name, seconds in taken.items():
        figures[f"{name}_ms"] = 1e3 * statistics.median(seconds)
        figures[f"{name}_min_ms"] = 1e3 * min(seconds)
        print(f"{name:<30} {figures[f'{name}_ms']:>9.1f} ms (min {figures[f'{name}_min_ms']:.1f})")
    print(write("variants", figures, {}, packages=("torch",)))


if __name__ == "__main__":
    main()
