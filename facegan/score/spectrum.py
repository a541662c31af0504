"""How much structure of each fineness images have, and how far two sets are apart in that.

Upsampling in generators leaves marks at high frequencies: too little power (blur), too much
(noise), or peaks (a checkerboard). Faces themselves differ much less there. The spectrum knows
nothing of what a picture shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, fftfreq

from facegan.core.errors import ScoreError
from facegan.score.ms_ssim import check_images

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

FLOOR = 1e-3
"""Added to every power, in squared grey levels: rounding to whole levels alone makes 1/12. So
images without any structure have a logarithm."""
_LUMA = np.array([0.299, 0.587, 0.114])
_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class SpectrumDistance:
    """A distance with what is needed to read it, in decibels."""

    value: float
    """Mean over the frequencies of the absolute difference of the sets' power."""
    high_frequency: float
    """Mean signed difference over the upper third of the frequencies, samples minus reference:
    above 0 noise or a checkerboard, below 0 blur."""
    per_frequency: tuple[float, ...]
    """Signed differences, samples minus reference, the coarsest first."""
    images: tuple[int, int]
    """In the first and the second set."""
    size_px: tuple[int, int]
    """Height and width of the images."""


def spectrum_distance(samples: Pixels, reference: Pixels) -> SpectrumDistance:
    """How far the power spectra of two sets of images are apart.

    Args:
        samples: (N, H, W, 3) uint8 in [0, 255], RGB, H and W at least 16.
        reference: (M, H, W, 3), of the same size; M may differ from N.

    Returns:
        0 for the same set twice. `value` is the same with the sets exchanged; the signed figures
        change their sign.

    Raises:
        ScoreError: the images differ in size, or are no such images.

    References:
        R. Durall, M. Keuper, J. Keuper, "Watch your Up-Convolution: CNN Based Generative Deep
        Neural Networks are Failing to Reproduce Spectral Distributions", 2020, arXiv:2003.01826,
        section 2.2 (azimuthal integration); J. Frank et al., "Leveraging Frequency Analysis for
        Deep Fake Image Recognition", 2020, arXiv:2003.08685. Deviations: luma alone, under a Hann
        window, so that the border's jump makes no power; the mean over a ring, not the sum; the
        spectra are compared as logarithms, and not divided by their first value.
    """
    check_images(samples)
    check_images(reference)
    if samples.shape[1:] != reference.shape[1:]:
        raise ScoreError(
            f"the images differ in size: {_size(samples)} and {_size(reference)} px; a spectrum "
            "compares images of one size"
        )
    apart = 10 * np.log10(power_spectrum(samples) / power_spectrum(reference))
    return SpectrumDistance(
        value=float(np.abs(apart).mean()),
        high_frequency=float(apart[-(len(apart) // 3) :].mean()),
        per_frequency=tuple(apart.tolist()),
        images=(len(samples), len(reference)),
        size_px=(int(samples.shape[1]), int(samples.shape[2])),
    )


def power_spectrum(images: Pixels) -> Floats:
    """Mean power of luma by frequency, over all directions and images.

    Each image's mean is taken away, a Hann window laid over it, and the squared magnitudes of its
    Fourier transform divided by the window's own sum of squares: white noise of variance v comes to
    v at every frequency.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB, H and W at least 16.

    Returns:
        (min(H, W) // 2,) float64 above 0, in squared grey levels. Entry i holds the frequencies
        whose distance from 0 is nearest to (i + 1) / min(H, W) cycles a pixel; the last one also
        holds those beyond 1/2, in the corners, where a checkerboard is.

    Raises:
        ScoreError: `images` are no such images.

    Numerics: float64; the mean over the images, then over each ring.
    """
    check_images(images)
    height, width = images.shape[1:3]
    window = np.outer(_hann(height), _hann(width))
    total = np.zeros((height, width))
    for start in range(0, len(images), _TOGETHER):
        luma = images[start : start + _TOGETHER] @ _LUMA
        luma -= luma.mean(axis=(1, 2), keepdims=True)
        total += (np.abs(fft2(luma * window)) ** 2).sum(axis=0)
    power = total / (len(images) * (window**2).sum())
    return _by_ring(power) + FLOOR


def _by_ring(power: Floats) -> Floats:
    """(H, W), zero frequency first -> the mean over each ring but that of frequency 0."""
    height, width = power.shape
    side = min(height, width)
    distance = side * np.hypot(fftfreq(height)[:, None], fftfreq(width))
    ring = np.minimum(np.rint(distance).astype(np.int64), side // 2).ravel()
    sums, counts = np.bincount(ring, power.ravel()), np.bincount(ring)
    means: Floats = sums[1:] / counts[1:]
    return means


def _hann(length: int) -> Floats:
    """Periodic: zero at the first sample, as if the next image began where this one ends."""
    window: Floats = np.sin(np.pi * np.arange(length) / length) ** 2
    return window


def _size(images: Pixels) -> str:
    return f"{images.shape[1]}x{images.shape[2]}"
