"""One pass over a set of images: everything that all measures need of them.

Each image is decoded or drawn once and passes the network once. While the network computes, a
thread reads the next images and takes their fixed features.

What was computed is kept in parts of 256 images, by the set's hash and the networks' protocols: a
kill costs at most one part, and a reference is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facegan.core import events, files
from facegan.core.errors import ScoreError
from facegan.score.fixed import FIXED, fixed_features
from facegan.score.network import FeatureNetwork, Pixels
from facegan.score.sets import ImageSet, batches, parts

T = TypeVar("T")
Floats = NDArray[np.float32]

STAGE = "score"
PART = 256
"""Images in a file of the store."""
PIXELS, PIXEL_BYTES = 1000, 256 * 2**20
"""Images of which the pixels are kept at most, for the measures that look at pixels."""
BATCH_BYTES = 64 * 2**20
"""What the images that are read together may take."""
STORE_BYTES = 2 * 2**30
"""What the store may take; the parts that were used longest ago go first."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the measures need of a set of N images."""

    fixed: Floats
    """(N, D) float32: the features that need no network."""
    features: Floats | None
    """(N, F) float32 of the network, where there is one."""
    logits: Floats | None
    """(N, K) float32, where the network is a classifier."""
    pixels: Pixels
    """The first images, at most `PIXELS` and `PIXEL_BYTES`: (n, H, W, 3) uint8."""
    mirrored: Floats | None = None
    """(N, D) float32: the fixed features of the images mirrored left to right, where asked for."""

    def __len__(self) -> int:
        return len(self.fixed)


@dataclass(slots=True)
class Clock:
    """How far all sets together are, and how fast the images pass that nobody had computed yet."""

    listener: events.Listener
    total: int
    done: int = 0
    fresh: int = 0
    seconds: float = 0.0

    def passed(self, count: int, seconds: float | None) -> None:
        """`count` images are done; `seconds` is None where they came out of the store."""
        self.done += count
        if seconds is not None:
            self.fresh += count
            self.seconds += seconds
        self.listener(events.Advanced(STAGE, self.done))

    @property
    def images_per_s(self) -> float:
        """Of those that were computed; 0 where none was."""
        return self.fresh / self.seconds if self.seconds else 0.0


def gather(
    images: ImageSet,
    network: FeatureNetwork | None,
    *,
    clock: Clock,
    batch: int = 16,
    mirror: bool = False,
    store: Path | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Gathered:
    """Take features, logits and pixels of a set.

    Args:
        images: at least one.
        network: None takes the fixed features alone.
        clock: is told of every part.
        batch: images read together at most; the network's own tiles do not depend on it.
        mirror: take the fixed features of the mirrored images too.
        store: folder of parts computed before; None keeps nothing.
        now: seconds; injected by tests.

    Raises:
        ScoreError: there is no image, or the network's outputs are not finite.
        WorkspaceError: the store cannot be written.
    """
    if not len(images):
        raise ScoreError(f"there are no images to score in {images.name}")
    place = store / _key(images, network, mirror) if store else None
    one = images.read(0, 1).nbytes
    most, batch = min(PIXELS, PIXEL_BYTES // one), max(1, min(batch, BATCH_BYTES // one))
    work = Work(images, network, batch, mirror)
    found: list[Gathered] = []
    kept = 0
    for first, count in parts(len(images), PART):
        begun = now()
        wanted = max(0, min(most - kept, count))
        path = _path(place, first, count) if place else None
        part = _stored(path, images, first, wanted) if path else None
        fresh = part is None
        if part is None:
            part = _computed(work, first, count, wanted)
            if path:
                _keep(path, part)
        found.append(part)
        kept += len(part.pixels)
        clock.passed(count, now() - begun if fresh else None)
    if store:
        prune(store)
    return _joined(found)


def missing(
    images: ImageSet, network: FeatureNetwork | None, store: Path | None, *, mirror: bool = False
) -> int:
    """How many images of a set are not in the store."""
    place = store / _key(images, network, mirror) if store else None
    return sum(
        count
        for first, count in parts(len(images), PART)
        if place is None or not _path(place, first, count).exists()
    )


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The items, `depth` of them made by another thread while the caller works on one."""
    end = object()
    with ThreadPoolExecutor(1, "facegan-read") as pool:
        waiting = deque(pool.submit(next, items, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item  # type: ignore[misc]


def prune(store: Path, limit: int = STORE_BYTES) -> None:
    """Remove the parts that were used longest ago, until the store takes at most `limit` bytes."""
    found = sorted(store.rglob("*.safetensors"), key=lambda path: -path.stat().st_mtime)
    total = 0
    for path in found:
        total += path.stat().st_size
        if total > limit:
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with each image of a set."""

    images: ImageSet
    network: FeatureNetwork | None
    batch: int
    mirror: bool

    def read(self, first: int, count: int) -> Iterator[tuple[Pixels, Floats, Floats | None]]:
        """Pixels and fixed features, a batch at a time."""
        for pixels in batches(self.images, first, count, self.batch):
            mirrored = fixed_features(pixels[:, :, ::-1]) if self.mirror else None
            yield pixels, fixed_features(pixels), mirrored


def _computed(work: Work, first: int, count: int, wanted: int) -> Gathered:
    network = work.network
    fixed: list[Floats] = []
    mirrored: list[Floats | None] = []
    features: list[Floats] = []
    logits: list[Floats] = []
    kept: list[Pixels] = []
    for pixels, simple, mirror in ahead(work.read(first, count)):
        left = max(wanted - sum(len(some) for some in kept), 0)
        kept.append(pixels[:left])
        fixed.append(simple)
        mirrored.append(mirror)
        if network:
            outputs = network.outputs(pixels)
            features.append(outputs.features)
            if outputs.logits is not None:
                logits.append(outputs.logits)
    _refuse_infinite(features, work.images.name)
    return Gathered(
        np.concatenate(fixed),
        np.concatenate(features) if features else None,
        np.concatenate(logits) if logits else None,
        np.concatenate(kept),
        _whole(mirrored),
    )


def _refuse_infinite(features: list[Floats], name: str) -> None:
    bad = sum(int((~np.isfinite(rows)).any(axis=1).sum()) for rows in features)
    if bad:
        raise ScoreError(
            f"the network's features of {bad} of {sum(map(len, features))} images of {name} are "
            "not finite",
            hint="the weights are damaged, or of another network: try the official file",
        )


def _joined(found: list[Gathered]) -> Gathered:
    return Gathered(
        np.concatenate([part.fixed for part in found]),
        _whole([part.features for part in found]),
        _whole([part.logits for part in found]),
        np.concatenate([part.pixels for part in found]),
        _whole([part.mirrored for part in found]),
    )


def _whole(rows: list[Floats | None]) -> Floats | None:
    there = [row for row in rows if row is not None]
    return np.concatenate(there) if there else None


def _path(place: Path, first: int, count: int) -> Path:
    return place / f"{first:07d}-{count}.safetensors"


def _key(images: ImageSet, network: FeatureNetwork | None, mirror: bool) -> str:
    """A folder's name for what is computed of these images with these networks."""
    protocols = [FIXED.as_dict(), network.protocol.as_dict() if network else None]
    text = json.dumps([images.content, mirror, *protocols], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _keep(path: Path, part: Gathered) -> None:
    from safetensors.numpy import save

    arrays = {
        "fixed": part.fixed,
        "features": part.features,
        "logits": part.logits,
        "mirrored": part.mirrored,
    }
    data = save({name: rows for name, rows in arrays.items() if rows is not None})
    files.write_bytes(path, data + files.sha256_of(data).encode())


def _stored(path: Path, images: ImageSet, first: int, wanted: int) -> Gathered | None:
    """A part that was computed before, its pixels read again; None where it is not whole."""
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
    except OSError:
        return None
    data, digest = data[:-64], data[-64:]
    if files.sha256_of(data).encode() != digest:
        return None
    path.touch()
    rows = load(data)
    pixels = images.read(first, max(wanted, 1))[:wanted]
    return Gathered(
        rows["fixed"], rows.get("features"), rows.get("logits"), pixels, rows.get("mirrored")
    )
