"""What is wrong with these samples, in words: one verdict and the figures that led to it.

The rules are few and have an order; the first that holds names the verdict, the others that hold
are told too. Each compares the samples with what an honest generator would give on the same
training faces, so none depends on the features' scale or dimension. docs/verdicts.md shows how
often they are right on sets of known truth.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from facegan.score.bins import Bins, bins
from facegan.score.birthday import DUPLICATE, Birthday, birthday
from facegan.score.distances import Doubles, Indices, check_features, check_pair, neighbours
from facegan.score.manifold import Manifold, manifolds
from facegan.score.memorisation import Copies, check_mirrored, copies
from facegan.score.verdict_words import cannot_tell, praise, why

Verdict = Literal[
    "healthy",
    "between-mode collapse",
    "within-mode collapse",
    "few distinct outputs",
    "memorised",
    "noisy",
]

LEAST = 50
"""Faces and samples that a verdict needs: of fewer the shares are too coarse."""
MOST = 5000
"""Samples and training faces that are looked at; of more a seeded part is."""
MEMORISED = 0.25
"""Share of copies from which a set is memorised: honest and collapsed sets stay below 0.1."""
NEARER = 0.8
"""Distance ratio of training to held-out faces below which the training faces are preferred.

With 20 to 80 held-out faces 1 of 500 honest and collapsed sets came below, while copies disturbed
by a part x of the faces' spacing come to x or less."""
SELDOM = 0.25
"""Nearest held-out faces over the expected number, below which the same is said. Both must hold."""
FEW_HELD_OUT = 20
"""Below so many held-out faces the distance to them decides nothing."""
FEW = 1.5
"""Distinct outputs for each training face below which they are few. A generator that holds one
output for each face, mirrored or tinted so that it is no copy by its features, comes to 1."""
NOISY = 0.5
"""Precision over that of unseen faces: half of the samples lie where faces are."""
SPARSE = 0.25
"""Density; 1 is expected of an honest generator. It sees noise sooner than precision does where
features have many dimensions, but a few samples in a crowd can hide many that are noise."""
NARROW = 0.75
"""Spread within bins: little more than half of the variance is left. Honest sets have 0.98 to 1.11,
modes shrunk to a half 0.51 to 0.70."""
MISSING = 0.2
"""Share of training faces in missing bins: honest sets have at most 0.03, sets without one half at
least 0.28 from 300 training faces on."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All that the rules look at."""

    train: int
    samples: int
    held_out: int
    """0 for none."""
    train_used: int
    samples_used: int
    copies: Copies
    birthday: Birthday
    bins: Bins
    manifolds: tuple[Manifold, ...]
    """At k = 3 and 5, of at most as many samples as training faces."""
    precision_expected: float
    """What unseen faces reach at k = 5."""
    trained_on: bool
    """Whether `train` is what the generator was trained on."""
    mirrored: bool
    """Whether copies were looked for among mirror images too."""

    @property
    def precision_ratio(self) -> float:
        """Precision at k = 5 over what unseen faces reach: 1 if honest, above for narrow modes."""
        return self.manifolds[-1].precision / self.precision_expected

    @property
    def off_faces(self) -> bool:
        """Whether most samples lie where no faces are."""
        return self.precision_ratio < NOISY or self.manifolds[-1].density < SPARSE

    @property
    def plainly_copied(self) -> bool:
        """Whether there are copies that hold without held-out faces."""
        return self.copies.memorised >= MEMORISED

    @property
    def copied(self) -> bool:
        """Whether there are copies of training faces, as they are or disturbed."""
        unseen = self.copies.unseen
        prefers_known = (
            unseen is not None
            and self.held_out >= FEW_HELD_OUT
            and self.bins.spread >= NARROW  # a narrow crowd has few held-out faces about it
            and unseen.distance_ratio < NEARER
            and unseen.nearest_share < SELDOM * unseen.nearest_expected
        )
        return self.plainly_copied or prefers_known

    @property
    def held_out_needed(self) -> int:
        """Below so many the distance to held-out faces decides nothing."""
        return FEW_HELD_OUT

    @property
    def few(self) -> bool:
        """Whether there are hardly more distinct outputs than training faces."""
        support = self.birthday.support
        return support is not None and support < FEW * self.train_used

    @property
    def faults(self) -> tuple[Verdict, ...]:
        """The rules that hold, in their order."""
        rules: tuple[tuple[Verdict, bool], ...] = (
            ("memorised", self.copied),
            ("few distinct outputs", self.few),
            ("noisy", self.off_faces),
            ("within-mode collapse", self.bins.spread < NARROW),
            ("between-mode collapse", self.bins.missing > MISSING),
        )
        return tuple(verdict for verdict, holds in rules if holds)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = asdict(self) | {"precision_ratio": self.precision_ratio}
        found["copies"]["authenticity"] = self.copies.authenticity
        found["copies"]["authentic"] = asdict(self.copies.authentic)
        found["copies"]["authentic_expected"] = asdict(self.copies.authentic_expected)
        found["copies"]["memorised"] = self.copies.memorised
        return found


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A verdict with all figures behind it."""

    verdict: Verdict
    sentences: tuple[str, ...]
    """Why, with the figures; the verdict's own first."""
    cannot_tell: tuple[str, ...]
    """What these sets cannot show, as clauses: "whether ..."."""
    figures: Figures
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For `scores.json` and `--json`."""
        told = {"verdict": self.verdict, "sentences": list(self.sentences)}
        return (
            told
            | {"cannot_tell": list(self.cannot_tell), "seed": self.seed}
            | self.figures.as_dict()
        )


def judge(
    train: ArrayLike,
    samples: ArrayLike,
    held_out: ArrayLike | None = None,
    *,
    seed: int = 0,
    trained_on: bool = True,
    mirrored: ArrayLike | None = None,
) -> Diagnosis:
    """Say whether samples are healthy, collapsed, copied or noise.

    Args:
        train: (N, D) features of the faces that the generator was trained on, at least 50. Of more
            than 5,000 a part is drawn; but copies are then looked for among that part only.
        samples: (M, D) of what it makes, at least 50; 500 or more are good. Of more than 5,000 a
            part is drawn.
        held_out: (H, D) of faces it was not trained on, at least 2; 50 or more are good. None
            leaves out what needs them, and says so.
        seed: of all that is drawn.
        trained_on: False where `train` are real images that may be others than the generator was
            trained on: the sentences then claim no more than that.
        mirrored: (N, D) features of `train` mirrored, in its order. A training that flips its
            faces may make mirrored copies, which are no copies by their features without these.

    Raises:
        ScoreError: a set has too few rows or too few that differ, another shape, or values that
            are not finite; most of the held-out faces are training faces.
    """
    generator = np.random.default_rng(seed)
    name = "the training faces" if trained_on else "the real images"
    known = check_features(train, name, LEAST)
    made = check_features(samples, "the samples", LEAST)
    check_pair(made, known, ("the samples", name))
    fresh = None if held_out is None else check_features(held_out, "the held-out faces", 2)
    flipped = None if mirrored is None else check_mirrored(mirrored, known, name)
    counts = len(known), len(made), 0 if fresh is None else len(fresh)
    drawn = _drawn(len(known), MOST, generator)
    known, made = known[drawn], made[_drawn(len(made), MOST, generator)]
    flipped = None if flipped is None else flipped[drawn]
    near = copies(known, made, fresh, mirrored=flipped, name=name)
    alike = made[_drawn(len(made), len(known), generator)]
    figures = Figures(
        *counts,
        len(known),
        len(made),
        copies=near,
        birthday=birthday(made, DUPLICATE * near.spacing),
        bins=bins(known, made, seed=seed),
        manifolds=manifolds(known, alike, (3, 5)),
        precision_expected=_own_precision(known, 5),
        trained_on=trained_on,
        mirrored=flipped is not None,
    )
    faults = figures.faults
    return Diagnosis(
        verdict=faults[0] if faults else "healthy",
        sentences=tuple(why(fault, figures) for fault in faults) or tuple(praise(figures)),
        cannot_tell=tuple(cannot_tell(figures)),
        figures=figures,
        seed=seed,
    )


def _own_precision(known: Doubles, k: int) -> float:
    """Precision of training faces, each against the balls of the others.

    A face lies in another's ball, drawn without it, where it is one of the other's k nearest.
    """
    return len(np.unique(neighbours(known, known, k, exclude_self=True)[0])) / len(known)


def _drawn(count: int, most: int, generator: np.random.Generator) -> Indices | slice:
    """Which of `count` rows are looked at."""
    if count <= most:
        return slice(None)
    drawn: Indices = np.sort(generator.choice(count, most, replace=False))
    return drawn
