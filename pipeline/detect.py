"""Face detectors behind one protocol: Haar's cascade and YuNet.

A large image is searched at a bounded working size and the boxes are mapped back. Where `auto`
leads is decided once, by `resolve`, and recorded; each worker then builds its own detector.

YuNet gives five landmarks; tilted faces are looked at again (see second_look.py). Haar gives
none: where faces are aligned, the two eyes are looked for by cascades of their own (see eyes.py).

Tilted heads: of drawn portraits and rendered faces YuNet found all at up to 45 degrees, Haar nine
in ten at 15 degrees, about half at 25 and hardly one at 35.

References:
    P. Viola, M. Jones: Rapid Object Detection using a Boosted Cascade of Simple Features, CVPR 2001
        (the cascade `frontalface_default` that OpenCV brings).
    W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence
        Research 2023 (`face_detection_yunet_2023mar.onnx` of the OpenCV Zoo, MIT).
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from cv2.data import haarcascades
from cv2.typing import MatLike

from facegan.core.errors import MissingDependencyError
from facegan.core.records import Box, Face
from pipeline.choose_detector import ResolvedDetector, load, planned, resolve
from pipeline.config import CropConfig
from pipeline.eyes import find_eyes
from pipeline.images import Pixels
from pipeline.model_file import MODEL_NAME, MODEL_SHA256, MODEL_URL, model_path

__all__ = [
    "MODEL_NAME",
    "MODEL_SHA256",
    "MODEL_URL",
    "Detector",
    "ResolvedDetector",
    "build",
    "model_path",
    "planned",
    "resolve",
]

CASCADE = "haarcascade_frontalface_default.xml"
HAAR_WINDOW_PX = 24
"""The cascade's own window: smaller faces cannot be found."""

YUNET_LEAST_PX = 64
"""With a side of 32 px or less OpenCV 4.14 reads unwritten memory and finds faces in it."""


class Detector(Protocol):
    """Finds faces."""

    def __call__(self, image: Pixels) -> list[Face]:
        """All faces, the largest first.

        Args:
            image: (H, W, 3) uint8 in [0, 255], RGB.

        Returns:
            Boxes and landmarks in the image's own pixels; a box may reach beyond the image.
        """
        ...


def build(resolved: ResolvedDetector, config: CropConfig, threads: int = 1) -> Detector:
    """The detector itself; a process builds it once.

    It sets how many threads OpenCV has in this process, for whatever it does: one where workers
    share the cores already, and for Haar, whose result would depend on the order in which threads
    end. A detector serves one thread at a time.

    Raises:
        WorkspaceError: the model is missing or no model.
    """
    if resolved.model is None:
        least_px, eyes = config.haar_least_px, config.align
        return _haar(config.scale_factor, config.neighbours, least_px, config.search_px, eyes)
    sha256 = resolved.model_sha256 or ""
    return _yunet(resolved.model, sha256, config.score_threshold, config.search_px, threads)


@lru_cache(maxsize=4)
def _haar(
    scale_factor: float, neighbours: int, least_px: int, search_px: int, eyes: bool
) -> Detector:
    cv2.setNumThreads(1)
    cascade = cv2.CascadeClassifier(str(Path(haarcascades) / CASCADE))
    if cascade.empty():
        raise MissingDependencyError(
            f"this OpenCV ({cv2.__version__}) has no {CASCADE}",
            hint="pip install 'opencv-contrib-python<5'",
        )
    busy = threading.Lock()

    def detect(image: Pixels) -> list[Face]:
        small, scale = _reduced(image, search_px)
        least = max(HAAR_WINDOW_PX, math.ceil(least_px / scale))
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        with busy:
            found = cascade.detectMultiScale(grey, scale_factor, neighbours, minSize=(least, least))
        boxes = [Box(x, y, x + w, y + h) for x, y, w, h in np.asarray(found).tolist()]
        faces = [Face(box, 1.0, find_eyes(grey, box) if eyes else None) for box in boxes]
        return _largest_first([_scaled(face, scale) for face in faces])

    return detect


@lru_cache(maxsize=4)
def _yunet(
    path: Path, sha256: str, score_threshold: float, search_px: int, threads: int
) -> Detector:
    cv2.setNumThreads(threads)
    net = load(path, sha256, score_threshold)
    busy = threading.Lock()

    def detect(image: Pixels) -> list[Face]:
        small, scale = _reduced(image, search_px)
        given = _padded(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        height, width = given.shape[:2]
        with busy:
            net.setInputSize((width, height))
            _, rows = net.detect(given)
        found = [] if rows is None else rows.tolist()
        sane = [_face(row) for row in found if _is_sane(row, width, height)]
        return _largest_first([_scaled(face, scale) for face in sane])

    return detect


def _padded(image: MatLike) -> MatLike:
    """At least YUNET_LEAST_PX a side, black to the right and below, where YuNet pads too."""
    down, right = (max(0, YUNET_LEAST_PX - side) for side in image.shape[:2])
    if not down and not right:
        return image
    return cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)


def _is_sane(row: list[float], width: int, height: int) -> bool:
    """Whether the box's centre lies in the picture and its size fits it."""
    x, y, wide, high = row[:4]
    inside = 0 <= x + wide / 2 <= width and 0 <= y + high / 2 <= height
    return inside and 0 < max(wide, high) <= 2 * max(width, height)


def _face(row: list[float]) -> Face:
    """x, y, width, height, five points (x, y), score.

    YuNet names eyes and mouth corners as the person has them, right first: that is the left one as
    seen in the picture, the order of records.Landmarks.
    """
    x, y, width, height = row[:4]
    points = tuple((row[at], row[at + 1]) for at in range(4, 14, 2))
    return Face(Box(x, y, x + width, y + height), row[14], points)


def _scaled(face: Face, scale: float) -> Face:
    points = face.landmarks and tuple((x * scale, y * scale) for x, y in face.landmarks)
    return Face(face.box.scaled(scale), face.score, points)


def _reduced(image: Pixels, search_px: int) -> tuple[Pixels, float]:
    """The image with no side above `search_px`, and the factor back to its own pixels."""
    height, width = image.shape[:2]
    scale = max(height, width) / search_px
    if scale <= 1:
        return image, 1.0
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    # By whole halves, then by less than 2, where bilinear loses little: 1,920 px take 4 ms, not 10.
    small: MatLike = image
    while min(small.shape[0] / size[1], small.shape[1] / size[0]) >= 2:
        half = (small.shape[1] // 2, small.shape[0] // 2)
        even = small[: 2 * half[1], : 2 * half[0]]
        small = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8), scale


def _largest_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: (-face.box.area, face.box.top, face.box.left))
