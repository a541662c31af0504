"""The estimate by hand, and what its mean, std and error promise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from facegan.core.errors import ScoreError
from facegan.score import kernel
from facegan.score.kernel import kernel_distance, polynomial_mmd2


def drawn(count, dimensions=16, seed=0, scale=1.0, shift=0.0):
    """Features that are not negative, as a network's pools are."""
    normal = np.random.default_rng(seed).normal(size=(count, dimensions))
    return np.abs(scale * normal + shift).astype(np.float32)


def by_hand(x, y):
    def k(a, b):
        return (float(np.dot(a.astype(float), b.astype(float))) / len(a) + 1) ** 3

    def mean(pairs):
        return np.mean([k(a, b) for a, b in pairs])

    def others(z):
        return [(z[i], z[j]) for i, j in product(range(len(z)), repeat=2) if i != j]

    return mean(others(x)) + mean(others(y)) - 2 * mean(product(x, y))


@pytest.mark.parametrize(("first", "second"), [(2, 2), (5, 9), (12, 3)])
def test_one_subset_is_the_sums_written_out(first, second):
    x, y = drawn(first, seed=1), drawn(second, seed=2)
    assert polynomial_mmd2(x, y) == pytest.approx(by_hand(x, y), rel=1e-11)


@pytest.mark.parametrize("side", [2048, 7])
def test_values_of_subsets_do_not_depend_on_blocks_or_on_the_way_they_are_summed(side, monkeypatch):
    """Few subsets of many samples are taken one by one, else all pairs are passed over once."""
    monkeypatch.setattr(kernel, "_SIDE", side)
    x, y = drawn(40, seed=1), drawn(30, seed=2)
    for subsets in (1, 50):
        generator = np.random.RandomState(6)
        values = []
        for _ in range(subsets):
            a = x[generator.choice(40, 8, replace=False)]
            values.append(polynomial_mmd2(a, y[generator.choice(30, 8, replace=False)]))
        found = kernel_distance(x, y, subsets=subsets, subset_size=8, seed=6)
        assert found.mean == pytest.approx(np.mean(values), rel=1e-9)
        assert found.std == pytest.approx(np.std(values), rel=1e-9, abs=1e-12)


def test_both_ways_give_one_error():
    """The parts of the variance from subsets, and from the whole sets, are near each other."""
    x, y = drawn(300, seed=1), drawn(300, seed=2, shift=0.5)
    whole = kernel._values(x, y, kernel._draw(300, 300, 100, 100, 0))[1]
    alone = kernel._values(x, y, kernel._draw(300, 300, 6, 100, 0))[1]
    assert alone == pytest.approx(whole, rel=0.3)


def test_the_error_does_not_depend_on_blocks(monkeypatch):
    x, y = drawn(40, seed=1), drawn(30, seed=2, shift=0.5)
    whole = kernel_distance(x, y, subset_size=8)
    monkeypatch.setattr(kernel, "_SIDE", 7)
    assert kernel_distance(x, y, subset_size=8).error == pytest.approx(whole.error, rel=1e-9)


@pytest.mark.parametrize("dimensions", [4, 64])
def test_the_mean_of_many_pairs_of_sets_of_one_distribution_is_0(dimensions):
    """Unbiased at 6 samples, where the FID of such sets is far above 0."""
    values = [
        polynomial_mmd2(drawn(6, dimensions, 2 * seed), drawn(6, dimensions, 2 * seed + 1))
        for seed in range(600)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize(
    ("first", "second", "size"), [(60, 60, 1000), (100, 40, 30), (120, 120, 40)]
)
def test_sets_of_one_distribution_are_within_the_error_of_0(first, second, size):
    """95 of 100 at least: the error is a little too wide there."""
    inside = 0
    for seed in range(100):
        x, y = drawn(first, seed=2 * seed), drawn(second, seed=2 * seed + 1)
        found = kernel_distance(x, y, subsets=10, subset_size=size, seed=seed)
        inside += found.low <= 0 <= found.high
    assert inside >= 92


@pytest.mark.parametrize("size", [1000, 40])
def test_the_error_is_the_spread_over_sets_that_are_drawn_anew(size):
    found = [
        kernel_distance(
            drawn(80, seed=2 * seed),
            drawn(80, seed=2 * seed + 1, shift=0.5),
            subsets=10,
            subset_size=size,
            seed=seed,
        )
        for seed in range(100)
    ]
    spread = np.std([one.mean for one in found])
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(spread, rel=0.25)


def test_the_error_falls_with_the_samples_and_the_std_with_the_subsets_size():
    few, many = (kernel_distance(drawn(n, seed=1), drawn(n, seed=2)) for n in (50, 800))
    assert many.error < few.error / 4
    small, large = (
        kernel_distance(drawn(800, seed=1), drawn(800, seed=2), subset_size=m) for m in (50, 400)
    )
    assert large.std < small.std / 4
    assert large.error < 2 * small.error


def test_distance_grows_with_the_shift():
    x = drawn(200, seed=1)
    found = [kernel_distance(x, drawn(200, seed=2, shift=s)) for s in (0, 0.4, 0.8, 1.6)]
    assert [one.mean for one in found] == sorted(one.mean for one in found)
    assert found[0].low < 0 < found[0].high
    assert found[-1].low > 0


def test_all_samples_in_a_subset_make_one_subset():
    x, y = drawn(30, seed=1), drawn(30, seed=2)
    found = kernel_distance(x, y, subset_size=30)
    assert found.mean == pytest.approx(polynomial_mmd2(x, y), rel=1e-10)
    assert (found.subsets, found.subset_size, found.std) == (1, 30, 0)
    assert found.error > 0
    assert "there is one" in found.warnings[0]


def test_order_of_sets_and_of_images_changes_nothing_where_all_are_taken():
    x, y = drawn(30, seed=1), drawn(30, seed=2, shift=0.4)
    value = kernel_distance(x, y, subset_size=30)
    for other in (
        kernel_distance(y, x, subset_size=30),
        kernel_distance(x[::-1], y[::-1], subset_size=30),
    ):
        assert other.mean == pytest.approx(value.mean, rel=1e-10)
        assert other.error == pytest.approx(value.error, rel=1e-8)


def test_a_rotation_changes_nothing():
    """The kernel sees dot products only; a shift, which the FID ignores, it sees."""
    x, y = drawn(30, seed=1), drawn(30, seed=2, shift=0.4)
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(16, 16)))[0]
    assert polynomial_mmd2(x @ turn, y @ turn) == pytest.approx(polynomial_mmd2(x, y), rel=1e-9)
    assert polynomial_mmd2(x + 1, y + 1) > 1.5 * polynomial_mmd2(x, y)


def test_the_seed_chooses_the_subsets_and_repeats():
    x, y = drawn(60, seed=1), drawn(60, seed=2)
    first = kernel_distance(x, y, subset_size=10, seed=3)
    assert first == kernel_distance(x, y, subset_size=10, seed=3)
    assert first.mean != kernel_distance(x, y, subset_size=10, seed=4).mean


@pytest.mark.parametrize(
    ("first", "second", "size", "words"),
    [
        (30, 40, 1000, ["subsets of 30, not 1000", "overlap"]),
        (30, 30, 1000, ["subsets of 30, not 1000", "there is one"]),
        (40, 50, 30, ["overlap"]),
        (80, 90, 30, []),
    ],
)
def test_smaller_and_overlapping_subsets_are_told(first, second, size, words):
    found = kernel_distance(drawn(first), drawn(second), subsets=3, subset_size=size)
    assert len(found.warnings) == len(words)
    for text, word in zip(found.warnings, words, strict=True):
        assert word in text
    assert found.samples == (first, second)


@pytest.mark.parametrize(("subsets", "size"), [(0, 10), (10, 1)])
def test_subsets_that_cannot_be_drawn_are_refused(subsets, size):
    with pytest.raises(ScoreError, match=f"cannot draw {subsets} subsets of {size}"):
        kernel_distance(drawn(9), drawn(9), subsets=subsets, subset_size=size)


def test_features_that_cannot_be_are_refused():
    with pytest.raises(ScoreError, match="the first set are too few: 1"):
        kernel_distance(drawn(1), drawn(9))
    with pytest.raises(ScoreError, match="16 dimensions and the second set of 9"):
        polynomial_mmd2(drawn(9), drawn(9, 9))
    bad = drawn(9)
    bad[3] = np.nan
    with pytest.raises(ScoreError, match="1 of 9 features of the second set"):
        kernel_distance(drawn(9), bad)
