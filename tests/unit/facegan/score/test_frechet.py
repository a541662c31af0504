"""Closed forms, and the two forms against each other and against SciPy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.errors import ScoreError
from facegan.score.frechet import Moments, frechet_distance, frechet_of_moments, moments


def drawn(count, dimensions=8, seed=0, scale=1.0, shift=0.0):
    """Correlated Gaussian features."""
    mix = np.random.default_rng(99).normal(size=(dimensions, dimensions))
    return (
        np.random.default_rng(seed).normal(size=(count, dimensions)) @ mix * scale + shift
    ).astype(np.float32)


def by_matrix_root(a, b):
    first, second = (np.cov(x.astype(np.float64), rowvar=False) for x in (a, b))
    gap = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    root = scipy.linalg.sqrtm(first @ second).real
    return gap @ gap + np.trace(first + second - 2 * root)


def gaussian(mean, deviations, samples=10**6):
    return Moments(np.array(mean, float), np.diag(np.square(deviations)).astype(float), samples)


def turned(dimensions, seed=5):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))[0]


@pytest.mark.parametrize(("count", "dimensions"), [(60, 8), (8, 60), (9, 8), (8, 8), (2, 1)])
def test_a_set_is_at_distance_0_from_itself(count, dimensions):
    features = drawn(count, dimensions)
    trace = float(np.trace(np.atleast_2d(np.cov(features, rowvar=False))))
    assert 0 <= frechet_distance(features, features.copy()).value <= 1e-11 * trace


def test_two_gaussians_in_closed_form():
    """Diagonal covariances: the squared gaps of the means and of the deviations."""
    value = frechet_of_moments(gaussian([1, 2, 0], [1, 2, 3]), gaussian([0, 0, 0], [3, 1, 3])).value
    assert value == pytest.approx(1 + 4 + (1 - 3) ** 2 + (2 - 1) ** 2, rel=1e-12)


@pytest.mark.parametrize("samples", [100, 10**6])
def test_covariances_that_do_not_commute_in_closed_form(samples):
    """Of 2 x 2: tr sqrt(M) is sqrt(tr M + 2 sqrt(det M))."""
    first, second = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    sides = [Moments(np.zeros(2), covariance, samples) for covariance in (first, second)]
    expected = np.trace(first + second) - 2 * root
    assert frechet_of_moments(*sides).value == pytest.approx(expected, rel=1e-12)


def test_samples_of_two_gaussians_come_near_the_formula_as_they_grow():
    """Same seed, deviations 1 and 2, means 3 apart in each of 4 dimensions: 4 * (9 + 1)."""
    errors = []
    for count in (50, 500, 5000, 50_000):
        first, second = np.random.default_rng(1).normal(size=(2, count, 4))
        errors.append(abs(frechet_distance(first, 2 * second + 3).value - 40))
    assert errors[-1] < 0.4
    assert errors[-1] < errors[0] / 3


def test_one_distribution_is_at_a_distance_that_falls_with_the_samples():
    """The bias that the warning tells of: about 1 / N."""
    values = [
        frechet_distance(drawn(count, seed=1), drawn(count, seed=2)).value
        for count in (50, 500, 5000)
    ]
    assert values[0] > 5 * values[1] > 25 * values[2] > 0


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 20), st.integers(0, 99))
def test_both_forms_agree(first, second, dimensions, seed):
    a, b = drawn(first, dimensions, seed), drawn(second, dimensions, seed + 100, 1.3, 0.2)
    value = frechet_distance(a, b)
    assert value.form == ("covariances" if min(first, second) > dimensions else "samples")
    assert frechet_of_moments(moments(a), moments(b)).value == pytest.approx(value.value, rel=1e-6)


@pytest.mark.parametrize(("first", "second", "rel"), [(60, 80, 1e-9), (30, 300, 1e-6)])
def test_agrees_with_the_square_root_of_the_matrix(first, second, rel):
    a, b = drawn(first, 20, 1), drawn(second, 20, 2, 1.2, 0.1)
    assert frechet_distance(a, b).value == pytest.approx(by_matrix_root(a, b), rel=rel)


def test_a_covariance_without_a_cholesky_factor_is_taken_by_its_eigenvectors():
    """A constant dimension and a copied one: singular, with samples enough."""
    a, b = drawn(60, 6, 1).astype(float), drawn(70, 6, 2, 1.2).astype(float)
    padded = [np.hstack([x, np.zeros((len(x), 1)), x[:, :1]]) for x in (a, b)]
    value = frechet_distance(*padded)
    assert value.form == "covariances"
    few = [x - x.mean(axis=0) for x in padded]
    root = np.linalg.svd(few[0] @ few[1].T, compute_uv=False).sum() / np.sqrt(59 * 69)
    gap = padded[0].mean(axis=0) - padded[1].mean(axis=0)
    traces = sum(np.trace(np.cov(x, rowvar=False)) for x in padded)
    assert value.value == pytest.approx(gap @ gap + traces - 2 * root, rel=1e-9)


@pytest.mark.parametrize(("count", "dimensions"), [(60, 8), (20, 60)])
def test_order_of_rows_of_sets_and_a_rotation_change_nothing(count, dimensions):
    a, b = drawn(count, dimensions, 1), drawn(count + 3, dimensions, 2, 1.2, 0.5)
    value = frechet_distance(a, b).value
    rotation = turned(dimensions)
    assert frechet_distance(b, a).value == pytest.approx(value, rel=1e-10)
    assert frechet_distance(a[::-1], b[::-1]).value == pytest.approx(value, rel=1e-10)
    assert frechet_distance(a @ rotation + 7, b @ rotation + 7).value == pytest.approx(
        value, rel=1e-9
    )


def test_moments_are_those_of_numpy():
    features = drawn(30)
    found = moments(features)
    assert found.mean == pytest.approx(features.mean(axis=0, dtype=np.float64))
    assert found.covariance == pytest.approx(np.cov(features.astype(float), rowvar=False))
    assert found.samples == 30


def test_sets_that_are_one_image_each_are_as_far_apart_as_the_images():
    a, b = np.zeros((5, 3)), np.ones((4, 3))
    assert frechet_distance(a, b).value == pytest.approx(3)
    assert frechet_of_moments(moments(a), moments(b)).value == pytest.approx(3)


def test_the_result_says_how_many_and_warns_of_few():
    distance = frechet_distance(drawn(30), drawn(40))
    assert (distance.samples, distance.dimensions) == ((30, 40), 8)
    assert "only 30 samples" in distance.warnings[0]
    assert "KID" in distance.warnings[0]
    assert "span" not in distance.warnings[0]
    assert "8 samples cannot span 8 dimensions" in frechet_distance(drawn(8), drawn(9)).warnings[0]
    many = gaussian([0, 0], [1, 1], 10_000)
    assert frechet_of_moments(many, many).warnings == ()


def test_features_that_cannot_be_are_refused():
    with pytest.raises(ScoreError, match="the first set are too few: 1"):
        frechet_distance(drawn(1), drawn(9))
    with pytest.raises(ScoreError, match="8 dimensions and the second set of 9"):
        frechet_distance(drawn(9), drawn(9, 9))
    bad = drawn(9)
    bad[3] = np.nan
    with pytest.raises(ScoreError, match="1 of 9 features of the second set"):
        frechet_distance(drawn(9), bad)


def test_moments_that_do_not_belong_together_are_refused():
    good = moments(drawn(9))
    with pytest.raises(ScoreError, match="do not belong together"):
        frechet_of_moments(good, Moments(good.mean[:3], good.covariance, 9))
    with pytest.raises(ScoreError, match="8 dimensions and the second set of 3"):
        frechet_of_moments(good, moments(drawn(9, 3)))
    with pytest.raises(ScoreError, match="the mean of the first set"):
        frechet_of_moments(Moments(good.mean * np.nan, good.covariance, 9), good)
