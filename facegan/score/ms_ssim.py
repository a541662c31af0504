"""MS-SSIM: how alike two images are. High among the samples of a generator that has collapsed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from facegan.core.errors import ScoreError

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]

LEAST_PX = 16
"""Of an image's shorter side."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Finest scale first."""
WINDOW_PX = 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_CHUNK = 64
"""Pairs that are compared at a time."""


@dataclass(frozen=True, slots=True)
class PairSimilarity:
    """MS-SSIM over pairs of a set."""

    mean: float
    std: float
    """Population standard deviation over the pairs."""
    pairs: int
    scales: int
    seed: int


def ms_ssim(first: Images, second: Images) -> Floats:
    """Multi-scale structural similarity of images, one by one.

    Contrast and structure are compared at each scale, luminance at the coarsest; means over pixels
    are raised to the scales' weights and multiplied, for each channel, and the mean taken over the
    channels.

    Args:
        first: (N, H, W, 3) uint8 in [0, 255], RGB, H and W at least 16.
        second: of the same shape.

    Returns:
        (N,) float64 in [0, 1], 1 for equal images. Below 176 px, where the window would not fit the
        fifth scale, fewer are taken and their weights made to sum to 1 again (4 from 88 px, 3 from
        44 px, 2 from 22 px): values compare at one image size only.

    Raises:
        ScoreError: the sets differ in shape, or hold no such images.

    References:
        Z. Wang, E. Simoncelli, A. Bovik, "Multiscale Structural Similarity for Image Quality
        Assessment", 2003, Asilomar, equation 7 and section 3.2 (weights); SSIM with an 11x11
        Gaussian window of sigma 1.5, K1 0.01, K2 0.03. Colour as in pytorch-msssim: the mean of
        the channels' values. Deviations: a negative mean counts as 0, for no root of it is taken;
        the weights of the five scales, which sum to 1.0 but for rounding, are divided by their sum.

    Numerics: float64 throughout.
    """
    check_images(first)
    check_images(second)
    if first.shape != second.shape:
        raise ScoreError(f"the images differ in shape: {first.shape} and {second.shape}")
    parts = [
        _ms_ssim(first[start : start + _CHUNK], second[start : start + _CHUNK])
        for start in range(0, len(first), _CHUNK)
    ]
    return np.concatenate(parts)


def pair_similarity(images: Images, *, pairs: int = 1000, seed: int = 0) -> PairSimilarity:
    """Mean MS-SSIM of random pairs of different images of a set: the higher, the less varied.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB, N at least 2.
        pairs: how many, drawn with replacement.
        seed: of the pairs, 0 or more.

    Raises:
        ScoreError: fewer than two images, or none of that kind.

    References:
        A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs",
        2016, arXiv:1610.09585, section 4.2.
    """
    check_images(images)
    if len(images) < 2:
        raise ScoreError("pairs need at least two images, there is one")
    generator = np.random.default_rng(seed)
    left = generator.integers(0, len(images), pairs)
    right = (left + generator.integers(1, len(images), pairs)) % len(images)
    values = ms_ssim(images[left], images[right])
    return PairSimilarity(
        mean=float(values.mean()),
        std=float(values.std()),
        pairs=pairs,
        scales=_scales(images.shape[1:3]),
        seed=seed,
    )


def check_images(images: Images) -> None:
    """Refuse what the measures of pixels cannot take.

    Raises:
        ScoreError: not (N, H, W, 3) uint8, or below 16 px, or no image.
    """
    kind = images.ndim == 4 and images.shape[3] == 3 and images.dtype == np.uint8
    if not kind or len(images) == 0 or min(images.shape[1:3]) < LEAST_PX:
        raise ScoreError(
            f"images must be (N, H, W, 3) uint8 of at least {LEAST_PX} px, "
            f"not {images.dtype} of shape {images.shape}"
        )


def _scales(shape: tuple[int, ...]) -> int:
    """How many of the five scales the window fits."""
    return sum(min(shape) >> scale >= WINDOW_PX for scale in range(len(SCALE_WEIGHTS)))


def _ms_ssim(first: Images, second: Images) -> Floats:
    scales = _scales(first.shape[1:3])
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    x, y = first.astype(np.float64), second.astype(np.float64)
    product = np.ones((len(first), 3))
    for scale, weight in enumerate(weights):
        whole, without_luminance = _ssim(x, y)
        mean = whole if scale == scales - 1 else without_luminance
        product *= np.maximum(mean, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    values: Floats = np.minimum(product, 1.0).mean(axis=1)  # above 1 by rounding alone
    return values


def _ssim(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(n, 3) means of SSIM, and of it without the luminance, channel by channel."""
    mean_x, mean_y = _window(x), _window(y)
    variances = _window(x * x) - mean_x**2 + _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    structure = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    axes = (1, 2)
    return (luminance * structure).mean(axis=axes), structure.mean(axis=axes)


def _window(x: Floats) -> Floats:
    """Weighted means under the window wherever it fits wholly."""
    edge = WINDOW_PX // 2
    kernel = np.exp(-(np.arange(-edge, edge + 1) ** 2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    means: Floats = correlate1d(correlate1d(x, kernel, axis=1), kernel, axis=2)
    return means[:, edge : means.shape[1] - edge, edge : means.shape[2] - edge]


def _halved(x: Floats) -> Floats:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :height, :width]
    quarters: Floats = x.reshape(len(x), height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4))
    return quarters
