"""The catalog's calls of `facegan crop`: with which settings faces were cut, and whether it ended.

What the next call would cut anew is told by the outcomes, each with the hash of the settings under
which it was decided; the calls tell which settings those were.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.core.database import now
from facegan.core.face_tables import FaceTables
from facegan.core.records import Outcome


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Kept faces that were found and cut under other settings than those asked about."""

    faces: int
    detector: str
    """As it is recorded: haar, yunet, or yunet:HASH."""
    settings: Mapping[str, Any] | None
    """Of the newest call with those settings; None where no call with them is known."""


class CropTables(FaceTables):
    """What the catalog knows of the calls of `facegan crop`."""

    def begin_crop(
        self, settings: Mapping[str, Any], words: Sequence[str], detector: str, decided_under: str
    ) -> int:
        """Write down that a call begins.

        Args:
            settings: all of them, as plain values.
            words: of the command line that goes on with this call, after `facegan`.
            detector: what is searched with, as faces record it.
            decided_under: the hash of what decides which faces there are and how they are cut.

        Returns:
            Its id.
        """
        with self._db.transaction() as db:
            row = db.execute(
                "INSERT INTO crops (settings, words, detector, decided_under, began_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (json.dumps(settings), json.dumps(list(words)), detector, decided_under, now()),
            )
        return int(row.lastrowid or 0)

    def end_crop(self, crop: int) -> None:
        """Write down that a call has looked at all images."""
        with self._db.transaction() as db:
            db.execute("UPDATE crops SET ended_at = ? WHERE id = ?", (now(), crop))

    def last_crop(self) -> tuple[tuple[str, ...], bool] | None:
        """Of the newest call the words of its command line, such as ("crop", "--size", "96").

        And whether it has looked at all images: one that is running has not. None where no call is
        known.
        """
        rows = self._db.all("SELECT words, ended_at FROM crops ORDER BY id DESC LIMIT 1")
        found = [(tuple(json.loads(row["words"])), row["ended_at"] is not None) for row in rows]
        return found[0] if found else None

    def record_failure(
        self, image_sha256: str, outcome: Outcome, lost: Collection[str] = ()
    ) -> None:
        """Write down that an image from which faces were cut failed now: they stay.

        The settings under which they were cut are kept beside the outcome.

        Args:
            image_sha256: of the image.
            outcome: why it failed.
            lost: paths of crops whose files are gone: their faces do not stay.
        """
        with self._db.transaction() as db:
            if self.is_opted_out(image_sha256):
                return
            db.executemany(
                "DELETE FROM faces WHERE image_sha256 = ? AND path = ?",
                [(image_sha256, path) for path in lost],
            )
            told = (outcome.status, outcome.reason, outcome.detail, outcome.ms, image_sha256)
            db.execute(
                "UPDATE outcomes SET status = ?, reason = ?, detail = ?, ms = ?"
                " WHERE stage = 'crop' AND item = ?",
                told,
            )
            db.execute(
                "UPDATE images SET status = ?, reason = ? WHERE sha256 = ?",
                (outcome.status, outcome.reason, image_sha256),
            )

    def cut_before(self, decided_under: str) -> list[CutBefore]:
        """The kept faces that a call with these settings would find and cut anew, most first."""
        rows = self._db.all(
            "SELECT count(*) AS n, faces.detector AS detector,"
            " (SELECT settings FROM crops WHERE crops.decided_under = outcomes.config_hash"
            "  ORDER BY id DESC LIMIT 1) AS settings"
            " FROM faces JOIN outcomes ON stage = 'crop' AND item = image_sha256"
            " WHERE faces.status = 'kept' AND config_hash != ?"
            " GROUP BY faces.detector, config_hash ORDER BY n DESC, config_hash",
            (decided_under,),
        )
        return [
            CutBefore(row["n"], row["detector"], row["settings"] and json.loads(row["settings"]))
            for row in rows
        ]

    def kept_of_other_settings(self) -> int:
        """How many kept faces were not cut under the newest call's settings."""
        row = self._db.one(
            "SELECT count(*) AS n FROM faces"
            " JOIN outcomes ON stage = 'crop' AND item = image_sha256"
            " WHERE faces.status = 'kept'"
            " AND config_hash != (SELECT decided_under FROM crops ORDER BY id DESC LIMIT 1)"
        )
        return int(row["n"])

    def found_by(self) -> dict[str, int]:
        """How many faces, kept or not, each detector has found."""
        rows = self._db.all("SELECT detector, count(*) AS n FROM faces GROUP BY detector")
        return {row["detector"]: row["n"] for row in rows}

    def kept_of_images(self) -> dict[str, int]:
        """How many kept faces each image has that has some, by its SHA-256."""
        rows = self._db.all(
            "SELECT image_sha256, count(*) AS n FROM faces WHERE status = 'kept' GROUP BY 1"
        )
        return {row["image_sha256"]: row["n"] for row in rows}

    def strays(self) -> tuple[int, int]:
        """How many decisions by hand belong to no face of now, and how many there are in all."""
        of_faces = "SELECT count(*) AS n FROM faces WHERE review IS NOT NULL"
        every = int(self._db.one("SELECT count(*) AS n FROM reviews")["n"])
        return max(0, every - int(self._db.one(of_faces)["n"])), every
