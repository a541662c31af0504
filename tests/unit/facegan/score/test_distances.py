"""Against SciPy's direct distances, at tile borders, and at rounding's edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from facegan.core.errors import ScoreError
from facegan.score import distances
from facegan.score.distances import (
    check_features,
    check_pair,
    checked,
    nearest,
    neighbour_radii,
    neighbours,
    tiles,
)


def drawn(count, dimensions=7, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(dtype)


def all_others(points):
    direct = cdist(points, points)
    np.fill_diagonal(direct, np.inf)
    return direct


@pytest.fixture(params=[2048, 16], ids=["one tile", "many tiles"])
def tile_side(request, monkeypatch):
    monkeypatch.setattr(distances, "_SIDE", request.param)


@pytest.mark.usefixtures("tile_side")
@pytest.mark.parametrize(("queries", "points", "k"), [(40, 70, 1), (70, 40, 3), (33, 17, 17)])
def test_neighbours_are_those_of_a_full_matrix(queries, points, k):
    a, b = drawn(queries, seed=1), drawn(points, seed=2)
    direct = cdist(a, b)
    indices, found = neighbours(a, b, k)
    assert indices.tolist() == direct.argsort(axis=1)[:, :k].tolist()
    assert found == pytest.approx(np.sort(direct, axis=1)[:, :k], abs=1e-12)


@pytest.mark.usefixtures("tile_side")
@pytest.mark.parametrize("k", [1, 5, 49])
def test_neighbours_of_a_set_leave_each_point_itself_out(k):
    points = drawn(50)
    direct = all_others(points)
    indices, found = neighbours(points, points, k, exclude_self=True)
    assert indices.tolist() == direct.argsort(axis=1)[:, :k].tolist()
    assert found == pytest.approx(np.sort(direct, axis=1)[:, :k], abs=1e-12)
    assert neighbour_radii(points, k) == pytest.approx(np.sort(direct, axis=1)[:, k - 1])


def test_nearest_gives_the_dtypes_promised():
    indices, found = nearest(drawn(3), drawn(4))
    assert (indices.dtype, indices.shape) == (np.int64, (3,))
    assert (found.dtype, found.shape) == (np.float64, (3,))


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_copies_are_at_distance_0_however_far_from_the_origin(offset):
    points = drawn(60, 512, dtype=np.float64) + offset
    order = np.random.default_rng(3).permutation(60)
    indices, found = nearest(points[order], points)
    assert indices.tolist() == order.tolist()
    assert found.tolist() == [0] * 60


def test_a_near_copy_keeps_its_small_distance():
    points = drawn(60, 512, dtype=np.float64)
    moved = points.copy()
    moved[:, 0] += 1e-5
    assert nearest(moved, points)[1] == pytest.approx(1e-5, rel=1e-9)


def test_the_point_itself_is_left_out_by_index_not_by_value():
    points = drawn(10)
    points[7] = points[2]
    indices, found = nearest(points, points, exclude_self=True)
    assert (indices[2], indices[7]) == (7, 2)
    assert (found[2], found[7]) == (0, 0)
    assert (np.delete(found, [2, 7]) > 0).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 20), st.integers(2, 20), st.integers(1, 5), st.integers(0, 99))
def test_no_point_is_nearer_than_the_nearest(queries, points, dimensions, seed):
    a, b = drawn(queries, dimensions, seed), drawn(points, dimensions, seed + 100)
    indices, found = nearest(a, b)
    assert (cdist(a, b) >= found[:, None] - 1e-12).all()
    assert found == pytest.approx(np.linalg.norm(a.astype(float) - b[indices], axis=1))


@pytest.mark.usefixtures("tile_side")
def test_tiles_cover_every_pair_once():
    a, b = drawn(50, seed=1), drawn(37, seed=2)
    matrix = np.full((50, 37), np.nan)
    for tile in tiles(a, b):
        assert np.isnan(matrix[tile.rows, tile.columns]).all()
        matrix[tile.rows, tile.columns] = tile.squares
    assert matrix == pytest.approx(cdist(a, b) ** 2)


def test_tiles_hold_no_more_than_their_side(monkeypatch):
    monkeypatch.setattr(distances, "_NUMBERS", 70)
    assert max(tile.squares.size for tile in tiles(drawn(50), drawn(37))) == 100


@pytest.mark.parametrize("dimensions", [1, 64, 2048])
def test_slack_is_above_rounding_and_far_below_a_distance(dimensions):
    """Squares with slack are at most the true ones, and lower by 1e-12 at most."""
    a = drawn(30, dimensions, dtype=np.float64) + 0.5
    (tile,) = tiles(a, a, slack=True)
    true = ((a[:, None] - a[None]) ** 2).sum(axis=2)
    lengths = ((a - a.mean(axis=0)) ** 2).sum(axis=1)
    assert (tile.squares <= true).all()
    assert (true - tile.squares <= 1e-12 * (lengths[:, None] + lengths)).all()


def test_float32_features_are_not_doubled_and_float16_is_widened():
    assert checked(drawn(3), "x").dtype == np.float32
    assert checked(drawn(3).astype(np.float16), "x").dtype == np.float64
    assert check_features(drawn(3), "x").dtype == np.float64
    double = drawn(3, dtype=np.float64)
    assert check_features(double, "x") is double


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros(5), "shape \\(5,\\)"),
        (np.zeros((5, 0)), "shape \\(5, 0\\)"),
        (np.zeros((2, 3, 4)), "shape \\(2, 3, 4\\)"),
        (np.full((2, 3), "a"), "<U1"),
        (np.zeros((2, 3), complex), "complex128"),
        (np.zeros((2, 3)), "the faces are too few: 2, where at least 3"),
        (np.array([[0.0], [np.nan], [np.inf]]), "2 of 3 features of the faces are not finite"),
    ],
)
def test_what_is_no_set_of_features_is_refused(features, words):
    with pytest.raises(ScoreError, match=words):
        check_features(features, "the faces", least=3)


def test_sets_of_two_networks_are_refused():
    with pytest.raises(ScoreError, match="the faces have features of 7 dimensions and the sam"):
        check_pair(drawn(3), drawn(3, 8), ("the faces", "the samples"))
    with pytest.raises(ScoreError, match="7 dimensions"):
        nearest(drawn(3), drawn(3, 8))


@pytest.mark.parametrize(
    ("queries", "points", "k", "same", "words"),
    [
        (3, 3, 0, False, "no neighbour number 0"),
        (3, 2, 3, False, "2 points are too few"),
        (3, 3, 3, True, "3 points are too few"),
        (3, 4, 1, True, "3 queries are not the same set as 4 points"),
        (0, 4, 1, False, "the queries are too few: 0"),
    ],
)
def test_neighbours_that_do_not_exist_are_refused(queries, points, k, same, words):
    with pytest.raises(ScoreError, match=words):
        neighbours(drawn(queries), drawn(points), k, exclude_self=same)
