"""Between the catalog's rows and the records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
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

SIDES = ("left", "top", "right", "bottom")


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


FACE_COLUMNS = tuple(
    column
    for name in FaceRecord.__dataclass_fields__
    if name != "id"
    for column in (SIDES if name == "box" else (name,))
)
"""Of the table `faces`, all that a record decides."""
_NAMES = ", ".join(f'"{column}"' for column in FACE_COLUMNS)
INSERT_FACE = f"INSERT INTO faces ({_NAMES}) VALUES {marks(1, len(FACE_COLUMNS))}"  # noqa: S608


def face_values(face: FaceRecord) -> list[Any]:
    """A face as the values of its insert."""
    return [_face_value(face, column) for column in FACE_COLUMNS]


def _face_value(face: FaceRecord, column: str) -> Any:
    if column in SIDES:
        return getattr(face.box, column) if face.box else None
    if column == "landmarks":
        return json.dumps(face.landmarks) if face.landmarks else None
    return getattr(face, column)


def face_of(row: sqlite3.Row) -> FaceRecord:
    """A face of its row, whose columns are the record's fields."""
    facts = dict(zip(row.keys(), row, strict=True))
    sides = [facts.pop(side) for side in SIDES]
    if points := facts["landmarks"]:
        facts["landmarks"] = tuple((x, y) for x, y in json.loads(points))
    for name, kind in _KINDS:
        if (value := facts[name]) is not None:
            facts[name] = kind[value]
    return FaceRecord(box=None if sides[0] is None else Box(*sides), **facts)


_STATUSES = {status.value: status for status in Status}
_REASONS = {reason.value: reason for reason in Reason}
_KINDS: tuple[tuple[str, Mapping[str, Status | Reason]], ...] = (
    ("status", _STATUSES),
    ("reason", _REASONS),
    ("auto_reason", _REASONS),
    ("review", _STATUSES),
)
"""A look-up takes a tenth of the time of `Status(value)`, and there may be 100,000 faces."""
