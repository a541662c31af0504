"""The pipeline's face detector as a function of a picture, for the scores to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LEAST_PX = 20
"""Smaller faces are not counted; a crop of 32 px shows one of 27 px."""


def face_counter() -> tuple[Callable[[Any], int], str]:
    """A function that counts the faces in a picture, (H, W, 3) uint8 RGB, and the detector's name.

    YuNet where its model is in the cache, else Haar's cascade; a score fetches no model. Crops are
    searched as they are: of crops of 64, 128 and 256 px with margins of 0 and 0.1 both detectors
    found exactly one face in all, and a border round them changed nothing or lost one.

    Raises:
        MissingDependencyError: OpenCV has no cascade.
    """
    import numpy as np

    from pipeline.config import CropConfig
    from pipeline.detect import build, resolve

    config = CropConfig(min_face_px=LEAST_PX, align=False, workers=1)
    resolved = resolve(config, fetch=None)
    detect = build(resolved, config)

    def count_faces(image: Any) -> int:
        return len(detect(np.ascontiguousarray(image)))

    return count_faces, resolved.label
