"""MS-SSIM in closed form and by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.errors import ScoreError
from facegan.score import ms_ssim as module
from facegan.score.ms_ssim import SCALE_WEIGHTS, ms_ssim, pair_similarity


def smooth(count=12, size=32, seed=0):
    """Coloured 4x4 tiles, enlarged: structure at a coarse scale."""
    tiles = np.random.default_rng(seed).integers(60, 196, (count, 4, 4, 3), dtype=np.uint8)
    return tiles.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


@pytest.mark.parametrize("size", [16, 32, 64, 192])
def test_an_image_is_like_itself(size):
    images = smooth(3, size)
    assert ms_ssim(images, images) == pytest.approx(1, abs=1e-12)


def test_pairs_of_equal_images_are_alike():
    images = smooth(1).repeat(6, axis=0)
    found = pair_similarity(images, pairs=20)
    assert (found.low, found.mean, found.high) == pytest.approx((1, 1, 1))
    assert found.std == pytest.approx(0, abs=1e-9)
    assert (found.images, found.pairs, found.scales) == (6, 15, 2)


def test_pairs_are_of_different_images():
    """Two images: each pair is both of them."""
    images = smooth(2)
    expected = ms_ssim(images[:1], images[1:])[0]
    assert pair_similarity(images, pairs=9).mean == pytest.approx(expected)


def test_one_scale_by_hand():
    """At 16 px one scale is left, with weight 1: plain SSIM with the window written out."""
    a, b = smooth(1, 16, seed=1), smooth(1, 16, seed=2)
    x, y = a[0].astype(float), b[0].astype(float)
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))[:, :, None]
    window /= window.sum()
    values = []
    for row in range(6):
        for column in range(6):
            p, q = (z[row : row + 11, column : column + 11] for z in (x, y))
            mean_p, mean_q = ((window * z).sum(axis=(0, 1)) for z in (p, q))
            variance_p = (window * (p - mean_p) ** 2).sum(axis=(0, 1))
            variance_q = (window * (q - mean_q) ** 2).sum(axis=(0, 1))
            covariance = (window * (p - mean_p) * (q - mean_q)).sum(axis=(0, 1))
            c1, c2 = 2.55**2, 7.65**2
            light = (2 * mean_p * mean_q + c1) / (mean_p**2 + mean_q**2 + c1)
            values.append(light * (2 * covariance + c2) / (variance_p + variance_q + c2))
    assert ms_ssim(a, b)[0] == pytest.approx(
        np.maximum(np.mean(values, axis=0), 0).mean(), abs=1e-12
    )


def test_luminance_counts_at_the_coarsest_scale_alone():
    """Two grey images differ in luminance only; contrast and structure are 1 everywhere."""
    a, b = np.full((1, 192, 192, 3), 50, np.uint8), np.full((1, 192, 192, 3), 100, np.uint8)
    c1 = 2.55**2
    light = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)
    weight = SCALE_WEIGHTS[-1] / sum(SCALE_WEIGHTS)
    assert ms_ssim(a, b)[0] == pytest.approx(light**weight, abs=1e-9)


@pytest.mark.parametrize(("size", "scales"), [(16, 1), (22, 2), (64, 3), (128, 4), (256, 5)])
def test_scales_are_those_that_the_window_fits(size, scales):
    images = np.zeros((2, size, size, 3), np.uint8)
    assert pair_similarity(images, pairs=1).scales == scales


def test_similarity_does_not_depend_on_the_chunk(monkeypatch):
    a, b = smooth(70, 16, seed=1), smooth(70, 16, seed=2)
    alone = [ms_ssim(a[n : n + 1], b[n : n + 1])[0] for n in range(70)]
    monkeypatch.setattr(module, "_WORK_BYTES", 16 * 16 * 80 * 9)
    assert ms_ssim(a, b) == pytest.approx(alone)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    assert ms_ssim(a, b) == pytest.approx(alone)


def peak_bytes(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_images(monkeypatch):
    """64 pairs took 917 MB at 256 px, and one of 1,024 px all channels at a time."""
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    small = np.zeros((20, 256, 256, 3), np.uint8)
    assert peak_bytes(lambda: ms_ssim(small, small)) < 24e6
    large = np.zeros((2, 1024, 1024, 3), np.uint8)
    assert peak_bytes(lambda: ms_ssim(large, large)) < 128e6


def test_memory_does_not_grow_with_the_pairs(monkeypatch):
    """The images of all pairs took 2 x 38 MB here before the first was compared."""
    monkeypatch.setattr(module, "_ms_ssim", lambda first, _: np.zeros(len(first)))
    images = np.zeros((40, 128, 128, 3), np.uint8)
    assert peak_bytes(lambda: pair_similarity(images, pairs=780)) < 4e6


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_pairs_are_different_and_each_image_is_in_equally_many(count, pairs, seed):
    left, right = module._pairs(count, pairs, np.random.default_rng(seed))
    assert (left != right).all()
    assert len({frozenset(pair) for pair in zip(left, right, strict=True)}) == len(left)
    times = np.bincount(np.concatenate([left, right]))
    assert len(set(times[times > 0])) == 1
    wanted = min(pairs, count * (count - 1) // 2)
    assert wanted * 2 // 3 <= len(left) <= wanted * 4 / 3


def additive(one, other):
    return 0.3 + 0.2 * (one[0] + other[0]) + 0.04 * one[1] * other[1]


def skewed(one, other):
    return 0.1 - 0.05 * np.log(one[0] * other[0])


def of_five_modes(one, other):
    return 0.2 + 0.5 * (np.floor(5 * one[0]) == np.floor(5 * other[0]))


KERNELS = [(additive, 0.51), (skewed, 0.2), (of_five_modes, 0.3)]
"""Similarities of two images, each of two uniform numbers, with their expectation."""


@pytest.mark.parametrize(("kernel", "true"), KERNELS)
@pytest.mark.parametrize(("count", "pairs"), [(30, 1000), (60, 1000), (200, 1000), (200, 90)])
def test_interval_holds_the_true_mean_in_19_of_20_sets(kernel, true, count, pairs):
    """The pairs of 60 images are not 1,000 independent ones: with the square root of the pairs the
    true mean was inside in half of the sets. All images are new in each trial."""
    generator = np.random.default_rng(0)
    inside, trials = 0, 400
    for _ in range(trials):
        left, right = module._pairs(count, pairs, generator)
        images = generator.uniform(size=(2, count))
        low, high = module._interval(kernel(images[:, left], images[:, right]), left, right)
        inside += low <= true <= high
    assert inside / trials > 0.91  # 3.7 standard errors below 0.95


def test_interval_is_no_wider_than_needed():
    """Of a kernel that adds up, against the deviation of the mean in 600 sets."""
    generator = np.random.default_rng(0)
    means, widths = [], []
    for _ in range(600):
        left, right = module._pairs(60, 120, generator)
        of_image = generator.uniform(size=60)
        values = 0.3 + 0.2 * (of_image[left] + of_image[right])
        low, high = module._interval(values, left, right)
        means.append(values.mean())
        widths.append(high - low)
    assert np.mean(widths) == pytest.approx(2 * 2 * np.std(means), rel=0.1)


def test_interval_of_pairs_of_images_is_around_the_mean():
    found = pair_similarity(smooth(40), pairs=100)
    assert 0 <= found.low < found.mean < found.high <= 1
    assert (found.images, found.pairs) == (40, 80)
    assert pair_similarity(smooth(40), pairs=10).images == 20


def test_few_images_tell_nothing_of_their_distribution():
    found = pair_similarity(smooth(5))
    assert (found.low, found.high) == (0, 1)


def test_no_pair_is_refused():
    with pytest.raises(ScoreError, match="at least one pair"):
        pair_similarity(smooth(3), pairs=0)


def waves(seed, count=1, size=256):
    """Coloured waves of 1 to 32 periods, the longer the stronger, as in photographs."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    images = np.full((count, size, size, 3), 128.0)
    for periods in (1, 2, 4, 8, 16, 32):
        down, across, phase = generator.normal(size=(3, count, 1, 1, 3))
        angle = 2 * np.pi * periods * (down * rows[..., None] + across * columns[..., None])
        images += 40 / periods**0.7 * np.sin(angle + 6 * phase)
    return images


@pytest.mark.parametrize("noise", [0, 15])
def test_colour_images_agree_with_pytorch_msssim(noise):
    """To 1e-4, for its weights sum to 1.0001 and its window is float32."""
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("pytorch_msssim").ms_ssim
    a = waves(1)
    b = a + np.random.default_rng(2).normal(0, 1, a.shape) * noise if noise else waves(2)
    first, second = (np.clip(x, 0, 255).astype(np.uint8) for x in (a, b))
    planes = [torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2) for x in (first, second)]
    expected = peer(*planes, data_range=255, size_average=False).numpy()
    assert ms_ssim(first, second) == pytest.approx(expected, abs=1e-4)
