"""The settings of the data half: those of `facegan shard`, and the other rooms' names."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.core.config import Config, setting
from pipeline.crop_config import SIZES, CropConfig, available_cpus
from pipeline.scrape_config import MIB, ScrapeConfig, split_host

__all__ = [
    "HOLD_OUT",
    "MIB",
    "SIZES",
    "CropConfig",
    "ScrapeConfig",
    "ShardConfig",
    "available_cpus",
    "split_host",
]

HOLD_OUT = 0.1
"""Share of the faces that no training sees, where none is given."""


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
    hold_out: float | None = setting(None, low=0, high=0.9)
    """Share of the faces that no training sees, for the scores. None leaves it as `facegan crop`
    has decided, and is HOLD_OUT for a folder."""
