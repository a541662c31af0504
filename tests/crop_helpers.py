"""A workspace as `facegan scrape` leaves it, made of bytes at hand."""

import io
from functools import cache

import numpy as np
from PIL import Image

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from facegan.core.records import ImageRecord, Outcome, SearchResult, Status
from facegan.core.rows import FACE_COLUMNS
from pipeline.images import ImageLimits, Rejection, inspect
from pipeline.portraits import portraits

FACE_NAMES = ", ".join(f'"{column}"' for column in FACE_COLUMNS)


def fill(root, images, **facts):
    """Store `images` (bytes) as if they had been fetched; `facts` go to each search result."""
    workspace = Workspace(root)
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        for rank, data in enumerate(images):
            sha = sha256_of(data)
            path = content_path("images", sha, ".jpg")
            record = ImageRecord(sha, path, *size_of(data), len(data), "jpeg")
            write_bytes(root / record.path, data)
            url = f"https://example.org/{rank}.jpg"
            catalog.add_results([SearchResult(url, "artist", "bing", rank, **facts)])
            catalog.record_fetch(url, Outcome(Status.KEPT), "c", record)
    return workspace


def size_of(data):
    info = inspect(data, ImageLimits())
    return (1, 1) if isinstance(info, Rejection) else (info.width, info.height)


def as_jpeg(image):
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image, np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


@cache
def drawn(count):
    """The first of a fixed row of portraits, each the bytes of a JPEG file."""
    return tuple(as_jpeg(portrait.image) for portrait in portraits(count, seed=21, size_px=160))


def faces_of(workspace, status=Status.KEPT):
    with Catalog(workspace.catalog) as catalog:
        return catalog.faces(status)


class Unused:
    """An executor that nothing is given to."""

    def run(self, _work, items):
        assert list(items) == []
        yield from ()


def rows_of(workspace):
    """Everything that two runs must agree on: no ids, no times."""
    database = Database(workspace.catalog)
    queries = (
        f"SELECT {FACE_NAMES} FROM faces",  # noqa: S608
        "SELECT sha256, status, reason, phash FROM images",
        "SELECT stage, item, config_hash, status, reason, detail FROM outcomes",
        "SELECT * FROM shards",
    )
    found = [sorted(map(repr, map(tuple, database.all(query)))) for query in queries]
    database.close()
    return found
