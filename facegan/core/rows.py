"""Between the catalog's rows and the records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from facegan.core.records import (
    Box,
    FaceRecord,
    ImageRecord,
    Outcome,
    Reason,
    SearchResult,
    Status,
)


def insert(
    table: str, records: Sequence[SearchResult] | Sequence[ImageRecord]
) -> tuple[str, list[Any]]:
    """The statement that adds the records that are not there, at least one, and its values.

    The names come from the records' fields, which are those of the columns.
    """
    names = tuple(records[0].__dataclass_fields__)
    values = [_storable(getattr(record, name)) for record in records for name in names]
    rows = marks(len(records), len(names))
    return f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES {rows}", values  # noqa: S608


def _storable(value: Any) -> Any:
    """None in place of a number that SQLite has no room for, as a stranger may write it."""
    return None if type(value) is int and not -(2**63) <= value < 2**63 else value


def marks(rows: int, columns: int) -> str:
    """Places for the values of many rows: one statement for all of them is one step of SQLite.

    >>> marks(2, 3)
    '(?, ?, ?), (?, ?, ?)'
    """
    return ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)


def outcomes(
    stage: str, decided: Sequence[tuple[str, Outcome]], config_hash: str
) -> tuple[str, list[Any]]:
    """The statement that replaces what is known of (item, outcome) each, and its values."""
    values: list[Any] = []
    for item, outcome in decided:
        values += (stage, item, config_hash, outcome.status, outcome.reason, outcome.detail)
        values.append(outcome.ms)
    return f"INSERT OR REPLACE INTO outcomes VALUES {marks(len(decided), 7)}", values  # noqa: S608


def result_of(row: sqlite3.Row) -> SearchResult:
    """A search result of its row."""
    names = SearchResult.__dataclass_fields__
    return SearchResult(**{name: row[name] for name in names})


def image_of(row: sqlite3.Row) -> ImageRecord:
    """An image of its row."""
    names = ImageRecord.__dataclass_fields__
    return ImageRecord(**{name: row[name] for name in names})


def face_values(face: FaceRecord) -> tuple[Any, ...]:
    """A face as the values of its insert, in the order of the columns."""
    box = face.box
    sides = (box.left, box.top, box.right, box.bottom) if box else (None,) * 4
    landmarks = json.dumps(face.landmarks) if face.landmarks else None
    return (
        face.image_sha256,
        *sides,
        landmarks,
        face.score,
        face.detector,
        face.path,
        face.sha256,
        face.status,
        face.reason,
        face.detail,
    )


def face_of(row: sqlite3.Row) -> FaceRecord:
    """A face of its row."""
    points = json.loads(row["landmarks"]) if row["landmarks"] else None
    box = None
    if row["left"] is not None:
        box = Box(row["left"], row["top"], row["right"], row["bottom"])
    return FaceRecord(
        image_sha256=row["image_sha256"],
        box=box,
        landmarks=tuple((x, y) for x, y in points) if points else None,
        score=row["score"],
        detector=row["detector"],
        status=Status(row["status"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        detail=row["detail"],
        path=row["path"],
        sha256=row["sha256"],
        id=row["id"],
    )
