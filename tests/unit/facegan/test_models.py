from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from facegan.config import IMAGE_SIZES, ModelConfig
from facegan.models import WEIGHT_STD, Discriminator, Generator, initialise, parameter_count

GENERATOR_TABLE = [
    ("ConvTranspose2d", (1024, 4, 4), 4, 1, False),
    ("Doubling", (512, 8, 8), 5, 2, False),
    ("Doubling", (256, 16, 16), 5, 2, False),
    ("Doubling", (128, 32, 32), 5, 2, False),
    ("Doubling", (64, 64, 64), 5, 2, False),
    ("Doubling", (32, 128, 128), 5, 2, False),
    ("Doubling", (3, 256, 256), 5, 2, True),
]
DISCRIMINATOR_TABLE = [
    ("Halving", (32, 128, 128), 3, 2, True),
    ("Halving", (64, 64, 64), 3, 2, False),
    ("Halving", (128, 32, 32), 3, 2, False),
    ("Halving", (256, 16, 16), 3, 2, False),
    ("Halving", (512, 8, 8), 3, 2, False),
    ("Halving", (1024, 4, 4), 3, 2, False),
    ("Conv2d", (1, 1, 1), 4, 1, True),
]


def table_of(
    network: nn.Module, given: Tensor
) -> list[tuple[str, tuple[int, ...], int, int, bool]]:
    """Name, output shape, kernel, stride and bias of each convolution."""
    rows: list[tuple[str, tuple[int, ...], int, int, bool]] = []

    def note(layer: nn.Conv2d, _: object, output: Tensor) -> None:
        shape = tuple(output.shape[1:])
        bias = layer.bias is not None
        rows.append((type(layer).__name__, shape, layer.kernel_size[0], layer.stride[0], bias))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(note)
    with torch.no_grad():
        network(given)
    return rows


def kinds(network: Generator | Discriminator) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_generator_has_the_reference_layers_at_256_px() -> None:
    network = Generator(ModelConfig()).eval()
    assert table_of(network, torch.zeros(1, 100)) == GENERATOR_TABLE
    norm = ["BatchNorm2d", "ReLU"]
    first, block = ["ConvTranspose2d", *norm], ["Doubling", *norm]
    assert kinds(network) == first + block * 5 + ["Doubling", "Tanh"]


def test_discriminator_has_the_reference_layers_at_256_px() -> None:
    network = Discriminator(ModelConfig()).eval()
    assert table_of(network, torch.zeros(1, 3, 256, 256)) == DISCRIMINATOR_TABLE
    block = ["Halving", "BatchNorm2d", "LeakyReLU"]
    assert kinds(network) == ["Halving", "LeakyReLU"] + block * 5 + ["Conv2d"]
    slopes = {layer.negative_slope for layer in network.layers if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.2}


def test_batch_norm_epsilon_is_1e_5() -> None:
    for network in (Generator(ModelConfig(32)), Discriminator(ModelConfig(32))):
        epsilons = {x.eps for x in network.modules() if isinstance(x, nn.BatchNorm2d)}
        assert epsilons == {1e-5}


@pytest.mark.parametrize(
    ("size", "width", "generator", "discriminator"),
    [(256, 1.0, 19_104_035, 6_306_561), (64, 1.0, 18_855_043, None), (64, 0.25, 1_488_163, None)],
)
def test_parameter_counts(
    size: int, width: float, generator: int, discriminator: int | None
) -> None:
    config = ModelConfig(size, width)
    assert parameter_count(Generator(config)) == generator
    if discriminator is not None:
        assert parameter_count(Discriminator(config)) == discriminator


@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_every_size_gives_images_and_logits(size: int) -> None:
    config = ModelConfig(size, 0.0625, latent_size=7)
    with torch.no_grad():
        images = Generator(config)(torch.randn(2, 7))
        logits = Discriminator(config)(images)
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert logits.shape == (2,)


def test_initial_weights_have_the_reference_spread() -> None:
    network = Generator(ModelConfig(64))
    initialise(network, torch.Generator().manual_seed(0))
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            assert layer.weight.std().item() == pytest.approx(WEIGHT_STD, rel=0.03)
            assert abs(layer.weight.mean().item()) < 0.001
            assert layer.bias is None or not layer.bias.any()
        elif isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert not layer.bias.any()
            assert (layer.running_var == 1).all()  # type: ignore[union-attr]


def test_initial_weights_follow_from_the_seed() -> None:
    config = ModelConfig(32, 0.0625)
    first, second, other = Generator(config), Generator(config), Generator(config)
    initialise(first, torch.Generator().manual_seed(1))
    initialise(second, torch.Generator().manual_seed(1))
    initialise(other, torch.Generator().manual_seed(2))
    states = [network.state_dict() for network in (first, second, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["layers.0.weight"], states[2]["layers.0.weight"])


def test_memory_format_changes_no_initial_weight() -> None:
    config = ModelConfig(32, 0.0625)
    plain, strided = Generator(config), Generator(config)
    strided.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    initialise(plain, torch.Generator().manual_seed(1))
    initialise(strided, torch.Generator().manual_seed(1))
    for a, b in zip(plain.parameters(), strided.parameters(), strict=True):
        assert torch.equal(a, b)
