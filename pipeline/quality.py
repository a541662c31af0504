"""What can be measured of a face: sharpness, exposure, pose, size, padding and enlargement.

Sharpness and exposure are those of the face's inner square, from the brows to the mouth, so that
hair, background and padding count for nothing.

References:
    F. Crete, T. Dolmiere, P. Ladret, M. Nicolas: The blur effect: perception and estimation with a
        new no-reference perceptual blur metric, Human Vision and Electronic Imaging 2007: what a
        blur takes from a picture tells how sharp it was. Deviation: two Gaussian blurs, whose
        ratio does not depend on contrast, instead of one blur in each direction.
    A. Gee, R. Cipolla: Determining the gaze of faces in images, Image and Vision Computing 12(10),
        1994: pose from where the nose's tip lies among eyes and mouth, seen from far away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from facegan.core.records import Face, Landmarks
from pipeline.align import Framing, box_framing, ffhq_framing
from pipeline.images import Pixels

INNER_OF_FRAMING, INNER_OF_BOX = 0.5, 0.6
"""The inner square's side, as a share of FFHQ's framing and of the box's longer side."""
INNER_DOWN = 0.05
"""From the framing's centre to the inner square's, as a share of the framing."""
INNER_PX = 64
"""The inner square is measured at this side, or at its own where that is smaller."""
FINE_SIGMA, COARSE_SIGMA = 1.0, 4.0
GREY_LEVELS_OF_NOTHING = 2.0
"""Added to the coarse detail: a flat grey face has sharpness 0."""
NOSE_DEPTH = 0.4
"""How far the nose's tip stands before the eyes, in eye distances: 0.42 on drawn heads, with their
true landmarks; 0.37 with YuNet's, whose angles are off by 4 degrees (root mean square)."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of one face."""

    size_px: float
    """The box's shorter side, in the original's pixels."""
    sharpness: float
    """Fine detail as a share of all detail: 0.3 to 0.4 for photographs in focus, 0.2 when blurred
    by 2 pixels of 256, 0.14 by 4."""
    exposure: float
    """Mean luma of the inner face, in [0, 1]."""
    yaw: float | None
    """Degrees; positive: turned to the right as seen. None without a nose."""
    roll: float | None
    """Degrees, clockwise as seen, in the original. None without landmarks."""
    padding: float
    """Share of the crop beyond the original's borders."""
    upscale: float
    """Pixels of the crop for one of the original."""


def measure(crop: Pixels, face: Face, framing: Framing, padding: float) -> Quality:
    """Measure one face.

    Args:
        crop: (size, size, 3) uint8 in [0, 255], RGB.
        face: as it was found in the original.
        framing: what the crop shows of the original.
        padding: share of the crop beyond the original's borders.
    """
    inner = inner_luma(crop, face, framing)
    return Quality(
        size_px=min(face.box.width, face.box.height),
        sharpness=sharpness(inner),
        exposure=float(inner.mean()) / 255,
        yaw=yaw(face.landmarks),
        roll=roll(face.landmarks),
        padding=padding,
        upscale=crop.shape[0] / framing.side_px,
    )


def inner_luma(crop: Pixels, face: Face, framing: Framing) -> Pixels:
    """The luma (BT.601) of the face's inner square, as far as the crop shows it.

    Returns:
        (H, W) uint8 in [0, 255], at least one pixel.
    """
    size = crop.shape[0]
    centre, side = _inner_square(face)
    x, y = framing.in_crop(centre, size)
    half = side / 2 * size / framing.side_px
    (left, right), (top, bottom) = (_span(at - half, at + half, size) for at in (x, y))
    return np.asarray(cv2.cvtColor(crop[top:bottom, left:right], cv2.COLOR_RGB2GRAY), np.uint8)


def _inner_square(face: Face) -> tuple[tuple[float, float], float]:
    """Centre and side in the original."""
    try:
        whole = ffhq_framing(face.landmarks or (), 0)
    except ValueError:
        return face.box.centre, INNER_OF_BOX * box_framing(face.box, 0).side_px
    return whole.in_picture((0.5, 0.5 + INNER_DOWN), 1), INNER_OF_FRAMING * whole.side_px


def _span(start: float, end: float, size: int) -> tuple[int, int]:
    first = min(max(0, round(start)), size - 1)
    return first, min(max(first + 1, round(end)), size)


def sharpness(luma: Pixels) -> float:
    """Fine detail as a share of all detail.

    With G_s the Gaussian of sigma s and P the luma at INNER_PX: std(P - G_1 P) / (std(P - G_4 P) +
    2 grey levels). On 110 photographs at 256 px each of 0.5, 1, 2 and 4 pixels of blur lowers it
    for every face; it is higher for a face than for another blurred by 1 pixel in 0.995 of all
    pairs; half the contrast changes it by 8 %, sizes from 64 to 512 px by 14 % at most (medians).
    The variance of the Laplacian over that of the luma does almost as well with blur, but changes
    by 22 to 43 % from 256 to 128 px.

    Args:
        luma: (H, W) uint8 in [0, 255].
    """
    side = min(INNER_PX, *luma.shape)
    small = cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = cv2.subtract(small, cv2.GaussianBlur(small, (0, 0), FINE_SIGMA))
    coarse = cv2.subtract(small, cv2.GaussianBlur(small, (0, 0), COARSE_SIGMA))
    return float(fine.std() / (coarse.std() + GREY_LEVELS_OF_NOTHING))


def roll(landmarks: Landmarks | None) -> float | None:
    """The angle of FFHQ's framing, in degrees, clockwise as seen; None without landmarks.

    >>> roll(((0.0, 0.0), (0.0, 10.0)))
    90.0
    """
    try:
        return ffhq_framing(landmarks or (), 0).angle_deg
    except ValueError:
        return None


def yaw(landmarks: Landmarks | None) -> float | None:
    """How far the face is turned to the side, in degrees; None without a nose.

    Seen from far away, eyes d apart on a head turned by a lie d cos(a) apart, and a nose h before
    them moves by h sin(a) along the line between them: tan(a) = (d / h) t, with t the nose's offset
    from the eyes' middle in seen eye distances. h / d is NOSE_DEPTH for everybody.

    >>> yaw(((0.0, 0.0), (10.0, 0.0), (5.0, 6.0), (2.0, 10.0), (8.0, 10.0)))
    0.0
    """
    if landmarks is None or len(landmarks) != 5:
        return None
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = landmarks[:3]
    across = right_x - left_x, right_y - left_y
    nose = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
    square = across[0] ** 2 + across[1] ** 2
    along = nose[0] * across[0] + nose[1] * across[1]
    return math.degrees(math.atan2(along, NOSE_DEPTH * square))
