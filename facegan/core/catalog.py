"""The catalog: one SQLite file that knows every result, image, face, shard, run and score.

`outcomes` decides what is done: one row an item and stage, with the configuration under which it
was decided. The `status` columns of the other tables are its projection and are written in the
same transaction, so a kill at any moment leaves both in step. One process writes at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from facegan.core.database import Database
from facegan.core.records import FaceRecord, ImageRecord, Outcome, SearchResult, Status, Tally
from facegan.core.rows import face_of, face_values, image_of, result_of


class Catalog:
    """An open catalog; a context manager that closes it.

    Args:
        path: the SQLite file; made where it is missing.

    Raises:
        CatalogError: it cannot be opened, is no catalog, or is of a newer facegan.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further calls raise."""
        self._db.close()

    # search results and images

    def add_results(self, results: Iterable[SearchResult]) -> int:
        """Add what is new, by (url, query, source); an address known already takes up its fate.

        Returns:
            The number of new rows.
        """
        added = 0
        with self._db.transaction() as db:
            for result in results:
                row = (
                    result.url,
                    result.query,
                    result.source,
                    result.rank,
                    result.page_url,
                    result.title,
                    result.creator,
                    result.license,
                    result.license_url,
                    result.attribution,
                    result.width,
                    result.height,
                )
                new = db.execute(
                    "INSERT OR IGNORE INTO search_results (url, query, source, rank, page_url,"
                    " title, creator, license, license_url, attribution, width, height)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                if new.rowcount:
                    added += 1
                    self._adopt_fate(db, result.url)
        return added

    def pending_results(self, query: str, source: str, config_hash: str) -> list[SearchResult]:
        """Results of a query that are to be fetched, in the source's order.

        Left out: addresses that were kept, under whatever configuration, and addresses that this
        configuration rejected.
        """
        rows = self._db.all(
            "SELECT search_results.* FROM search_results"
            " LEFT JOIN outcomes ON outcomes.stage = 'scrape' AND outcomes.item = url"
            " WHERE query = ? AND source = ? AND (outcomes.status IS NULL"
            "  OR outcomes.status = 'failed'"
            "  OR outcomes.status = 'rejected' AND outcomes.config_hash != ?"
            "     AND coalesce(outcomes.reason, '') != 'duplicate')"
            " ORDER BY rank",
            (query, source, config_hash),
        )
        return [result_of(row) for row in rows]

    def count_images(self, query: str, source: str) -> int:
        """Distinct images that the query has led to."""
        row = self._db.one(
            "SELECT count(DISTINCT image_sha256) AS n FROM search_results"
            " WHERE query = ? AND source = ?",
            (query, source),
        )
        return int(row["n"])

    def has_image(self, sha256: str) -> bool:
        """Whether these bytes are stored already."""
        rows = self._db.all("SELECT 1 FROM images WHERE sha256 = ?", (sha256,))
        return bool(rows)

    def record_fetch(
        self, url: str, outcome: Outcome, config_hash: str, image: ImageRecord | None = None
    ) -> None:
        """Write down what became of an address, and the image that it gave."""
        with self._db.transaction() as db:
            if image is not None:
                db.execute(
                    "INSERT OR IGNORE INTO images (sha256, path, width, height, bytes, format)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        image.sha256,
                        image.path,
                        image.width,
                        image.height,
                        image.bytes,
                        image.format,
                    ),
                )
            self._record(db, "scrape", url, outcome, config_hash)
            db.execute(
                "UPDATE search_results SET status = ?, reason = ?, image_sha256 = ?,"
                " fetched_at = ? WHERE url = ?",
                (outcome.status, outcome.reason, image and image.sha256, now(), url),
            )

    # faces

    def pending_images(self, stage: str, config_hash: str) -> list[ImageRecord]:
        """Images without a final outcome of `stage` under this configuration, by hash."""
        rows = self._db.all(
            "SELECT images.* FROM images"
            " LEFT JOIN outcomes ON outcomes.stage = ? AND outcomes.item = sha256"
            " WHERE outcomes.status IS NULL OR outcomes.status = 'failed'"
            "  OR outcomes.config_hash != ?"
            " ORDER BY sha256",
            (stage, config_hash),
        )
        return [image_of(row) for row in rows]

    def record_faces(
        self, image_sha256: str, faces: Sequence[FaceRecord], outcome: Outcome, config_hash: str
    ) -> None:
        """Replace an image's faces and write down what became of it in the stage `crop`."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM faces WHERE image_sha256 = ?", (image_sha256,))
            for face in faces:
                db.execute(
                    'INSERT INTO faces (image_sha256, "left", top, "right", bottom, landmarks,'
                    " score, detector, path, sha256, status, reason, detail)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    face_values(face),
                )
            self._record(db, "crop", image_sha256, outcome, config_hash)
            db.execute(
                "UPDATE images SET status = ?, reason = ? WHERE sha256 = ?",
                (outcome.status, outcome.reason, image_sha256),
            )

    def faces(self, status: Status | None = Status.KEPT) -> list[FaceRecord]:
        """Faces of one status (all for None), ordered by crop hash, image and position."""
        rows = self._db.all(
            "SELECT * FROM faces WHERE ? IS NULL OR status = ?"
            ' ORDER BY sha256, image_sha256, top, "left"',
            (status, status),
        )
        return [face_of(row) for row in rows]

    # shards, runs, scores

    def record_shards(self, rows: Iterable[tuple[str, str, int, int]], selection: str) -> None:
        """Replace the shards: (file, sha256, count, bytes) each."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM shards")
            db.executemany(
                "INSERT INTO shards VALUES (?, ?, ?, ?, ?)", [(*row, selection) for row in rows]
            )

    def record_run(
        self,
        name: str,
        *,
        iteration: int,
        iterations: int,
        seconds: float,
        selection: str,
        status: str,
        checkpoints: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Write down how far a run is, and its checkpoints: (iteration, path) each."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                " iteration = excluded.iteration, iterations = excluded.iterations,"
                " seconds = excluded.seconds, selection = excluded.selection,"
                " status = excluded.status, updated_at = excluded.updated_at",
                (name, iteration, iterations, seconds, selection, status, now()),
            )
            db.execute("DELETE FROM checkpoints WHERE run = ?", (name,))
            db.executemany(
                "INSERT INTO checkpoints VALUES (?, ?, ?)",
                [(name, at, path) for at, path in checkpoints],
            )

    def runs(self) -> list[dict[str, Any]]:
        """The rows of all runs, newest first."""
        return [dict(row) for row in self._db.all("SELECT * FROM runs ORDER BY name DESC")]

    def record_score(
        self, run: str, iteration: int, measure: str, value: float, details: Any
    ) -> None:
        """Add one score; `details` is anything that JSON can hold."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO scores (run, iteration, measure, value, details, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run, iteration, measure, value, json.dumps(details), now()),
            )

    # the funnel

    def tally(self, table: str) -> Tally:
        """How the rows of `search_results`, `images` or `faces` ended; pending ones left out."""
        if table not in {"search_results", "images", "faces"}:
            raise ValueError(table)
        rows = self._db.all(
            f"SELECT status, coalesce(reason, '') AS reason, count(*) AS n FROM {table}"  # noqa: S608
            " GROUP BY 1, 2 ORDER BY n DESC",
            (),
        )
        by = {
            status: {row["reason"]: row["n"] for row in rows if row["status"] == status}
            for status in Status
        }
        return Tally(sum(by[Status.KEPT].values()), by[Status.REJECTED], by[Status.FAILED])

    def rows(self, table: str) -> int:
        """Number of rows of one of the catalog's tables."""
        if not table.isidentifier():
            raise ValueError(table)
        return int(self._db.one(f"SELECT count(*) AS n FROM {table}", ())["n"])  # noqa: S608

    @staticmethod
    def _record(
        db: sqlite3.Connection, stage: str, item: str, outcome: Outcome, config_hash: str
    ) -> None:
        db.execute(
            "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                stage,
                item,
                config_hash,
                outcome.status,
                outcome.reason,
                outcome.detail,
                outcome.ms,
            ),
        )

    @staticmethod
    def _adopt_fate(db: sqlite3.Connection, url: str) -> None:
        """Give the rows of an address that was fetched for another query what it led to."""
        db.execute(
            "UPDATE search_results SET (status, reason, image_sha256, fetched_at) ="
            " (SELECT status, reason, image_sha256, fetched_at FROM search_results AS other"
            "  WHERE other.url = ?1 AND other.status != 'pending' LIMIT 1)"
            " WHERE url = ?1 AND status = 'pending' AND EXISTS"
            " (SELECT 1 FROM search_results AS other"
            "  WHERE other.url = ?1 AND other.status != 'pending')",
            (url,),
        )


def now() -> str:
    """The time in UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
