"""Between the catalog's rows and the records."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from facegan.core.records import Box, FaceRecord, ImageRecord, Reason, SearchResult, Status


def insert(table: str, record: SearchResult | ImageRecord) -> tuple[str, dict[str, Any]]:
    """The statement that adds a record unless it is there, and its values.

    The names come from the records' fields, which are those of the columns.
    """
    names = list(record.__dataclass_fields__)
    marks = ", ".join(f":{name}" for name in names)
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
    return sql, {name: getattr(record, name) for name in names}


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
