"""Measures of images that need no network, so no download: pure functions of pixels.

The sliced Wasserstein distance says how far the local structure of two sets of images is apart, at
each scale; MS-SSIM how alike pairs of one set are, which is high where a generator has collapsed.
Neither knows what a face is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from facegan.core.errors import ScoreError
from facegan.score.ms_ssim import (
    LEAST_PX,
    Images,
    PairSimilarity,
    check_images,
    ms_ssim,
    pair_similarity,
)

__all__ = [
    "PairSimilarity",
    "SlicedWasserstein",
    "laplacian_pyramid",
    "ms_ssim",
    "pair_similarity",
    "sliced_wasserstein",
]

Descriptors = NDArray[np.float32]

PATCH_PX = 7
PATCHES = 128
"""Descriptors an image and level."""
PROJECTIONS = 512
_BINOMIAL = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
_TOGETHER = 16
"""Projections that are sorted at a time: 16 of 2 million descriptors take 130 MB."""
_WORK_BYTES = 128 << 20
"""Of the images whose pyramids are in memory at a time; one large image may take more."""
_BYTES_PER_PIXEL = 80
"""Of an image, while its pyramid is made: near seven arrays of three channels of float32."""


@dataclass(frozen=True, slots=True)
class SlicedWasserstein:
    """A distance with what is needed to read it."""

    mean: float
    """Over the levels, x 1,000."""
    per_level: tuple[float, ...]
    """Finest first, x 1,000."""
    sizes_px: tuple[int, ...]
    """Shorter side of the images of each level."""
    images: int
    """In each set."""
    seed: int


def sliced_wasserstein(first: Images, second: Images, *, seed: int = 0) -> SlicedWasserstein:
    """How far two sets of images are apart, scale by scale.

    Each image becomes a Laplacian pyramid down to 16 px; of each level 128 patches of 7x7 pixels
    are taken at random, their channels normalised over the set to mean 0 and standard deviation 1.
    The distance of a level is the mean, over 512 random directions, of the Wasserstein-1 distance
    of the patches' projections: the mean difference of the sorted ones.

    Args:
        first: (N, H, W, 3) uint8 in [0, 255], RGB, H and W at least 16.
        second: of the same shape; the order of the two does not matter.
        seed: of the patches and the directions, 0 or more.

    Returns:
        At least 0; 0 for the same set twice. It falls with N even where both sets are of one
        distribution, so only distances of equally many images compare.

    Raises:
        ScoreError: the sets differ in shape, or hold no such images.

    References:
        T. Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
        Variation", 2017, arXiv:1710.10196, section 5; P. Burt, E. Adelson, "The Laplacian Pyramid
        as a Compact Image Code", 1983. Deviations: both sets share the places of the patches and
        the directions, where the paper's program draws the places anew, so that the same set is at
        distance 0 and not near it; the same 512 directions serve all levels; any number of images
        is taken, not 16,384 (for fewer images the distances are larger).

    Numerics: pyramids, projections and sorting in float32; moments and means in float64.
    """
    check_images(first)
    check_images(second)
    if first.shape != second.shape:
        raise ScoreError(f"the sets differ: {first.shape} and {second.shape}; take equally many")
    sides = _sides(first.shape[1:3])
    directions = _directions(seed)
    pairs = zip(_descriptors(first, sides, seed), _descriptors(second, sides, seed), strict=True)
    distances = [1000 * _distance(a, b, directions) for a, b in pairs]
    return SlicedWasserstein(
        mean=float(np.mean(distances)),
        per_level=tuple(distances),
        sizes_px=tuple(min(side) for side in sides),
        images=len(first),
        seed=seed,
    )


def laplacian_pyramid(images: NDArray[np.float32], levels: int) -> list[NDArray[np.float32]]:
    """Differences of successive blurs, and the last blur; borders are mirrored.

    Args:
        images: (N, H, W, C) float32.
        levels: at least 1; the sides are halved, rounded up, from one to the next.

    Returns:
        Finest first; enlarged and added up they give `images` again.
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = _blur(images, 1)[:, ::2, ::2]
        spread = np.zeros_like(images)
        spread[:, ::2, ::2] = smaller
        pyramid.append(images - _blur(spread, 2))
        images = smaller
    return [*pyramid, images]


def _sides(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Height and width of each level, down to 16 px."""
    sides = [tuple(shape)]
    while min(sides[-1]) >= 2 * LEAST_PX:
        sides.append(tuple(-(-side // 2) for side in sides[-1]))
    return sides


def _descriptors(images: Images, sides: list[tuple[int, ...]], seed: int) -> list[Descriptors]:
    """(N * 128, 147) float32 for each level, normalised."""
    places = [_places(len(images), side, seed, level) for level, side in enumerate(sides)]
    shape = (len(images), PATCHES, PATCH_PX, PATCH_PX, 3)
    levels = [np.empty(shape, dtype=np.float32) for _ in sides]
    chunk = max(1, _WORK_BYTES // (_BYTES_PER_PIXEL * images.shape[1] * images.shape[2]))
    for start in range(0, len(images), chunk):
        part = slice(start, start + chunk)
        pyramid = laplacian_pyramid(images[part].astype(np.float32), len(sides))
        for level, blurred in enumerate(pyramid):
            levels[level][part] = _patches(blurred, places[level][part])
    return [_normalised(level).reshape(-1, PATCH_PX**2 * 3) for level in levels]


def _places(count: int, side: tuple[int, ...], seed: int, level: int) -> NDArray[np.int64]:
    """(N, 128, 2): the upper left corners, a function of the seed, the level and the image."""
    generator = np.random.default_rng([seed, level])
    high = [length - PATCH_PX + 1 for length in side]
    return generator.integers(0, high, (count, PATCHES, 2))


def _patches(images: Descriptors, places: NDArray[np.int64]) -> Descriptors:
    """(n, H, W, 3) at (n, 128, 2) -> (n, 128, 7, 7, 3)."""
    window = np.arange(PATCH_PX)
    rows = places[:, :, 0, None, None] + window[:, None]
    columns = places[:, :, 1, None, None] + window
    taken: Descriptors = images[np.arange(len(images))[:, None, None, None], rows, columns]
    return taken


def _normalised(patches: Descriptors) -> Descriptors:
    """Each channel over the whole set to mean 0 and deviation 1; a constant one to 0."""
    axes = (0, 1, 2, 3)
    patches -= patches.mean(axis=axes, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt((patches**2).mean(axis=axes, dtype=np.float64))
    patches /= np.where(deviation > 0, deviation, 1.0).astype(np.float32)
    return patches


def _directions(seed: int) -> Descriptors:
    """(147, 512), each column of length 1."""
    drawn = np.random.default_rng([seed, 2**32 - 1]).normal(size=(PATCH_PX**2 * 3, PROJECTIONS))
    unit: Descriptors = (drawn / np.linalg.norm(drawn, axis=0)).astype(np.float32)
    return unit


def _distance(first: Descriptors, second: Descriptors, directions: Descriptors) -> float:
    means = []
    for start in range(0, PROJECTIONS, _TOGETHER):
        some = directions[:, start : start + _TOGETHER]
        a, b = (np.sort((set_ @ some).T, axis=1) for set_ in (first, second))
        means.append(np.abs(a - b).mean(dtype=np.float64))
    return float(np.mean(means))


def _blur(images: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """5x5 binomial, `gain` along each axis: 2 makes up for zeros in between."""
    rows = convolve1d(images, gain * _BINOMIAL, axis=1, mode="mirror")
    blurred: NDArray[np.float32] = convolve1d(rows, gain * _BINOMIAL, axis=2, mode="mirror")
    return blurred
