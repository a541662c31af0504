"""The pictures that faces were found in, reduced: whole ones, and the part round a face.

Their bytes are strangers'. They are decoded as `facegan crop` decodes them, in a worker process, so
that a decoder's crash costs one picture; and within a limit on pixels: the usual one, or what the
catalog says of a picture that was let in under a higher one (`--max-pixels`). The browser gets
pixels that were encoded here, never the bytes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from facegan.core.files import Workspace, sha256_of
from facegan.core.records import Box, ImageRecord
from pipeline.executors import Executor, Processes, WorkerDied
from pipeline.images import ImageLimits, Pixels, Rejection, read
from pipeline.review.thumbs import QUALITY, SIDE_PX, cached

WHOLE_PX = 1024
"""Longest side of a whole picture."""
ROUND = 1.6
"""Side of the part round a face, in its box's longer sides."""
AT_ONCE = 2
"""Pictures that are decoded at a time: each takes 3 bytes for a pixel, and may have
`ImageLimits.max_pixels` or, by `--max-pixels`, more. The page asks for no more at a time."""
WAIT_S = 60.0
"""A picture waits no longer for its turn."""


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A picture on its way to a worker."""

    path: Path
    pixels: int
    """Its width times height, by the catalog."""
    side_px: int
    box: Box | None = None
    """The face whose surroundings are wanted; None for the whole picture."""


def reduced(task: PictureTask) -> bytes | None:
    """Decode, cut and shrink, in a worker; nothing is enlarged.

    Returns:
        A JPEG; None where the file is gone, no picture, or too large, or the box beyond it.
    """
    image = read(task.path, ImageLimits(max(ImageLimits().max_pixels, task.pixels)))
    if isinstance(image, Rejection):
        return None
    part = image if task.box is None else surroundings(image, task.box)
    if not part.size:
        return None
    height, width = part.shape[:2]
    scale = min(1.0, task.side_px / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = part if scale == 1 else cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes() if done else None


def surroundings(image: Pixels, box: Box) -> Pixels:
    """The part of a picture round a box: ROUND times its longer side, as far as there are pixels.

    Args:
        image: (H, W, 3) uint8.
        box: in the picture's pixels.

    Returns:
        (h, w, 3) uint8; empty where the box lies beyond the picture.
    """
    half = ROUND * max(box.width, box.height) / 2
    x, y = box.centre
    top, bottom = (max(0, round(y + way * half)) for way in (-1, 1))
    left, right = (max(0, round(x + way * half)) for way in (-1, 1))
    return image[top:bottom, left:right]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Asked for by many threads; a few worker processes decode."""

    workspace: Workspace
    executor: Executor = field(
        default_factory=lambda: Processes(1, preload=("pipeline.review.pictures",))
    )
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    def whole(self, path: Path, image: ImageRecord) -> bytes | None:
        """A picture as a JPEG of at most WHOLE_PX a side; None where it cannot be shown."""
        return self._made(PictureTask(path, image.width * image.height, WHOLE_PX))

    def part(self, path: Path, image: ImageRecord, box: Box) -> bytes | None:
        """What lies round a face that was not cut, as a thumbnail kept in the cache.

        Args:
            path: of the picture.
            image: the picture.
            box: the face's, in its pixels.
        """
        name = sha256_of(f"{image.sha256} {box}".encode())
        task = PictureTask(path, image.width * image.height, SIDE_PX, box)
        return cached(self.workspace, name, lambda: self._made(task))

    def _made(self, task: PictureTask) -> bytes | None:
        if not task.path.is_file() or not self.turn.acquire(timeout=WAIT_S):
            return None
        try:
            (done,) = self.executor.run(reduced, [task])
        finally:
            self.turn.release()
        return None if isinstance(done[1], WorkerDied) else done[1]
