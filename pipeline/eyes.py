"""The eyes of a face that Haar's cascade found, by OpenCV's eye cascades.

The cascades also take nostrils, brows and corners of mouths for eyes, so only a pair counts that
lies as eyes do in the boxes of `frontalface_default`. Where there is none, the face has no
landmarks and is framed as the eyes of others would frame it (crop.py).
"""

from __future__ import annotations

import itertools
import math
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from cv2.data import haarcascades
from cv2.typing import MatLike

from facegan.core.errors import MissingDependencyError
from facegan.core.records import Box, Landmarks

CASCADES = ("haarcascade_eye.xml", "haarcascade_eye_tree_eyeglasses.xml")
"""Tried in this order: the first finds more pairs, the second some behind glasses."""
FACE_PX = 160
"""Each face is brought to this width: eyes are then some 38 px wide, whatever the picture."""
SCALE_FACTOR, NEIGHBOURS = 1.1, 3
EYE_SHARE = (0.12, 0.40)
"""Width of an eye's window, as a share of the face's box."""
REGION = (0.02, 0.12, 0.98, 0.66)
"""Where eyes are looked for: left, top, right, bottom, as shares of the box."""

DISTANCE = (0.25, 0.52)
"""Between two eyes, as a share of the box; 0.27 to 0.45 in portraits, photographs and rendered
faces."""
MOST_TILT_DEG = 30.0
"""The face cascade finds nothing that is tilted more."""
MOST_SIZE_RATIO = 1.6
TYPICAL = (0.5, 0.4, 0.36)
"""The middle between the eyes (x, y) and their distance, as shares of the box."""
FARTHEST_OFF = 0.14
"""Of the middle, in x and in y."""


class Eye(NamedTuple):
    """One find: centre and width, as shares of the face's box."""

    x: float
    y: float
    width: float


class _Cascade(NamedTuple):
    classifier: cv2.CascadeClassifier
    busy: threading.Lock
    """A classifier serves one thread at a time."""


def find_eyes(grey: MatLike, box: Box) -> Landmarks | None:
    """The two eyes of a face, or None where no plausible pair is found.

    Args:
        grey: (H, W) uint8 in [0, 255].
        box: of the face.

    Returns:
        (x, y) of the left and the right eye as seen in the picture, in the image's pixels.
    """
    for name in CASCADES:
        if pair := best_pair(_candidates(grey, box, name)):
            return tuple((box.left + e.x * box.width, box.top + e.y * box.height) for e in pair)
    return None


def best_pair(eyes: list[Eye]) -> tuple[Eye, Eye] | None:
    """The two that lie most as eyes do, the left one first; None where no two are plausible."""
    pairs = (sorted(pair) for pair in itertools.combinations(eyes, 2))
    plausible = [(left, right) for left, right in pairs if _is_plausible(left, right)]
    return min(plausible, key=lambda pair: _oddness(*pair), default=None)


def _is_plausible(left: Eye, right: Eye) -> bool:
    across, down = right.x - left.x, right.y - left.y
    x, y, _ = _place(left, right)
    return (
        DISTANCE[0] <= math.hypot(across, down) <= DISTANCE[1]
        and abs(math.degrees(math.atan2(down, across))) <= MOST_TILT_DEG
        and max(left.width, right.width) <= MOST_SIZE_RATIO * min(left.width, right.width)
        and max(abs(x - TYPICAL[0]), abs(y - TYPICAL[1])) <= FARTHEST_OFF
    )


def _oddness(left: Eye, right: Eye) -> float:
    return math.dist(_place(left, right), TYPICAL)


def _place(left: Eye, right: Eye) -> tuple[float, float, float]:
    """The middle (x, y) and the distance."""
    distance = math.hypot(right.x - left.x, right.y - left.y)
    return (left.x + right.x) / 2, (left.y + right.y) / 2, distance


def _candidates(grey: MatLike, box: Box, name: str) -> list[Eye]:
    """What one cascade takes for eyes in the upper part of the box."""
    height, width = grey.shape[:2]
    left = max(0, round(box.left + REGION[0] * box.width))
    top = max(0, round(box.top + REGION[1] * box.height))
    right = min(width, round(box.left + REGION[2] * box.width))
    bottom = min(height, round(box.top + REGION[3] * box.height))
    if right <= left or bottom <= top:
        return []
    factor = FACE_PX / box.width
    size = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    region = cv2.resize(grey[top:bottom, left:right], size, interpolation=method)
    least, most = (round(share * FACE_PX) for share in EYE_SHARE)
    cascade = _cascade(name)
    with cascade.busy:
        found = cascade.classifier.detectMultiScale(
            region, SCALE_FACTOR, NEIGHBOURS, minSize=(least, least), maxSize=(most, most)
        )
    across, down = (right - left) / size[0], (bottom - top) / size[1]
    return [
        Eye(
            (left + (x + w / 2) * across - box.left) / box.width,
            (top + (y + h / 2) * down - box.top) / box.height,
            w * across / box.width,
        )
        for x, y, w, h in np.asarray(found).tolist()
    ]


@lru_cache(maxsize=2)
def _cascade(name: str) -> _Cascade:
    classifier = cv2.CascadeClassifier(str(Path(haarcascades) / name))
    if classifier.empty():
        raise MissingDependencyError(
            f"this OpenCV ({cv2.__version__}) has no {name}",
            hint="pip install 'opencv-contrib-python<5', or use --no-align",
        )
    return _Cascade(classifier, threading.Lock())
