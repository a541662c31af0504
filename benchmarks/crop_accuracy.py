"""How well faces are found and framed: recall, false positives, spread of the eyes."""

from __future__ import annotations

import csv
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegan.core.records import Box, Landmarks
from pipeline.align import ffhq_framing
from pipeline.config import CropConfig
from pipeline.crop import CropTask, crop_image
from pipeline.detect import Detector, resolve
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read
from pipeline.portraits import Portrait, draw_attributes, paint

HIT_IOU = 0.3
"""The annotated boxes are loose: head and neck."""
CROP_PX = 256
ROLL_DEG = 30.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the true eyes lie in the crops."""

    px: float
    """Standard deviation of an eye's place along x or y: the greatest of the four, in pixels."""
    distance_px: float
    """Root mean square distance of an eye from its mean place: the greater of the two."""
    found: float
    """Share of the portraits whose face was found, with its landmarks."""


def pixels(path: Path) -> Pixels:
    """A picture of the measured sets.

    Raises:
        SystemExit: it cannot be decoded.
    """
    image = read(path, ImageLimits())
    if isinstance(image, Rejection):
        raise SystemExit(f"{path}: {image.reason} {image.detail}")
    return image


def annotated(data: Path) -> Iterator[tuple[Path, Box]]:
    """Photographs with the true box of their one face."""
    with (data / "annotated" / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            box = Box(*(float(row[side]) for side in ("left", "top", "right", "bottom")))
            yield data / "annotated" / "images" / row["image"], box


def negatives(data: Path) -> list[Path]:
    """Photographs of objects."""
    return sorted((data / "negatives").glob("*.jpg"))


def recall(detector: Detector, data: Path) -> float:
    """Share of the annotated faces that a detected box meets at HIT_IOU."""
    hits = [
        any(face.box.iou(box) >= HIT_IOU for face in detector(pixels(path)))
        for path, box in annotated(data)
    ]
    return sum(hits) / len(hits)


def firing(detector: Detector, data: Path) -> float:
    """Share of the photographs without a person in which a face is found, of any size."""
    fired = [bool(detector(pixels(path))) for path in negatives(data)]
    return sum(fired) / len(fired)


def rolled_portraits(count: int, seed: int = 6) -> Iterator[Portrait]:
    """Drawn portraits, tilted evenly by up to ROLL_DEG to either side."""
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        attributes = draw_attributes(rng)
        yield paint(replace(attributes, roll_deg=float(rng.uniform(-ROLL_DEG, ROLL_DEG))))


def eye_spread(config: CropConfig | None, count: int) -> Spread:
    """Of the true eyes over crops of CROP_PX, framed by what `crop_image` finds.

    Args:
        config: None frames by the true landmarks: what is left is that faces differ.
        count: portraits.
    """
    eyes: list[Points] = []
    with tempfile.TemporaryDirectory() as folder:
        for portrait in rolled_portraits(count):
            landmarks = portrait.landmarks
            if config is not None:
                landmarks = _found(config, portrait, Path(folder) / "portrait.png") or ()
            if landmarks:
                framing = ffhq_framing(landmarks, 0.0)
                eyes.append([framing.in_crop(eye, CROP_PX) for eye in portrait.eyes])
    return spread_of(eyes, count)


def _found(config: CropConfig, portrait: Portrait, path: Path) -> Landmarks | None:
    """Landmarks of the largest face that has some."""
    path.write_bytes(encode_png(portrait.image))
    done = crop_image(CropTask(path, "portrait", config, resolve(config)))
    return next((one.face.landmarks for one in done.faces if one.face.landmarks), None)


def spread_of(eyes: Sequence[Points], count: int) -> Spread:
    """Statistics over crops.

    Args:
        eyes: left and right eye (x, y) in each crop.
        count: of the portraits, found or not.

    >>> spread_of([[(3.0, 1.0), (8.0, 1.0)], [(5.0, 1.0), (8.0, 1.0)]], 4)
    Spread(px=1.0, distance_px=1.0, found=0.5)
    """
    if not eyes:
        return Spread(math.nan, math.nan, 0.0)
    deviation = np.asarray(eyes, np.float64).std(axis=0)
    return Spread(
        float(deviation.max()),
        float(np.hypot(deviation[:, 0], deviation[:, 1]).max()),
        len(eyes) / count,
    )
