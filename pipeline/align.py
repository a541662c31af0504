"""The square that a crop shows, laid by the face's eyes and mouth, and the one warp that cuts it.

Where things land, as shares of a crop's side and with no margin: the middle of the framing lies a
tenth of the way from the eyes to the mouth. On 438 faces of photographs (YuNet's landmarks) the
mouth lies 1.03 eye distances below the eyes. For such a face the framing is four eye distances
wide, the eyes land at (0.375, 0.474) and (0.625, 0.474) and the middle of the mouth at
(0.5, 0.732). A longer face, of more than 1.11 eye distances, is shown smaller: from its eyes to its
mouth there are always at most 0.278 of the side. A margin m moves every place towards the middle by
the factor 1 + 2 m.

Coordinates are those of crop.py: the pixel in column i covers [i, i + 1).

References:
    T. Karras, S. Laine, T. Aila: A Style-Based Generator Architecture for Generative Adversarial
        Networks, CVPR 2019, arXiv:1812.04948, section on FFHQ and its published alignment: the
        framing. Deviations: an eye is one point here and the mean of six there, mouths alike; one
        warp from the original replaces their reduction, bilinear transform to 4096 px and second
        reduction; beyond the picture only what lies there is blurred and faded, to the mean colour
        instead of the median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.core.records import Box, Landmarks
from pipeline.images import Pixels

PER_EYE_DISTANCE, PER_EYE_TO_MOUTH = 2.0, 1.8
"""Half a side of the framing is the greater of these multiples."""
TOWARDS_MOUTH = 0.1
"""From the eyes to the framing's centre, as a share of the way to the mouth."""
MOUTH_BELOW_EYES = 1.03
"""In eye distances, where only the eyes are known: the mean over 438 photographs (YuNet's
landmarks; standard deviation 0.05)."""

LINEAR_FROM = 1.5
"""From this reduction on the Gaussian has taken what linear interpolation would lose."""
HALVED_TO = 1.75
"""The least reduction that is left when a large face was halved before. Halving is ten times as
fast as the Gaussian, but lets more pass of what is too fine."""
SIGMA_LINEAR, SIGMA_CUBIC = 0.40, 0.45
"""Of the Gaussian before the warp, for r source pixels per crop pixel, in sqrt(r^2 - 1)."""

BLUR_SIGMA = 0.02
"""Of what lies beyond the picture, as a share of the side; FFHQ's."""
BLURRED_AT = 4
"""The blur is done on a crop so much smaller, which shows no difference."""
BLURRED_AFTER, FADED_AFTER = 0.05, 0.3
"""Shares of the side beyond the border where all is blurred, and all is the mean colour."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Framing:
    """A square in the picture, perhaps turned, that becomes a crop."""

    centre: tuple[float, float]
    """(x, y) in the picture's pixels."""
    side_px: float
    angle_deg: float = 0.0
    """Of the crop's x axis in the picture, clockwise as seen: how far the head is tilted."""

    def in_crop(self, point: tuple[float, float], size: int) -> tuple[float, float]:
        """Where a point of the picture lies in a crop of `size` pixels.

        >>> Framing((50.0, 40.0), 20.0, 90.0).in_crop((50.0, 45.0), 100)
        (75.0, 50.0)
        """
        cosine, sine = self._turn()
        x, y = point[0] - self.centre[0], point[1] - self.centre[1]
        scale, half = size / self.side_px, size / 2
        return half + scale * (cosine * x + sine * y), half + scale * (cosine * y - sine * x)

    def in_picture(self, point: tuple[float, float], size: int) -> tuple[float, float]:
        """Where a point of a crop of `size` pixels lies in the picture.

        >>> Framing((50.0, 40.0), 20.0, 90.0).in_picture((75.0, 50.0), 100)
        (50.0, 45.0)
        """
        cosine, sine = self._turn()
        step = self.side_px / size
        x, y = (point[0] - size / 2) * step, (point[1] - size / 2) * step
        return self.centre[0] + cosine * x - sine * y, self.centre[1] + sine * x + cosine * y

    def _turn(self) -> tuple[float, float]:
        """Cosine and sine; exact for quarter turns, so that these move no pixel by a rounding."""
        quarters, rest = divmod(self.angle_deg, 90)
        if rest == 0:
            return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
        return math.cos(math.radians(self.angle_deg)), math.sin(math.radians(self.angle_deg))


def ffhq_framing(landmarks: Landmarks, margin: float) -> Framing:
    """The square that FFHQ shows of a face.

    With e from eye to eye, m from the eyes' middle to the mouth's, and m' = m turned by a right
    angle: x = e - m', of the length max(2 |e|, 1.8 |m|), is half the square's side; its centre is
    the eyes' middle plus 0.1 m.

    Args:
        landmarks: left eye, right eye, nose tip, left and right corner of the mouth, as seen; or
            the eyes alone, and the mouth is taken to lie MOUTH_BELOW_EYES below them.
        margin: added to each side, as a share of the side.

    Raises:
        ValueError: the landmarks are neither two nor five, not finite, or all at one place.
    """
    if len(landmarks) not in (2, 5):
        raise ValueError(f"{len(landmarks)} landmarks, but a framing needs two or five")
    (left_x, left_y), (right_x, right_y) = landmarks[:2]
    across = (right_x - left_x, right_y - left_y)
    middle = ((left_x + right_x) / 2, (left_y + right_y) / 2)
    down = _to_mouth(landmarks, across, middle)
    half = max(PER_EYE_DISTANCE * math.hypot(*across), PER_EYE_TO_MOUTH * math.hypot(*down))
    x_axis = (across[0] + down[1], across[1] - down[0])
    if not (math.isfinite(half) and half > 0):
        raise ValueError(f"no face can have its landmarks at {landmarks}")
    centre = (middle[0] + TOWARDS_MOUTH * down[0], middle[1] + TOWARDS_MOUTH * down[1])
    angle = math.degrees(math.atan2(x_axis[1], x_axis[0]))
    return Framing(centre, 2 * half * (1 + 2 * margin), angle)


def _to_mouth(
    landmarks: Landmarks, across: tuple[float, float], middle: tuple[float, float]
) -> tuple[float, float]:
    if len(landmarks) == 2:
        return -MOUTH_BELOW_EYES * across[1], MOUTH_BELOW_EYES * across[0]
    (left_x, left_y), (right_x, right_y) = landmarks[3:]
    return (left_x + right_x) / 2 - middle[0], (left_y + right_y) / 2 - middle[1]


def box_framing(box: Box, margin: float) -> Framing:
    """The upright square round a box.

    >>> box_framing(Box(10, 10, 30, 50), 0.25)
    Framing(centre=(20.0, 30.0), side_px=60.0, angle_deg=0.0)
    """
    return Framing(box.centre, max(box.width, box.height) * (1 + 2 * margin))


def warp(image: Pixels, framing: Framing, size: int) -> tuple[Pixels, float]:
    """Cut a framing: turned and scaled alike in both directions, in one resampling.

    Only the part of the picture that is needed is touched. Where pixels of the picture get smaller,
    what the crop cannot show is filtered out first: a large part is halved by area, once or more,
    then a Gaussian takes the rest (of gratings of 0.75 cycles a crop pixel 0.14 to 0.42 remain, of
    1 cycle or more at most 0.21). Interpolation is bicubic up to LINEAR_FROM, then linear. Beyond
    its borders the picture is reflected, blurred and faded to its mean colour.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
        framing: what to cut; its side is above 0.
        size: side of the crop, in pixels.

    Returns:
        (size, size, 3) uint8 in [0, 255], RGB, contiguous; and the share of the crop that lies
        beyond the picture, in [0, 1].
    """
    part, spot, pitch = _part(image, framing, size)
    ratio = framing.side_px / size / min(pitch)
    part = _smoothed(part, ratio)
    matrix = _matrix(framing, size, spot, pitch)
    linear = ratio >= LINEAR_FROM
    crop = cv2.warpAffine(
        part,
        matrix,
        (size, size),
        flags=cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if linear else cv2.INTER_CUBIC),
        borderMode=cv2.BORDER_REFLECT,
    )
    return _faded(np.asarray(crop, np.uint8), framing, image.shape[1], image.shape[0])


def _part(
    image: Pixels, framing: Framing, size: int
) -> tuple[Pixels, tuple[int, int], tuple[float, float]]:
    """What the crop needs of the picture, halved as often as it can be where it is large.

    Returns:
        The part; (x, y) of its corner in the picture; and the picture's pixels for one of its own,
        along x and y: these differ by a hair where the part's sides are no multiples.
    """
    step = framing.side_px / size
    halvings = max(0, math.floor(math.log2(step / HALVED_TO)))
    reach = math.ceil(3 * max(step, 1)) + 1
    (left, right), (top, bottom) = (
        _span([corner[axis] for corner in _corners(framing, size)], reach, length, 2**halvings)
        for axis, length in ((0, image.shape[1]), (1, image.shape[0]))
    )
    part = image[top:bottom, left:right]
    for _ in range(halvings):
        small = (max(1, round(part.shape[1] / 2)), max(1, round(part.shape[0] / 2)))
        part = np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
    pitch = ((right - left) / part.shape[1], (bottom - top) / part.shape[0])
    return part, (left, top), pitch


def _corners(framing: Framing, size: int) -> list[tuple[float, float]]:
    return [framing.in_picture((x, y), size) for x in (0, size) for y in (0, size)]


def _span(ends: list[float], reach: int, length: int, factor: int) -> tuple[int, int]:
    """First and end of the pixels that are needed, with those that a reflection shows.

    A multiple of `factor` where the picture has room for it.
    """
    low, high = math.floor(min(ends)) - reach, math.ceil(max(ends)) + reach
    start, end = max(0, min(low, 2 * length - high)), min(length, max(high, -low))
    end = min(length, end + (start - end) % factor)
    start = max(0, start - (start - end) % factor)
    return start, end


def _smoothed(part: Pixels, ratio: float) -> Pixels:
    """`part` without what is too fine for one crop pixel per `ratio` of its own."""
    if ratio <= 1:
        return part
    share = SIGMA_LINEAR if ratio >= LINEAR_FROM else SIGMA_CUBIC
    sigma = share * math.sqrt(ratio**2 - 1)
    taps = 2 * math.ceil(2.5 * sigma) + 1
    blurred = cv2.GaussianBlur(part, (taps, taps), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.uint8)


def _matrix(
    framing: Framing, size: int, spot: tuple[int, int], pitch: tuple[float, float]
) -> NDArray[np.float64]:
    """(2, 3): indices in the crop -> indices in the part; a pixel's index lies at its centre."""
    origin = framing.in_picture((0.5, 0.5), size)
    right = framing.in_picture((1.5, 0.5), size)
    down = framing.in_picture((0.5, 1.5), size)
    return np.array(
        [
            [
                (right[axis] - origin[axis]) / pitch[axis],
                (down[axis] - origin[axis]) / pitch[axis],
                (origin[axis] - spot[axis]) / pitch[axis] - 0.5,
            ]
            for axis in (0, 1)
        ]
    )


def _faded(crop: Pixels, framing: Framing, width: int, height: int) -> tuple[Pixels, float]:
    """The crop with what lies beyond the picture blurred and faded, and its share."""
    size = crop.shape[0]
    corners = _corners(framing, size)
    if all(0 <= x <= width and 0 <= y <= height for x, y in corners):
        return crop, 0.0
    beyond = _beyond(framing, size, width, height)
    inside = np.asarray(beyond <= 0, np.uint8)
    padding = 1.0 - float(inside.mean())
    mean = cv2.mean(crop, inside) if inside.any() else cv2.mean(crop)
    colour = np.full_like(crop, np.rint(mean[:3]))
    crop = _blend(crop, _blurred(crop), beyond / np.float32(BLURRED_AFTER * framing.side_px))
    crop = _blend(crop, colour, beyond / np.float32(FADED_AFTER * framing.side_px))
    return crop, padding


def _blurred(crop: Pixels) -> cv2.typing.MatLike:
    size = crop.shape[0]
    few = size // BLURRED_AT
    small = cv2.resize(crop, (few, few), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), BLUR_SIGMA * few, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def _beyond(framing: Framing, size: int, width: int, height: int) -> Floats:
    """(size, size) float32: how far beyond the border each pixel lies; 0 or less inside."""
    steps = np.arange(size, dtype=np.float32)
    matrix = _matrix(framing, size, (0, 0), (1.0, 1.0)).astype(np.float32)
    x, y = (row[0] * steps + row[1] * steps[:, None] + row[2] + np.float32(0.5) for row in matrix)
    return np.asarray(np.maximum(np.maximum(-x, x - width), np.maximum(-y, y - height)))


def _blend(crop: Pixels, other: cv2.typing.MatLike, weight: Floats) -> Pixels:
    weight = np.clip(weight, 0, 1)
    return np.asarray(cv2.blendLinear(crop, other, 1 - weight, weight), np.uint8)
