"""An empty catalog, and what goes into it."""

import pytest

from facegan.core.catalog import Catalog
from facegan.core.records import ImageRecord, SearchResult


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path / "catalog.db") as opened:
        yield opened


def result(url, rank=0, query="artist", source="bing", **facts):
    return SearchResult(url, query, source, rank, **facts)


def image(sha="a"):
    return ImageRecord(sha, f"images/{sha}.jpg", 4, 3, 99, "jpeg")
