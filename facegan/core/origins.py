"""Where each image came from: the search result that led to it."""

from __future__ import annotations

from pathlib import Path

from facegan.core.database import Database
from facegan.core.records import SearchResult
from facegan.core.rows import result_of


def origins(catalog: Path) -> dict[str, SearchResult]:
    """One search result for every image that was fetched; one that names a licence comes first.

    Args:
        catalog: the SQLite file.

    Returns:
        By the image's SHA-256.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    database = Database(catalog)
    try:
        rows = database.all(
            "SELECT * FROM search_results WHERE image_sha256 IS NOT NULL"
            " ORDER BY license IS NULL, rank, id"
        )
    finally:
        database.close()
    found: dict[str, SearchResult] = {}
    for row in rows:
        found.setdefault(row["image_sha256"], result_of(row))
    return found
