"""Which detector a call of `facegan crop` searches with, and YuNet's network."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facegan.core.errors import MissingDependencyError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import sha256_of
from pipeline.config import CropConfig
from pipeline.model_file import (
    MODEL_SHA256,
    MODEL_URL,
    STAGE,
    Fetch,
    cached_model,
    fetch_model,
    model_path,
    why_missing,
    yunet_model,
)

NMS_THRESHOLD = 0.3
TOP_K = 5000
ANOTHER = "facegan crop --model FILE"


@dataclass(frozen=True, slots=True)
class ResolvedDetector:
    """What a call searches with: small and picklable, so that a worker can build it."""

    name: str
    """haar or yunet."""
    model: Path | None = None
    model_sha256: str | None = None

    @property
    def label(self) -> str:
        """What the catalog records: haar, yunet, or yunet:HASH for another model than the Zoo's."""
        if self.model_sha256 is None or self.model_sha256 == MODEL_SHA256:
            return self.name
        return f"{self.name}:{self.model_sha256[:12]}"


def resolve(
    config: CropConfig,
    *,
    found_by: Collection[str] = (),
    fetch: Fetch | None = fetch_model,
    listener: Listener = silent,
) -> ResolvedDetector:
    """Decide what to search with, and check that it can be loaded.

    `auto` is YuNet where its model is given, in the cache or can be fetched, else Haar. What YuNet
    has found it leaves to no other detector, and what another model has found to no other model.

    Args:
        config: the detector and the model that were asked for.
        found_by: the labels of the detectors that have found the faces that are there.
        fetch: gets YuNet's model where it is not here; None asks no network.
        listener: hears what is fetched, and why `auto` is Haar.

    Raises:
        MissingDependencyError: YuNet is asked for, or has found what is there, and its model is
            not here and cannot be fetched.
        WorkspaceError: the file that was given is missing or no model.
    """
    if config.detector == "haar":
        return ResolvedDetector("haar")
    try:
        path = yunet_model(config.model, fetch=fetch, listener=listener)
    except MissingDependencyError as error:
        if config.detector == "yunet":
            raise
        why = why_missing(error)
        if any(label != "haar" for label in found_by):
            raise MissingDependencyError(
                f"the faces here were found by YuNet, whose model {why}; --detector haar finds them"
                " anew",
                hint=ANOTHER,
            ) from error
        text = f"YuNet's model {why}; searching with Haar's cascade, which finds fewer faces"
        listener(Note(STAGE, text, warning=True))
        return ResolvedDetector("haar")
    resolved = ResolvedDetector("yunet", path, sha256_of(_bytes_of(path)))
    load(path, resolved.model_sha256 or "", config.score_threshold)
    if config.detector == "auto" and not config.model:
        others = set(found_by) - {"haar", resolved.label}
        if others and resolved.label not in found_by:
            raise MissingDependencyError(
                f"the faces here were found by another model, {min(others)}; --detector yunet finds"
                " them anew",
                hint=ANOTHER,
            )
    return resolved


def planned(config: CropConfig, found_by: Collection[str] = ()) -> ResolvedDetector:
    """What `resolve` comes to where the model can be fetched; nothing is fetched.

    Raises:
        MissingDependencyError: another model has found what is there.
        WorkspaceError: the file that was given is missing or no model.
    """
    if config.detector == "haar" or config.model or cached_model():
        return resolve(config, found_by=found_by, fetch=None)
    return ResolvedDetector("yunet", model_path(), MODEL_SHA256)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WorkspaceError(
            f"cannot read the model {path}: {error.strerror}", hint="give it: --model FILE"
        ) from error


def load(path: Path, sha256: str, score_threshold: float) -> cv2.FaceDetectorYN:
    """The network of exactly the bytes that were resolved.

    Raises:
        WorkspaceError: the file is gone, has other bytes, or is no model.
    """
    data = _bytes_of(path)
    if sha256_of(data) != sha256:
        raise WorkspaceError(f"the model {path} has changed during the run", hint="run it again")
    make: Callable[..., cv2.FaceDetectorYN] = cv2.FaceDetectorYN.create
    try:
        net = make(
            "onnx",
            np.frombuffer(data, np.uint8),
            np.empty(0, np.uint8),
            (64, 64),
            score_threshold,
            NMS_THRESHOLD,
            TOP_K,
        )
        net.detect(np.zeros((64, 64, 3), np.uint8))
    except cv2.error as error:
        raise WorkspaceError(
            f"{path} is no YuNet model that OpenCV {cv2.__version__} can load",
            hint=f"fetch {MODEL_URL} and give it: --model FILE",
        ) from error
    return net
