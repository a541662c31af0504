from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facegan.losses import fake_loss, generator_loss, real_loss

LOGITS = torch.tensor([-3.0, -0.5, 0.0, 2.0, 7.0], dtype=torch.float64)


def test_losses_are_binary_cross_entropies() -> None:
    ones, zeros = torch.ones_like(LOGITS), torch.zeros_like(LOGITS)
    torch.testing.assert_close(real_loss(LOGITS), binary_cross_entropy_with_logits(LOGITS, ones))
    torch.testing.assert_close(fake_loss(LOGITS), binary_cross_entropy_with_logits(LOGITS, zeros))
    torch.testing.assert_close(generator_loss(LOGITS), real_loss(LOGITS))


@pytest.mark.parametrize("loss", [real_loss, fake_loss, generator_loss])
def test_an_undecided_discriminator_costs_log_2(loss: object) -> None:
    assert loss(torch.zeros(4)).item() == pytest.approx(math.log(2))  # type: ignore[operator]


def test_losses_stay_finite_for_sure_discriminators() -> None:
    sure = torch.tensor([-1000.0, 1000.0])
    assert real_loss(sure).item() == fake_loss(sure).item() == 500.0


def test_generator_gradient_does_not_vanish_for_a_sure_discriminator() -> None:
    logits = torch.tensor([-30.0], requires_grad=True)
    generator_loss(logits).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-1)
