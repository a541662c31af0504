"""One short hash for a set of settings: what an outcome was decided under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def config_hash(values: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the SHA-256 over canonical JSON.

    The order of the keys does not matter; tuples count as lists and paths as text. Give resolved
    values (`yunet`, never `auto`), and only those that change an item's fate.

    Args:
        values: what JSON can hold, and paths.

    Raises:
        TypeError: a value has no JSON form.
        ValueError: a number is not finite.

    >>> config_hash({"size_px": 256, "margin": 0.25})
    'f46ec858962a48e0'
    >>> config_hash({"margin": 0.25, "size_px": 256})
    'f46ec858962a48e0'
    """
    text = json.dumps(
        dict(values),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    if isinstance(value, PurePath):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no JSON form")
