"""Adversarial losses: pure functions of logits.

With D(x) = sigmoid(logit), the binary cross-entropies are softplus of the logit with one sign or
the other, which neither overflows nor takes the logarithm of 0.

References:
    Goodfellow et al., "Generative Adversarial Networks", 2014, arXiv:1406.2661, equation 1 and the
    non-saturating generator of section 3.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def real_loss(real_logits: Tensor) -> Tensor:
    """What D pays for real images: the mean of -log D(x).

    Args:
        real_logits: (B,) float.

    Returns:
        () float, at least 0; log 2 for a D that cannot tell.
    """
    return softplus(-real_logits).mean()


def fake_loss(fake_logits: Tensor) -> Tensor:
    """What D pays for generated images: the mean of -log(1 - D(G(z))).

    Args:
        fake_logits: (B,) float.

    Returns:
        () float, at least 0.
    """
    return softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """What G pays: the mean of -log D(G(z)).

    Non-saturating: its gradient stays large where D is sure that the images are generated.

    Args:
        fake_logits: (B,) float.

    Returns:
        () float, at least 0.
    """
    return softplus(-fake_logits).mean()
