"""Every stored image with all results that led to it, read off the catalog a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from facegan.core.database import Database
from facegan.core.forget_tables import TAKEN_OUT
from facegan.core.records import SearchResult, Status
from facegan.core.rows import result_of

PAGE = 500
"""Images read at a time."""
_WITH_FACES = (
    "EXISTS (SELECT 1 FROM faces WHERE image_sha256 = images.sha256"  # noqa: S608
    f" AND faces.status = '{Status.KEPT}')"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """One result that led to an image."""

    result: SearchResult
    fetched_at: str | None
    """When, in UTC."""


def provenance(path: Path, *, every: bool = False) -> Iterator[tuple[str, list[Origin]]]:
    """The hash of each image and its results, by hash; one that names a licence comes first.

    Args:
        path: the catalog.
        every: also images without a kept face; those that were taken out never.

    Raises:
        CatalogError: it cannot be read.
    """
    chosen = f"NOT {TAKEN_OUT}" + ("" if every else f" AND {_WITH_FACES}")
    sql = (
        "SELECT page.sha256 AS of_image, search_results.* FROM"  # noqa: S608
        f" (SELECT sha256 FROM images WHERE sha256 > ? AND {chosen} ORDER BY sha256 LIMIT {PAGE})"
        " AS page LEFT JOIN search_results ON id IN"
        " (SELECT result FROM led_to WHERE led_to.image_sha256 = page.sha256)"
        " ORDER BY of_image, coalesce(license, '') = '', rank, id"
    )
    database, last = Database(path), ""
    try:
        while rows := database.all(sql, (last,)):
            for sha256, found in groupby(rows, lambda row: str(row["of_image"])):
                results = [row for row in found if row["url"] is not None]
                yield sha256, [Origin(result_of(row), row["fetched_at"]) for row in results]
                last = sha256
    finally:
        database.close()
