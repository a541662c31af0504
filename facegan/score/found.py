"""What measuring depends on besides the images, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facegan.core.errors import ScoreError
from facegan.score.network import FeatureProtocol
from facegan.score.report import LeftOut, Measure


@dataclass(frozen=True, slots=True)
class Settings:
    """What the measures depend on besides the images."""

    splits: int = 10
    seed: int = 0
    protocol: FeatureProtocol | None = None
    """Of the network's features and logits; None where there is no network."""
    no_network: str = "no feature network was asked for (--features)"
    """Why there is none."""
    no_real: str = "there are no real images"
    """Why there are none, where there are none."""
    trained_on: bool = True
    """Whether the real images are those that the generator was trained on."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one or several measures came to."""

    measures: tuple[Measure, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    """Sentences that belong beside the numbers."""

    def __add__(self, other: Found) -> Found:
        return Found(
            self.measures + other.measures,
            self.left_out + other.left_out,
            self.warnings + tuple(text for text in other.warnings if text not in self.warnings),
        )


def without(what: str, why: str) -> Found:
    """A measure that was not taken."""
    return Found(left_out=(LeftOut(what, why),))


def tried(what: str, take: Callable[[], Found]) -> Found:
    """What `take` comes to; what these images do not allow is left out, and the rest goes on."""
    try:
        return take()
    except ScoreError as error:
        return without(what, error.message)
