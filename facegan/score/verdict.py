"""What is wrong with these samples, in words: one verdict and the figures that led to it.

The rules are few and have an order; the first that holds names the verdict, the others that hold
are told too. Each compares the samples with what an honest generator would give on the same
training faces, so none depends on the features' scale or dimension. docs/verdicts.md shows how
often they are right on sets of known truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from facegan.score.bins import Bins, bins
from facegan.score.distances import Doubles, check_features, check_pair, neighbours
from facegan.score.manifold import Manifold, manifolds
from facegan.score.memorisation import DUPLICATE, Birthday, Copies, birthday, copies

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

    @property
    def precision_ratio(self) -> float:
        """Precision at k = 5 over what unseen faces reach: 1 if honest, above for narrow modes."""
        return self.manifolds[-1].precision / self.precision_expected

    @property
    def off_faces(self) -> bool:
        """Whether most samples lie where no faces are."""
        return self.precision_ratio < NOISY or self.manifolds[-1].density < SPARSE

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
        return self.copies.memorised >= MEMORISED or prefers_known

    @property
    def few(self) -> bool:
        """Whether there are hardly more distinct outputs than training faces."""
        support = self.birthday.support
        return support is not None and support < FEW * self.train_used

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = asdict(self) | {"precision_ratio": self.precision_ratio}
        found["copies"]["authenticity"] = self.copies.authenticity
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
    train: ArrayLike, samples: ArrayLike, held_out: ArrayLike | None = None, *, seed: int = 0
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

    Raises:
        ScoreError: a set has too few rows, another shape, or values that are not finite.
    """
    generator = np.random.default_rng(seed)
    known = check_features(train, "the training faces", LEAST)
    made = check_features(samples, "the samples", LEAST)
    check_pair(made, known, ("the samples", "the training faces"))
    fresh = None if held_out is None else check_features(held_out, "the held-out faces", 2)
    counts = len(known), len(made), 0 if fresh is None else len(fresh)
    known, made = _some(known, MOST, generator), _some(made, MOST, generator)
    near = copies(known, made, fresh)
    figures = Figures(
        *counts,
        len(known),
        len(made),
        copies=near,
        birthday=birthday(made, DUPLICATE * near.spacing),
        bins=bins(known, made, seed=seed),
        manifolds=manifolds(known, _some(made, len(known), generator), (3, 5)),
        precision_expected=_own_precision(known, 5),
    )
    faults = tuple(_faults(figures))
    return Diagnosis(
        verdict=faults[0][0] if faults else "healthy",
        sentences=tuple(why for _, why in faults) or _praise(figures),
        cannot_tell=tuple(_cannot_tell(figures)),
        figures=figures,
        seed=seed,
    )


def _faults(figures: Figures) -> Iterator[tuple[Verdict, str]]:
    """The rules in their order: what holds, and why."""
    if figures.copied:
        yield "memorised", _of_copies(figures.copies)
    if figures.few:
        yield "few distinct outputs", _of_repeats(figures)
    if figures.off_faces:
        found = figures.manifolds[-1]
        yield (
            "noisy",
            f"samples lie off the faces: {found.precision:.0%} of them are near a training face, "
            f"of real faces that were left aside {figures.precision_expected:.0%}; and they have "
            f"{found.density:.0%} as many training faces around them as those",
        )
    if figures.bins.spread < NARROW:
        yield (
            "within-mode collapse",
            "the samples of each kind of face differ too little from each other: they spread "
            f"{figures.bins.spread:.0%} as wide as the training faces of that kind",
        )
    if figures.bins.missing > MISSING:
        yield (
            "between-mode collapse",
            f"whole kinds of faces are missing: {figures.bins.missing:.0%} of the training faces "
            "are of kinds that are not a third as common among the samples",
        )


def _of_copies(found: Copies) -> str:
    texts = []
    if found.memorised >= MEMORISED:
        texts.append(
            f"about {found.memorised:.0%} of the samples are copies of training faces: "
            f"{found.close.value:.0%} are nearer to one than half of the way to its neighbour, "
            f"where {found.close_expected.value:.0%} would be by chance"
        )
    if found.unseen:
        texts.append(
            f"the samples' distance to training faces is {found.unseen.distance_ratio:.0%} of what "
            "it would be if they knew these no better than the held-out ones; "
            f"{found.unseen.nearest_share:.0%} of them have a held-out face as their nearest, "
            f"where {found.unseen.nearest_expected:.0%} would by chance"
        )
    return "; and ".join(texts)


def _of_repeats(figures: Figures) -> str:
    found = figures.birthday
    return (
        f"there are only about {found.support:,.0f} different outputs beside "
        f"{figures.train_used:,} training faces: {found.samples:,} samples show {found.distinct:,}"
    )


def _praise(figures: Figures) -> tuple[str, ...]:
    precision, found = figures.manifolds[-1].precision, figures.copies
    few_copies = (
        f"about {found.memorised:.0%} of the samples are copies of training faces, too few to name "
        "the verdict"
    )
    no_copies = (
        f"they are no copies: {found.copied.value:.0%} are nearer to a training face than that "
        f"face's neighbour is, and {found.copied_expected.value:.0%} of real faces are"
    )
    return (
        f"the samples lie where faces are: {precision:.0%} of them, and "
        f"{figures.precision_expected:.0%} of real faces that were left aside",
        f"all kinds of training faces are among them but for {figures.bins.missing:.0%}, spread "
        f"{figures.bins.spread:.0%} as wide",
        few_copies if found.close.low > found.close_expected.high else no_copies,
        f"there are more than {figures.birthday.support_low:,.0f} different outputs",
    )


def _cannot_tell(figures: Figures) -> Iterator[str]:
    if not figures.held_out:
        yield (
            "whether the samples are nearer to the training faces than to other faces of their "
            "kind, short of plain copies: no faces were held out of the training"
        )
    elif figures.held_out < FEW_HELD_OUT:
        yield (
            "whether the samples prefer the training faces, short of plain copies: only "
            f"{figures.held_out} faces were held out of the training"
        )
    if figures.birthday.support is None:
        yield (
            f"whether there are more than {figures.birthday.support_low:,.0f} different outputs: "
            f"no two of {figures.samples_used:,} samples are alike"
        )
    if figures.train_used < figures.train:
        yield (
            f"whether samples are copies of the training faces beyond the {figures.train_used:,} "
            "that were drawn"
        )


def _own_precision(known: Doubles, k: int) -> float:
    """Precision of training faces, each against the balls of the others.

    A face lies in another's ball, drawn without it, where it is one of the other's k nearest.
    """
    return len(np.unique(neighbours(known, known, k, exclude_self=True)[0])) / len(known)


def _some(points: Doubles, most: int, generator: np.random.Generator) -> Doubles:
    if len(points) <= most:
        return points
    return points[np.sort(generator.choice(len(points), most, replace=False))]
