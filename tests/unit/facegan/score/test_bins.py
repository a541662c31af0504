"""Bins of known clusters, and the two-proportion test by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facegan.core.errors import ScoreError
from facegan.score.bins import bins, js_divergence, k_means, two_proportion_z

CENTRES = 100 * np.eye(6)[:5]


def clusters(counts, seed=0, width=1.0):
    """`counts` rows around each of five centres."""
    generator = np.random.default_rng(seed)
    rows = np.repeat(CENTRES[: len(counts)], counts, axis=0)
    return rows + width * generator.normal(size=rows.shape)


EVEN = clusters([15] * 5)


def test_clusters_become_bins():
    centres = k_means(EVEN, 5)
    assert centres.shape == (5, 6)
    apart = np.linalg.norm(centres[:, None] - CENTRES, axis=2)
    assert sorted(apart.argmin(axis=1)) == [0, 1, 2, 3, 4]
    assert apart.min(axis=1).max() < 1.5


def test_honest_samples_fill_all_bins_as_widely():
    found = bins(EVEN, clusters([40] * 5, seed=1))
    assert (found.count, found.different, found.missing) == (5, 0, 0)
    assert found.js_divergence == pytest.approx(0, abs=1e-12)
    assert found.spread == pytest.approx(1, abs=0.1)
    assert found.expected == pytest.approx(0.25)


def test_missing_clusters_are_missing_bins():
    found = bins(EVEN, clusters([100, 100, 100], seed=1))
    assert found.missing == pytest.approx(0.4)
    assert found.different == 5
    assert found.spread == pytest.approx(1, abs=0.1)


def test_rare_clusters_are_missing_only_below_a_third():
    rare = bins(EVEN, clusters([230, 230, 230, 230, 80], seed=1))
    rarer = bins(EVEN, clusters([240, 240, 240, 240, 40], seed=1))
    assert rare.missing == 0
    assert rarer.missing == pytest.approx(0.2)


@pytest.mark.parametrize("width", [0.3, 0.5, 2.0])
def test_spread_is_the_clusters_width(width):
    found = bins(EVEN, clusters([60] * 5, seed=1, width=width))
    assert found.spread == pytest.approx(width, rel=0.1)
    assert found.missing == 0


def test_one_repeated_sample_has_no_spread():
    found = bins(EVEN, np.repeat(CENTRES[:1], 50, axis=0))
    assert found.spread == 0
    assert found.missing == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("faces", "samples", "count"), [(75, 500, 5), (300, 500, 20), (300, 100, 10), (900, 900, 50)]
)
def test_number_of_bins_grows_with_both_sets(faces, samples, count):
    draw = np.random.default_rng(0).normal
    assert bins(draw(size=(faces, 4)), draw(size=(samples, 4))).count == count


def test_bins_are_a_function_of_the_seed():
    draw = np.random.default_rng(0).normal
    train, samples = draw(size=(150, 6)), draw(size=(200, 6))
    assert bins(train, samples, seed=1) == bins(train, samples, seed=1)
    assert bins(train, samples, seed=1) != bins(train, samples, seed=2)


def test_copies_of_fewer_faces_than_bins():
    train = np.repeat(CENTRES[:3], 10, axis=0)
    found = bins(train, train)
    assert found.count == 3
    assert (found.spread, found.different, found.missing) == (1.0, 0, 0.0)


def test_two_proportions_by_hand():
    """30 of 100 and 45 of 100: pooled 0.375, deviation 0.0685, z -2.19."""
    z = two_proportion_z(np.array([30, 70, 0]), np.array([45, 55, 0]))
    assert z == pytest.approx([-2.1909, 2.1909, 0], abs=1e-4)


def test_the_test_finds_its_level_in_bins_of_one_distribution():
    generator = np.random.default_rng(0)
    shares = np.full(20, 1 / 20)
    found = [
        (np.abs(two_proportion_z(*generator.multinomial(1000, shares, 2))) > 1.96).mean()
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=0.01)


HISTOGRAMS = arrays.arrays(np.float64, 6, elements=st.floats(0.01, 1))


@settings(max_examples=50, deadline=None)
@given(HISTOGRAMS, HISTOGRAMS)
def test_divergence_bounds(first, second):
    p, q = first / first.sum(), second / second.sum()
    assert -1e-12 <= js_divergence(p, q) <= 1
    assert js_divergence(p, q) == pytest.approx(js_divergence(q, p))
    assert js_divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_bad_sets_are_refused():
    draw = np.random.default_rng(0).normal
    broken = draw(size=(50, 4))
    broken[7] = np.inf
    with pytest.raises(ScoreError, match=r"1 of 50 .* the samples are not finite"):
        bins(draw(size=(50, 4)), broken)
    with pytest.raises(ScoreError, match="too few: 19"):
        bins(draw(size=(50, 4)), draw(size=(19, 4)))
    with pytest.raises(ScoreError, match="5 dimensions"):
        bins(draw(size=(50, 4)), draw(size=(50, 5)))
