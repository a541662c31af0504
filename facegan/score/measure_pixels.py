"""Measures of pixels, which need no network: how the images look, alone and beside real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np

from facegan.score.face_share import face_share
from facegan.score.found import Found, Settings, tried, without
from facegan.score.network import Pixels
from facegan.score.offline import pair_similarity, sliced_wasserstein
from facegan.score.report import Measure
from facegan.score.spectrum import spectrum_distance

CountFaces = Callable[[Pixels], int]
"""How many faces a picture, (H, W, 3) uint8 RGB, shows."""
PAIRS = 500
"""Pairs of images that are compared by MS-SSIM."""
DETECTED = 500
"""Images in which a face is looked for at most: a detector takes some 10 ms each."""


def alone(images: Pixels, settings: Settings, count_faces: CountFaces | None) -> Found:
    """What pixels say of one set alone: how alike its images are, and whether they show a face."""
    found = tried("MS-SSIM of pairs", lambda: _ms_ssim(images, settings.seed))
    if count_faces is None:
        return found + without("share with one face", "no detector was given")
    detect = count_faces
    return found + tried("share with one face", lambda: _one_face(images[:DETECTED], detect))


def beside(
    samples: Pixels, real: Pixels, settings: Settings, count_faces: CountFaces | None
) -> Found:
    """The same with the real images' values beside it, and the distances of the two sets."""
    of_real = alone(real, settings, count_faces)
    yardsticks = {measure.name: measure.value for measure in of_real.measures}
    found = alone(samples, settings, count_faces)
    found = replace(
        found,
        measures=tuple(replace(one, real=yardsticks.get(one.name)) for one in found.measures),
    )
    if samples.shape[1:] != real.shape[1:]:
        sizes = " and ".join(f"{images.shape[2]}x{images.shape[1]}" for images in (samples, real))
        why = f"the images differ in size: {sizes} px"
        return found + without("sliced Wasserstein, power spectrum", why)
    count = min(len(samples), len(real))
    return (
        tried("sliced Wasserstein", lambda: _sliced(samples[:count], real[:count], settings.seed))
        + found
        + tried("power spectrum", lambda: _spectrum(samples, real))
        + Found(warnings=_grey(samples, real))
    )


def _ms_ssim(images: Pixels, seed: int) -> Found:
    pairs = pair_similarity(images, pairs=PAIRS, seed=seed)
    measure = Measure(
        "ms_ssim", "MS-SSIM of pairs", pairs.mean, "near real", pairs.low, pairs.high,
        details=asdict(pairs),
    )  # fmt: skip
    return Found((measure,))


def _one_face(images: Pixels, count_faces: CountFaces) -> Found:
    share = face_share(images, count_faces)
    measure = Measure(
        "one_face", "share with one face", share.one, "near real", share.low, share.high,
        details=asdict(share),
    )  # fmt: skip
    return Found((measure,))


def _sliced(samples: Pixels, real: Pixels, seed: int) -> Found:
    sliced = sliced_wasserstein(samples, real, seed=seed)
    label = "sliced Wasserstein x 1,000"
    return Found((Measure("swd", label, sliced.mean, "low", details=asdict(sliced)),))


def _spectrum(samples: Pixels, real: Pixels) -> Found:
    spectrum = spectrum_distance(samples, real)
    label = "power spectrum, dB"
    return Found((Measure("spectrum", label, spectrum.value, "low", details=asdict(spectrum)),))


def _grey(samples: Pixels, real: Pixels) -> tuple[str, ...]:
    """A warning where one set is grey and the other is not."""
    grey = [bool((np.ptp(images, axis=3) == 0).all()) for images in (samples, real)]
    if grey[0] == grey[1]:
        return ()
    which, other = ("samples", "real images") if grey[0] else ("real images", "samples")
    return (f"the {which} are grey and the {other} are not: a fault, whatever the verdict says",)
