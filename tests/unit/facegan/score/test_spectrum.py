"""Closed forms: white noise, one wave, blur, a checkerboard; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter

from facegan.core.errors import ScoreError
from facegan.score.spectrum import FLOOR, power_spectrum, spectrum_distance

SETS = arrays.arrays(np.uint8, (2, 16, 16, 3))


def grey(values):
    """(N, H, W) -> (N, H, W, 3) uint8."""
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def white(count=40, size=32, sigma=20.0, seed=0):
    return grey(128 + np.random.default_rng(seed).normal(0, sigma, (count, size, size)))


def wave(cycles, size=64, amplitude=50):
    along = np.cos(2 * np.pi * cycles * np.arange(size) / size)
    return grey(128 + amplitude * np.broadcast_to(along, (1, size, size)))


def test_white_noise_has_its_variance_at_every_frequency():
    power = power_spectrum(white(120))
    assert power.shape == (16,)
    # Rounding to whole levels adds 1/12; the mean that is taken away costs the first ring some.
    assert power[1:] == pytest.approx(20**2 + 1 / 12, rel=0.06)


@pytest.mark.parametrize("cycles", [4, 13, 27])
def test_a_wave_peaks_at_its_frequency(cycles):
    assert power_spectrum(wave(cycles)).argmax() == cycles - 1


def test_a_wave_peaks_at_its_frequency_across_too():
    upright = wave(9).transpose(0, 2, 1, 3)
    assert power_spectrum(upright) == pytest.approx(power_spectrum(wave(9)), rel=1e-9)


def test_power_grows_with_the_square_of_the_contrast():
    twice, once = power_spectrum(wave(8, amplitude=80)), power_spectrum(wave(8, amplitude=40))
    assert twice[7] / once[7] == pytest.approx(4, rel=0.03)


def test_a_plain_image_has_no_power_but_the_floor():
    assert power_spectrum(np.full((1, 24, 16, 3), 77, np.uint8)) == pytest.approx(FLOOR)


def test_a_checkerboard_raises_the_last_frequency_alone():
    faces = white(seed=1)
    rows, columns = np.indices((32, 32))
    sign = np.where((rows + columns) % 2, 1, -1)[..., None]
    distance = spectrum_distance((faces.astype(int) + 8 * sign).astype(np.uint8), faces)
    assert np.argmax(distance.per_frequency) == 15
    assert distance.per_frequency[-1] > 1.5
    assert np.abs(distance.per_frequency[:-1]).max() < 0.2
    assert distance.high_frequency > 0


def test_blur_lowers_the_upper_third():
    faces = white()
    blurred = gaussian_filter(faces, (0, 1, 1, 0))
    distance = spectrum_distance(blurred, faces)
    assert distance.high_frequency < -20
    assert distance.high_frequency < np.mean(distance.per_frequency[:5]) - 10


def test_doubled_contrast_is_6_decibels_everywhere():
    quiet = np.random.default_rng(0).integers(50, 100, (20, 32, 32, 3), dtype=np.uint8)
    distance = spectrum_distance(2 * quiet, quiet)
    assert distance.value == pytest.approx(20 * np.log10(2), abs=0.01)
    assert distance.high_frequency == pytest.approx(20 * np.log10(2), abs=0.01)


@settings(max_examples=25, deadline=None)
@given(SETS, SETS)
def test_exchanged_sets_change_the_sign_alone(a, b):
    there, back = spectrum_distance(a, b), spectrum_distance(b, a)
    assert there.value >= 0
    assert there.value == pytest.approx(back.value)
    assert there.per_frequency == pytest.approx([-x for x in back.per_frequency])


def test_same_set_is_at_distance_0_in_any_order():
    faces = white(20)
    distance = spectrum_distance(faces, faces[::-1])
    assert distance.value == pytest.approx(0, abs=1e-9)
    assert distance.images == (20, 20)
    assert distance.size_px == (32, 32)


def test_sets_may_differ_in_number_and_need_not_be_square():
    tall = np.random.default_rng(0).integers(0, 256, (5, 40, 24, 3), dtype=np.uint8)
    distance = spectrum_distance(tall, tall[:3])
    assert len(distance.per_frequency) == 12
    assert distance.images == (5, 3)


def test_sets_of_another_size_are_refused():
    with pytest.raises(ScoreError, match="32x32 and 16x16"):
        spectrum_distance(white(2), white(2, 16))


@pytest.mark.parametrize(
    "images", [np.zeros((2, 32, 32, 3)), np.zeros((2, 8, 8, 3), np.uint8), np.zeros((0, 16, 16, 3))]
)
def test_other_arrays_are_refused(images):
    with pytest.raises(ScoreError, match="images must be"):
        power_spectrum(images)
