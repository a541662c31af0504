"""The settings of the data half: what `facegan crop` and `shard` can be told, and `scrape`'s."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from facegan.core.config import Config, limits, setting
from facegan.core.hashing import config_hash
from pipeline.scrape_config import MIB, ScrapeConfig, split_host

__all__ = ["MIB", "CropConfig", "ScrapeConfig", "ShardConfig", "split_host"]

SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Powers of two, which the networks need, and halves between them for other uses."""
DETECTORS = ("auto", "haar", "yunet")
FACES = ("largest", "all")


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CropConfig(Config):
    """One call of `facegan crop`. The reference cut `detector="haar", margin=0, faces="all"`."""

    size: int = setting(256, choices=SIZES)
    """Side of a crop, in pixels."""
    detector: str = setting("auto", choices=DETECTORS)
    """auto, haar or yunet; auto is YuNet where its model is at hand, else Haar."""
    model: Path | None = None
    """YuNet's model file; None is the one in the cache."""
    margin: float = setting(0.1, low=0, high=1)
    """Added to each side of the box, as a share of its longer side."""
    faces: str = setting("largest", choices=FACES)
    """Of the faces of one image: the largest, or all."""
    min_face_px: int = setting(50, low=20, high=10_000)
    """Of the box's shorter side, in the original's pixels; smaller faces are rejected."""
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

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = Config.problems(self)
        if self.model is not None and self.detector == "haar":
            found.append(f"--model is {str(self.model)!r}: it is YuNet's, and --detector is haar")
        return found

    def config_hash(self, detector: str, model_sha256: str | None) -> str:
        """16 hexadecimal digits over what decides an image's faces.

        Args:
            detector: the one that `auto` came to: haar or yunet.
            model_sha256: of YuNet's model; None for Haar.
        """
        deciding = {
            "size": self.size,
            "detector": detector,
            "model": model_sha256,
            "margin": float(self.margin),
            "faces": self.faces,
            "min_face_px": self.min_face_px,
            "search_px": self.search_px,
            "max_pixels": self.max_pixels,
        }
        if detector == "haar":
            deciding |= {"scale": float(self.scale_factor), "neighbours": self.neighbours}
        else:
            deciding |= {"score": float(self.score_threshold)}
        return config_hash(deciding)


@dataclass(frozen=True, slots=True)
class ShardConfig(Config):
    """One call of `facegan shard`."""

    size: int | None = setting(None, choices=SIZES)
    """Side of an image, in pixels. None is that of the crops, and 256 for a folder; crops can be
    packed at their own size only."""
    max_bytes: int = setting(256 * MIB, low=MIB, high=16 * 1024 * MIB)
    """Of one shard, about."""
    max_pixels: int = setting(100_000_000, low=1, high=1_000_000_000)
    """Width times height of a file of the folder, judged from the header."""
