from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.config import ModelConfig, TrainConfig
from facegan.core.shards import Entry, ShardIndex, write_shards
from facegan.images import Pixels, encode_png

torch.set_num_threads(1)  # pytest has a worker a core, and threads that wait for each other spin

TINY = TrainConfig(
    model=ModelConfig(image_size=32, width=0.0625, latent_size=8),
    iters=12,
    batch=4,
    device="cpu",
    precision="fp32",
    sample_every=4,
    checkpoint_every=5,
    keep_checkpoints=2,
    log_every=3,
)


def pictures(count: int, size_px: int, seed: int = 0) -> Pixels:
    """(N, S, S, 3) uint8, 4x4 coloured tiles."""
    tiles = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return tiles.repeat(size_px // 4, axis=1).repeat(size_px // 4, axis=2)


@pytest.fixture
def tiny() -> TrainConfig:
    return TINY


@pytest.fixture
def make_shards(tmp_path: Path) -> Callable[..., ShardIndex]:
    def make(
        count: int = 10, size_px: int = 32, *, seed: int = 0, folder: str = "shards"
    ) -> ShardIndex:
        entries = [
            Entry(f"{number:06d}", encode_png(image), {})
            for number, image in enumerate(pictures(count, size_px, seed))
        ]
        return write_shards(tmp_path / folder, entries, image_size=size_px, config={})

    return make


@pytest.fixture
def shards(make_shards: Callable[..., ShardIndex]) -> Path:
    return make_shards().folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
