"""Euclidean distances between two sets of features, in tiles: memory stays bounded for any N.

A tile is |a|^2 + |b|^2 - 2 a.b of two chunks, a matrix product in float64. That difference cancels
where the points are near each other and far from the origin, so both sets are first moved by the
points' mean; what is still lost is about 1e-14 of the squared lengths. Distances that are handed
out are computed once more as |a - b|, so copies are at a distance of exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facegan.core.errors import ScoreError

Features = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

_SIDE = 2048
"""Rows and columns of a tile at most: 32 MiB."""
_NUMBERS = 2**22
"""Numbers in a chunk of features at most: 32 MiB in float64."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A block of the matrix of squared distances."""

    rows: slice
    columns: slice
    squares: Doubles
    """(rows, columns) float64, at least 0."""


def check_features(features: ArrayLike, name: str, least: int = 1) -> Doubles:
    """Features as the formulas take them.

    Args:
        features: (N, D), real numbers of any dtype.
        name: of the set, for messages: "the samples".
        least: rows that the formula needs.

    Returns:
        (N, D) float64, not copied where they are that already.

    Raises:
        ScoreError: another shape or dtype, fewer than `least` rows, NaN or infinite values.
    """
    return checked(features, name, least).astype(np.float64, copy=False)


def checked(features: ArrayLike, name: str, least: int = 1) -> Features:
    """As `check_features`, but float32 stays: 50,000 features of 2,048 are 400 MB, not 800."""
    values = np.asarray(features)
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "fiu":
        raise ScoreError(
            f"{name} must be features of shape (N, D), not {values.dtype} of shape {values.shape}"
        )
    if len(values) < least:
        raise ScoreError(f"{name} are too few: {len(values)}, where at least {least} are needed")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    bad = len(values) - int(np.isfinite(values).all(axis=1).sum())
    if bad:
        raise ScoreError(
            f"{bad} of {len(values)} features of {name} are not finite",
            hint="the weights are damaged, or of another network: try the official file",
        )
    return values


def check_pair(first: Features, second: Features, names: tuple[str, str]) -> None:
    """Refuse two sets of different dimensions.

    Raises:
        ScoreError: they differ; the message says that two networks made them.
    """
    if first.shape[1] != second.shape[1]:
        raise ScoreError(
            f"{names[0]} have features of {first.shape[1]} dimensions and {names[1]} of "
            f"{second.shape[1]}",
            hint="take both from the same network: --features names it",
        )


def nearest(
    queries: ArrayLike, points: ArrayLike, *, exclude_self: bool = False
) -> tuple[Indices, Doubles]:
    """The nearest point of each query.

    Args:
        queries: (M, D) float.
        points: (N, D) float.
        exclude_self: `queries` is `points`; the point of the same index is left out.

    Returns:
        Indices (M,) int64 into `points`, and the distances (M,) float64, exactly 0 for copies.
        Of points that are equally near up to rounding any one is named.

    Raises:
        ScoreError: as `neighbours`.

    >>> nearest([[0.0], [4.0]], [[1.0], [5.0], [9.0]])
    (array([0, 1]), array([1., 1.]))
    """
    indices, distances = neighbours(queries, points, 1, exclude_self=exclude_self)
    return indices[:, 0], distances[:, 0]


def neighbour_radii(points: ArrayLike, k: int) -> Doubles:
    """Distance of each point to its k-th nearest other point.

    Args:
        points: (N, D) float; N above `k`.
        k: 1 or more.

    Returns:
        (N,) float64; 0 where a point has k copies.

    Raises:
        ScoreError: as `neighbours`.

    >>> neighbour_radii([[0.0], [1.0], [5.0]], 1)
    array([1., 1., 4.])
    """
    return neighbours(points, points, k, exclude_self=True)[1][:, k - 1]


def neighbours(
    queries: ArrayLike, points: ArrayLike, k: int, *, exclude_self: bool = False
) -> tuple[Indices, Doubles]:
    """The k nearest points of each query, nearest first.

    Args:
        queries: (M, D) float.
        points: (N, D) float.
        k: 1 to N, or to N - 1 with `exclude_self`.
        exclude_self: `queries` is `points`; the point of the same index is left out. Its copies
            at other indices stay in.

    Returns:
        Indices (M, k) int64 into `points`, and the distances (M, k) float64.

    Raises:
        ScoreError: a set is no (N, D) array of finite numbers, the dimensions differ, there are
            too few points, or `exclude_self` with sets of different length.

    Numerics: neighbours are chosen on tiles (see the module), distances summed directly.
    """
    if k < 1:
        raise ScoreError(f"there is no neighbour number {k}; 1 is the nearest")
    asked = checked(queries, "the queries", 1)
    among = asked if queries is points else checked(points, "the points", 1)
    check_pair(asked, among, ("the queries", "the points"))
    if exclude_self and len(asked) != len(among):
        raise ScoreError(f"{len(asked)} queries are not the same set as {len(among)} points")
    if len(among) < k + exclude_self:
        raise ScoreError(f"{len(among)} points are too few for a neighbour number {k} of each")
    indices = _chosen(asked, among, k, same=exclude_self)
    distances = np.empty(indices.shape)
    for j in range(k):
        distances[:, j] = _direct(asked, among, indices[:, j])
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)


def tiles(
    first: Features, second: Features, *, upper: bool = False, slack: bool = False
) -> Iterator[Tile]:
    """The squared distances of all pairs, a tile at a time, row of tiles by row of tiles.

    Args:
        first: (N, D) finite float.
        second: (M, D) finite float.
        upper: `second` is `first`; only tiles on the diagonal and above.
        slack: lower each square by a bound of its rounding, so that `squares <= radius ** 2`
            holds for a point that lies on the radius.
    """
    centre = second.mean(axis=0, dtype=np.float64)
    dimensions = first.shape[1]
    lowered = 1 - 4 * np.sqrt(dimensions) * np.finfo(np.float64).eps if slack else 1.0
    side = max(1, min(_SIDE, _NUMBERS // dimensions))
    for top in range(0, len(first), side):
        rows = slice(top, min(top + side, len(first)))
        a = first[rows] - centre
        lengths = lowered * np.einsum("nd,nd->n", a, a)
        for left in range(top if upper else 0, len(second), side):
            columns = slice(left, min(left + side, len(second)))
            b = second[columns] - centre
            squares = a @ b.T
            squares *= -2
            squares += lengths[:, None]
            squares += lowered * np.einsum("nd,nd->n", b, b)
            yield Tile(rows, columns, np.maximum(squares, 0, out=squares))


def _chosen(queries: Features, points: Features, k: int, *, same: bool) -> Indices:
    """(M, k) indices of the nearest, by tiles; of the same set half of the tiles are enough."""
    squares = np.full((len(queries), k), np.inf)
    indices = np.zeros((len(queries), k), dtype=np.int64)
    for tile in tiles(queries, points, upper=same):
        on_diagonal = same and tile.rows == tile.columns
        if on_diagonal:
            np.fill_diagonal(tile.squares, np.inf)
        _merge(squares[tile.rows], indices[tile.rows], tile.squares, tile.columns.start)
        if same and not on_diagonal:
            _merge(squares[tile.columns], indices[tile.columns], tile.squares.T, tile.rows.start)
    return indices


def _merge(squares: Doubles, indices: Indices, block: Doubles, offset: int) -> None:
    """Keep the k smallest of `squares` (m, k) and `block` (m, n), whose column 0 is `offset`."""
    k = squares.shape[1]
    if k == 1:
        found = block.argmin(axis=1)[:, None]
    elif block.shape[1] > k:
        found = np.argpartition(block, k - 1, axis=1)[:, :k]
    else:
        found = np.broadcast_to(np.arange(block.shape[1]), block.shape)
    both = np.concatenate([squares, np.take_along_axis(block, found, 1)], axis=1)
    names = np.concatenate([indices, found + offset], axis=1)
    order = np.argsort(both, axis=1, kind="stable")[:, :k]
    squares[:] = np.take_along_axis(both, order, 1)
    indices[:] = np.take_along_axis(names, order, 1)


def _direct(queries: Features, points: Features, indices: Indices) -> Doubles:
    """(M,) |query - point|, summed in float64."""
    distances = np.empty(len(queries))
    step = max(1, _NUMBERS // queries.shape[1])
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        apart = queries[some].astype(np.float64) - points[indices[some]]
        distances[some] = np.sqrt(np.einsum("nd,nd->n", apart, apart))
    return distances
