"""The graph of `inception_graph`, computed as a CPU is fastest at it; the same numbers to rounding.

What a pass gains on one core of a Xeon of 2.5 GHz (AVX-512, fp32, tiles of 8, 16 in the last line;
single trials with other programs beside them, so the ratios count), beside the graph in PyTorch's
usual memory format, BatchNorm folded: 5.3 images/s. benchmarks/results/score.json has the whole.

    channels last                                                  8.0 images/s
    + ReLU within the convolution (oneDNN's fused operation)       8.8
    + average pools after their 1x1 convolution, not before        9.1
    + the stem two images at a time                                9.8

The pools: the mean over a window and a 1x1 convolution commute, so 192 maps are averaged where the
graph has up to 2048; the bias is added behind both. The stem: its maps are 5.5 MB an image, so a
whole tile leaves the cache, and glibc hands buffers beyond 32 MB back to the kernel, whose pages
are then cleared anew each time. Parts of two images stay below both.

Tried without a gain: one 1x1 convolution for all branches that begin with one (their outputs are
then strided), weights laid out for oneDNN beforehand (1 % of a tile of 16), max pools by slices,
1x1 convolutions as matrix products, `mallopt` (nothing is left of its gain once the stem is split).
TorchScript's `freeze` gains no more than channels last and is deprecated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from facegan.score.inception_graph import Block, Branch, Conv, ConvReLU, Inception, Pool

Network = Callable[[Tensor], tuple[Tensor, Tensor]]
"""(B, 3, 299, 299) float32 -> features (B, 2048) and logits (B, classes), both float32."""

STEM_TILE = 2
"""Images that pass the stem together."""
TRIAL = 8
"""Images of a trial of precisions."""
GAIN = 1.2
"""How much faster bf16 must be: for less it is not worth a difference."""
_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Capabilities of CPUs that multiply bf16 by themselves (x86, x86, Arm)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What `--precision auto` came to."""

    precision: str
    """`fp32` or `bf16`."""
    ratio: float
    """How many times faster bf16 was; 0 where it was not tried."""
    difference: float
    """|features of bf16 - of fp32| / |of fp32|, Euclidean over the trial; 0 where not tried."""

    @property
    def words(self) -> str:
        """A sentence for people."""
        if not self.ratio:
            return "precision fp32: this device has no bf16 arithmetic of its own"
        return (
            f"precision {self.precision}: bf16 is {self.ratio:.2g} times as fast here, and its "
            f"features differ by {self.difference:.2g} of their length"
        )


def prepared(network: Inception, device: torch.device, number: torch.dtype) -> Network:
    """The network as `device` is fastest at it.

    Args:
        network: in eval mode, float32, on the CPU; not to be used afterwards.
        device: where it is to run.
        number: of the convolutions, float32 or bfloat16; mean and classifier stay float32.

    Returns:
        A function of images on `device`; equal to `network` within 1e-5 of the outputs' range in
        float32. An image's rows differ by rounding with its batch.
    """
    if device.type == "cpu":
        return _OnCPU(network, number)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(number)
    placed = network.to(device).to(memory_format=torch.channels_last)

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = placed(x.to(number))
        return features, logits

    return run


def choose_precision(
    make: Callable[[], Inception],
    device: torch.device,
    *,
    supported: bool | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """What `--precision auto` stands for here: bf16 where a trial finds it clearly faster.

    Args:
        make: gives the network, a new one each time.
        device: where it is to run.
        supported: whether the device computes in bf16 by itself; None finds out. Without it
            nothing is tried and fp32 is taken.
        clock: seconds; injected by tests.
    """
    if not (has_bf16(device) if supported is None else supported):
        return Choice("fp32", 0.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(TRIAL, 3, 299, 299, generator=generator).mul_(2).sub_(1)
    x = images.to(device).contiguous(memory_format=torch.channels_last)
    exact, fp32_s = _trial(prepared(make(), device, torch.float32), x, clock)
    rough, bf16_s = _trial(prepared(make(), device, torch.bfloat16), x, clock)
    ratio = fp32_s / bf16_s
    difference = float((rough - exact).norm() / exact.norm())
    return Choice("bf16" if ratio >= GAIN else "fp32", ratio, difference)


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 by instructions of its own, not by emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in _BF16)


def _trial(network: Network, x: Tensor, clock: Callable[[], float]) -> tuple[Tensor, float]:
    """Features of `x`, and the seconds of the faster of two passes after a first one."""
    taken = []
    with torch.inference_mode():
        for _ in range(3):
            begun = clock()
            features = network(x)[0].cpu()  # waits for the device
            taken.append(clock() - begun)
    return features, min(taken[1:])


class _OnCPU:
    """The graph as a list of functions."""

    def __init__(self, network: Inception, number: torch.dtype) -> None:
        self._number = number
        stem = (
            network.Conv2d_1a_3x3,
            network.Conv2d_2a_3x3,
            network.Conv2d_2b_3x3,
            network.Conv2d_3b_1x1,
            network.Conv2d_4a_3x3,
        )
        self._stem = [_Convolution(layer, number) for layer in stem]
        self._blocks = []
        for name in network.blocks:
            block = network.get_submodule(name)
            assert isinstance(block, Block)  # noqa: S101 - for the type alone
            self._blocks.append([_branch(block, branch, number) for branch in block.branches])
        self._classifier = network.fc

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.to(self._number).contiguous(memory_format=torch.channels_last)
        x = torch.cat([self._through_stem(part) for part in torch.split(x, STEM_TILE)])
        for branches in self._blocks:
            x = torch.cat([part for branch in branches for part in branch(x)], 1)
        features = x.float().mean((2, 3))
        return features, self._classifier(features)

    def _through_stem(self, x: Tensor) -> Tensor:
        first, second, third, fourth, fifth = self._stem
        x = functional.max_pool2d(third(second(first(x))), 3, 2)
        return functional.max_pool2d(fifth(fourth(x)), 3, 2)


_Function = Callable[[Tensor], Tensor]
_Parts = Callable[[Tensor], list[Tensor]]


def _branch(block: Block, branch: Branch, number: torch.dtype) -> _Parts:
    """A branch as one function: what it adds to the block's output, in order."""
    chain: list[_Function] = []
    ends: list[_Function] = []
    steps = list(branch)
    while steps:
        step = steps.pop(0)
        if isinstance(step, Pool) and step.kind == "average":
            behind = steps.pop(0)
            assert isinstance(behind, Conv)  # noqa: S101 - 1x1 in every block
            layer = _layer(block, behind)
            chain.append(_PooledBehind(layer, number, block.averages_padding))
        elif isinstance(step, Pool):
            chain.append(_halved if step.kind == "halve" else _widened)
        elif isinstance(step, Conv):
            chain.append(_Convolution(_layer(block, step), number))
        else:
            ends = [_Convolution(_layer(block, conv), number) for conv in step]

    def run(x: Tensor) -> list[Tensor]:
        for function in chain:
            x = function(x)
        return [end(x) for end in ends] if ends else [x]

    return run


def _layer(block: Block, conv: Conv) -> ConvReLU:
    layer = block.get_submodule(conv.name)
    assert isinstance(layer, ConvReLU)  # noqa: S101 - for the type alone
    return layer


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 2)


def _widened(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 1, 1)


class _Convolution:
    """A convolution with its ReLU, in one pass over the output where oneDNN is there."""

    def __init__(self, layer: ConvReLU, number: torch.dtype) -> None:
        conv = layer.conv
        self.weight = conv.weight.detach().to(number, memory_format=torch.channels_last)
        assert conv.bias is not None  # noqa: S101 - BatchNorm's, folded
        self.bias = conv.bias.detach().to(number)
        self.stride, self.padding = list(conv.stride), [int(side) for side in conv.padding]
        self._fused = has_fused()

    def __call__(self, x: Tensor) -> Tensor:
        if not self._fused:
            out = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            return out.relu_()
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, self.stride, [1, 1], 1, "relu", [], ""
        )
        return fused


class _PooledBehind:
    """A 1x1 convolution, then the average pool that stands before it in the graph, then the ReLU.

    Where the graph counts the zeros beyond the border, so does this: a 1x1 convolution without its
    bias makes zeros of them.
    """

    def __init__(self, layer: ConvReLU, number: torch.dtype, counts_padding: bool) -> None:
        conv = layer.conv
        self.weight = conv.weight.detach().to(number, memory_format=torch.channels_last)
        assert conv.bias is not None  # noqa: S101 - BatchNorm's, folded
        self.bias = conv.bias.detach().to(number)[:, None, None]
        self.counts_padding = counts_padding

    def __call__(self, x: Tensor) -> Tensor:
        narrow = functional.conv2d(x, self.weight)
        mean = functional.avg_pool2d(narrow, 3, 1, 1, count_include_pad=self.counts_padding)
        return mean.add_(self.bias).relu_()


def has_fused() -> bool:
    """Whether this PyTorch has oneDNN's convolution with a ReLU; what `torch.compile` emits too."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(there) and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
