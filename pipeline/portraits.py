"""Drawn portraits with known boxes, eyes and attributes: the source for the demo and the tests.

    for portrait in portraits(3, seed=7):
        portrait.image, portrait.box, portrait.landmarks, portrait.attributes.as_dict()

Nobody is shown: every face is painted from numbers. The relief of the head is lit as a body, so
that its lights and shadows lie where those of a photograph do and face detectors find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from facegan.core.records import Box, Landmarks
from pipeline.portrait_attributes import (
    DEFAULT_LIMITS,
    PortraitAttributes,
    PortraitLimits,
    draw_attributes,
)
from pipeline.portrait_beard import paint_beard
from pipeline.portrait_brush import Pixels
from pipeline.portrait_features import paint_features
from pipeline.portrait_hair import paint_hair, paint_hair_behind
from pipeline.portrait_head import Pose, face_box, landmarks
from pipeline.portrait_scene import background, neck_base, paint_clothes, paint_glasses
from pipeline.portrait_skin import Easel, paint_ears, paint_head, paint_neck

__all__ = [
    "DEFAULT_SIZE_PX",
    "Portrait",
    "PortraitAttributes",
    "PortraitLimits",
    "draw_attributes",
    "paint",
    "portraits",
]

DEFAULT_SIZE_PX = 384
UNIFORM_BYTE_SIGMA = 73.9
"""Standard deviation of the whole numbers from 0 to 255."""
SUPERSAMPLING = 1.5
"""Canvas pixels per pixel of the picture, along each side. Outlines are antialiased on the canvas
already; at this factor linear resizing touches nearly all pixels, and area resizing costs 1 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture and the truth about it, in its own pixels."""

    image: Pixels
    """(size, size, 3) uint8 in [0, 255], RGB."""
    box: Box
    """Forehead to chin, side to side."""
    landmarks: Landmarks
    """Left eye, right eye, nose tip, left and right corner of the mouth, as seen in the picture."""
    attributes: PortraitAttributes

    @property
    def eyes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(x, y) of the pupils: the left one as seen in the picture, then the right one."""
        return self.landmarks[0], self.landmarks[1]


def paint(attributes: PortraitAttributes, size_px: int = DEFAULT_SIZE_PX) -> Portrait:
    """Paint one portrait.

    Args:
        attributes: what it shows; the same ones give the same pixels.
        size_px: side of the picture, 32 or more.

    Returns:
        The picture with the true box and landmarks.

    Raises:
        ValueError: `size_px` is below 32.
    """
    if size_px < 32:
        raise ValueError(f"size_px is {size_px}, but a face needs 32 pixels or more")
    rng = np.random.default_rng(attributes.texture_seed)
    canvas_px = round(SUPERSAMPLING * size_px)
    pose = Pose.of(attributes, canvas_px)
    easel = Easel(background(attributes, canvas_px, rng), attributes, pose, rng)
    _paint_person(easel)
    small = cv2.resize(easel.canvas, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    scale = size_px / canvas_px
    points = landmarks(pose, attributes.expression)
    return Portrait(
        image=_with_grain(np.asarray(small, np.uint8), attributes.noise_sigma, rng),
        box=face_box(pose, attributes.jaw).scaled(scale),
        landmarks=tuple((x * scale, y * scale) for x, y in points),
        attributes=attributes,
    )


def portraits(
    count: int,
    seed: int,
    *,
    size_px: int = DEFAULT_SIZE_PX,
    limits: PortraitLimits = DEFAULT_LIMITS,
) -> Iterator[Portrait]:
    """Different people, one after the other; number i depends on (seed, i) alone.

    Args:
        count: how many.
        seed: 0 or more.
        size_px: side of each picture.
        limits: how far pose, grain and the rest may go.

    Yields:
        Portraits in their order.
    """
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        yield paint(draw_attributes(rng, limits), size_px)


def _paint_person(easel: Easel) -> None:
    """From the back to the front."""
    paint_hair_behind(easel)
    paint_neck(easel, neck_base(easel))
    paint_clothes(easel)
    paint_ears(easel)
    paint_head(easel)
    paint_beard(easel)
    paint_features(easel)
    paint_glasses(easel)
    paint_hair(easel)


def _with_grain(image: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """`image` with noise of `sigma` grey levels, alike in all three channels.

    The sum of two uniform bytes: near enough to a Gaussian, and five times as fast.
    """
    first, second = rng.integers(0, 256, (2, *image.shape[:2]), dtype=np.uint8)
    scale = sigma / (UNIFORM_BYTE_SIGMA * 2**0.5)
    grain = cv2.addWeighted(first, scale, second, scale, -255 * scale, dtype=cv2.CV_16S)
    return np.asarray(cv2.add(image, cv2.merge([grain, grain, grain]), dtype=cv2.CV_8U), np.uint8)
