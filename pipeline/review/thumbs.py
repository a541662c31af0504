"""Small pictures of crops, made when they are asked for and kept in the workspace's cache.

`facegan forget` removes them all: they show faces.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facegan.core.files import Workspace, content_path

SIDE_PX = 128
QUALITY = 88
"""JPEG's; about 3.5 kB a picture."""
FOLDER = "cache/thumbs"
JPEG_END = b"\xff\xd9"


def crop_file(workspace: Workspace, sha256: str) -> Path:
    """Where the crop of that hash lies."""
    return workspace.root / content_path("faces", sha256, ".png")


def thumb(workspace: Workspace, sha256: str) -> bytes | None:
    """A crop as a JPEG of at most SIDE_PX a side; None where it is gone or cannot be read.

    Args:
        workspace: where the crop lies.
        sha256: of the crop's file.
    """

    def made() -> bytes | None:
        crop = _read(crop_file(workspace, sha256))
        return _shrunk(crop) if crop else None

    return cached(workspace, sha256, made)


def cached(workspace: Workspace, name: str, make: Callable[[], bytes | None]) -> bytes | None:
    """A JPEG from the cache, or made and put there; None where none can be made.

    Args:
        workspace: whose cache.
        name: the SHA-256 that names it.
        make: gives it anew.
    """
    path = workspace.root / content_path(FOLDER, name, ".jpg")
    data = _read(path)
    if data is not None and data.endswith(JPEG_END):  # else a machine stopped while it was written
        return data
    made = make()
    if made is not None:
        _store(path, made)
    return made


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # gone, or in a folder that is none
        return None


def _shrunk(data: bytes) -> bytes | None:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    if max(image.shape[:2]) > SIDE_PX:
        image = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes() if done else None


def _store(path: Path, data: bytes) -> None:
    """Without a flush: what is lost is made again. A full disk costs the cache, not the page."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
