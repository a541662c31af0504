"""A workspace of made-up pictures of which one face each is kept, packed and trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from facegan.core.records import Box, FaceRecord, ImageRecord, Outcome, SearchResult, Status
from facegan.core.shards import open_index, read_facts
from pipeline.config import ShardConfig
from pipeline.images import encode_png
from pipeline.pack import pack

KEPT = Outcome(Status.KEPT)
POINTS = tuple((float(n), n + 0.5) for n in range(5))


def picture(number: int) -> bytes:
    return b"original %d" % number


def hash_of(number: int) -> str:
    return sha256_of(picture(number))


def crop(number: int) -> bytes:
    rng = np.random.default_rng(number)
    return encode_png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))


def result(number: int, query: str = "artist", **facts: object) -> SearchResult:
    """`https://NUMBER.example/picture.jpg` of an even number, of an odd one below img.example."""
    host = f"{number}.example" if number % 2 == 0 else f"h{number}.img.example"
    values = {
        "page_url": f"https://pages.example/{number}",
        "title": f"Title-{number}",
        "creator": f"Creator-{number}",
        "attribution": f"By-{number}",
        "license": "CC0" if number else None,
    }
    url = f"https://{host}/picture.jpg"
    return SearchResult(url, query, "bing", number, **(values | facts))  # type: ignore[arg-type]


def filled(root: Path, count: int = 4, results: Sequence[SearchResult] = ()) -> Workspace:
    """`count` pictures with a face each; `results` are added, those of their addresses with them.

    Two addresses more were found, of which one failed and one waits.
    """
    workspace = Workspace(root)
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([result(number) for number in range(count + 2)])
        for number in range(count):
            keep(workspace, catalog, number)
        catalog.record_fetch(result(count).url, Outcome(Status.FAILED), "config")
        catalog.add_results(results)
    pack(workspace, ShardConfig())
    return workspace


def keep(workspace: Workspace, catalog: Catalog, number: int, face: int | None = None) -> None:
    """Store a picture and its face; `face` names the crop of another picture."""
    data, png = picture(number), crop(number if face is None else face)
    sha256 = sha256_of(data)
    image = ImageRecord(sha256, content_path("images", sha256, ".jpg"), 64, 64, len(data), "jpeg")
    write_bytes(workspace.root / image.path, data)
    catalog.record_fetch(result(number).url, KEPT, "config", image)
    path = content_path("faces", sha256_of(png), ".png")
    write_bytes(workspace.root / path, png)
    face_record = FaceRecord(
        sha256, Box(1, 2, 33, 34), POINTS, 0.75, "yunet", Status.KEPT,
        path=path, sha256=sha256_of(png),
    )  # fmt: skip
    catalog.record_faces(sha256, [face_record], KEPT, "config")
    catalog._db.all("UPDATE images SET phash = ? WHERE sha256 = ?", (f"Phash-{number}", sha256))


def began(workspace: Workspace, name: str, selection: str) -> None:
    """A run of a selection, in the catalog alone."""
    with Catalog(workspace.catalog) as catalog:
        catalog.record_run(
            name, iteration=1, iterations=1, seconds=1.0, selection=selection, status="finished"
        )


def bytes_in(workspace: Workspace) -> bytes:
    """All that lies in the workspace, file by file."""
    return b"\0".join(path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


def kept(workspace: Workspace) -> list[int]:
    """Numbers of the pictures whose faces the shards hold."""
    told = [facts["image_sha256"] for _, facts in read_facts(open_index(workspace.shards))]
    return sorted(number for number in range(9) if hash_of(number) in told)
