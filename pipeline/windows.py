"""A face's box cut as a plain square, on whole pixels, without turning it.

Coordinates are those of crop.py. A window lies on whole pixels, so that cutting resamples nothing
and resizing does it once. Where it leaves the picture it is moved inside; where it is larger than
the picture, the rest is filled by reflection.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facegan.core.records import Box
from pipeline.align import Framing
from pipeline.images import Pixels


@dataclass(frozen=True, slots=True)
class Window:
    """A square on whole pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    @property
    def framing(self) -> Framing:
        """The same square."""
        half = self.side / 2
        return Framing((self.left + half, self.top + half), self.side)

    def padding(self, width: int, height: int) -> float:
        """The share of it that lies beyond a picture of that size.

        >>> Window(-10, 0, 40).padding(20, 100)
        0.5
        """
        across = min(self.left + self.side, width) - max(self.left, 0)
        down = min(self.top + self.side, height) - max(self.top, 0)
        return 1 - across * down / self.side**2


def window_of(box: Box, margin: float, width: int, height: int) -> Window:
    """The square to cut for a box.

    Args:
        box: of the face.
        margin: added to each side, as a share of the box's longer side.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Returns:
        A square round the box's centre, moved as little as needed to lie inside the picture, or to
        span it where it is larger.

    >>> window_of(Box(10, 10, 30, 30), 0.0, 100, 100)
    Window(left=10, top=10, side=20)
    >>> window_of(Box(0, 10, 20, 30), 0.5, 100, 100)
    Window(left=0, top=0, side=40)
    >>> window_of(Box(10, 0, 20, 20), 0.0, 30, 16)
    Window(left=5, top=0, side=20)
    """
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    x, y = box.centre
    return Window(
        _inside(round(x - side / 2), side, width), _inside(round(y - side / 2), side, height), side
    )


def _inside(start: int, side: int, length: int) -> int:
    spare = length - side
    return min(max(start, min(0, spare)), max(0, spare))


def cut(image: Pixels, window: Window) -> Pixels:
    """The window's pixels, reflected at the picture's borders where it reaches beyond them.

    Args:
        image: (H, W, 3) uint8.
        window: what to cut; it must touch the picture.

    Returns:
        (side, side, 3) uint8.
    """
    height, width = image.shape[:2]
    right, bottom = window.left + window.side, window.top + window.side
    part = image[max(0, window.top) : bottom, max(0, window.left) : right]
    beyond = (
        max(0, -window.top),
        max(0, bottom - height),
        max(0, -window.left),
        max(0, right - width),
    )
    if any(beyond):
        part = np.asarray(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REFLECT), np.uint8)
    return part


def resize(image: Pixels, size: int) -> Pixels:
    """A square image at another size: by area when it shrinks, bicubic when it grows.

    Args:
        image: (S, S, 3) uint8.
        size: the new side, in pixels.

    Returns:
        (size, size, 3) uint8, contiguous.
    """
    if image.shape[0] == size:
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), np.uint8)


def crop_face(image: Pixels, box: Box, *, margin: float, size: int) -> Pixels:
    """The crop of one face.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
        box: of the face.
        margin: added to each side, as a share of the box's longer side.
        size: side of the crop, in pixels.

    Returns:
        (size, size, 3) uint8 in [0, 255], RGB, contiguous.
    """
    height, width = image.shape[:2]
    return resize(cut(image, window_of(box, margin, width, height)), size)
