"""What the feature must do whatever its formula is, and its blocks in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter

from facegan.core.errors import ScoreError
from facegan.score.fixed import FEATURES, FIXED, FixedNetwork, fixed_features

COLOUR, EDGES, DETAIL = slice(0, 96), slice(96, 488), slice(488, 520)
WHERE_H_AND_W_DIFFER = (3, 48, 80, 3)


def pictures(count=6, size=64, seed=0):
    """Coloured blobs."""
    drawn = np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3))
    smooth = gaussian_filter(drawn, (0, size / 12, size / 12, 0))
    spread = (smooth - smooth.mean()) / smooth.std()
    return np.clip(128 + 50 * spread, 0, 255).astype(np.uint8)


def noisy(images, sigma, seed=1):
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def stripes(along, size=128, period=16):
    """Vertical stripes (`along` 1) or horizontal ones (0): a smooth wave, grey."""
    wave = 128 + 60 * np.cos(2 * np.pi * np.arange(size) / period)
    image = np.broadcast_to(wave if along else wave[:, None], (size, size))
    return np.repeat(image[None, ..., None], 3, axis=-1).astype(np.uint8)


def apart(first, second):
    return np.linalg.norm(fixed_features(first) - fixed_features(second), axis=1)


@pytest.mark.parametrize("shape", [(2, 16, 16, 3), WHERE_H_AND_W_DIFFER, (1, 256, 256, 3)])
def test_any_size_gives_520_finite_numbers(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    features = fixed_features(images)
    assert features.shape == (shape[0], FEATURES) == (shape[0], 520)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_a_row_does_not_depend_on_the_other_images():
    images = pictures(20)
    assert np.array_equal(fixed_features(images)[17:], fixed_features(images[17:]))


def test_known_values_of_a_known_picture():
    """The version: who changes these numbers changes `network` in the protocol too."""
    rows, columns = np.indices((64, 64))
    image = np.stack([4 * rows, 4 * columns, (rows * columns) % 256], axis=-1).astype(np.uint8)
    features = fixed_features(image[None])[0]
    found = [np.linalg.norm(features[block]) for block in (COLOUR, EDGES, DETAIL)]
    assert FIXED.network == "fixed-1"
    assert found == pytest.approx(KNOWN, rel=1e-5)


KNOWN = [1.8273107, 1.9747746, 1.3689268]


def test_nearest_neighbour_of_a_disturbed_picture_is_the_picture():
    images = pictures(40)
    moved = np.roll(images, 2, axis=2)
    for disturbed in (noisy(images, 10), moved, (images * 0.95).astype(np.uint8)):
        there, here = fixed_features(disturbed), fixed_features(images)
        distances = np.linalg.norm(there[:, None] - here, axis=-1)
        assert (distances.argmin(axis=1) == np.arange(40)).all()


def test_size_hardly_matters():
    large = pictures(8, 256)
    small = large.reshape(8, 128, 2, 128, 2, 3).mean(axis=(2, 4)).astype(np.uint8)
    assert apart(large, small).max() < 0.2 * apart(large[1:], large[:-1]).min()


def test_detail_grows_with_noise_and_falls_with_blur():
    images = noisy(pictures(), 4)
    blurred = gaussian_filter(images, (0, 2, 2, 0))
    levels = [fixed_features(x)[:, DETAIL].mean() for x in (blurred, images, noisy(images, 20))]
    assert levels[0] < 0.95 * levels[1]
    assert levels[2] > 1.3 * levels[1]


def test_distance_grows_with_noise():
    images = pictures()
    means = [apart(images, noisy(images, sigma)).mean() for sigma in (2, 8, 32)]
    assert means == sorted(means)
    assert means[2] > 3 * means[0]


def test_a_plain_picture_has_no_edges_and_the_same_colour_everywhere():
    features = fixed_features(np.full((1, 32, 32, 3), (200, 100, 50), np.uint8))[0]
    luma = (0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255
    assert features[:64] == pytest.approx(3 * luma / 8, rel=1e-4)
    assert np.ptp(features[64:80]) == np.ptp(features[80:96]) == 0
    assert features[64] < 0 < features[80]  # less blue than luma, more red
    assert features[EDGES] == pytest.approx(0, abs=1e-3)
    assert np.ptp(features[DETAIL]) < 1e-4


@pytest.mark.parametrize(("along", "orientation"), [(1, 0), (0, 4)])
def test_stripes_vote_for_their_orientation(along, orientation):
    """Gradients along x are orientation 0, along y the fourth of eight."""
    votes = fixed_features(stripes(along))[0, EDGES].reshape(7, 7, 8)
    assert (votes.argmax(axis=-1) == orientation).all()
    others = np.delete(votes, orientation, axis=-1)
    assert others.max() < 0.05 * votes[..., orientation].min()


def test_a_negative_keeps_its_edges():
    """The sign of an edge is left out: dark on light and light on dark are one."""
    images = pictures()
    there, here = fixed_features(images), fixed_features(255 - images)
    assert there[:, EDGES] == pytest.approx(here[:, EDGES], abs=1e-2)
    assert apart(images, 255 - images).min() > 0.3


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(*[st.integers(16, 40)] * 2).map(lambda s: (1, *s, 3))),
)
def test_features_are_finite_bounded_and_repeatable(images):
    features = fixed_features(images)
    assert np.array_equal(features, fixed_features(images.copy()))
    assert np.linalg.norm(features) < 20


def test_network_gives_the_same_features_and_no_logits():
    images = pictures(3)
    network = FixedNetwork()
    outputs = network.outputs(images)
    assert np.array_equal(outputs.features, fixed_features(images))
    assert outputs.logits is None
    assert network.protocol is FIXED
    assert (FIXED.features, FIXED.classes, FIXED.weights_sha256) == (520, 0, "")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 32, 32, 3), np.float32), "uint8 of shape"),
        (np.zeros((2, 3, 32, 32), np.uint8), "uint8 of shape"),
        (np.zeros((0, 32, 32, 3), np.uint8), "uint8 of shape"),
        (np.zeros((2, 32, 15, 3), np.uint8), "at least 16 px, not 15 px"),
    ],
)
def test_other_arrays_are_refused(images, message):
    with pytest.raises(ScoreError, match=message):
        fixed_features(images)
