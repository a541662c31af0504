"""A workspace as `facegan scrape` leaves it, made of bytes at hand."""

import io

import numpy as np
from PIL import Image

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from facegan.core.records import ImageRecord, Outcome, SearchResult, Status


def fill(root, images, **facts):
    """Store `images` (bytes) as if they had been fetched; `facts` go to each search result."""
    workspace = Workspace(root)
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        for rank, data in enumerate(images):
            sha = sha256_of(data)
            record = ImageRecord(sha, content_path("images", sha, ".jpg"), 1, 1, len(data), "jpeg")
            write_bytes(root / record.path, data)
            url = f"https://example.org/{rank}.jpg"
            catalog.add_results([SearchResult(url, "artist", "bing", rank, **facts)])
            catalog.record_fetch(url, Outcome(Status.KEPT), "c", record)
    return workspace


def as_jpeg(image):
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image, np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def rows_of(workspace):
    """Everything that two runs must agree on: no ids, no times."""
    database = Database(workspace.catalog)
    queries = (
        'SELECT image_sha256, "left", top, landmarks, score, detector, path, status, reason'
        " FROM faces",
        "SELECT sha256, status, reason FROM images",
        "SELECT stage, item, config_hash, status, reason, detail FROM outcomes",
        "SELECT * FROM shards",
    )
    found = [sorted(map(repr, map(tuple, database.all(query)))) for query in queries]
    database.close()
    return found
