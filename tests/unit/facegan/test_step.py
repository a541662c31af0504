"""One iteration beside the same arithmetic written out by hand, in float64."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from facegan.history import FIGURES
from facegan.models import Discriminator, Generator
from facegan.step import (
    Networks,
    average_share,
    build,
    frozen,
    train_step,
    update_average,
)

CPU = torch.device("cpu")
EPSILON = 1e-5


def convolve(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """A convolution as sums over patches, without torch's own."""
    size = weight.shape[-1]
    padded = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding)
    padded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    patches = padded.unfold(2, size, stride).unfold(3, size, stride)
    return torch.einsum("bchwij,ocij->bohw", patches, weight)


def spread(x: Tensor, weight: Tensor, stride: int, padding: int, extra: int) -> Tensor:
    """A transposed convolution: zeros between the pixels, then a convolution turned around."""
    size = weight.shape[-1]
    inner = (x.shape[2] - 1) * stride + 1
    border = size - 1 - padding
    spaced = x.new_zeros(*x.shape[:2], inner + 2 * border + extra, inner + 2 * border + extra)
    spaced[:, :, border : border + inner : stride, border : border + inner : stride] = x
    return convolve(spaced, weight.flip(2, 3).transpose(0, 1), 1, 0)


class ByHand:
    """Weights by name and every formula of an iteration; autograd alone is torch's."""

    def __init__(self, networks: Networks, rate: float, beta1: float, beta2: float) -> None:
        self.weights = {
            "g": {k: v.detach().clone() for k, v in networks.generator.state_dict().items()},
            "d": {k: v.detach().clone() for k, v in networks.discriminator.state_dict().items()},
        }
        self.rate, self.beta1, self.beta2 = rate, beta1, beta2
        self.moments: dict[str, list[np.ndarray]] = {}
        self.steps = {"g": 0, "d": 0}

    def learned(self, network: str) -> list[str]:
        return [
            name
            for name in self.weights[network]
            if not name.rpartition(".")[2].startswith(("running", "num"))
        ]

    def normalise(self, x: Tensor, network: str, layer: str) -> Tensor:
        weights = self.weights[network]
        mean = x.mean(dim=(0, 2, 3))
        variance = ((x - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
        count = x.numel() / x.shape[1]
        for name, value in (("mean", mean), ("var", variance * count / (count - 1))):
            old = weights[f"{layer}.running_{name}"]
            weights[f"{layer}.running_{name}"] = 0.9 * old + 0.1 * value.detach()
        weights[f"{layer}.num_batches_tracked"] += 1
        unit = (x - mean[:, None, None]) / (variance[:, None, None] + EPSILON) ** 0.5
        scale, shift = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        return unit * scale[:, None, None] + shift[:, None, None]

    def generate(self, z: Tensor) -> Tensor:
        """32 px: 4, 8, 16, 32."""
        w = self.weights["g"]
        x = spread(z[:, :, None, None], w["layers.0.weight"], 1, 0, 0)
        x = self.normalise(x, "g", "layers.1").clamp(min=0)
        for place in (3, 6):
            x = spread(x, w[f"layers.{place}.weight"], 2, 2, 1)
            x = self.normalise(x, "g", f"layers.{place + 1}").clamp(min=0)
        x = spread(x, w["layers.9.weight"], 2, 2, 1) + w["layers.9.bias"][:, None, None]
        return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())

    def judge(self, x: Tensor) -> Tensor:
        """32 px: 16, 8, 4, 1; probabilities, not logits."""
        w = self.weights["d"]
        x = convolve(x, w["layers.0.weight"], 2, 1) + w["layers.0.bias"][:, None, None]
        x = torch.where(x > 0, x, 0.2 * x)
        for place in (2, 5):
            x = convolve(x, w[f"layers.{place}.weight"], 2, 1)
            x = self.normalise(x, "d", f"layers.{place + 1}")
            x = torch.where(x > 0, x, 0.2 * x)
        x = convolve(x, w["layers.8.weight"], 1, 0) + w["layers.8.bias"][:, None, None]
        return 1 / (1 + (-x.flatten()).exp())

    def adam(self, network: str, gradients: list[Tensor]) -> None:
        self.steps[network] += 1
        t = self.steps[network]
        for name, gradient in zip(self.learned(network), gradients, strict=True):
            g = gradient.numpy()
            m, v = self.moments.setdefault(f"{network}.{name}", [np.zeros_like(g)] * 2)
            m = self.beta1 * m + (1 - self.beta1) * g
            v = self.beta2 * v + (1 - self.beta2) * g * g
            self.moments[f"{network}.{name}"] = [m, v]
            unbiased_m, unbiased_v = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
            step = self.rate * unbiased_m / (np.sqrt(unbiased_v) + 1e-8)
            weight = self.weights[network][name].detach().numpy() - step
            self.weights[network][name] = torch.from_numpy(weight)

    def gradients(self, loss: Tensor, network: str) -> list[Tensor]:
        return list(
            torch.autograd.grad(loss, [self.weights[network][n] for n in self.learned(network)])
        )

    def require(self, network: str, needed: bool) -> None:
        for name in self.learned(network):
            self.weights[network][name] = self.weights[network][name].detach()
            self.weights[network][name].requires_grad_(needed)

    def iterate(self, real: Tensor, z: Tensor) -> list[float]:
        self.require("g", True)
        self.require("d", True)
        fake = self.generate(z)
        on_real, on_fake = self.judge(real), self.judge(fake.detach())
        loss_real, loss_fake = -on_real.log().mean(), -(1 - on_fake).log().mean()
        self.adam("d", self.gradients(loss_real + loss_fake, "d"))
        self.require("d", False)
        loss = -self.judge(fake).log().mean()
        self.adam("g", self.gradients(loss, "g"))
        values = [loss_real, loss_fake, loss, on_real.mean(), on_fake.mean()]
        values += [(on_real > 0.5).double().mean(), (on_fake <= 0.5).double().mean()]
        return [value.item() for value in values]


@pytest.fixture
def networks(tiny) -> Networks:
    """In float64, with weights large enough that every formula matters."""
    built = build(replace(tiny, learning_rate=1e-3), CPU)
    generator = torch.Generator().manual_seed(5)
    for _, network, adam in built.pairs():
        network.double()
        for state in adam.state.values():
            for moment in ("exp_avg", "exp_avg_sq"):
                state[moment] = state[moment].double()
        with torch.no_grad():
            for parameter in network.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.1 * noise)
    return built


def draws(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(3, 3, 32, 32, generator=generator, dtype=torch.float64) * 2 - 1
    return real, torch.randn(3, 8, generator=generator, dtype=torch.float64)


def test_iterations_equal_arithmetic_by_hand_in_float64(networks):
    hand = ByHand(networks, rate=1e-3, beta1=0.5, beta2=0.999)
    for iteration in range(3):
        figures = train_step(networks, *draws(iteration))
        expected = hand.iterate(*draws(iteration))
        np.testing.assert_allclose(figures.numpy(), expected, rtol=0, atol=1e-10)
    for name, network in (("g", networks.generator), ("d", networks.discriminator)):
        for key, tensor in network.state_dict().items():
            torch.testing.assert_close(
                tensor, hand.weights[name][key].detach(), rtol=0, atol=1e-10, msg=f"{name}.{key}"
            )


def test_generator_step_computes_no_gradient_of_the_discriminator(networks):
    before = copy.deepcopy(networks.discriminator)
    real, latents = draws(0)
    with torch.no_grad():
        fake = copy.deepcopy(networks.generator)(latents)
    on_real, on_fake = before(real), before(fake)
    loss = torch.nn.functional.softplus(-on_real).mean()
    (loss + torch.nn.functional.softplus(on_fake).mean()).backward()
    train_step(networks, real, latents)
    pairs = zip(before.parameters(), networks.discriminator.parameters(), strict=True)
    for expected, parameter in pairs:
        torch.testing.assert_close(parameter.grad, expected.grad, rtol=0, atol=1e-12)
        assert parameter.requires_grad


def test_frozen_gives_back_what_it_took_even_after_an_error(networks):
    first, *others = networks.generator.parameters()
    first.requires_grad_(False)

    def fail() -> None:
        with frozen(networks.generator):
            assert not any(p.requires_grad for p in networks.generator.parameters())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not first.requires_grad
    assert all(parameter.requires_grad for parameter in others)


def test_running_statistics_move_once_in_g_and_three_times_in_d(networks):
    train_step(networks, *draws(0))
    for network, times in ((networks.generator, 1), (networks.discriminator, 3)):
        state = network.state_dict()
        counts = {int(v) for k, v in state.items() if k.endswith("num_batches_tracked")}
        assert counts == {times}


def test_figures_carry_no_graph_and_have_their_names(tiny):
    networks = build(tiny, CPU)
    figures = train_step(networks, torch.rand(4, 3, 32, 32), torch.randn(4, 8))
    assert figures.shape == (len(FIGURES),)
    assert not figures.requires_grad


def test_networks_follow_from_the_seed_alone(tiny):
    torch.manual_seed(1)
    first = build(tiny, CPU).generator.state_dict()
    torch.manual_seed(2)
    second = build(tiny, CPU).generator.state_dict()
    other = build(replace(tiny, seed=1), CPU).generator.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_built_networks_are_the_models_of_the_config(tiny):
    networks = build(tiny, CPU)
    assert isinstance(networks.generator, Generator)
    assert isinstance(networks.discriminator, Discriminator)
    for adam in (networks.generator_adam, networks.discriminator_adam):
        assert adam.defaults["lr"] == 1e-4
        assert adam.defaults["betas"] == (0.5, 0.999)
        assert adam.defaults["eps"] == 1e-8


def test_the_average_is_the_sum_by_hand(networks, tiny):
    expected = {k: v.detach().clone() for k, v in networks.generator.named_parameters()}
    networks.average.double()
    for iteration in range(4):
        train_step(networks, *draws(iteration))
        share = 1 - 0.5 ** (tiny.batch / (0.05 * iteration * tiny.batch)) if iteration else 1.0
        update_average(networks, torch.tensor(average_share(tiny, iteration), dtype=torch.float64))
        for name, parameter in networks.generator.named_parameters():
            expected[name] = (1 - share) * expected[name] + share * parameter.detach()
    for name, parameter in networks.average.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=0, atol=1e-12)


def test_half_an_average_is_forgotten_in_its_half_life(tiny):
    config = replace(tiny, batch=16, ema_kimg=10.0)
    kept = 1.0
    for iteration in range(10**6, 10**6 + 625):
        kept *= 1 - average_share(config, iteration)
    assert kept == pytest.approx(0.5)


def test_a_young_average_forgets_faster(tiny):
    shares = [average_share(tiny, iteration) for iteration in (0, 1, 10, 100, 10**5, 10**6)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == shares[-2]


def test_the_average_has_the_statistics_of_the_generator(tiny):
    networks = build(tiny, CPU)
    before = networks.average.layers[1].running_mean.clone()
    train_step(networks, torch.rand(4, 3, 32, 32), torch.randn(4, 8))
    after = networks.average.layers[1].running_mean
    assert not torch.equal(before, after)
    assert torch.equal(after, networks.generator.layers[1].running_mean)
    assert networks.shown is networks.average


def test_without_an_average_the_generator_is_shown(tiny):
    networks = build(replace(tiny, ema_kimg=0.0), CPU)
    assert networks.average is None
    assert networks.shown is networks.generator
    update_average(networks, torch.tensor(0.5))


def test_bf16_keeps_weights_losses_and_moments_in_float32(tiny):
    networks = build(replace(tiny, precision="bf16"), CPU)
    kinds = {}
    for number, layer in enumerate(networks.generator.layers):
        layer.register_forward_hook(
            lambda _, __, out, number=number: kinds.__setitem__(number, out.dtype)
        )
    figures = train_step(networks, torch.rand(4, 3, 32, 32), torch.randn(4, 8))
    assert set(kinds.values()) == {torch.bfloat16}
    assert figures.dtype == torch.float32
    stored = {tensor.dtype for _, tensor in networks.tensors()}
    assert stored == {torch.float32, torch.int64}


def test_bf16_and_fp32_agree_to_the_precision_of_bf16(tiny):
    networks = [build(replace(tiny, precision=precision), CPU) for precision in ("fp32", "bf16")]
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        real = torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1
        latents = torch.randn(4, 8, generator=generator)
        fp32, bf16 = (train_step(each, real, latents)[:5] for each in networks)
        # 2^-8 is the spacing of bf16 at 1; the losses are of that size.
        torch.testing.assert_close(bf16, fp32, rtol=0, atol=0.02)


def test_bf16_sees_the_discriminators_update_within_the_iteration(tiny):
    """Autocast keeps copies of weights; one that outlived the update would judge with old ones."""
    networks = build(replace(tiny, precision="bf16", learning_rate=0.05), CPU)
    seen = []

    def watch(layer, inputs, out):
        weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
        seen.append((weight, bias, inputs[0].detach().float(), out.detach().float()))

    networks.discriminator.layers[0].register_forward_hook(watch)
    train_step(networks, torch.rand(4, 3, 32, 32), torch.randn(4, 8))
    (old_weight, old_bias, _, _), (weight, bias, x, out) = seen[1:]

    def far(weight, bias):
        return (torch.nn.functional.conv2d(x, weight, bias, 2, 1) - out).abs().max()

    assert far(weight, bias) < 0.01
    assert far(old_weight, old_bias) > 0.05
