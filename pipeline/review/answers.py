"""What the review page is told of a face and of a picture, and what it may wish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any
from urllib.parse import unquote

from facegan.core.left_out_tables import FILE
from facegan.core.records import Box, FaceRecord, ImageRecord, SearchResult, Status
from pipeline.sources.text import address, clean, showable

MAX_DECISIONS = 100_000
"""Faces in one step."""
VERDICTS = {"kept": Status.KEPT, "rejected": Status.REJECTED, "rules": None}

COLUMNS = (
    "id",
    "sha256",
    "image_sha256",
    "status",
    "reason",
    "detail",
    "review",
    "auto_reason",
    "auto_detail",
    "cluster",
    "score",
    "size_px",
    "sharpness",
    "exposure",
    "yaw",
    "roll",
    "padding",
    "upscale",
    "split",
    "box",
)
"""What the page knows of a face, in the order in which it is told."""
DECIDED = ("id", "status", "reason", "detail", "review")
"""What a decision changes of it."""


def row_of(face: FaceRecord, columns: Sequence[str] = COLUMNS) -> list[Any]:
    """A face's values in the order of the columns; numbers as short as the page shows them.

    Its size is that of its box where it was not cut, and so not measured.
    """
    if face.size_px is None and face.box is not None:
        face = replace(face, size_px=min(face.box.width, face.box.height))
    return [_plain(getattr(face, name)) for name in columns]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, Box):
        sides = astuple(value)
        return [round(side) for side in sides] if all(map(math.isfinite, sides)) else None
    return value


def decisions_of(wish: Any) -> dict[int, Status | None] | None:
    """What a page wishes to decide: ids under the names of VERDICTS; None where that is no wish.

    >>> decisions_of({"kept": [2], "rules": [3]})
    {2: <Status.KEPT: 'kept'>, 3: None}
    >>> decisions_of({"kept": [2], "rejected": [2]})  # both
    """
    if not isinstance(wish, dict) or not set(wish) <= set(VERDICTS):
        return None
    if not all(isinstance(ids, list) for ids in wish.values()):
        return None
    pairs = [(one, VERDICTS[name]) for name, ids in wish.items() for one in ids]
    if not 0 < len(pairs) <= MAX_DECISIONS or any(type(one) is not int for one, _ in pairs):
        return None
    wanted = dict(pairs)
    return wanted if len(wanted) == len(pairs) else None


def facts_of(image: ImageRecord | None, origin: SearchResult | None) -> dict[str, Any]:
    """Of a picture: its file, its size as seen, and what the source said of it, as text.

    Addresses only where they are http's; of a file that was on this machine its path, as text.
    """
    told: dict[str, Any] = {}
    if image is not None:
        told = {name: getattr(image, name) for name in ("path", "width", "height")}
    if origin is not None:
        texts = ("title", "creator", "license", "source", "query")
        addresses = ("page_url", "license_url", "url")
        told |= {name: clean(getattr(origin, name)) for name in texts}
        told |= {name: address(getattr(origin, name)) for name in addresses}
        told["own_file"] = _path_of(origin.url)
    return told


def _path_of(url: str) -> str | None:
    """The path in a `file://` address; None for any other.

    >>> _path_of("file:///home/me/a%20b.jpg"), _path_of("https://a.example/b")
    ('/home/me/a b.jpg', None)
    """
    if not url.startswith(FILE):
        return None
    return showable(unquote(url.removeprefix(FILE.removesuffix("/"))))
