"""The settings of `facegan crop`: what is searched and cut, and which faces are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from facegan.core.config import Config, limits, setting
from facegan.core.hashing import config_hash

SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Powers of two, which the networks need, and halves between them for other uses."""
DETECTORS = ("auto", "haar", "yunet")
FACES = ("largest", "all")
ALIGNED_MARGIN, BOX_MARGIN = 0.0, 0.1
"""Where none is given: an aligned crop's framing has room of its own."""
LEAST_FACE_PX = 20
"""No smaller face is cut: `min_face_px` cannot ask for one."""
HAAR_LEAST_PX = 50
"""Haar's cascade searches for no smaller faces unless `min_face_px` asks for them: down to its own
24 px it takes 1.7 to 2.4 times as long, and of 120 photographs it finds one box more."""


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CropConfig(Config):
    """One call of `facegan crop`.

    The reference cut `detector="haar", align=False, margin=0, faces="all"`.
    """

    size: int = setting(256, choices=SIZES)
    """Side of a crop, in pixels."""
    detector: str = setting("auto", choices=DETECTORS)
    """auto, haar or yunet; auto is YuNet where its model is here or can be fetched, else Haar."""
    model: Path | None = None
    """YuNet's model file; None is the one in the cache."""
    align: bool = True
    """Turn and frame each face by its eyes and mouth, where these are found."""
    margin: float | None = setting(None, low=0, high=1)
    """Added to each side of the framed square, or of the box where nothing is aligned, as a share
    of its side; None is 0 for aligned crops and 0.1 for boxes. A face of Haar's whose eyes are not
    found is then framed as eyes would frame it."""
    max_upscale: float = setting(1.5, low=0.1, high=100)
    """Pixels of the crop for one of the original; faces that would need more are rejected."""
    scale_factor: float = setting(1.1, low=1.01, high=2)
    """Haar: from one size of the search window to the next."""
    neighbours: int = setting(5, low=0, high=100)
    """Haar: detections that must agree on a face."""
    score_threshold: float = setting(0.6, low=0.05, high=1)
    """YuNet: the least confidence."""
    search_px: int = setting(640, low=64, high=16_384)
    """Images with a longer side above this are searched reduced to it; crops are cut from the
    original."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height of an original, judged from the header."""
    workers: int = field(default_factory=available_cpus, metadata=limits(low=1, high=256))
    """Processes."""

    faces: str = setting("largest", choices=FACES)
    """Of the faces of one image: the largest good one, or all."""
    min_face_px: int = setting(50, low=LEAST_FACE_PX, high=10_000)
    """The least size of a face: of the box's shorter side, in the original's pixels. Below
    HAAR_LEAST_PX Haar's cascade has to search anew."""
    min_score: float = setting(0.85, low=0, high=1)
    """The least confidence of YuNet in a face that is kept."""
    min_sharpness: float = setting(0.2, low=0, high=1)
    """The least sharpness of a crop: 0.3 to 0.4 for photographs in focus; see pipeline.quality."""
    min_exposure: float = setting(0.12, low=0, high=1)
    """The least mean brightness of the face."""
    max_exposure: float = setting(0.9, low=0, high=1)
    """The greatest mean brightness of the face."""
    max_yaw: float = setting(45.0, low=0, high=90)
    """Degrees that a face may be turned to the side."""
    max_roll: float = setting(45.0, low=0, high=180)
    """Degrees that a head may be tilted in the original."""
    max_padding: float = setting(0.2, low=0, high=1)
    """Share of a crop that may lie beyond the original's borders."""
    duplicates: int = setting(8, low=-1, high=16)
    """Bits of 64 in which the perceptual hashes of two duplicates may differ; -1 keeps all but
    crops that are equal bit for bit. See pipeline.dedup."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = Config.problems(self)
        if self.model is not None and self.detector == "haar":
            found.append(f"--model is {str(self.model)!r}: it is YuNet's, and --detector is haar")
        if self.min_exposure > self.max_exposure:
            found.append(
                f"--min-exposure is {self.min_exposure:g}: at most --max-exposure, which is"
                f" {self.max_exposure:g}, is allowed"
            )
        return found

    @property
    def margin_aligned(self) -> float:
        """The margin of aligned crops."""
        return ALIGNED_MARGIN if self.margin is None else self.margin

    @property
    def margin_box(self) -> float:
        """The margin of crops that are not aligned."""
        return BOX_MARGIN if self.margin is None else self.margin

    @property
    def haar_least_px(self) -> int:
        """What is too small for Haar's cascade to be searched for."""
        return min(self.min_face_px, HAAR_LEAST_PX)

    def config_hash(self, detector: str, model_sha256: str | None) -> str:
        """16 hexadecimal digits over what decides which faces an image has and how they are cut.

        What decides which of them are kept is not in it: `pipeline.select` looks at the catalog
        alone, at every call.

        Args:
            detector: the one that `auto` came to: haar or yunet.
            model_sha256: of YuNet's model; None for Haar.
        """
        deciding = {
            "size": self.size,
            "detector": detector,
            "model": model_sha256,
            "align": self.align,
            "margins": [float(self.margin_aligned), float(self.margin_box)],
            "max_upscale": float(self.max_upscale),
            "search_px": self.search_px,
            "max_pixels": self.max_pixels,
        }
        if detector == "haar":
            deciding |= {
                "scale": float(self.scale_factor),
                "neighbours": self.neighbours,
                "least": self.haar_least_px,
            }
        else:
            deciding |= {"score": float(self.score_threshold)}
        return config_hash(deciding)
