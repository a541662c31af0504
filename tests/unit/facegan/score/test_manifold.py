"""Balls on a line by hand, and the directions that the four shares must take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.errors import ScoreError
from facegan.score import distances
from facegan.score.manifold import manifold, manifolds


def drawn(count, dimensions=6, seed=0, scale=1.0, shift=0.0):
    normal = np.random.default_rng(seed).normal(size=(count, dimensions))
    return (scale * normal + shift).astype(np.float32)


def line(*places):
    return np.array(places, float)[:, None]


def shares(found):
    return (found.precision, found.recall, found.density, found.coverage)


def test_four_shares_by_hand():
    """Balls of real images: 0 +- 1, 1 +- 1, 5 +- 4; of generated ones: 1.5 +- 2, 3.5 +- 2,
    20 +- 16.5. The real 5 is in the ball 3.5 +- 2 and in 20 +- 16.5, the 1 in 1.5 +- 2, and 0 too.
    """
    found = manifold(line(0, 1, 5), line(1.5, 3.5, 20), k=1)
    assert found.precision == pytest.approx(2 / 3)  # 20 is in no ball
    assert found.recall == 1
    assert found.density == pytest.approx((2 + 1 + 0) / 3)
    assert found.coverage == pytest.approx(2 / 3)  # nothing in 0 +- 1
    assert (found.k, found.real, found.generated) == (1, 3, 3)


def test_a_point_on_the_surface_is_inside():
    found = manifold(line(0, 2), line(4, 6), k=1)  # 4 is 2 from the ball around 2
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert manifold(line(0, 2), line(4.001, 6), k=1).precision == 0


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_copies_of_all_real_images_lie_in_k_plus_1_balls_to_the_last(k, offset):
    """Each copy is in its image's ball and on or in those that name it a neighbour: k N in all."""
    real = drawn(200, 300, seed=1) + np.float32(offset)
    found = manifold(real, real[::-1], k)
    assert shares(found) == (1, 1, (k + 1) / k, 1)


def test_one_face_for_all_is_in_the_balls_of_its_place_alone():
    real = drawn(100, seed=1)
    found = manifold(real, real[:1].repeat(100, axis=0), k=3)
    assert found.precision == 1
    assert found.recall == 0.01
    assert 0.01 <= found.coverage < 0.2


def test_sets_of_one_distribution_have_a_density_of_1_and_high_coverage():
    """Coverage is 1 - 2^-k or so, for a ball holds k real images (Naeem et al., eq. 9)."""
    found = manifold(drawn(1500, seed=1), drawn(1500, seed=2), k=5)
    assert found.density == pytest.approx(1, abs=0.1)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_collapsed_cluster_is_precise_and_recalls_little():
    real, faithful = drawn(400, seed=1), drawn(400, seed=2)
    collapsed = manifold(real, drawn(400, seed=2, scale=0.1), k=3)
    honest = manifold(real, faithful, k=3)
    assert collapsed.precision >= honest.precision
    assert collapsed.precision > 0.95
    assert collapsed.recall < 0.05 < honest.recall
    assert collapsed.coverage < 0.3 < honest.coverage


def test_a_widened_set_is_imprecise_and_recalls_all():
    real, faithful = drawn(400, seed=1), drawn(400, seed=2)
    widened = manifold(real, drawn(400, seed=2, scale=3), k=3)
    honest = manifold(real, faithful, k=3)
    assert widened.precision < 0.2 < honest.precision
    assert widened.recall >= honest.recall
    assert widened.density < 0.2 * honest.density


def test_sets_that_are_apart_share_nothing():
    assert shares(manifold(drawn(50), drawn(60, shift=100), k=5)) == (0, 0, 0, 0)


def test_half_the_modes_halve_recall_and_coverage_and_leave_precision():
    real = np.concatenate([drawn(200, seed=1), drawn(200, seed=2, shift=50)])
    half = manifold(real, drawn(400, seed=3), k=3)
    assert half.precision > 0.6
    assert half.recall <= 0.5
    assert half.coverage <= 0.5


def test_one_outlier_raises_precision_but_hardly_density():
    real = drawn(300, seed=1)
    real[0] = 30
    noise = drawn(300, seed=2, scale=8, shift=10)
    found = manifold(real, noise, k=5)
    assert found.precision > 0.5
    assert found.density < 0.5


@pytest.mark.parametrize(("real", "generated"), [(60, 45), (40, 90)])
def test_tiles_change_nothing(real, generated, monkeypatch):
    a, b = drawn(real, seed=1), drawn(generated, seed=2)
    whole = manifolds(a, b, (1, 3, 5))
    monkeypatch.setattr(distances, "_SIDE", 16)
    assert manifolds(a, b, (1, 3, 5)) == whole


def test_several_k_at_once_are_those_one_by_one():
    a, b = drawn(80, seed=1), drawn(70, seed=2)
    assert manifolds(a, b, (5, 1, 3)) == tuple(manifold(a, b, k) for k in (5, 1, 3))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(4, 30),
    st.integers(4, 30),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_shares_are_bounded_and_do_not_depend_on_order(real, generated, dimensions, seed):
    a, b = drawn(real, dimensions, seed), drawn(generated, dimensions, seed + 100)
    one, three = manifolds(a, b, (1, 3))
    assert all(0 <= share <= 1 for share in (three.precision, three.recall, three.coverage))
    assert 0 <= three.density <= real / 3
    assert one.precision <= three.precision
    assert one.recall <= three.recall
    assert one.coverage <= three.coverage
    assert manifolds(a[::-1], b[::-1], (1, 3)) == (one, three)
    swapped = manifold(b, a, 3)
    assert (swapped.precision, swapped.recall) == (three.recall, three.precision)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ScoreError, match="the real images are too few: 3, where at least 4"):
        manifold(drawn(3), drawn(9), 3)
    with pytest.raises(ScoreError, match="the generated images are too few: 5"):
        manifold(drawn(9), drawn(5), 5)
    with pytest.raises(ScoreError, match="6 dimensions and the generated images of 7"):
        manifold(drawn(9), drawn(9, 7), 3)
    with pytest.raises(ScoreError, match=r"begin at 1, not \[3, 0\]"):
        manifolds(drawn(9), drawn(9), (3, 0))
    with pytest.raises(ScoreError, match="2 of 9 features of the generated images"):
        manifold(drawn(9), np.where(np.arange(9)[:, None] < 2, np.nan, drawn(9)), 3)
