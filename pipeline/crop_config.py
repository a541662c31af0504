"""CropConfig and ShardConfig: what `facegan crop` and `facegan shard` can be told."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from facegan.core.errors import ConfigError
from facegan.core.hashing import config_hash

MIB = 1024 * 1024
SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Powers of two, which the networks need, and halves between them for other uses."""
DETECTORS = ("auto", "haar", "yunet")
FACES = ("largest", "all")

# option -> (lowest, highest); the field has the same name with underscores
CROP_RANGES: dict[str, tuple[float, float]] = {
    "--margin": (0, 1),
    "--min-face-px": (20, 10_000),
    "--scale-factor": (1.01, 2),
    "--neighbours": (0, 100),
    "--score-threshold": (0.05, 1),
    "--search-px": (64, 16_384),
    "--max-pixels": (1, 1_000_000_000),
    "--workers": (1, 256),
}
SHARD_RANGES: dict[str, tuple[float, float]] = {
    "--max-bytes": (MIB, 16 * 1024 * MIB),
    "--max-pixels": (1, 1_000_000_000),
}


def available_cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CropConfig:
    """One call of `facegan crop`. The reference cut `detector="haar", margin=0, faces="all"`."""

    size: int = 256
    """Side of a crop, in pixels."""
    detector: str = "auto"
    """auto, haar or yunet; auto is YuNet where its model is at hand, else Haar."""
    model: Path | None = None
    """YuNet's model file; None is the one in the cache."""
    margin: float = 0.1
    """Added to each side of the box, as a share of its longer side."""
    faces: str = "largest"
    """Of the faces of one image: the largest, or all."""
    min_face_px: int = 50
    """Of the box's shorter side, in the original's pixels; smaller faces are rejected."""
    scale_factor: float = 1.1
    """Haar: from one size of the search window to the next."""
    neighbours: int = 5
    """Haar: detections that must agree on a face."""
    score_threshold: float = 0.6
    """YuNet: the least confidence."""
    search_px: int = 640
    """Images with a longer side above this are searched reduced to it; crops are cut from the
    original."""
    max_pixels: int = 100_000_000
    """Width times height of an original, judged from the header."""
    workers: int = dataclasses.field(default_factory=available_cpus)
    """Processes."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = _range_problems(self, CROP_RANGES)
        found += _choice_problem("--size", self.size, SIZES)
        found += _choice_problem("--detector", self.detector, DETECTORS)
        found += _choice_problem("--faces", self.faces, FACES)
        if self.model is not None and self.detector == "haar":
            found.append(f"--model is {str(self.model)!r}: it is YuNet's, and --detector is haar")
        return found

    def validate(self) -> Self:
        """This config, when it can be.

        Raises:
            ConfigError: names every option whose value cannot be, and what is allowed.
        """
        if found := self.problems():
            raise ConfigError.of(found)
        return self

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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dataclasses.asdict(self)
        return values | {"model": None if self.model is None else str(self.model)}


@dataclass(frozen=True, slots=True)
class ShardConfig:
    """One call of `facegan shard`."""

    size: int | None = None
    """Side of an image, in pixels. None is that of the crops, and 256 for a folder; crops can be
    packed at their own size only."""
    max_bytes: int = 256 * MIB
    """Of one shard, about."""
    max_pixels: int = 100_000_000
    """Width times height of a file of the folder, judged from the header."""

    def problems(self) -> list[str]:
        """One sentence for each setting that cannot be."""
        found = _range_problems(self, SHARD_RANGES)
        if self.size is not None:
            found += _choice_problem("--size", self.size, SIZES)
        return found

    def validate(self) -> Self:
        """This config, when it can be.

        Raises:
            ConfigError: names every option whose value cannot be, and what is allowed.
        """
        if found := self.problems():
            raise ConfigError.of(found)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def _range_problems(config: object, ranges: dict[str, tuple[float, float]]) -> list[str]:
    found = []
    for option, (low, high) in ranges.items():
        value = getattr(config, option.removeprefix("--").replace("-", "_"))
        if not (math.isfinite(value) and low <= value <= high):
            found.append(f"{option} is {value:g}: {low:,} to {high:,} is allowed")
    return found


def _choice_problem(option: str, value: int | str, allowed: tuple[int | str, ...]) -> list[str]:
    if value in allowed:
        return []
    names = ", ".join(map(str, allowed))
    if not isinstance(value, str):
        return [f"{option} is {value}: one of {names} is allowed"]
    near = difflib.get_close_matches(value, map(str, allowed), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return [f"{option} is {value!r}: one of {names} is allowed{hint}"]
