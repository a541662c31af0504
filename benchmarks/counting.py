"""What one iteration must compute and move: pure counting, nothing is run here.

A kernel is one pass over the data: a convolution's product in one of three directions, a BatchNorm
with its activation, the optimizer. Its time is at least its operations over the machine's peak, and
at least its bytes over the memory's bandwidth; an iteration takes at least the sum over its
kernels, for they run one after the other.

Assumed of the bytes: each tensor that a kernel reads or writes crosses the memory once, caches keep
nothing from one kernel to the next, and a convolution needs no workspace and no padding.
BatchNorm reads its input twice and writes once (the statistics must be known before the first
output); backward it reads the gradient and the input twice and writes once. An activation is one
pass with the BatchNorm before it, one of its own where there is none. Activations and the weights
that are multiplied are in the precision's type; weight gradients, moments, weights and their
average are fp32, and with bf16 the weights are rounded once after each update. Adam is one pass,
the average another. Not counted: the loss and the logits, running
statistics, random numbers, history, launches.

A multiply-accumulate is counted wherever a weight meets a pixel, the zeros beyond the border
included, and is two operations.

References:
    S. Williams, A. Waterman, D. Patterson, "Roofline: An Insightful Visual Performance Model",
    2009, Communications of the ACM 52(4). Deviation: summed over kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facegan.config import ModelConfig
from facegan.models import channels_at

FP32 = 4
BYTES = {"fp32": 4, "bf16": 2}
"""Of one activation."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution with what follows it; counts are of one image."""

    name: str
    macs: int
    """Multiply-accumulates forward; as many again for each gradient."""
    inputs: int
    """Elements in."""
    outputs: int
    """Elements out."""
    weights: int
    """Convolution weights."""
    extras: int
    """Bias, or scale and shift."""
    normalised: bool
    """Whether BatchNorm follows."""
    activated: bool
    """Whether an activation follows."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One pass: its operations and its bytes."""

    name: str
    kind: str
    """convolution, pointwise, optimizer or data."""
    flops: int
    bytes: int

    def seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        """The least time that it can take."""
        return max(self.flops / flops_per_s, self.bytes / bytes_per_s)


def generator_layers(config: ModelConfig) -> list[Layer]:
    """First to last."""
    wide = channels_at(config, 4)
    first = config.latent_size * wide * 16
    layers = [Layer("4x4", first, config.latent_size, 16 * wide, first, 2 * wide, True, True)]
    resolution = 4
    while resolution < config.image_size:
        last = 2 * resolution == config.image_size
        narrow = 3 if last else channels_at(config, 2 * resolution)
        weights = 25 * wide * narrow
        pixels = resolution**2
        layers.append(
            Layer(
                name=f"{resolution} -> {2 * resolution} px",
                macs=pixels * weights,
                inputs=pixels * wide,
                outputs=4 * pixels * narrow,
                weights=weights,
                extras=3 if last else 2 * narrow,
                normalised=not last,
                activated=True,
            )
        )
        wide, resolution = narrow, 2 * resolution
    return layers


def discriminator_layers(config: ModelConfig) -> list[Layer]:
    """First to last."""
    layers: list[Layer] = []
    narrow, resolution = 3, config.image_size
    while resolution > 4:
        pixels = (resolution // 2) ** 2
        wide = channels_at(config, resolution // 2)
        weights, first = 9 * narrow * wide, not layers
        layers.append(
            Layer(
                name=f"{resolution} -> {resolution // 2} px",
                macs=pixels * weights,
                inputs=4 * pixels * narrow,
                outputs=pixels * wide,
                weights=weights,
                extras=wide if first else 2 * wide,
                normalised=not first,
                activated=True,
            )
        )
        narrow, resolution = wide, resolution // 2
    weights = 16 * narrow
    layers.append(Layer("4x4", weights, weights, 1, weights, 1, False, False))
    return layers


def macs(layers: list[Layer]) -> int:
    """Multiply-accumulates of one image, forward."""
    return sum(layer.macs for layer in layers)


def parameters(layers: list[Layer]) -> int:
    """Everything that is learned."""
    return sum(layer.weights + layer.extras for layer in layers)


@dataclass(frozen=True, slots=True)
class Counter:
    """Kernels of one iteration."""

    config: ModelConfig
    batch: int
    precision: str = "bf16"
    frozen: bool = True
    """Whether D's weight gradients are left out in the G step."""
    average: bool = True
    """Whether a moving average of G is kept."""

    def kernels(self) -> Iterator[Kernel]:
        """In the order in which they run."""
        g, d = generator_layers(self.config), discriminator_layers(self.config)
        yield self._data()
        yield from self._forward("G", g)
        for origin in ("real", "fake"):
            yield from self._forward(f"D {origin}", d)
            adds = origin == "fake"
            yield from self._backward(f"D {origin}", d, weights=True, images=False, adds=adds)
        yield from self._update("D", d)
        yield from self._forward("D judges G", d)
        learns = not self.frozen
        yield from self._backward("D judges G", d, weights=learns, images=True, adds=learns)
        yield from self._backward("G", g, weights=True, images=False)
        yield from self._update("G", g)
        if self.average:
            yield Kernel("G average", "optimizer", 2 * parameters(g), 3 * FP32 * parameters(g))

    @property
    def flops(self) -> int:
        """Of the convolutions alone, as such counts are usual."""
        return sum(kernel.flops for kernel in self.kernels() if kernel.kind == "convolution")

    def least_seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        """The roofline: sum over the kernels of the larger of their two least times."""
        return sum(kernel.seconds(flops_per_s, bytes_per_s) for kernel in self.kernels())

    def _data(self) -> Kernel:
        """Gather uint8, augment, write floats."""
        values = self.batch * 3 * self.config.image_size**2
        return Kernel("real images", "data", 0, values * (1 + BYTES[self.precision]))

    def _forward(self, what: str, layers: list[Layer]) -> Iterator[Kernel]:
        for layer in layers:
            moved = self._activations(layer.inputs + layer.outputs) + self._multiplied(layer)
            yield self._convolution(f"{what} {layer.name} forward", layer, moved)
            passes = 3 if layer.normalised else 2 * layer.activated
            yield from self._pointwise(f"{what} {layer.name} forward", layer, passes)

    def _backward(
        self, what: str, layers: list[Layer], *, weights: bool, images: bool, adds: bool = False
    ) -> Iterator[Kernel]:
        """Last layer first; the first layer's input gradient only with `images`."""
        for place, layer in reversed(list(enumerate(layers))):
            passes = 5 if layer.normalised else 3 * layer.activated
            yield from self._pointwise(f"{what} {layer.name} backward", layer, passes)
            values = self._activations(layer.inputs + layer.outputs)
            if weights:
                moved = values + FP32 * layer.weights * (2 if adds else 1)
                yield self._convolution(f"{what} {layer.name} of weights", layer, moved)
            if images or place > 0:
                moved = values + self._multiplied(layer)
                yield self._convolution(f"{what} {layer.name} of inputs", layer, moved)

    def _update(self, what: str, layers: list[Layer]) -> Iterator[Kernel]:
        """Adam reads weight, gradient, two moments and writes all but the gradient."""
        count = parameters(layers)
        yield Kernel(f"{what} Adam", "optimizer", 12 * count, 7 * FP32 * count)
        if self.precision != "fp32":
            moved = (FP32 + BYTES[self.precision]) * sum(layer.weights for layer in layers)
            yield Kernel(f"{what} weights to {self.precision}", "optimizer", 0, moved)

    def _convolution(self, name: str, layer: Layer, moved: int) -> Kernel:
        return Kernel(name, "convolution", 2 * layer.macs * self.batch, moved)

    def _pointwise(self, name: str, layer: Layer, passes: int) -> Iterator[Kernel]:
        if passes:
            moved = passes * self._activations(layer.outputs)
            kind = "BatchNorm and activation" if layer.normalised else "activation"
            yield Kernel(f"{name} {kind}", "pointwise", 0, moved)

    def _activations(self, elements: int) -> int:
        return self.batch * elements * BYTES[self.precision]

    def _multiplied(self, layer: Layer) -> int:
        return layer.weights * BYTES[self.precision]


def textbook(config: ModelConfig, batch: int) -> Counter:
    """What the textbook loop computes."""
    return Counter(config, batch, "fp32", frozen=False, average=False)
