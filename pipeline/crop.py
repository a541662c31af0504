"""From a detection to a crop: a square window round the box, cut from the original's own pixels.

Coordinates are continuous: the pixel in column i covers [i, i + 1), its centre lies at i + 0.5. A
window lies on whole pixels, so that cutting resamples nothing and resizing does it once; cv2.resize
maps edges to edges by the same convention. Nothing is ever stretched: a window is square. Where it
leaves the picture it is moved inside; where it is larger than the picture, the rest is filled by
reflection.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facegan.core.records import Box, Face, Reason
from pipeline.config import CropConfig
from pipeline.detect import ResolvedDetector, build
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read


@dataclass(frozen=True, slots=True)
class Window:
    """A square on whole pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int


@dataclass(frozen=True, slots=True)
class CropTask:
    """One image on its way to a worker."""

    path: Path
    sha256: str
    config: CropConfig
    detector: ResolvedDetector


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """One face that was found: its crop, or why there is none."""

    face: Face
    png: bytes | None = None
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class CropResult:
    """What an image gave."""

    faces: tuple[FaceCrop, ...] = ()
    """The largest first."""
    rejection: Rejection | None = None
    """Why the image as a whole gave no crop; None when it gave one."""
    ms: float = 0.0


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


def crop_image(task: CropTask) -> CropResult:
    """The item function of the stage: read, decode, detect, cut, encode. Runs in a worker."""
    begun = time.perf_counter()
    image = read(task.path, ImageLimits(max_pixels=task.config.max_pixels))
    if isinstance(image, Rejection):
        return CropResult(rejection=image, ms=_ms_since(begun))
    faces = tuple(_crops(image, build(task.detector, task.config)(image), task.config))
    return CropResult(faces, _verdict(faces), _ms_since(begun))


def _crops(image: Pixels, faces: list[Face], config: CropConfig) -> list[FaceCrop]:
    crops: list[FaceCrop] = []
    for face in faces:
        side = min(face.box.width, face.box.height)
        if side < config.min_face_px:
            detail = f"{side:.0f} px, at least {config.min_face_px}"
            crops.append(FaceCrop(face, None, Reason.TOO_SMALL, detail))
        elif config.faces == "largest" and any(crop.png for crop in crops):
            crops.append(FaceCrop(face, None, Reason.NOT_LARGEST))
        else:
            crops.append(_crop(image, face, config))
    return crops


def _crop(image: Pixels, face: Face, config: CropConfig) -> FaceCrop:
    try:
        pixels = crop_face(image, face.box, margin=config.margin, size=config.size)
    except (cv2.error, MemoryError) as error:
        return FaceCrop(face, None, Reason.BAD_CROP, str(error))
    return FaceCrop(face, encode_png(pixels))


def _verdict(faces: tuple[FaceCrop, ...]) -> Rejection | None:
    if any(crop.png for crop in faces):
        return None
    if not faces:
        return Rejection(Reason.NO_FACE, "")
    return Rejection(faces[0].reason or Reason.NO_FACE, faces[0].detail or "")


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
