"""The Fréchet distance of two sets of features (FID), without a matrix square root.

FID = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2), with means m and covariances S. Only the last
term is work. Let F1, F2 be any factors, S1 = F1 F1^T and S2 = F2 F2^T. Then S1 S2 has the same
eigenvalues, besides zeros, as F1^T S2 F1 = (F1^T F2) (F1^T F2)^T. This matrix is symmetric and has
no negative eigenvalue, so

    tr sqrt(S1 S2) = sum of the square roots of the eigenvalues of F1^T S2 F1
                   = sum of the singular values of F1^T F2.

Two factors are at hand, and give the two forms:

- `covariances` (D x D), for more samples than dimensions: F1 is the Cholesky factor of S1, and
  the eigenvalues are those of a symmetric-definite problem. A singular S1 has no such factor; its
  eigenvectors, scaled, are one, and singular values are summed then.
- `samples` (N x N), for a set of no more samples than dimensions: F = Xc^T / sqrt(N - 1) with the
  centred features Xc, so F1^T F2 = X1c X2c^T / sqrt((N1 - 1) (N2 - 1)). No covariance is made.
  Singular values, not the roots of eigenvalues, are summed: a root makes 1e-8 of an error of 1e-16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from facegan.core.errors import ScoreError
from facegan.score.distances import Doubles, check_features, check_pair

FEW_SAMPLES = 10_000
"""Below so many samples on a side the bias of the FID is as large as what is looked for."""

_NAMES = ("the first set", "the second set")


@dataclass(frozen=True, slots=True)
class FrechetDistance:
    """A distance with what is needed to read it."""

    value: float
    samples: tuple[int, int]
    dimensions: int
    form: str
    """`covariances` (D x D) or `samples` (N x N): how it was computed; both give one number."""
    warnings: tuple[str, ...]
    """Sentences that belong beside the number wherever it is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the distance needs of a set; small enough to be kept where the features are not."""

    mean: Doubles
    """(D,) float64."""
    covariance: Doubles
    """(D, D) float64, symmetric, divided by N - 1."""
    samples: int


def moments(features: ArrayLike) -> Moments:
    """Mean and covariance, as `np.cov`: divided by N - 1.

    Args:
        features: (N, D) float, N at least 2.

    Raises:
        ScoreError: another shape, fewer rows, or values that are not finite.
    """
    values = check_features(features, "the features", least=2)
    mean = values.mean(axis=0)
    centred = values - mean
    return Moments(mean, centred.T @ centred / (len(values) - 1), len(values))


def frechet_distance(first: ArrayLike, second: ArrayLike) -> FrechetDistance:
    """How far apart two sets are, were both Gaussian.

    Args:
        first: (N1, D) float, N1 at least 2.
        second: (N2, D) float, N2 at least 2; the order of the two does not matter.

    Returns:
        At least 0, and 0 for a set with itself: what rounding leaves below 0 is raised to 0.
        The estimate is biased up, by an amount that grows as 1 / N and with D and that differs
        from generator to generator; the kernel distance has no such bias, so it leads.

    Raises:
        ScoreError: as `moments`, or the dimensions differ.

    References:
        M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium", 2017, arXiv:1706.08500, eq. 6; D. Dowson, B. Landau, "The Fréchet distance
        between multivariate normal distributions", 1982. The bias: M. Bińkowski et al.,
        "Demystifying MMD GANs", 2018, arXiv:1801.01401, section 4; M. Chong, D. Forsyth,
        "Effectively Unbiased FID and Inception Score and where to find them", 2020,
        arXiv:1911.07023, section 3. Deviations: none in the number; the root is not taken of the
        matrix (see the module).

    Numerics: float64 throughout, about 1e-12 of the covariances' traces.
    """
    a = check_features(first, _NAMES[0], least=2)
    b = check_features(second, _NAMES[1], least=2)
    check_pair(a, b, _NAMES)
    if min(len(a), len(b)) > a.shape[1]:
        return frechet_of_moments(moments(a), moments(b))
    centred = [x - x.mean(axis=0) for x in (a, b)]
    scales = [len(x) - 1 for x in centred]
    traces = sum(float(np.vdot(x, x)) / n for x, n in zip(centred, scales, strict=True))
    root = _sum_of_singular(centred[0] @ centred[1].T) / np.sqrt(float(scales[0]) * scales[1])
    gap = a.mean(axis=0) - b.mean(axis=0)
    return _result(gap @ gap + traces - 2 * root, (len(a), len(b)), a.shape[1], "samples")


def frechet_of_moments(first: Moments, second: Moments) -> FrechetDistance:
    """The same from means and covariances, such as kept ones of a reference set.

    Raises:
        ScoreError: the dimensions differ, or a value is not finite.
    """
    pair = (first, second)
    for side, name in zip(pair, _NAMES, strict=True):
        check_features(side.mean[None], f"the mean of {name}")
        check_features(side.covariance, f"the covariance of {name}")
        if side.covariance.shape != (len(side.mean),) * 2:
            raise ScoreError(
                f"the moments of {name} do not belong together: a mean of {len(side.mean)} "
                f"dimensions, a covariance of shape {side.covariance.shape}"
            )
    check_pair(first.covariance, second.covariance, _NAMES)
    gap = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    root = _trace_of_root(first, second)
    samples = (first.samples, second.samples)
    return _result(gap @ gap + traces - 2 * root, samples, len(gap), "covariances")


def _trace_of_root(first: Moments, second: Moments) -> float:
    """Tr sqrt(S1 S2); Cholesky's factor where there are samples enough for one of full rank."""
    if min(first.samples, second.samples) > len(first.mean):
        try:
            # With driver "gv" 1.3 s at 2,048 dimensions on one thread, the default takes 2.2 s.
            squares = scipy.linalg.eigh(
                second.covariance, first.covariance, type=2, driver="gv", eigvals_only=True
            )
            return float(np.sqrt(np.maximum(squares, 0)).sum())
        except scipy.linalg.LinAlgError:
            pass  # dimensions that are constant, or copies of each other
    factors = [_factor(side.covariance) for side in (first, second)]
    return _sum_of_singular(factors[0].T @ factors[1])


def _factor(covariance: Doubles) -> Doubles:
    """(D, rank): F with F F^T = the covariance; eigenvalues of rounding's size are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    factor: Doubles = vectors[:, kept] * np.sqrt(values[kept])
    return factor


def _sum_of_singular(matrix: NDArray[Any]) -> float:
    if not matrix.size:
        return 0.0
    return float(scipy.linalg.svdvals(matrix, overwrite_a=True).sum())


def _result(value: float, samples: tuple[int, int], dimensions: int, form: str) -> FrechetDistance:
    return FrechetDistance(
        value=max(float(value), 0.0),
        samples=samples,
        dimensions=dimensions,
        form=form,
        warnings=_warnings(min(samples), dimensions),
    )


def _warnings(fewest: int, dimensions: int) -> tuple[str, ...]:
    if fewest >= FEW_SAMPLES:
        return ()
    text = (
        f"only {fewest} samples on a side (below {FEW_SAMPLES}): the FID is biased up and compares "
        "only with FIDs of the same numbers of samples; the KID, which is unbiased, leads"
    )
    if fewest <= dimensions:
        text += f"; {fewest} samples cannot span {dimensions} dimensions"
    return (text,)
