"""MS-SSIM: how alike two images are. High among the samples of a generator that has collapsed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from facegan.core.errors import ScoreError

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

LEAST_PX = 16
"""Of an image's shorter side."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Finest scale first."""
PAIRS = 1000
"""By default: +-0.011 about 0.30 with 1,000 drawn portraits, +-0.009 with 5,000. With twice as many
pairs it is +-0.009 and +-0.006; with all, +-0.007 and +-0.003."""
WINDOW_PX = 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_BLOCK = 16
"""Rows or columns of window means that one matrix product makes. Small products stay on one thread
of the BLAS, so that they don't contend with the threads here."""
_WORK_BYTES = 8 << 20
"""Of the arrays of one chunk, one channel of some pairs: what stays near a cache."""
_ALL_BYTES = 128 << 20
"""Of the chunks of all threads. One pair is the least: above 1,280 px it takes more."""
_BYTES_PER_PIXEL = 80
"""Of one channel of one pair: ten arrays of float64."""


@dataclass(frozen=True, slots=True)
class PairSimilarity:
    """MS-SSIM over pairs of a set."""

    mean: float
    std: float
    """Population standard deviation over the pairs."""
    low: float
    """Of a 95 % interval for the expected similarity of two new images of the distribution."""
    high: float
    """0 and 1 with fewer than six images, of which nothing can be told."""
    images: int
    """That the pairs were made of, each in equally many."""
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

    Numerics: float64 throughout. Pairs are compared in chunks of some 8 MiB of work, by as many
    threads as there are cores; the values do not depend on their number.
    """
    check_images(first)
    check_images(second)
    if first.shape != second.shape:
        raise ScoreError(f"the images differ in shape: {first.shape} and {second.shape}")
    everyone = np.arange(len(first))
    return _compared(first, second, everyone, everyone)


def pair_similarity(images: Images, *, pairs: int = PAIRS, seed: int = 0) -> PairSimilarity:
    """Mean MS-SSIM of random pairs of different images of a set: the higher, the less varied.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB, N at least 2.
        pairs: about how many; no pair is taken twice. Each image is in equally many, so that their
            number is a whole multiple: between two and four thirds of what was asked, or all
            N (N - 1) / 2 where there are no more.
        seed: of the pairs, 0 or more.

    Returns:
        The mean with its 95 % interval. The variance of the mean is `4 a / N + (s - 2 a) / pairs`,
        s that of one pair and a that of an image's expected similarity to all others: above N pairs
        hardly anything is gained but where a is small, for the images are the sample.

    Raises:
        ScoreError: fewer than two images, or none of that kind; no pair.

    References:
        A. Odena, C. Olah, J. Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs",
        2016, arXiv:1610.09585, section 4.2. W. Hoeffding, "A Class of Statistics with
        Asymptotically Normal Distribution", 1948, section 5 (the two terms of the variance);
        G. Blom, "Some properties of incomplete U-statistics", 1976, Biometrika 63 (balanced pairs).
    """
    check_images(images)
    if len(images) < 2:
        raise ScoreError("pairs need at least two images, there is one")
    if pairs < 1:
        raise ScoreError(f"at least one pair must be compared, not {pairs}")
    left, right = _pairs(len(images), pairs, np.random.default_rng(seed))
    values = _compared(images, images, left, right)
    low, high = _interval(values, left, right)
    return PairSimilarity(
        mean=float(values.mean()),
        std=float(values.std()),
        low=low,
        high=high,
        images=len(np.union1d(left, right)),
        pairs=len(values),
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


def _pairs(count: int, pairs: int, generator: np.random.Generator) -> tuple[Places, Places]:
    """Different pairs of different images, each image in equally many.

    All pairs; or, of images in random order, each with that a few random places further on; or, of
    many images, each with one other.
    """
    if pairs >= count * (count - 1) // 2:
        left, right = np.triu_indices(count, 1)
        return left, right
    order = generator.permutation(count)
    if 4 * pairs < 3 * count:
        pairs = min(pairs, count // 2)
        return order[:pairs], order[pairs : 2 * pairs]
    possible = np.arange(1, (count - 1) // 2 + 1)
    shifts = generator.choice(possible, min(len(possible), round(pairs / count)), replace=False)
    return np.tile(order, len(shifts)), np.concatenate([np.roll(order, -by) for by in shifts])


def _interval(values: Floats, left: Places, right: Places) -> tuple[float, float]:
    """95 % for the expected value of a pair, from a balanced design of n images and P pairs.

    The variance V of the mean is 4 v / n - s / P, v the variance of an image's mean over its pairs
    and s that of a pair. The spreads about the mean that was found have the expectations v - V and
    s - V; solved for V that is unbiased. It is at least s / P, which independent pairs would have.
    """
    pairs = len(values)
    both = np.concatenate([left, right])
    times = np.bincount(both)
    sums = np.bincount(both, np.concatenate([values, values]))[times > 0]
    count = len(sums)
    if count < 6:
        return 0.0, 1.0
    mean = values.mean()
    of_images = float(((sums / times.max() - mean) ** 2).mean())
    of_pairs = float(((values - mean) ** 2).mean())
    variance = (4 * of_images / count - of_pairs / pairs) / (1 - 4 / count + 1 / pairs)
    variance = max(variance, of_pairs / (pairs - 1))
    error = float(stdtrit(min(count, pairs) - 1, 0.975)) * variance**0.5
    return max(0.0, float(mean - error)), min(1.0, float(mean + error))


def _compared(first: Images, second: Images, left: Places, right: Places) -> Floats:
    """MS-SSIM of first[left] and second[right], indexed and compared chunk by chunk."""
    pair_bytes = first.shape[1] * first.shape[2] * _BYTES_PER_PIXEL
    chunk = max(1, _WORK_BYTES // pair_bytes)

    def part(start: int) -> Floats:
        some = slice(start, start + chunk)
        return _ms_ssim(first[left[some]], second[right[some]])

    workers = max(1, min(os.cpu_count() or 1, _ALL_BYTES // (chunk * pair_bytes)))
    with ThreadPoolExecutor(workers, "facegan-ms-ssim") as threads:
        return np.concatenate(list(threads.map(part, range(0, len(left), chunk))))


def _ms_ssim(first: Images, second: Images) -> Floats:
    channels = [_of_channel(first[..., one], second[..., one]) for one in range(3)]
    values: Floats = np.mean(channels, axis=0)
    return values


def _of_channel(x: Images, y: Images) -> Floats:
    """(n,) of (n, H, W), by sums and differences, of which one pass makes all moments.

    With s = x + y and d = x - y the variances of the two are 2 (var x + var y) +- 4 cov, so that
    2 cov / (var x + var y) is (var s - var d) / (var s + var d); so with the squares of the means.
    """
    scales = _scales(x.shape[1:])
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    planes = np.empty((2, *x.shape))
    np.add(x, y, out=planes[0], dtype=np.float64)
    np.subtract(x, y, out=planes[1], dtype=np.float64)
    product = np.ones(len(x))
    for scale, weight in enumerate(weights):
        coarsest = scale == scales - 1
        product *= np.maximum(_similarity(planes, luminance=coarsest), 0.0) ** weight
        if not coarsest:
            planes = _halved(planes)
    return np.minimum(product, 1.0)  # above 1 by rounding alone


def _similarity(planes: Floats, *, luminance: bool) -> Floats:
    """(n,) means of contrast and structure, or of SSIM, of (2, n, H, W) sums and differences."""
    squares = _window(planes)
    squares *= squares
    variances = _window(planes * planes)
    variances -= squares
    values = _ratio(variances, _C2)
    if luminance:
        values *= _ratio(squares, _C1)
    means: Floats = values.mean(axis=(1, 2))
    return means


def _ratio(parts: Floats, constant: float) -> Floats:
    """(a - b + 2 c) / (a + b + 2 c)."""
    ratio: Floats = parts[0] - parts[1]
    ratio += 2 * constant
    whole = parts[0] + parts[1]
    whole += 2 * constant
    ratio /= whole
    return ratio


def _band(length: int) -> Floats:
    """(length, length + 10): the window's weights, in each row one place further."""
    edge = WINDOW_PX // 2
    kernel = np.exp(-(np.arange(-edge, edge + 1) ** 2) / (2 * _SIGMA**2))
    band = np.zeros((length, length + 2 * edge))
    for row in range(length):
        band[row, row : row + WINDOW_PX] = kernel / kernel.sum()
    return band


def _window(planes: Floats) -> Floats:
    """Weighted means under the window wherever it fits wholly: (..., H - 10, W - 10).

    A band matrix times a block of rows or columns: a product of matrices does more sums than a
    loop over the window and is several times faster.
    """
    margin = WINDOW_PX - 1
    height, width = (side - margin for side in planes.shape[-2:])
    bands = {length: _band(length) for length in {_BLOCK, height % _BLOCK, width % _BLOCK}}
    across = np.empty((*planes.shape[:-1], width))
    for start in range(0, width, _BLOCK):
        stop = min(start + _BLOCK, width)
        block = planes[..., start : stop + margin]
        np.matmul(block, bands[stop - start].T, out=across[..., start:stop])
    means = np.empty((*planes.shape[:-2], height, width))
    for start in range(0, height, _BLOCK):
        stop = min(start + _BLOCK, height)
        block = across[..., start : stop + margin, :]
        np.matmul(bands[stop - start], block, out=means[..., start:stop, :])
    return means


def _halved(planes: Floats) -> Floats:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in planes.shape[-2:])
    rows = planes[..., :height:2, :width] + planes[..., 1:height:2, :width]
    quarters: Floats = rows[..., ::2] + rows[..., 1::2]
    quarters /= 4
    return quarters
