"""A workspace with a short run of known faces, for the tests of what is made of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from facegan.config import ModelConfig, TrainConfig
from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, sha256_of
from facegan.core.records import Box, FaceRecord, ImageRecord, Outcome, Reason, SearchResult, Status
from facegan.core.shard_index import HELD_OUT, TRAIN
from facegan.core.shards import Entry, write_shards
from facegan.images import encode_png
from facegan.train import fit

MODEL = ModelConfig(image_size=32, width=0.0625, latent_size=8)
KEPT = Outcome(Status.KEPT)
LICENCES = ("CC BY 4.0", "CC BY 4.0", "CC0", None, "<b>|odd|</b>")
"""One face each."""


def crops(licences: Iterable[object] = LICENCES) -> list[bytes]:
    """A PNG for each licence."""
    rng = np.random.default_rng(0)
    return [encode_png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in licences]


def fill(workspace: Workspace, *, source: str = "catalog", held_out: Collection[int] = ()) -> None:
    """A catalog of made-up results, one of them not fetched, and the shards of their faces."""
    splits = [HELD_OUT if n in held_out else TRAIN for n in range(len(LICENCES))]
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        results = [
            SearchResult(f"https://x/{i}", f"query {i % 2}", "bing", i, license=licence)
            for i, licence in enumerate((*LICENCES, None))
        ]
        catalog.add_results(results)
        for number, png in enumerate(crops()):
            sha256, crop = sha256_of(b"image %d" % number), sha256_of(png)
            image = ImageRecord(sha256, f"images/{number}.jpg", 64, 64, 9, "jpeg")
            catalog.record_fetch(f"https://x/{number}", KEPT, "config", image)
            face = FaceRecord(
                sha256, Box(0, 0, 32, 32), None, 1.0, "haar", Status.KEPT,
                path="x", sha256=crop, split=splits[number],
            )  # fmt: skip
            catalog.record_faces(sha256, [face], KEPT, "config")
        gone = Outcome(Status.REJECTED, Reason.HTTP_404)
        catalog.record_fetch(f"https://x/{len(LICENCES)}", gone, "config")
    entries = [Entry(f"{i:04d}", png, {}, splits[i]) for i, png in enumerate(crops())]
    write_shards(workspace.shards, entries, image_size=32, config={"source": source})


def trained(root: Path, iters: int = 2) -> Workspace:
    """A workspace that `fill` has filled and with a run of these iterations."""
    workspace = Workspace(root)
    fill(workspace)
    config = TrainConfig(model=MODEL, iters=iters, batch=4, device="cpu")
    fit(config, workspace.shards, workspace.runs)
    return workspace
