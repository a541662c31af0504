"""Do samples repeat the training set, or each other? Pure functions of features, in float64.

Three questions of copies, each with what an honest generator would give beside it, because that is
never 0: how many samples are nearer to a training face than that face's own neighbour is
(authenticity), how many are nearer than half of that, and, where faces were held out of the
training, whether samples prefer the training faces to the held-out ones. The birthday test asks
how many different outputs a generator has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2, mannwhitneyu, rankdata

from facegan.core.errors import ScoreError
from facegan.score.distances import (
    Doubles,
    Indices,
    check_features,
    check_pair,
    nearest,
    neighbours,
    tiles,
)

CLOSE = 0.5
"""A copy is nearer than this part of the training face's own neighbour distance.

Balls of half that radius around the training faces do not meet, so a sample lies in one at most;
and a sample in the middle of a cloud of many dimensions, no copy of anything, comes to 0.71."""
DUPLICATE = 0.25
"""Near-duplicates are nearer than this part of the median neighbour distance of training faces.

A generator that shrinks every mode by s has about 1.4 N (s / 0.25)^d outputs by this rule (N
training faces, d intrinsic dimensions): so more than N of them unless s falls below a quarter,
whatever d is."""
_Z = 1.959964
"""Of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of some faces, with its Wilson interval of 95 %."""

    value: float
    low: float
    high: float
    count: int
    """Faces of which it is a share."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Samples beside faces that the training never saw; 1, 0 and the expected share if honest."""

    distance_ratio: float
    """Median of distance to training / distance to held-out faces, over the same median for the
    training faces themselves: 1 for an honest generator, near 0 for copies."""
    z: float
    """Of the Mann-Whitney test of d(sample, training) against d(held-out, training): below 0
    samples are nearer to the training faces than unseen faces are."""
    p: float
    """One-sided: how often an honest generator comes as low."""
    nearest_share: float
    """Samples whose nearest face, of all, is a held-out one."""
    nearest_expected: float
    """Held-out faces among all faces."""


@dataclass(frozen=True, slots=True)
class Copies:
    """How near samples are to training faces, with what honest samples give beside it."""

    copied: Share
    """Nearer to a training face than that face's own neighbour is: 1 - authenticity."""
    copied_expected: Share
    """The same of unseen faces, or of each training face against the others."""
    close: Share
    """Nearer than half of that."""
    close_expected: Share
    unseen: Unseen | None
    """None without held-out faces."""
    spacing: float
    """Median distance of training faces to their neighbours, in the features' own unit."""

    @property
    def authenticity(self) -> float:
        """1 - the copied share."""
        return 1 - self.copied.value

    @property
    def memorised(self) -> float:
        """Estimated share of samples that are copies: the close ones beyond what is expected."""
        return _excess(self.close.value, self.close_expected.value)


@dataclass(frozen=True, slots=True)
class Birthday:
    """Near-duplicates among samples, and how many outputs there are if so many are alike."""

    samples: int
    pairs: int
    """Of samples nearer to each other than `distance`."""
    distinct: int
    """Groups that near-duplicates chain together, single samples included."""
    support: float | None
    """Estimated number of distinct outputs; None where no two samples are alike."""
    support_low: float
    """End of its 95 % interval."""
    distance: float


def copies(train: ArrayLike, samples: ArrayLike, held_out: ArrayLike | None = None) -> Copies:
    """How many samples are copies of training faces, or nearly.

    Args:
        train: (N, D) features; at least 4 different ones. Exact duplicates count once.
        samples: (M, D), at least 1.
        held_out: (H, D) faces of the same kind that were not trained on, at least 2. With None the
            expected shares come from the training faces, each against the others.

    Raises:
        ScoreError: wrong shapes, too few, NaN.

    References:
        A. Alaa et al., "How Faithful is your Synthetic Data?", 2022, arXiv:2102.08921, section 4.3
        (authenticity; here on raw features, not on a learnt hypersphere). C. Meehan et al., "A
        Non-Parametric Test to Detect Data-Copying in Generative Models", 2020, arXiv:2004.05675,
        section 3.1: the global test, without its cells, because a cell of a few hundred faces
        holds too few held-out ones.
    """
    known = _distinct(check_features(train, "the training faces", 4))
    made = check_features(samples, "the samples", 1)
    check_pair(made, known, ("the samples", "the training faces"))
    who, near = neighbours(known, known, 2, exclude_self=True)
    parts = _parts(made, known, near[:, 0])
    unseen = None
    if held_out is None:
        honest = _own_parts(who, near)
    else:
        fresh = check_features(held_out, "the held-out faces", 2)
        check_pair(fresh, known, ("the held-out faces", "the training faces"))
        honest = _parts(fresh, known, near[:, 0])
        unseen = _unseen(known, made, fresh, near[:, 0])
    return Copies(
        copied=share(parts < 1),
        copied_expected=share(honest < 1),
        close=share(parts < CLOSE),
        close_expected=share(honest < CLOSE),
        unseen=unseen,
        spacing=float(np.median(near[:, 0])),
    )


def birthday(samples: ArrayLike, distance: float) -> Birthday:
    """Count near-duplicates, and estimate from them how many distinct outputs there are.

    Of m outputs that are equally likely, two samples are the same with probability 1 / m; so m is
    about the number of pairs over the number of alike pairs. Unequal ones give less: the number of
    equally likely outputs that would collide as often.

    Args:
        samples: (M, D) features, at least 2.
        distance: below which two are near-duplicates: `DUPLICATE * copies(...).spacing`.

    Raises:
        ScoreError: wrong shapes, too few, NaN.

    References:
        S. Arora, Y. Zhang, "Do GANs actually learn the distribution? An empirical study", 2017,
        arXiv:1706.08224, section 3. There a person looks at the nearest pairs; here a distance
        that the training set gives decides, and all pairs are counted.
    """
    made = check_features(samples, "the samples", 2)
    first, second = _alike(made, distance)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(made), len(made)))
    total = len(made) * (len(made) - 1) / 2
    return Birthday(
        samples=len(made),
        pairs=len(first),
        distinct=int(connected_components(graph, directed=False)[0]),
        support=total / len(first) if len(first) else None,
        support_low=total / float(chi2.ppf(0.975, 2 * (len(first) + 1)) / 2),
        distance=distance,
    )


def share(true: NDArray[np.bool_]) -> Share:
    """The share of True, with its interval.

    >>> found = share(np.array([True, True, False, False]))
    >>> found.value, round(found.low, 3), round(found.high, 3), found.count
    (0.5, 0.15, 0.85, 4)
    """
    n, value = len(true), float(true.mean())
    middle = (value + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(value * (1 - value) / n + _Z**2 / (4 * n * n))
    return Share(value, max(0.0, middle - half), min(1.0, middle + half), n)


def _distinct(train: Doubles) -> Doubles:
    """The rows without exact repetitions: a face that is there twice has no neighbour distance."""
    if (nearest(train, train, exclude_self=True)[1] == 0).any():
        train = np.unique(train, axis=0)
    if len(train) < 4:
        raise ScoreError(f"the training faces are too few: only {len(train)} of them differ")
    return train


def _parts(made: Doubles, known: Doubles, radii: Doubles) -> Doubles:
    """(M,) distance to the nearest training face over that face's own neighbour distance."""
    who, far = nearest(made, known)
    return far / radii[who]


def _own_parts(who: Indices, near: Doubles) -> Doubles:
    """`_parts` of each training face against the others, which do not know it either."""
    nearest_of, far = who[:, 0], near[:, 0]
    mutual = who[nearest_of, 0] == np.arange(len(who))
    parts: Doubles = far / np.where(mutual, near[nearest_of, 1], near[nearest_of, 0])
    return parts


def _unseen(known: Doubles, made: Doubles, fresh: Doubles, own: Doubles) -> Unseen:
    to_known, to_fresh = nearest(made, known)[1], nearest(made, fresh)[1]
    z, p = _mann_whitney(to_known, nearest(fresh, known)[1])
    return Unseen(
        distance_ratio=_median_ratio(to_known, to_fresh)
        / _median_ratio(own, nearest(known, fresh)[1]),
        z=z,
        p=p,
        nearest_share=float((to_fresh < to_known).mean()),
        nearest_expected=len(fresh) / (len(fresh) + len(known)),
    )


def _median_ratio(first: Doubles, second: Doubles) -> float:
    return float(np.median(first) / max(float(np.median(second)), np.finfo(np.float64).tiny))


def _mann_whitney(first: Doubles, second: Doubles) -> tuple[float, float]:
    """z, corrected for ties, and the p of `first` being as small."""
    m, n = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    deviation = math.sqrt(m * n * float(ranks.var()) / (m + n - 1))
    if not deviation:
        return 0.0, 0.5
    found = mannwhitneyu(first, second, alternative="less", method="asymptotic")
    return (float(found.statistic) - m * n / 2) / deviation, float(found.pvalue)


def _alike(made: Doubles, distance: float) -> tuple[Indices, Indices]:
    """Indices of all pairs nearer than `distance`, the smaller index first."""
    found = []
    for tile in tiles(made, made, upper=True):
        rows, columns = np.nonzero(tile.squares < distance**2)
        rows, columns = rows + tile.rows.start, columns + tile.columns.start
        found.append(np.stack([rows, columns])[:, rows < columns])
    first, second = np.concatenate(found, axis=1)
    return first, second


def _excess(value: float, expected: float) -> float:
    """Of a mixture of copies and honest samples the part that is copies, from 0 to 1."""
    return max(0.0, (value - expected) / (1 - expected)) if expected < 1 else 0.0
