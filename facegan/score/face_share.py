"""In how many images does a face detector find one face? A plain answer for plain failures.

The detector is handed over as a function: the model half knows none. Where it finds a face in half
of the samples and in nearly all real crops, the samples are not faces to it. Finding one proves
little: detectors see faces in rather poor pictures too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.core.errors import ScoreError
from facegan.score.memorisation import share
from facegan.score.network import check_pixels

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FaceShare:
    """Shares of images by the number of faces found in them; the three sum to 1."""

    one: float
    none: float
    several: float
    low: float
    """Lower end of the Wilson interval of 95 % of `one`."""
    high: float
    images: int


def face_share(images: Pixels, count_faces: Callable[[Pixels], int]) -> FaceShare:
    """Count the images with exactly one face.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB.
        count_faces: gets one image, (H, W, 3) uint8, and says how many faces it finds.

    Returns:
        The shares; those of real crops belong beside them, for no detector finds all.

    Raises:
        ScoreError: `images` are no such images, or a count is below 0.

    References:
        E. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927,
        JASA 22 (the interval).
    """
    check_pixels(images, "the share of faces")
    counts = np.array([count_faces(image) for image in images])
    if (counts < 0).any():
        raise ScoreError(f"a face detector counted {counts.min()} faces in an image")
    one = share(counts == 1)
    return FaceShare(
        one=one.value,
        none=float((counts == 0).mean()),
        several=float((counts > 1).mean()),
        low=min(one.low, one.value),  # rounding may put an end on the wrong side of 0 or 1
        high=max(one.high, one.value),
        images=len(counts),
    )
