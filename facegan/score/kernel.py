"""The kernel distance of two sets of features (KID): unbiased at any number of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facegan.core.errors import ScoreError
from facegan.score.distances import Doubles, Indices, check_features, check_pair

_NAMES = ("the first set", "the second set")
_SIDE = 2048
"""Rows and columns of the kernel matrix in memory at a time: 32 MiB."""
_TWO_SIDED_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """A distance with what is needed to read it."""

    mean: float
    """Over the subsets; its expectation is 0 where both sets are of one distribution, so it may be
    a little below 0."""
    std: float
    """Population standard deviation over the subsets, as the field's programs print it. It is the
    spread of one subset's distance while the images stay as they are, not the error of the mean:
    it is 0 where a subset takes all images."""
    error: float
    """Standard error of `mean` if both sets of images were drawn anew."""
    low: float
    high: float
    """The 95% interval: mean -+ 1.96 `error`."""
    subsets: int
    subset_size: int
    samples: tuple[int, int]
    dimensions: int
    seed: int
    warnings: tuple[str, ...]
    """Sentences that belong beside the number wherever it is shown."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over one kernel matrix K of (N, M)."""

    weighted: Doubles
    """(S,): w_a^T K w_b of each subset."""
    rows: Doubles
    """(N,) sums of rows."""
    columns: Doubles
    """(M,) sums of columns."""
    squares: float
    """Of all entries."""


def polynomial_mmd2(first: ArrayLike, second: ArrayLike) -> float:
    """Squared maximum mean discrepancy by the kernel (x.y / D + 1)^3, the unbiased estimate.

    The mean of k(x, x') over pairs of different x, plus the same of y, less twice the mean of
    k(x, y) over all pairs. One subset's part of the KID.

    Args:
        first: (N, D) float, N at least 2.
        second: (M, D) float, M at least 2.

    Raises:
        ScoreError: as `kernel_distance`.

    >>> polynomial_mmd2([[0.0], [0.0]], [[1.0], [1.0]])
    7.0
    """
    x, y = _checked(first, second)
    ones = np.ones((len(x), 1)), np.ones((len(y), 1))
    return float(_distances(x, y, *ones)[0][0])


def kernel_distance(
    first: ArrayLike,
    second: ArrayLike,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """KID: the mean of `polynomial_mmd2` over random subsets of both sets.

    Args:
        first: (N1, D) float, N1 at least 2.
        second: (N2, D) float, N2 at least 2.
        subsets: 1 or more.
        subset_size: 2 or more; the smaller set's size where that is less, with a warning. This
            does not shift the distance, which is unbiased at any size.
        seed: of the subsets. They are drawn without replacement as torch-fidelity 0.4 draws them
            (its own seed is 2020), so the same seed gives its numbers.

    Returns:
        The distance; a set with itself is below 0, for the estimate takes the two to be drawn
        apart. Measured on simulated features: `error` is within 5% of the true spread of the mean
        where the sets differ, and 1.2 to 1.5 times it where both are of one distribution, so that
        the interval holds 0 in 99% of such cases.

    Raises:
        ScoreError: a set is no (N, D) array of at least 2 rows of finite numbers, the dimensions
            differ, or `subsets` or `subset_size` is out of range.

    References:
        M. Bińkowski et al., "Demystifying MMD GANs", 2018, arXiv:1801.01401, section 4 and
        appendix A; A. Gretton et al., "A Kernel Two-Sample Test", 2012, lemma 6 (the unbiased
        estimate); W. Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution",
        1948 (its variance). Addition: the error, which the programs do not print.

    Numerics: float64. The error is of the first and second order of Hoeffding's decomposition, the
    terms estimated from the kernel matrices, plus std^2 / subsets for the draw of the subsets. The
    second order matters: where both sets are of one distribution the first is 0.
    """
    x, y = _checked(first, second)
    if subsets < 1 or subset_size < 2:
        raise ScoreError(f"cannot draw {subsets} subsets of {subset_size}: 1 of 2 at least")
    fewest, most = sorted((len(x), len(y)))
    size = min(subset_size, fewest)
    drawn = 1 if size == most else subsets  # there is one subset of all images only
    values, variance = _values(x, y, _draw(len(x), len(y), drawn, size, seed))
    mean, std = float(values.mean()), float(values.std())
    error = float(np.sqrt(variance + std**2 / drawn))
    return KernelDistance(
        mean=mean,
        std=std,
        error=error,
        low=mean - _TWO_SIDED_95 * error,
        high=mean + _TWO_SIDED_95 * error,
        subsets=drawn,
        subset_size=size,
        samples=(len(x), len(y)),
        dimensions=x.shape[1],
        seed=seed,
        warnings=_warnings(size, subset_size, (fewest, most)),
    )


def _checked(first: ArrayLike, second: ArrayLike) -> tuple[Doubles, Doubles]:
    x = check_features(first, _NAMES[0], least=2)
    y = check_features(second, _NAMES[1], least=2)
    check_pair(x, y, _NAMES)
    return x, y


def _draw(
    first: int, second: int, subsets: int, size: int, seed: int
) -> list[tuple[Indices, Indices]]:
    """Indices into both sets, subset by subset, in torch-fidelity's order."""
    generator = np.random.RandomState(seed)  # the field's programs use this one
    return [
        (
            generator.choice(first, size, replace=False),
            generator.choice(second, size, replace=False),
        )
        for _ in range(subsets)
    ]


def _values(
    x: Doubles, y: Doubles, subsets: list[tuple[Indices, Indices]]
) -> tuple[Doubles, float]:
    """The distance of each subset, and the variance of the distance of the whole sets.

    Up to about 10,000 samples one pass over all pairs is less work than the subsets' pairs: a
    subset's sum is w^T K w with w of zeros and ones. Beyond that each subset is computed alone.
    """
    n, m, size = len(x), len(y), len(subsets[0][0])
    if n * n / 2 + m * m / 2 + n * m <= 2 * len(subsets) * size**2:
        weights = np.zeros((n, len(subsets))), np.zeros((m, len(subsets)))
        for column, pair in enumerate(subsets):
            for weight, chosen in zip(weights, pair, strict=True):
                weight[chosen, column] = 1
        values, parts = _distances(x, y, *weights)
        return values, _variance(parts, n, m)
    ones = np.ones((size, 1))
    found = [_distances(x[a], y[b], ones, ones) for a, b in subsets]
    parts = np.mean([part for _, part in found], axis=0)
    return np.concatenate([value for value, _ in found]), _variance(parts, n, m)


def _distances(x: Doubles, y: Doubles, wx: Doubles, wy: Doubles) -> tuple[Doubles, Doubles]:
    """The distances of the subsets that the weights name, and the parts of the variance.

    Args:
        x: (N, D).
        y: (M, D).
        wx: (N, S) of zeros and ones.
        wy: (M, S).

    Returns:
        (S,), and (5,): the first-order variances of x and y, the second-order ones of the pairs
        (x, x'), (y, y') and (x, y).
    """
    xx, yy, xy = _sums(x, x, wx, wx), _sums(y, y, wy, wy), _sums(x, y, wx, wy)
    p, q = wx.sum(axis=0), wy.sum(axis=0)
    values = xx.weighted / (p * (p - 1)) + yy.weighted / (q * (q - 1)) - 2 * xy.weighted / (p * q)
    n, m = len(x), len(y)
    seconds = [
        _second_order(xx, n - 1, n - 1),
        _second_order(yy, m - 1, m - 1),
        _second_order(xy, m, n),
    ]
    firsts = [
        np.var(xx.rows / (n - 1) - xy.rows / m, ddof=1) - seconds[0] / (n - 1) - seconds[2] / m,
        np.var(yy.rows / (m - 1) - xy.columns / n, ddof=1) - seconds[1] / (m - 1) - seconds[2] / n,
    ]
    return values, np.array([*firsts, *seconds])


def _second_order(sums: _Sums, in_row: int, in_column: int) -> float:
    """Variance of k(a, b) - E k(a, .) - E k(., b) + E k, what neither sample alone explains."""
    entries = len(sums.rows) * in_row
    mean = sums.rows.sum() / entries
    of_rows = np.mean((sums.rows / in_row) ** 2) - mean**2
    of_columns = np.mean((sums.columns / in_column) ** 2) - mean**2
    return max(float(sums.squares / entries - mean**2 - of_rows - of_columns), 0.0)


def _variance(parts: Doubles, n: int, m: int) -> float:
    """Of the unbiased estimate from n and m samples, by Hoeffding's decomposition."""
    first_x, first_y, xx, yy, xy = parts
    first = max(4 * first_x / n + 4 * first_y / m, 0.0)
    return float(first + 2 * xx / (n * (n - 1)) + 2 * yy / (m * (m - 1)) + 4 * xy / (n * m))


def _sums(a: Doubles, b: Doubles, wa: Doubles, wb: Doubles) -> _Sums:
    """Sums over K = (a.b / D + 1)^3, block by block.

    Where `b` is `a` the diagonal counts as 0, and only blocks on it and above are computed.
    """
    same = a is b
    weighted, squares = np.zeros(wa.shape[1]), 0.0
    rows, columns = np.zeros(len(a)), np.zeros(len(b))
    for top in range(0, len(a), _SIDE):
        down = slice(top, top + _SIDE)
        for left in range(top if same else 0, len(b), _SIDE):
            across = slice(left, left + _SIDE)
            kernel = _kernel(a[down], b[across])
            if same and left == top:
                np.fill_diagonal(kernel, 0)
            twice = 2 if same and left > top else 1
            weighted += twice * np.einsum("ns,ns->s", wa[down], kernel @ wb[across])
            squares += twice * float(np.vdot(kernel, kernel))
            rows[down] += kernel.sum(axis=1)
            columns[across] += kernel.sum(axis=0)
            if twice == 2:
                rows[across] += kernel.sum(axis=0)
                columns[down] += kernel.sum(axis=1)
    return _Sums(weighted, rows, columns, squares)


def _kernel(a: Doubles, b: Doubles) -> Doubles:
    base: Doubles = a @ b.T
    base /= a.shape[1]
    base += 1
    cube = base * base
    cube *= base
    return cube


def _warnings(size: int, asked: int, samples: tuple[int, int]) -> tuple[str, ...]:
    texts = []
    if size < asked:
        texts.append(
            f"subsets of {size}, not {asked}: the smaller set has no more; the mean is unbiased "
            "at any size, the std compares only with that of equal subsets"
        )
    if size == samples[1]:
        texts.append("a subset takes all samples, so there is one; read the error, not the std")
    elif 2 * size > samples[0]:
        texts.append(
            f"subsets of {size} of {samples[0]} samples overlap: the std is no error of the mean; "
            "read the error"
        )
    return tuple(texts)
