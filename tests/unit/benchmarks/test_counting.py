"""The counts that the issue states, and each count beside the networks themselves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.counting import (
    Counter,
    Kernel,
    Layer,
    discriminator_layers,
    generator_layers,
    macs,
    parameters,
    textbook,
)
from facegan.config import ModelConfig
from facegan.models import Discriminator, Generator, parameter_count

REFERENCE = ModelConfig()
SIZES = [REFERENCE, ModelConfig(image_size=64), ModelConfig(image_size=32, width=0.0625)]


def test_multiply_accumulates_of_the_reference() -> None:
    assert macs(generator_layers(REFERENCE)) / 1e9 == pytest.approx(1.0895, abs=5e-5)
    assert macs(discriminator_layers(REFERENCE)) / 1e9 == pytest.approx(0.3917, abs=5e-5)


def test_operations_of_an_iteration_of_16() -> None:
    assert textbook(REFERENCE, 16).flops / 1e9 == pytest.approx(216.4, abs=0.05)
    assert Counter(REFERENCE, 16).flops / 1e9 == pytest.approx(203.9, abs=0.05)


@pytest.mark.parametrize("config", SIZES)
def test_layers_are_the_networks(config: ModelConfig) -> None:
    with torch.device("meta"):
        networks = (
            (Generator(config), torch.empty(1, config.latent_size), generator_layers(config)),
            (
                Discriminator(config),
                torch.empty(1, 3, config.image_size, config.image_size),
                discriminator_layers(config),
            ),
        )
    for network, x, layers in networks:
        assert parameters(layers) == parameter_count(network)
        seen = convolutions(network, x)
        assert [(y.inputs, y.outputs, y.weights) for y in layers] == [row[:3] for row in seen]
        assert [y.macs for y in layers] == [row[3] for row in seen]


def convolutions(network: nn.Module, x: torch.Tensor) -> list[tuple[int, int, int, int]]:
    """Inputs, outputs, weights and multiply-accumulates of each convolution, as it runs."""
    rows: list[tuple[int, int, int, int]] = []

    def note(layer: nn.Module, given: tuple[torch.Tensor], out: torch.Tensor) -> None:
        weight = layer.get_parameter("weight")
        transposed = isinstance(layer, nn.ConvTranspose2d)
        pixels = given[0][0, 0].numel() if transposed else out[0, 0].numel()
        count = weight.numel()
        rows.append((given[0][0].numel(), out[0].numel(), count, pixels * count))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(note)
    network.eval()(x)
    return rows


def test_bytes_of_a_small_network_by_hand() -> None:
    """One layer with BatchNorm: 10 inputs, 6 outputs, 4 weights, batch 2, bf16."""
    layer = Layer("x", 60, 10, 6, 4, 12, True, True)
    counter = Counter(REFERENCE, 2, "bf16")
    convolution, norm = counter._forward("G", [layer])
    assert (convolution.flops, convolution.bytes) == (2 * 2 * 60, 2 * (2 * 16 + 4))
    assert norm.bytes == 3 * 2 * 2 * 6
    norm, of_weights, of_inputs = counter._backward("G", [layer], weights=True, images=True)
    assert norm.bytes == 5 * 2 * 2 * 6
    assert of_weights.bytes == 2 * 2 * 16 + 4 * 4
    assert of_inputs.bytes == convolution.bytes
    adam, rounded = counter._update("G", [layer])
    assert (adam.bytes, rounded.bytes) == (7 * 4 * 16, 6 * 4)


def test_roofline_is_the_sum_of_the_larger_times() -> None:
    assert Kernel("x", "convolution", 100, 10).seconds(10, 10) == 10
    assert Kernel("x", "convolution", 100, 1000).seconds(10, 10) == 100
    counter = Counter(REFERENCE, 16)
    arithmetic = counter.least_seconds(1e14, 1e30)
    memory = counter.least_seconds(1e30, 1e12)
    both = counter.least_seconds(1e14, 1e12)
    assert max(arithmetic, memory) < both < arithmetic + memory


def test_larger_batches_move_less_an_image() -> None:
    moved = [sum(k.bytes for k in Counter(REFERENCE, b).kernels()) / b for b in (16, 64, 256)]
    assert moved == sorted(moved, reverse=True)
    flops = [Counter(REFERENCE, b).flops / b for b in (16, 64, 256)]
    assert flops == [flops[0]] * 3
