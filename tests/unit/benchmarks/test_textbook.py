"""The textbook loop computes what facegan computes: like is compared with like."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks import textbook
from facegan.config import ModelConfig, TrainConfig
from facegan.history import FIGURES
from facegan.models import parameter_count
from facegan.step import build, train_step

CPU = torch.device("cpu")
TINY = TrainConfig(model=ModelConfig(image_size=32, width=0.0625), batch=4, device="cpu")


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """By position: the layers stand in the same order under other names."""
    for (mine, value), (other, place) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert value.shape == place.shape, (mine, other)
        place.copy_(value)


def test_networks_are_the_reference() -> None:
    assert parameter_count(textbook.make_generator(256)) == 19_104_035
    assert parameter_count(textbook.make_discriminator(256)) == 6_306_561


def test_losses_of_two_iterations_are_ours() -> None:
    ours = build(TINY, CPU)
    book = textbook.build(32, 0.0625, CPU)
    copy_weights(ours.generator, book.generator)
    copy_weights(ours.discriminator, book.discriminator)
    torch.manual_seed(0)
    for _ in range(2):
        real = torch.rand(4, 3, 32, 32) * 2 - 1
        latents = torch.randn(4, 100)
        mine = dict(zip(FIGURES, train_step(ours, real, latents).tolist(), strict=True))
        theirs = textbook.train_step(book, real, latents[:, :, None, None])
        names = ("d_loss_real", "d_loss_fake", "g_loss", "d_real", "d_fake")
        expected = [mine[name] for name in names]
        assert theirs[:5] == pytest.approx(expected, rel=1e-4)


def test_an_iteration_moves_both_networks() -> None:
    book = textbook.build(32, 0.0625, CPU)
    before = [p.clone() for p in (*book.generator.parameters(), *book.discriminator.parameters())]
    textbook.iteration(book, torch.rand(8, 3, 32, 32) * 2 - 1, 4)
    after = [*book.generator.parameters(), *book.discriminator.parameters()]
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))
