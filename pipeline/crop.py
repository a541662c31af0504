"""From a detection to a crop, cut from the original's own pixels, and what can be said of it.

Coordinates are continuous: the pixel in column i covers [i, i + 1), its centre lies at i + 0.5.
cv2.resize maps edges to edges by the same convention; cv2.warpAffine counts from pixels' centres,
which align.py makes good. Nothing is ever stretched: what is cut is square.

A face whose eyes are known is framed by them and turned upright (align.py). Any other gets a square
window round its box. A window lies on whole pixels, so that cutting resamples nothing and resizing
does it once. Where it leaves the picture it is moved inside; where it is larger than the picture,
the rest is filled by reflection.

Every face that is large enough is cut, whatever it looks like: which of them are kept is decided
later, over the whole catalog (select.py), so that another threshold needs no new cut.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facegan.core.records import Box, Face, Reason
from pipeline.align import Framing, box_framing, ffhq_framing, warp
from pipeline.config import CropConfig
from pipeline.crop_config import LEAST_FACE_PX
from pipeline.dedup import phash
from pipeline.detect import ResolvedDetector, build
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read
from pipeline.quality import Quality, measure
from pipeline.second_look import LAST_PX, LOOK_PX, Looks, look_again

WIDEST = 2.5
"""No framing is wider, in longer sides of its box: of 744 faces those by YuNet's landmarks
are 1.2 to 1.7 of them wide, those by Haar's eyes at most 2.0."""
HASHED_PX = 512
"""Pixels of an image that its hash looks at, along its shorter side."""


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
    quality: Quality | None = None
    """Of the crop; None where there is none."""
    phash: str | None = None
    """Of the crop."""


@dataclass(frozen=True, slots=True)
class CropResult:
    """What an image gave."""

    faces: tuple[FaceCrop, ...] = ()
    """The largest first."""
    rejection: Rejection | None = None
    """Why the image as a whole gave no crop; None when it gave one."""
    ms: float = 0.0
    phash: str | None = None
    """Of the image; None where it could not be decoded."""


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
    """The item function of the stage: read, decode, detect, cut, measure, encode. In a worker."""
    begun = time.perf_counter()
    image = read(task.path, ImageLimits(max_pixels=task.config.max_pixels))
    if isinstance(image, Rejection):
        return CropResult(rejection=image, ms=_ms_since(begun))
    found = build(task.detector, task.config)(image)
    again = _second_look(task)
    faces = tuple(_crop(image, face, task.config, again) for face in found)
    hashed = phash(_thinned(image))
    return CropResult(faces, _verdict(faces), _ms_since(begun), hashed)


def _second_look(task: CropTask) -> Looks | None:
    """What tilted faces are looked at with; Haar's cascade names no landmarks."""
    if not task.config.align or task.detector.model is None:
        return None
    configs = (replace(task.config, search_px=size) for size in (LOOK_PX, LAST_PX))
    return Looks(*(build(task.detector, config) for config in configs))


def _crop(image: Pixels, face: Face, config: CropConfig, again: Looks | None) -> FaceCrop:
    side = min(face.box.width, face.box.height)
    if side < LEAST_FACE_PX:
        detail = f"{side:.0f} px, at least {LEAST_FACE_PX}"
        return FaceCrop(face, None, Reason.TOO_SMALL, detail)
    try:
        if _is_hopeless(face, config):
            again = None
        return _cut(image, face if again is None else look_again(image, face, again), config)
    except (cv2.error, MemoryError) as error:
        return FaceCrop(face, None, Reason.BAD_CROP, str(error))


def _is_hopeless(face: Face, config: CropConfig) -> bool:
    """Whether no second look can show the face large enough."""
    margin = max(config.margin_aligned, config.margin_box)
    most = WIDEST * (1 + 2 * margin) * max(face.box.width, face.box.height)
    return config.size / most > config.max_upscale


def _cut(image: Pixels, face: Face, config: CropConfig) -> FaceCrop:
    """Cut and measure a face, unless it would have to be enlarged too much."""
    aligned = _aligned(face, config)
    framing = aligned or box_framing(face.box, config.margin_box)
    upscale = config.size / framing.side_px
    if upscale > config.max_upscale:
        detail = f"enlarged {upscale:.2f} times, at most {config.max_upscale:g}"
        return FaceCrop(face, None, Reason.TOO_SMALL, detail)
    if aligned is not None:
        pixels, padding = warp(image, framing, config.size)
    else:
        height, width = image.shape[:2]
        window = window_of(face.box, config.margin_box, width, height)
        pixels, framing = resize(cut(image, window), config.size), window.framing
        padding = window.padding(width, height)
    if padding == 1:
        return FaceCrop(face, None, Reason.BAD_CROP, "its eyes and mouth lie beyond the picture")
    quality = measure(pixels, face, framing, padding)
    return FaceCrop(face, encode_png(pixels), quality=quality, phash=phash(pixels))


def _aligned(face: Face, config: CropConfig) -> Framing | None:
    """The framing by eyes and mouth; None where it is not wanted or they are of no use."""
    if not config.align or not face.landmarks:
        return None
    try:
        return ffhq_framing(face.landmarks, config.margin_aligned)
    except ValueError:
        return None


def _thinned(image: Pixels) -> Pixels:
    """Few pixels of a large image: its hash is of areas of hundreds, and needs not every one."""
    step = max(1, min(image.shape[:2]) // HASHED_PX)
    return image[::step, ::step]


def _verdict(faces: tuple[FaceCrop, ...]) -> Rejection | None:
    if any(crop.png for crop in faces):
        return None
    if not faces:
        return Rejection(Reason.NO_FACE, "")
    return Rejection(faces[0].reason or Reason.NO_FACE, faces[0].detail or "")


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
