"""The catalog: one SQLite file that knows every result, image, face, shard, run and score.

`outcomes` decides what is done: one row an item and stage, with the configuration under which it
was decided. The `status` columns of the other tables are its projection and are written in the
same transaction, so a kill at any moment leaves both in step. One process writes at a time.
An image that is rejected as `opted_out` or `forgotten` was taken out, which stands above every
outcome; so does a result alone whose page is forgotten while its address has brought an image.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facegan.core.crop_tables import CropTables
from facegan.core.database import Database
from facegan.core.forget_tables import TAKEN_OUT
from facegan.core.left_out_tables import LeftOutTables
from facegan.core.records import ImageRecord, Reason, SearchResult, Status, Tally
from facegan.core.rows import image_of, result_of
from facegan.core.run_tables import RunTables
from facegan.core.scrape_tables import ScrapeTables


class Catalog(RunTables, ScrapeTables, CropTables, LeftOutTables):
    """An open catalog; a context manager that closes it.

    Args:
        path: the SQLite file; made where it is missing.

    Raises:
        CatalogError: it cannot be opened, is no catalog, or is of a newer facegan.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Database(path))

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further calls raise."""
        self._db.close()

    # images; what is known of faces, searches, runs and scores is inherited

    def pending_images(self, stage: str, config_hash: str) -> list[ImageRecord]:
        """Images without a final outcome of `stage` under this configuration, by hash.

        Never among them: images that were taken out for good.
        """
        rows = self._db.all(
            "SELECT images.* FROM images"  # noqa: S608
            " LEFT JOIN outcomes ON outcomes.stage = ? AND outcomes.item = sha256"
            " WHERE (outcomes.status IS NULL OR outcomes.status = 'failed'"
            f"  OR outcomes.config_hash != ?) AND NOT {TAKEN_OUT}"
            " ORDER BY sha256",
            (stage, config_hash),
        )
        return [image_of(row) for row in rows]

    def late_before(self, stage: str, config_hash: str) -> set[str]:
        """Images that took too long when `stage` was at them under this configuration."""
        rows = self._db.all(
            "SELECT item FROM outcomes WHERE stage = ? AND config_hash = ?"
            " AND status = 'failed' AND reason = ?",
            (stage, config_hash, Reason.DECODE_TIMEOUT),
        )
        return {row["item"] for row in rows}

    def origins(self) -> dict[str, SearchResult]:
        """One result for every fetched image, by its hash; one that names a licence comes first."""
        rows = self._db.all(
            "SELECT led_to.image_sha256 AS of_image, search_results.* FROM led_to"
            " JOIN search_results ON id = result ORDER BY license IS NULL, rank, id"
        )
        found: dict[str, SearchResult] = {}
        for row in rows:
            found.setdefault(row["of_image"], result_of(row))
        return found

    # shards

    def record_shards(self, rows: Iterable[tuple[str, str, int, int]], selection: str) -> None:
        """Replace the shards: (file, sha256, count, bytes) each."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM shards")
            db.executemany(
                "INSERT INTO shards VALUES (?, ?, ?, ?, ?)", [(*row, selection) for row in rows]
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
