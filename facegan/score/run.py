"""Images in, a score with everything needed to read it out; and the file that keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.config import ScoreConfig
from facegan.core import events, files
from facegan.core.errors import ScoreError
from facegan.score import inception
from facegan.score.inception_score import InceptionScore, inception_score

STAGE = "score"
VERSION = 1
"""Of the layout of `scores.json`."""


class Classifier(Protocol):
    """What a score needs of a network; `inception.InceptionV3` is one."""

    @property
    def protocol(self) -> inception.Protocol:
        """What its numbers depend on."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, H, W, 3) uint8 RGB -> (B, K)."""


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """An Inception Score, the protocol behind it, and what it cost."""

    score: InceptionScore
    protocol: inception.Protocol
    seconds: float
    """Wall time, the making or reading of the images included."""

    @property
    def images_per_s(self) -> float:
        """Over the whole call."""
        return self.score.samples / self.seconds if self.seconds > 0 else 0.0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that belong beside the number wherever it is shown."""
        if self.protocol.official:
            return self.score.warnings
        unofficial = (
            f"unofficial weights (sha256 {self.protocol.weights_sha256[:8]}…): "
            "the number compares only with others of the same file"
        )
        return (unofficial, *self.score.warnings)

    def as_dict(self) -> dict[str, Any]:
        """One record of `scores.json`, plain values only."""
        return {
            "metric": "inception_score",
            "mean": self.score.mean,
            "std": self.score.std,
            "per_split": list(self.score.per_split),
            "splits": len(self.score.per_split),
            "samples": self.score.samples,
            "seed": self.score.seed,
            "protocol": self.protocol.as_dict(),
            "seconds": round(self.seconds, 3),
            "images_per_s": round(self.images_per_s, 3),
            "warnings": list(self.warnings),
        }


def score(
    images: Iterable[NDArray[np.uint8]],
    classifier: Classifier,
    config: ScoreConfig,
    *,
    total: int | None = None,
    listener: events.Listener = events.silent,
    clock: Callable[[], float] = time.monotonic,
) -> ScoreResult:
    """The Inception Score of a stream of images; the stream is read once, a batch at a time.

    Args:
        images: batches (B, H, W, 3) uint8 in [0, 255], RGB; sizes may differ between batches.
        classifier: gives the logits, N x K of which are kept in memory (20 MB for 5,000 samples).
        config: `splits` and `seed` (of the permutation before the splits) are used.
        total: how many images will come, for the progress bar.
        listener: gets the progress and the warnings.
        clock: seconds; injected by tests.

    Raises:
        ScoreError: no image came, fewer than the splits, or the network's outputs are not finite.
    """
    begun = clock()
    listener(events.Started(STAGE, total=total, unit="image"))
    try:
        rows = list(_logits(images, classifier, listener))
    finally:
        listener(events.Finished(STAGE))
    if not rows:
        raise ScoreError("there are no images to score", hint="facegan sample")
    result = inception_score(np.concatenate(rows), splits=config.splits, seed=config.seed)
    done = ScoreResult(result, classifier.protocol, clock() - begun)
    for text in done.warnings:
        listener(events.Note(STAGE, text, warning=True))
    return done


def _logits(
    images: Iterable[NDArray[np.uint8]], classifier: Classifier, listener: events.Listener
) -> Iterable[NDArray[np.float32]]:
    count = 0
    for batch in images:
        yield classifier.logits(batch)
        count += len(batch)
        listener(events.Advanced(STAGE, count))


def write_scores(
    path: Path, result: ScoreResult, about: Mapping[str, Any], *, now: datetime | None = None
) -> dict[str, Any]:
    """Append a record to a run's `scores.json`, whole or not at all.

    Args:
        path: the file; it is begun where there is none.
        result: what was measured.
        about: what it was measured on: run, checkpoint, iteration, `sample_seed` and the like.
        now: the time of the record.

    Returns:
        The record as written: `about`, the result's fields and `created_at` (UTC).

    Raises:
        ScoreError: the file there is not one of scores; it is left as it is.
        WorkspaceError: it cannot be written.
    """
    created = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    record = {"created_at": created, **about, **result.as_dict()}
    files.write_json(path, {"version": VERSION, "scores": [*read_scores(path), record]})
    return record


def read_scores(path: Path) -> list[dict[str, Any]]:
    """The records of a `scores.json`, oldest first; none where there is no file.

    Raises:
        ScoreError: it is damaged, or of another version.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ScoreError(f"cannot read the scores in {path}: {error}", hint=_ASIDE) from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ScoreError(f"{path} holds no scores of version {VERSION}", hint=_ASIDE)
    records = data.get("scores")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ScoreError(f"{path} holds no list of scores", hint=_ASIDE)
    return records


_ASIDE = "rename the file, then run the same command again: a new one is begun"
