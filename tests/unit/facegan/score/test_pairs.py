"""Which samples are shown beside which training faces, on features whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.errors import ScoreError
from facegan.score import pairs
from facegan.score.pairs import nearest_pairs


class Coloured:
    """Images that carry their index as their colour; it notes what was read."""

    name = "coloured"
    content = "0"
    about = {}  # noqa: RUF012

    def __init__(self, count, size=4):
        self.count, self.size, self.asked = count, size, []

    def __len__(self):
        return self.count

    def read(self, first, count):
        self.asked.append((first, count))
        colours = np.arange(first, first + count, dtype=np.uint8)[:, None, None, None]
        return np.broadcast_to(colours, (count, self.size, self.size, 3)).copy()


REAL = np.array([[0.0, 0], [1, 0], [10, 0], [10, 4]])
"""Own neighbours at 1, 1, 4, 4."""


def found(samples, real=REAL, **options):
    samples = np.asarray(samples, dtype=np.float64)
    return nearest_pairs(Coloured(len(samples)), Coloured(len(real)), samples, real, **options)


def test_ratio_is_over_the_training_faces_own_neighbour():
    (pair,) = found([[10.0, -3.0]], count=1)
    assert (pair.sample_index, pair.real_index, pair.kind) == (0, 2, "nearest")
    assert pair.distance == 3
    assert pair.ratio == 0.75


def test_the_lowest_ratios_come_first_though_others_are_nearer():
    samples = [[0.0, 0.5], [10, -1], [10, 4.5], [5, 5]]  # distances 0.5, 1, 0.5; ratios 0.5, .25
    shown = found(samples, count=6)
    assert [pair.sample_index for pair in shown if pair.kind == "nearest"] == [2, 1]
    assert [pair.ratio for pair in shown[:2]] == [0.125, 0.25]


def test_a_training_face_is_shown_once_among_the_most_alike():
    samples = [[0.0, 0.01], [0, 0.02], [0, 0.03], [1, 0.5], [10, 1], [50, 0]]
    alike = [pair for pair in found(samples, count=6) if pair.kind == "nearest"]
    assert [pair.sample_index for pair in alike] == [0, 4, 3]
    assert len({pair.real_index for pair in alike}) == 3


def test_pictures_are_those_of_the_indices_and_no_others_are_read():
    rng = np.random.default_rng(0)
    samples, real = Coloured(100), Coloured(60, size=8)
    shown = nearest_pairs(samples, real, rng.normal(size=(100, 5)), rng.normal(size=(60, 5)))
    assert len(shown) == 8
    for pair in shown:
        assert (pair.sample == pair.sample_index).all()
        assert (pair.real == pair.real_index).all()
        assert (pair.sample.shape, pair.real.shape) == ((4, 4, 3), (8, 8, 3))
    assert samples.asked == [(pair.sample_index, 1) for pair in shown]
    assert real.asked == [(pair.real_index, 1) for pair in shown]


def test_an_exact_copy_has_ratio_0_even_of_a_face_that_is_there_twice():
    real = np.concatenate([REAL, REAL[2:3]])
    (pair,) = found([[10.0, 0.0]], real, count=1)
    assert pair.distance == pair.ratio == 0
    (pair,) = found([[10.0, -2.0]], real, count=1)
    assert pair.ratio == 0.5


def test_random_ones_are_a_function_of_the_seed():
    rng = np.random.default_rng(1)
    samples, real = rng.normal(size=(200, 3)), rng.normal(size=(50, 3))

    def drawn(seed):
        return [pair.sample_index for pair in found(samples, real, seed=seed)][4:]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    alike = {tuple(pair.sample_index for pair in found(samples, real, seed=s)[:4]) for s in (1, 2)}
    assert len(alike) == 1


def test_of_many_samples_a_part_is_looked_at(monkeypatch):
    monkeypatch.setattr(pairs, "MOST", 20)
    rng = np.random.default_rng(2)
    shown = found(rng.normal(size=(200, 3)), rng.normal(size=(50, 3)), count=40)
    assert len(shown) <= 20
    assert max(pair.sample_index for pair in shown) > 20


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(2, 20), st.integers(1, 12), st.integers(0, 9))
def test_pairs_are_true_for_any_numbers_of_images(samples, real, count, seed):
    rng = np.random.default_rng(seed)
    made, known = rng.normal(size=(samples, 3)), rng.normal(size=(real, 3))
    shown = found(made, known, count=count, seed=seed)
    assert 1 <= len(shown) <= min(samples, count)
    assert len({pair.sample_index for pair in shown}) == len(shown)
    for pair in shown:
        apart = np.linalg.norm(known - made[pair.sample_index], axis=1)
        own = np.linalg.norm(known - known[pair.real_index], axis=1)
        assert apart.argmin() == pair.real_index
        assert pair.distance == pytest.approx(apart.min())
        assert pair.ratio == pytest.approx(apart.min() / np.sort(own)[1])
    ratios = [pair.ratio for pair in shown if pair.kind == "nearest"]
    assert ratios == sorted(ratios)
    kinds = [pair.kind for pair in shown]
    assert kinds == sorted(kinds)  # nearest before random


@pytest.mark.parametrize(
    ("samples", "real", "message"),
    [
        ([[np.nan, 0]], REAL, "1 of 1 features of the samples are not finite"),
        ([[0.0, 0, 0]], REAL, "3 dimensions and the training faces of 2"),
        ([[0.0, 0]], np.ones((5, 2)), "do not differ"),
    ],
)
def test_features_that_make_no_pairs_are_refused(samples, real, message):
    with pytest.raises(ScoreError, match=message):
        found(samples, real)


def test_features_of_another_set_are_refused():
    with pytest.raises(ScoreError, match="the training faces are 7 images with 4 features"):
        nearest_pairs(Coloured(1), Coloured(7), np.zeros((1, 2)), REAL)


def test_no_pairs_cannot_be_asked_for():
    with pytest.raises(ScoreError, match="0 pairs"):
        found([[0.0, 0.0]], count=0)
