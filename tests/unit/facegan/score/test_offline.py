"""Closed forms, a scale by hand, and properties; images of 16 to 64 px."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from facegan.core.errors import ScoreError
from facegan.score import offline
from facegan.score.offline import (
    laplacian_pyramid,
    ms_ssim,
    pair_similarity,
    sliced_wasserstein,
)


def smooth(count=12, size=32, seed=0):
    """Coloured 4x4 tiles, enlarged: structure at a coarse scale."""
    tiles = np.random.default_rng(seed).integers(60, 196, (count, 4, 4, 3), dtype=np.uint8)
    return tiles.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


def noisy(images, radius, seed=0):
    noise = np.random.default_rng(seed).integers(-radius, radius + 1, images.shape)
    return np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)


SETS = arrays.arrays(np.uint8, (3, 16, 16, 3))


def test_same_set_is_at_distance_0():
    images = smooth()
    distance = sliced_wasserstein(images, images.copy())
    assert distance.mean == 0
    assert distance.per_level == (0, 0)
    assert distance.sizes_px == (32, 16)
    assert distance.images == 12


def test_distance_is_symmetric():
    a, b = smooth(seed=1), smooth(seed=2)
    assert sliced_wasserstein(a, b) == sliced_wasserstein(b, a)


def test_distance_is_a_function_of_the_seed():
    a, b = smooth(seed=1), smooth(seed=2)
    assert sliced_wasserstein(a, b, seed=3) == sliced_wasserstein(a, b, seed=3)
    assert sliced_wasserstein(a, b, seed=3).mean != sliced_wasserstein(a, b, seed=4).mean


def test_distance_grows_with_noise_and_at_the_finest_level_most():
    images = smooth(40)
    distances = [sliced_wasserstein(images, noisy(images, radius)) for radius in (2, 8, 32)]
    means = [distance.mean for distance in distances]
    assert means == sorted(means)
    assert means[0] > 0
    fine, coarse = distances[-1].per_level
    assert fine > coarse


def test_distance_does_not_see_brightness_and_contrast():
    images = smooth()
    assert sliced_wasserstein(images, images + np.uint8(10)).mean == pytest.approx(0, abs=0.2)
    assert sliced_wasserstein(images, images // 2 * 2).mean < 20


def test_distance_falls_with_the_number_of_images():
    few = sliced_wasserstein(smooth(8, seed=1), smooth(8, seed=2)).mean
    many = sliced_wasserstein(smooth(128, seed=1), smooth(128, seed=2)).mean
    assert many < few


def test_distance_of_noise_from_one_colour_in_closed_form():
    """Normalised noise projects to N(0, 1), one colour to 0: E|N(0, 1)| is the square root of
    2 / pi."""
    noise = np.random.default_rng(0).normal(128, 20, (400, 16, 16, 3)).clip(0, 255).astype(np.uint8)
    distance = sliced_wasserstein(noise, np.full_like(noise, 90))
    assert distance.mean == pytest.approx(1000 * np.sqrt(2 / np.pi), rel=0.01)


@pytest.mark.parametrize("shape", [(64, 64), (32, 48), (33, 47)])
def test_pyramid_adds_up_to_the_image(shape):
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape, 3)).astype(np.float32)
    *fine, images_again = laplacian_pyramid(images, 3)
    for level in reversed(fine):
        spread = np.zeros_like(level)
        spread[:, ::2, ::2] = images_again
        images_again = level + enlarged(spread)
    assert images_again == pytest.approx(images, abs=1e-3)


def enlarged(spread):
    """4 times the 5x5 binomial by hand, borders mirrored."""
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 64
    padded = np.pad(spread, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    height, width = spread.shape[1:3]
    return sum(
        kernel[row, column] * padded[:, row : row + height, column : column + width]
        for row in range(5)
        for column in range(5)
    )


def test_a_constant_image_has_an_empty_fine_level():
    fine, coarse = laplacian_pyramid(np.full((1, 32, 32, 3), 7, dtype=np.float32), 2)
    assert fine == pytest.approx(0, abs=1e-5)
    assert coarse == pytest.approx(7)


def test_distance_does_not_depend_on_the_chunk(monkeypatch):
    a, b = smooth(9, seed=1), smooth(9, seed=2)
    whole = sliced_wasserstein(a, b)
    monkeypatch.setattr(offline, "_WORK_BYTES", 32 * 32 * 80 * 2)
    assert sliced_wasserstein(a, b) == whole


def test_memory_of_the_pyramids_does_not_grow_with_the_images(monkeypatch):
    """64 images at a time took 300 MB at 256 px, 16 times as much at 1,024 px."""
    images = np.zeros((24, 256, 256, 3), np.uint8)
    monkeypatch.setattr(offline, "_WORK_BYTES", 16 << 20)
    descriptors = 24 * offline.PATCHES * 147 * 4 * 5
    tracemalloc.start()
    try:
        offline._descriptors(images, offline._sides((256, 256)), seed=0)
        assert tracemalloc.get_traced_memory()[1] - descriptors < 24e6
    finally:
        tracemalloc.stop()


@settings(max_examples=25, deadline=None)
@given(SETS, SETS)
def test_bounds(a, b):
    assert sliced_wasserstein(a, b).mean >= 0
    values = ms_ssim(a, b)
    assert values.shape == (3,)
    assert ((values >= 0) & (values <= 1)).all()
    assert values == pytest.approx(ms_ssim(b, a))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 32, 32, 3), np.float32),
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(images):
    with pytest.raises(ScoreError, match="images must be"):
        sliced_wasserstein(images, images)
    with pytest.raises(ScoreError, match="images must be"):
        ms_ssim(images, images)


def test_sets_of_other_shapes_are_refused():
    with pytest.raises(ScoreError, match="differ"):
        sliced_wasserstein(smooth(3), smooth(4))
    with pytest.raises(ScoreError, match="differ"):
        ms_ssim(smooth(3), smooth(4))
    with pytest.raises(ScoreError, match="two images"):
        pair_similarity(smooth(1))
