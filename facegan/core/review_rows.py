"""Decisions made by hand, by the image and the place in it: they outlive a face's row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from facegan.core.database import now
from facegan.core.records import Box, FaceRecord, Status
from facegan.core.rows import SIDES

SAME_FACE_IOU = 0.5
"""Two boxes in one image with at least this overlap show the same face."""

_INSERT = (
    'INSERT INTO reviews (image_sha256, "left", top, "right", bottom, verdict, reviewed_at)'
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PLACES = 'SELECT id, "left", top, "right", bottom FROM faces WHERE image_sha256 = ?'

Reviews = list[tuple[int, Box, Status]]
"""Id, place and decision each."""


def reviews_of(db: sqlite3.Connection, image_sha256: str) -> Reviews:
    """Within a transaction: all decisions on an image's faces, the oldest first."""
    rows = db.execute("SELECT * FROM reviews WHERE image_sha256 = ? ORDER BY id", (image_sha256,))
    found = ((row["id"], _box(row), Status(row["verdict"])) for row in rows)
    return [(review, box, verdict) for review, box, verdict in found if box]


def _box(row: sqlite3.Row) -> Box | None:
    return None if row["left"] is None else Box(*(row[side] for side in SIDES))


def matched(boxes: Sequence[Box | None], reviews: Reviews) -> dict[int, int]:
    """Which review belongs to which box: position in `boxes` by position in `reviews`.

    One to one, the greatest overlap first.
    """
    overlaps = sorted(
        (-box.iou(place), at, number)
        for at, (_, place, _) in enumerate(reviews)
        for number, box in enumerate(boxes)
        if box is not None and box.iou(place) >= SAME_FACE_IOU
    )
    found: dict[int, int] = {}
    for _, at, number in overlaps:
        if at not in found and number not in found.values():
            found[at] = number
    return found


def replace_review(db: sqlite3.Connection, face: FaceRecord, verdict: Status | None) -> None:
    """In place of all decisions on that face: this one, or none."""
    if face.box is None:
        return
    if reviews := reviews_of(db, face.image_sha256):
        inside = db.execute(_PLACES, (face.image_sha256,)).fetchall()
        pairs = matched([_box(row) for row in inside], reviews)
        owner = {at: inside[n]["id"] for at, n in pairs.items()}
        old = [
            (review,)
            for at, (review, place, _) in enumerate(reviews)
            if owner.get(at, face.id) == face.id and face.box.iou(place) >= SAME_FACE_IOU
        ]
        db.executemany("DELETE FROM reviews WHERE id = ?", old)
    if verdict is not None:
        sides = [getattr(face.box, side) for side in SIDES]
        db.execute(_INSERT, (face.image_sha256, *sides, verdict, now()))
