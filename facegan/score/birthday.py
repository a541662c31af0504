"""How many different outputs does a generator have? The birthday test, on features, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2

from facegan.score.distances import Doubles, Indices, check_features, tiles

DUPLICATE = 0.25
"""Near-duplicates are nearer than this part of the median neighbour distance of training faces.

A generator that shrinks every mode by s has about 1.4 N (s / 0.25)^d outputs by this rule (N
training faces, d intrinsic dimensions): so more than N of them unless s falls below a quarter,
whatever d is."""


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
    support_high: float | None
    """None where no two are alike: then there is no upper end."""
    distance: float


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
    pairs = len(first)
    return Birthday(
        samples=len(made),
        pairs=pairs,
        distinct=int(connected_components(graph, directed=False)[0]),
        support=total / pairs if pairs else None,
        support_low=total / float(chi2.ppf(0.975, 2 * (pairs + 1)) / 2),
        support_high=total / float(chi2.ppf(0.025, 2 * pairs) / 2) if pairs else None,
        distance=distance,
    )


def _alike(made: Doubles, distance: float) -> tuple[Indices, Indices]:
    """Indices of all pairs nearer than `distance`, the smaller index first."""
    found = []
    for tile in tiles(made, made, upper=True):
        rows, columns = np.nonzero(tile.squares < distance**2)
        rows, columns = rows + tile.rows.start, columns + tile.columns.start
        found.append(np.stack([rows, columns])[:, rows < columns])
    first, second = np.concatenate(found, axis=1)
    return first, second
