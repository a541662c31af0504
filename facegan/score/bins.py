"""Are all parts of the training set among the samples, and each as wide? Over k-means bins.

The training faces are parted into bins by k-means. A generator that leaves modes out leaves bins
empty; one that makes each mode too narrow fills all bins, and each of them narrowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facegan.score.distances import Doubles, Indices, check_features, check_pair, nearest

FACES_PER_BIN = 15
SAMPLES_PER_BIN = 10
LEAST_BINS = 5
MOST_BINS = 50
ALPHA = 0.05
_CRITICAL_Z = 1.959964
"""Two-sided at `ALPHA`."""
MISSING = 1 / 3
"""A bin is missing where its part of the samples is below this part of its training share."""
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Bins:
    """How samples spread over bins of training faces."""

    count: int
    different: int
    """Bins whose shares differ significantly (NDB): `expected` of them if honest."""
    expected: float
    """ALPHA of the bins."""
    js_divergence: float
    """Between the two histograms, in bits: 0 to 1."""
    missing: float
    """Share of training faces that are in bins nearly without samples."""
    spread: float
    """Standard deviation of samples around their bin's mean over that of training faces in the
    bins where samples are: 1 if honest, less where modes are too narrow."""

    @property
    def different_share(self) -> float:
        """NDB over the number of bins, 0 to 1."""
        return self.different / self.count

    @property
    def different_expected(self) -> float:
        """What honest samples have: `ALPHA`."""
        return self.expected / self.count


def bins(train: ArrayLike, samples: ArrayLike, *, seed: int = 0) -> Bins:
    """Compare samples with training faces bin by bin.

    Args:
        train: (N, D) features, at least 20.
        samples: (M, D), at least 20.
        seed: of the first centres of k-means.

    Returns:
        The number of bins is N / 15, from 5 to 50 and to M / 10.

    Raises:
        ScoreError: wrong shapes, too few, NaN.

    References:
        E. Richardson, Y. Weiss, "On GANs and GMMs", 2018, arXiv:1805.12462, section 3: bins, the
        two-proportion test at 0.05 in each, NDB. Deviations: 5 to 50 bins instead of 100, because
        a bin of a few faces proves nothing and small bins hide how narrow samples are; features
        are not whitened; missing bins and the spread within bins are added.
    """
    known = check_features(train, "the training faces", 20)
    made = check_features(samples, "the samples", 20)
    check_pair(made, known, ("the samples", "the training faces"))
    most = max(LEAST_BINS, min(MOST_BINS, len(made) // SAMPLES_PER_BIN))
    count = int(np.clip(len(known) // FACES_PER_BIN, LEAST_BINS, most))
    centres = k_means(known, count, seed)
    homes, places = nearest(known, centres)[0], nearest(made, centres)[0]
    counts = np.bincount(homes, minlength=len(centres)), np.bincount(places, minlength=len(centres))
    p, q = counts[0] / len(known), counts[1] / len(made)
    different = np.abs(two_proportion_z(counts[0], counts[1])) > _CRITICAL_Z
    return Bins(
        count=len(centres),
        different=int(different.sum()),
        expected=ALPHA * len(centres),
        js_divergence=js_divergence(p, q),
        missing=float(p[different & (q < MISSING * p)].sum()),
        spread=_spread(known, homes, made, places, len(centres)),
    )


def k_means(points: Doubles, count: int, seed: int = 0) -> Doubles:
    """(count, D) centres by Lloyd's rounds from k-means++ starts; empty bins are left out.

    Args:
        points: (N, D) float64.
        count: at most N.
        seed: of the starts.

    References:
        D. Arthur, S. Vassilvitskii, "k-means++: the Advantages of Careful Seeding", 2007.
    """
    centres = _starts(points, count, np.random.default_rng(seed))
    homes = None
    for _ in range(_ROUNDS):
        moved = nearest(points, centres)[0]
        if homes is not None and (moved == homes).all():
            break
        homes = moved
        centres = np.stack([points[homes == home].mean(axis=0) for home in np.unique(homes)])
        homes = np.unique(homes, return_inverse=True)[1]
    return centres


def two_proportion_z(first: NDArray[np.int64], second: NDArray[np.int64]) -> Doubles:
    """(K,) z of each bin's two shares being one, with the pooled deviation; 0 for empty bins."""
    m, n = first.sum(), second.sum()
    pooled = (first + second) / (m + n)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n))
    apart = first / m - second / n
    z: Doubles = np.divide(apart, deviation, out=np.zeros(len(first)), where=deviation > 0)
    return z


def js_divergence(p: Doubles, q: Doubles) -> float:
    """Jensen-Shannon divergence of two histograms in bits, 0 to 1.

    >>> js_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _relative_entropy(p: Doubles, q: Doubles) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _starts(points: Doubles, count: int, generator: np.random.Generator) -> Doubles:
    """Points far from each other: each with a chance as its squared distance to those before."""
    chosen = [int(generator.integers(len(points)))]
    squares = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count and squares.sum() > 0:
        chosen.append(int(generator.choice(len(points), p=squares / squares.sum())))
        squares = np.minimum(squares, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    starts: Doubles = points[chosen]
    return starts


def _spread(known: Doubles, homes: Indices, made: Doubles, places: Indices, count: int) -> float:
    """Root of the ratio of mean variances, over bins weighted by their samples."""
    of_known, of_made = _variances(known, homes, count), _variances(made, places, count)
    there = np.isfinite(of_known) & np.isfinite(of_made)
    weights = np.bincount(places, minlength=count)[there]
    below = (weights * of_known[there]).sum()
    return float(np.sqrt((weights * of_made[there]).sum() / below)) if below > 0 else 1.0


def _variances(points: Doubles, homes: Indices, count: int) -> Doubles:
    """(count,) unbiased variance around each bin's mean, summed over dimensions; NaN for < 2."""
    found = np.full(count, np.nan)
    for home in range(count):
        some = points[homes == home]
        if len(some) > 1:
            found[home] = some.var(axis=0, ddof=1).sum()
    return found
