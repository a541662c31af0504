"""What a scoring says: measures with their intervals, what could not be measured, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegan.score.network import FeatureProtocol
    from facegan.score.verdict import Diagnosis


@dataclass(frozen=True, slots=True)
class Measure:
    """One number and what is needed to read it."""

    name: str
    """For programs, such as `kid`; unique in a report."""
    label: str
    """For people."""
    value: float
    better: str
    """`high`, `low`, or `near real` where the real images' value is the best."""
    low: float | None = None
    """Lower end of the 95 % interval; None where there is none."""
    high: float | None = None
    real: float | None = None
    """The same of the real images."""
    features: str = ""
    """Which protocol's features or logits; empty for a measure of pixels."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Settings and parts that the value depends on."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A measure that was not taken."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the sets of images."""

    name: str
    images: int
    content: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All that one scoring measured."""

    samples: Side
    real: Side | None
    held_out: Side | None
    measures: tuple[Measure, ...]
    left_out: tuple[LeftOut, ...]
    diagnosis: Diagnosis | None
    """None where there are no real images, or too few."""
    protocols: tuple[FeatureProtocol, ...]
    warnings: tuple[str, ...]
    """Sentences that belong beside the numbers wherever they are shown."""
    seconds: float
    images_per_s: float
    """Of the images that had to be computed; 0 where all were known."""

    def measure(self, name: str) -> Measure | None:
        """The measure of this name, where it was taken."""
        return next((one for one in self.measures if one.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """One record of `scores.json`, plain values only."""
        return {
            "samples": self.samples.images,
            "sets": {
                side: asdict(value) if value else None
                for side, value in (
                    ("samples", self.samples),
                    ("real", self.real),
                    ("held_out", self.held_out),
                )
            },
            "measures": [asdict(measure) for measure in self.measures],
            "left_out": [asdict(one) for one in self.left_out],
            "verdict": self.diagnosis.verdict if self.diagnosis else None,
            "diagnosis": self.diagnosis.as_dict() if self.diagnosis else None,
            "protocols": {one.name: one.as_dict() for one in self.protocols},
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
            "images_per_s": round(self.images_per_s, 3),
        }


def shown(value: float | None) -> str:
    """A number of a table: three digits that matter, nothing where there is none.

    >>> shown(0.01234), shown(12.345), shown(1234.5), shown(None)
    ('0.0123', '12.3', '1,234', '')
    """
    if value is None:
        return ""
    if abs(value) < 1e-9:  # nothing but rounding
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
