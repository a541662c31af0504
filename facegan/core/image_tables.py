"""The catalog's images and which queries led to them.

Memory stays the same however many rows there are: they are read in pages, each of which begins
after the last id of the one before (`search_results_by_query` holds the ids in order).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facegan.core.forget_tables import TAKEN_OUT, ForgetTables
from facegan.core.records import ImageRecord, Reason, Status
from facegan.core.rows import image_of, marks

PAGE = 500
"""Rows read at a time."""

OF_QUERY = "query = :query AND source = :source"

_NOTHING_CAME = (
    "NOT EXISTS (SELECT 1 FROM faces WHERE image_sha256 = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM selections WHERE image_sha256 = ?1)"
)
NOTHING_CAME_OF_IT = (
    f"DELETE FROM outcomes WHERE stage = 'crop' AND item = ?1 AND {_NOTHING_CAME}",  # noqa: S608
    f"DELETE FROM lost_images WHERE image_sha256 = ?1 AND {_NOTHING_CAME}",  # noqa: S608
    f"DELETE FROM images WHERE sha256 = ?1 AND {_NOTHING_CAME}",  # noqa: S608
)
"""SQL: remove all that is known of a lost image, where no face was cut from it or packed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How bytes stand that a query has led to."""

    taken_out: Reason | None
    """Why they are not to be stored; None where they may be."""
    known: bool
    """An address has led to them before."""
    counted: bool
    """One of this query has."""


class ImageTables(ForgetTables):
    """What the catalog knows of stored images."""

    def count_images(self, query: str, source: str) -> int:
        """Distinct images that the query has led to."""
        row = self._db.one(
            "SELECT count(DISTINCT image_sha256) AS n FROM search_results"
            " WHERE query = ? AND source = ?",
            (query, source),
        )
        return int(row["n"])

    def image(self, sha256: str) -> ImageRecord | None:
        """What is known of these bytes; None where they are none of ours, or were taken out."""
        sql = f"SELECT * FROM images WHERE sha256 = ? AND NOT {TAKEN_OUT}"  # noqa: S608
        return next(map(image_of, self._db.all(sql, (sha256,))), None)

    def image_paths(self) -> dict[str, str]:
        """Where each image lies in the workspace, by its hash."""
        return {row["sha256"]: row["path"] for row in self._db.all("SELECT * FROM images")}

    def is_opted_out(self, sha256: str) -> bool:
        """Whether these bytes were taken out for good: they are not to be stored again."""
        sql = f"SELECT 1 FROM images WHERE sha256 = ? AND {TAKEN_OUT}"  # noqa: S608
        return bool(self._db.all(sql, (sha256,)))

    def standings(self, sha256s: Collection[str], query: str, source: str) -> dict[str, Standing]:
        """What the catalog knows of bytes that came for a query, by their hashes (at least one)."""
        rows = self._db.all(
            f"WITH arrived (sha256) AS (VALUES {marks(len(sha256s), 1)})"  # noqa: S608
            " SELECT sha256, coalesce("
            " (SELECT reason FROM images"
            f"   WHERE images.sha256 = arrived.sha256 AND {TAKEN_OUT}),"
            f" (SELECT '{Reason.FORGOTTEN}' FROM forgotten"
            "   WHERE kind = 'sha256' AND value = arrived.sha256)) AS taken_out,"
            " EXISTS (SELECT 1 FROM search_results"
            "  WHERE image_sha256 = arrived.sha256) AS known,"
            " EXISTS (SELECT 1 FROM search_results"
            "  WHERE image_sha256 = arrived.sha256 AND +query = ? AND +source = ?) AS counted"
            " FROM arrived",
            [*sha256s, query, source],
        )
        return {row["sha256"]: _standing(row) for row in rows}

    def stored_images(self, query: str, source: str) -> Iterator[ImageRecord]:
        """Images that the query has led to and that were not taken out, page by page.

        One that several results led to comes several times.
        """
        yield from self._images(OF_QUERY, {"query": query, "source": source})

    def fetched_images(self, scrape: int) -> Iterator[ImageRecord]:
        """Images that a call has fetched and that were not taken out, page by page."""
        call = self._db.one("SELECT query, source FROM scrapes WHERE id = ?", (scrape,))
        values = {"query": call["query"], "source": call["source"], "scrape": scrape}
        yield from self._images(f"{OF_QUERY} AND scrape = :scrape", values)

    def lose_image(self, sha256: str) -> bool:
        """The file is gone: the addresses that led to it have failed and are to be fetched again.

        Where faces were cut from it or packed, they stay, with its row and with what led to it.

        Returns:
            Whether an address led to it.
        """
        failed = (Status.FAILED, Reason.UNREADABLE)
        with self._db.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO outcomes SELECT DISTINCT 'scrape', url, '', ?2, ?3,"
                " 'its file was lost', 0.0 FROM search_results WHERE image_sha256 = ?1",
                (sha256, *failed),
            )
            db.execute(
                "INSERT OR IGNORE INTO lost_images SELECT DISTINCT url, image_sha256"
                " FROM search_results WHERE image_sha256 = ?",
                (sha256,),
            )
            rows = db.execute(
                "UPDATE search_results SET status = ?2, reason = ?3, image_sha256 = NULL"
                " WHERE image_sha256 = ?1",
                (sha256, *failed),
            )
            for sql in NOTHING_CAME_OF_IT:
                db.execute(sql, (sha256,))
        return rows.rowcount > 0

    def _images(self, condition: str, values: Mapping[str, Any]) -> Iterator[ImageRecord]:
        columns = ", ".join(f"images.{name}" for name in ImageRecord.__dataclass_fields__)
        table = "search_results JOIN images ON sha256 = image_sha256"
        for status in (Status.KEPT, Status.REJECTED):
            rule = f"{condition} AND NOT {TAKEN_OUT}"
            for row in self._pages(columns, status, rule, values, 0, table):
                yield image_of(row)

    def _pages(
        self,
        columns: str,
        status: Status,
        condition: str,
        values: Mapping[str, Any],
        after: int,
        table: str = "search_results",
    ) -> Iterator[sqlite3.Row]:
        """Rows of one status in the order of their ids, PAGE at a time."""
        sql = page_sql(columns, status, condition, table)
        while rows := self._db.all(sql, {**values, "after": after}):
            yield from rows
            after = rows[-1]["page_id"]


def _standing(row: sqlite3.Row) -> Standing:
    taken_out = Reason(row["taken_out"]) if row["taken_out"] else None
    return Standing(taken_out, bool(row["known"]), bool(row["counted"]))


def page_sql(columns: str, status: Status, condition: str, table: str) -> str:
    """The statement that reads one page of results; `:after` is the last id of the page before."""
    return (
        f"SELECT {columns}, search_results.id AS page_id FROM {table}"  # noqa: S608
        f" WHERE {condition} AND search_results.status = '{status}'"
        f" AND search_results.id > :after ORDER BY search_results.id LIMIT {PAGE}"
    )
