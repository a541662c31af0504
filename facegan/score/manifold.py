"""Precision, recall, density and coverage: are the samples near real images, and all over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facegan.core.errors import ScoreError
from facegan.score.distances import Doubles, check_pair, checked, neighbours, tiles


@dataclass(frozen=True, slots=True)
class Manifold:
    """Four shares, of balls that reach to each image's k-th neighbour in its own set."""

    precision: float
    """Of generated images inside a real image's ball: do they look real."""
    recall: float
    """Of real images inside a generated image's ball: are they reached."""
    density: float
    """Real balls that a generated image lies in, over k; 1 is expected of a faithful generator,
    and it may exceed 1. One outlier among the real images does not raise it as it raises
    precision."""
    coverage: float
    """Of real images with a generated image inside their ball. Outliers among the generated ones
    do not raise it as they raise recall."""
    k: int
    real: int
    generated: int


@dataclass(frozen=True, slots=True)
class _Hits:
    """Of one k."""

    in_real: NDArray[np.int64]
    """(M,): real balls that hold each generated image."""
    real_hit: NDArray[np.bool_]
    """(N,): whether a generated image lies in the real image's ball."""
    real_reached: NDArray[np.bool_]
    """(N,): whether the real image lies in a generated image's ball."""


def manifold(real: ArrayLike, generated: ArrayLike, k: int = 3) -> Manifold:
    """Precision, recall, density and coverage for one `k`; see `manifolds`.

    >>> manifold([[0.0], [2.0]], [[1.0], [1.5]], k=1)
    Manifold(precision=1.0, recall=0.5, density=2.0, coverage=1.0, k=1, real=2, generated=2)
    """
    return manifolds(real, generated, (k,))[0]


def manifolds(
    real: ArrayLike, generated: ArrayLike, neighbours_k: Sequence[int] = (3, 5)
) -> tuple[Manifold, ...]:
    """The four shares for each k; the distances are computed once for all.

    A point on a ball's surface is inside it, up to rounding (1e-13 of the squared distance): a
    copy of a real image's k-th neighbour always counts.

    Args:
        real: (N, D) float, N above the largest k.
        generated: (M, D) float, M above the largest k. Shares of equal N and M compare.
        neighbours_k: each 1 or more; 3 is usual for precision and recall, 5 for density and
            coverage.

    Raises:
        ScoreError: a set is no (N, D) array of finite numbers, is too small for k, or the
            dimensions differ.

    References:
        T. Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative
        Models", 2019, arXiv:1904.06991, eq. 1 and 2; M. Naeem et al., "Reliable Fidelity and
        Diversity Metrics for Generative Models", 2020, arXiv:2002.09797, eq. 4 and 5. Deviation:
        the surface belongs to the ball in all four, as in eq. 2 of the first; the second's
        program leaves it out, which differs only for distances that are equal.

    Numerics: float64, in tiles of 32 MiB; no N x M matrix is kept.
    """
    if not neighbours_k or min(neighbours_k) < 1:
        raise ScoreError(f"neighbour numbers begin at 1, not {list(neighbours_k)}")
    largest = max(neighbours_k)
    sets = (
        checked(real, "the real images", largest + 1),
        checked(generated, "the generated images", largest + 1),
    )
    check_pair(*sets, ("the real images", "the generated images"))
    columns = [k - 1 for k in neighbours_k]
    radii = [neighbours(x, x, largest, exclude_self=True)[1][:, columns].T ** 2 for x in sets]
    hits = [
        _Hits(np.zeros(len(sets[1]), np.int64), *np.zeros((2, len(sets[0])), np.bool_))
        for _ in neighbours_k
    ]
    for tile in tiles(*sets, slack=True):
        for of_k, of_real, of_generated in zip(hits, *radii, strict=True):
            _count(of_k, tile.squares, tile.rows, tile.columns, of_real, of_generated)
    return tuple(_shares(of_k, k) for of_k, k in zip(hits, neighbours_k, strict=True))


def _count(
    hits: _Hits,
    squares: Doubles,
    real: slice,
    generated: slice,
    of_real: Doubles,
    of_generated: Doubles,
) -> None:
    """Add a tile's hits; the radii are squared."""
    inside = squares <= of_real[real, None]
    hits.in_real[generated] += np.count_nonzero(inside, axis=0)
    hits.real_hit[real] |= inside.any(axis=1)
    hits.real_reached[real] |= (squares <= of_generated[generated]).any(axis=1)


def _shares(hits: _Hits, k: int) -> Manifold:
    return Manifold(
        precision=float((hits.in_real > 0).mean()),
        recall=float(hits.real_reached.mean()),
        density=float(hits.in_real.mean() / k),
        coverage=float(hits.real_hit.mean()),
        k=k,
        real=len(hits.real_hit),
        generated=len(hits.in_real),
    )
