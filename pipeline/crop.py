"""From a detection to a crop, cut from the original's own pixels, and what can be said of it.

Coordinates are continuous: the pixel in column i covers [i, i + 1), its centre lies at i + 0.5.
cv2.resize maps edges to edges by the same convention; cv2.warpAffine counts from pixels' centres,
which align.py makes good. Nothing is ever stretched: what is cut is square.

A face whose eyes are known is framed by them and turned upright (align.py). One of Haar's whose
eyes were not found is framed as they would have it on the average, so that a set has one scale;
where nothing is to be aligned, or a margin is given, it is cut by its box (windows.py).

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
from pipeline.headers import BROKEN, words_of
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read
from pipeline.quality import Quality, measure
from pipeline.second_look import LAST_PX, LOOK_PX, Looks, look_again
from pipeline.windows import cut, resize, window_of

WIDEST = 2.5
"""No framing is wider, in longer sides of its box: of 744 faces those by YuNet's landmarks
are 1.2 to 1.7 of them wide, those by Haar's eyes at most 2.0."""
EYELESS_SIDE, EYELESS_UP = 1.47, 0.07
"""Of the framing by the eyes, in sides of Haar's box: its side, and how far its middle lies above
the box's. Medians over 400 generated faces and 137 photographs with the eyes that Haar's cascades
found: 1.45 and 1.53, 0.069 and 0.082; by YuNet's landmarks 1.44 and 1.51, 0.064 and 0.076."""
HASHED_PX = 256
"""Pixels of an image that its hash looks at, along its shorter side."""


FAILURES = (*BROKEN, cv2.error)
"""What a hostile picture may bring about; none of facegan's own errors is one."""


@dataclass(frozen=True, slots=True)
class CropTask:
    """One image on its way to a worker."""

    path: Path
    sha256: str
    config: CropConfig
    detector: ResolvedDetector
    threads: int = 1
    """Of OpenCV, for YuNet; no result depends on it."""


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


def crop_image(task: CropTask) -> CropResult:
    """The item function of the stage: read, decode, detect, cut, measure, encode. In a worker.

    Whatever goes wrong with a picture comes back as its rejection. An error of facegan's own is
    raised: a missing model stops the stage, for all pictures would fail alike.
    """
    begun = time.perf_counter()
    try:
        result = _result(task)
    except FAILURES as error:
        result = CropResult(rejection=_failure(error))
    return replace(result, ms=(time.perf_counter() - begun) * 1000)


def _result(task: CropTask) -> CropResult:
    image = read(task.path, ImageLimits(max_pixels=task.config.max_pixels))
    if isinstance(image, Rejection):
        return CropResult(rejection=image)
    found = build(task.detector, task.config, task.threads)(image)
    again = _second_look(task)
    faces = tuple(_crop(image, face, task.config, again) for face in found)
    return CropResult(faces, _verdict(faces), phash=phash(_thinned(image)))


def _failure(error: BaseException) -> Rejection:
    reason = Reason.OUT_OF_MEMORY if _lacks_memory(error) else Reason.SEARCH_FAILED
    return Rejection(reason, words_of(error))


def _lacks_memory(error: BaseException) -> bool:
    # By its words: `code` belongs to the class, and is that of the latest error.
    no_memory = isinstance(error, cv2.error) and f"({cv2.Error.StsNoMem}:" in str(error)
    return no_memory or isinstance(error, MemoryError)


def _second_look(task: CropTask) -> Looks | None:
    """What tilted faces are looked at with; Haar's cascade names no landmarks."""
    if not task.config.align or task.detector.model is None:
        return None
    configs = (replace(task.config, search_px=size) for size in (LOOK_PX, LAST_PX))
    return Looks(*(build(task.detector, config, task.threads) for config in configs))


def _crop(image: Pixels, face: Face, config: CropConfig, again: Looks | None) -> FaceCrop:
    side = min(face.box.width, face.box.height)
    if side < LEAST_FACE_PX:
        detail = f"{side:.0f} px, at least {LEAST_FACE_PX}"
        return FaceCrop(face, None, Reason.TOO_SMALL, detail)
    try:
        if _is_hopeless(face, config):
            again = None
        return _cut(image, face if again is None else look_again(image, face, again), config)
    except FAILURES as error:
        if _lacks_memory(error):
            raise
        return FaceCrop(face, None, Reason.BAD_CROP, words_of(error))


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
    """The framing by eyes and mouth, or by where they would be; None for the box's own square."""
    if not config.align:
        return None
    if not face.landmarks:
        return _as_eyes_would(face.box) if config.margin is None else None
    try:
        return ffhq_framing(face.landmarks, config.margin_aligned)
    except ValueError:
        return None


def _as_eyes_would(box: Box) -> Framing:
    (x, y), side = box.centre, max(box.width, box.height)
    return Framing((x, y - EYELESS_UP * side), EYELESS_SIDE * side)


def _thinned(image: Pixels) -> Pixels:
    """Few pixels of a large image: its hash is of areas of hundreds, and needs not every one."""
    step = min(image.shape[:2]) // HASHED_PX
    if step < 2:
        return image
    size = (image.shape[1] // step, image.shape[0] // step)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _verdict(faces: tuple[FaceCrop, ...]) -> Rejection | None:
    if any(crop.png for crop in faces):
        return None
    if not faces:
        return Rejection(Reason.NO_FACE, "")
    return Rejection(faces[0].reason or Reason.NO_FACE, faces[0].detail or "")
