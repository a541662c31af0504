"""Copies by hand on lines and grids, as they are and mirrored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from facegan.core.errors import ScoreError
from facegan.score.memorisation import CLOSE, copies, share

LINE = np.array([[0.0], [1.0], [2.0], [4.0], [8.0]])
"""Neighbours are 1, 1, 1, 2 and 4 away."""


def normal(count, seed, dimensions=8):
    return np.random.default_rng(seed).normal(size=(count, dimensions))


def test_exact_copies_are_all_copied_and_close():
    train = normal(60, 0)
    found = copies(train, train[:40], normal(30, 1))
    assert found.copied.value == found.close.value == 1
    assert found.authenticity == 0
    assert found.memorised == 1
    assert found.unseen.distance_ratio == 0
    assert found.unseen.nearest_share == 0
    assert found.unseen.z < -5
    assert found.unseen.p < 1e-6


def test_samples_far_from_all_faces_are_not_copied():
    found = copies(normal(60, 0), normal(40, 1) + 100, normal(30, 2))
    assert found.copied.value == found.memorised == 0
    assert found.authenticity == 1
    assert found.unseen.z > 5
    assert found.unseen.p > 0.999


def test_a_copy_is_nearer_than_its_faces_neighbour():
    """Beside the last face, whose neighbour is 4 away: 1 is close, 3 is copied, 5 is neither."""
    found = copies(LINE, [[9.0], [11.0], [13.0]])
    assert found.copied.value == pytest.approx(2 / 3)
    assert found.close.value == pytest.approx(1 / 3)
    assert CLOSE == 0.5


def test_expected_shares_without_held_out_faces_by_hand():
    """Each against the others: 0 and 2 are 1 from the face 1, whose neighbour is 1 away; 1 is 1
    from 0, whose neighbour then is 2 away; 4 is 2 from 2, and 8 is 4 from 4, with 1 and 2."""
    found = copies(LINE, [[9.0]])
    assert found.copied_expected.value == pytest.approx(1 / 5)
    assert found.close_expected.value == 0
    assert found.copied_expected.count == 5
    assert found.unseen is None


def test_expected_shares_are_the_held_out_faces_own():
    found = copies(LINE, [[9.0]], [[9.0], [100.0]])
    assert found.copied_expected.value == found.close_expected.value == 0.5


def test_honest_samples_are_as_expected():
    train, samples, held_out = normal(400, 0), normal(500, 1), normal(200, 2)
    for faces in (None, held_out):
        found = copies(train, samples, faces)
        assert found.copied.value == pytest.approx(found.copied_expected.value, abs=0.08)
        assert found.memorised < 0.03
    assert found.unseen.distance_ratio == pytest.approx(1, abs=0.05)
    assert found.unseen.nearest_share == pytest.approx(200 / 600, abs=0.06)
    assert abs(found.unseen.z) < 2.5


@pytest.mark.parametrize("size", [50, 400])
def test_distance_ratio_does_not_depend_on_the_sizes(size):
    found = copies(normal(size, 0), normal(500, 1), normal(100, 2))
    assert found.unseen.distance_ratio == pytest.approx(1, abs=0.08)


def test_a_part_of_copies_is_estimated():
    train = normal(300, 0)
    found = copies(train, np.concatenate([train[:120], normal(280, 1)]))
    assert found.memorised == pytest.approx(0.3, abs=0.03)


def test_shares_do_not_depend_on_the_unit():
    train, samples, held_out = normal(50, 0), normal(40, 1), normal(30, 2)
    one, other = (
        copies(train, samples, held_out),
        copies(1e3 * train, 1e3 * samples, held_out * 1e3),
    )
    assert one.copied == other.copied
    assert one.unseen.distance_ratio == pytest.approx(other.unseen.distance_ratio, rel=1e-6)
    assert one.spacing == pytest.approx(other.spacing / 1e3)


def test_training_faces_that_are_there_twice_count_once():
    train = normal(50, 0)
    samples = np.concatenate([train[:20], normal(20, 1)])
    assert copies(np.concatenate([train, train]), samples) == copies(
        np.unique(train, axis=0), samples
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_interval_holds_the_share(values):
    found = share(np.array(values))
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_shares_of_samples_that_are_no_copies_have_the_interval_turned_over():
    found = copies(LINE, [[9.0], [11.0], [13.0]])
    assert found.authentic.value == found.authenticity == pytest.approx(1 / 3)
    assert found.authentic.low == 1 - found.copied.high
    assert found.authentic.high == 1 - found.copied.low
    assert found.authentic_expected.value == pytest.approx(4 / 5)


def test_mirrored_copies_are_copies_where_the_mirrored_faces_are_known():
    train = normal(60, 0)
    made = -train[:40]
    assert copies(train, made, normal(30, 1)).memorised < 0.1
    found = copies(train, made, normal(30, 1), mirrored=-train)
    assert found.memorised == 1
    assert found.authenticity == found.unseen.distance_ratio == found.unseen.nearest_share == 0
    assert found.unseen.nearest_expected == pytest.approx(30 / 150)


def test_neighbours_are_others_and_their_mirror_images_but_never_the_own():
    """1 is 2 from its own image, but 4 from 5, so 1.5 from it is close."""
    line = np.array([[1.0], [5.0], [10.0], [16.0]])
    found = copies(line, [[-2.5], [-3.0], [0.9]], mirrored=-line)
    assert found.copied.value == 1
    assert found.close.value == pytest.approx(2 / 3)
    assert found.spacing == 4.5


def test_expected_shares_with_mirrored_faces_by_hand():
    """1 is 4 from 5, whose next is 5 away; 5 is 4 from 1, whose next is 9 away; 10 is 5 from 5,
    with 4; 16 is 6 from 10, with 5."""
    line = np.array([[1.0], [5.0], [10.0], [16.0]])
    found = copies(line, [[9.0]], mirrored=-line)
    assert found.copied_expected.value == 0.5
    assert found.close_expected.value == pytest.approx(1 / 4)


def test_honest_samples_are_as_expected_among_mirrored_faces_too():
    train, samples, held_out = normal(400, 0), normal(500, 1), normal(200, 2)
    for faces in (None, held_out):
        found = copies(train, samples, faces, mirrored=-train)
        assert found.copied.value == pytest.approx(found.copied_expected.value, abs=0.08)
        assert found.memorised < 0.03
    assert found.unseen.distance_ratio == pytest.approx(1, abs=0.05)
    assert found.unseen.nearest_share == pytest.approx(200 / 1000, abs=0.06)


def test_faces_whose_mirror_images_are_training_faces_count_once():
    """A folder that was doubled by mirroring, with features that are alike but for rounding."""
    train, samples = normal(50, 0), normal(20, 1)
    doubled = np.concatenate([train, -train * (1 + 1e-9)])
    assert copies(doubled, samples, mirrored=-doubled) == copies(train, samples, mirrored=-train)


def test_held_out_faces_that_are_training_faces_are_refused():
    train, made = normal(50, 0), normal(40, 1)
    with pytest.raises(ScoreError, match="20 of 30 held-out faces are training faces"):
        copies(train, made, np.concatenate([train[:20], normal(10, 2)]))
    assert copies(train, made, np.concatenate([train[:5], normal(20, 2)])).unseen


def test_z_and_p_are_those_of_the_mann_whitney_test():
    train, samples, held_out = (np.round(4 * normal(60, seed)) / 4 for seed in range(3))
    found = copies(train, samples, held_out).unseen
    far = [
        np.linalg.norm(rows[:, None] - train, axis=2).min(axis=1) for rows in (samples, held_out)
    ]
    test = mannwhitneyu(*far, alternative="less", method="asymptotic")
    assert found.p == pytest.approx(test.pvalue, rel=1e-9)
    assert np.sign(found.z) == np.sign(test.statistic - 1800)


def test_samples_that_are_the_held_out_faces_have_a_finite_ratio():
    found = copies(1e3 * normal(50, 0), 1e3 * normal(40, 1), 1e3 * normal(40, 1))
    assert 1e6 < found.unseen.distance_ratio < 1e10


@pytest.mark.parametrize("index", [0, 1, 2])
def test_values_that_are_not_finite_are_refused(index):
    sets = [normal(10, seed) for seed in range(3)]
    sets[index][3, 2] = np.nan
    with pytest.raises(ScoreError, match=r"1 of 10 .* not finite"):
        copies(*sets)


def test_too_few_are_refused():
    with pytest.raises(ScoreError, match="training faces are too few: 3"):
        copies(normal(3, 0), normal(9, 1))
    with pytest.raises(ScoreError, match="only 1 of them differ"):
        copies(np.ones((9, 8)), normal(9, 1))
    with pytest.raises(ScoreError, match="held-out faces are too few: 1"):
        copies(normal(9, 0), normal(9, 1), normal(1, 2))


def test_other_dimensions_are_refused():
    with pytest.raises(ScoreError, match="7 dimensions"):
        copies(normal(9, 0), normal(9, 1), normal(9, 1, dimensions=7))
