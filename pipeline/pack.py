"""Kept faces -> shards. Nothing is rewritten while the faces and the settings are the same."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegan.core import files
from facegan.core.addresses import without_user
from facegan.core.catalog import Catalog
from facegan.core.errors import ShardError, WorkspaceError
from facegan.core.events import Finished, Listener, Note, Started, silent
from facegan.core.files import Workspace
from facegan.core.funnel import stopped_crop, unfinished_crop
from facegan.core.hashing import config_hash
from facegan.core.lock import exclusive
from facegan.core.provenance import Origin, provenance
from facegan.core.records import FaceRecord, Status
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import Entry, ShardIndex, open_index, selection_hash, write_shards
from pipeline.config import ShardConfig
from pipeline.credits import other_licenses
from pipeline.select import split_anew

ORIGIN_FIELDS = (
    "url",
    "page_url",
    "source",
    "title",
    "creator",
    "license",
    "license_url",
    "attribution",
)


def pack(workspace: Workspace, config: ShardConfig, *, listener: Listener = silent) -> ShardIndex:
    """Write the kept faces as shards and their rows, ordered by the hash of the crop.

    Two images that gave the same crop, bit for bit, count once. Nothing is judged anew; with
    `config.hold_out` all faces are shared out anew between training and the scores, in these
    shards: the catalog, and with it the next call, keeps what `facegan crop` has decided. Where the
    last one was stopped, the listener is warned of what that leaves amiss with the faces.

    Raises:
        ConfigError: a setting cannot be.
        WorkspaceError: there are no faces, the shards cannot be written, or another facegan works
            in the workspace.
        ShardError: a crop is missing, altered or of another size than the others.
    """
    config.validate()
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no faces in {workspace.root}", hint="facegan crop")
    with exclusive(workspace):
        return _pack(workspace, config, listener)


def _pack(workspace: Workspace, config: ShardConfig, listener: Listener) -> ShardIndex:
    faces = _kept_faces(workspace, config.hold_out, listener)
    found = dict(provenance(workspace.catalog))
    metadata = {
        sha256: _facts(face, found.get(face.image_sha256)) for sha256, face in faces.items()
    }
    size = _common_size(workspace, faces.values(), config.size)
    settings = {
        "source": "catalog",
        "size": size,
        "max_bytes": config.max_bytes,
        "metadata": config_hash(metadata),
        "held_out": held_out_hash(sha for sha, face in faces.items() if face.split == HELD_OUT),
    }
    if config.hold_out is not None:
        settings["hold_out"] = config.hold_out
    index = unchanged(workspace.shards, faces, size, settings)
    if index is None:
        listener(Started("shard", len(faces), "face"))
        entries = (_entry(workspace, face, metadata[sha]) for sha, face in faces.items())
        try:
            index = write_shards(
                workspace.shards,
                entries,
                image_size=size,
                config=settings,
                max_bytes=config.max_bytes,
            )
        finally:
            listener(Finished("shard"))
    record(workspace, index)
    return index


def held_out_hash(keys: Iterable[str]) -> str:
    """Of the faces that are held out: other ones are other shards."""
    return config_hash({"held_out": sorted(keys)})


def record(workspace: Workspace, index: ShardIndex) -> None:
    """Write the shards' rows into the catalog, and for good which faces they hold.

    Raises:
        CatalogError: it cannot be written.
    """
    rows = [(shard.file, shard.sha256, shard.count, shard.bytes) for shard in index.shards]
    with Catalog(workspace.catalog) as catalog:
        catalog.record_shards(rows, index.selection)
        catalog.record_selection(index.selection, _members(index, catalog.faces(Status.KEPT)))


def _members(index: ShardIndex, faces: Iterable[FaceRecord]) -> Iterator[tuple[str, str, str]]:
    """(face, image, split), by hashes; the image is empty where the catalog knows none."""
    images: dict[str | None, list[str]] = {}
    for face in faces:
        images.setdefault(face.sha256, []).append(face.image_sha256)
    for member in index.members:
        for image in images.get(member.sha256, [""]):
            yield member.sha256, image, member.split


def unchanged(
    folder: Path, sha256s: Iterable[str], size: int, settings: Mapping[str, Any]
) -> ShardIndex | None:
    """The index in `folder`, if it holds these faces under these settings and is whole."""
    try:
        index = open_index(folder)
        same = (
            index.selection == selection_hash(sha256s)
            and index.image_size == size
            and dict(index.config) == dict(settings)
            and all(files.sha256_of_file(folder / s.file) == s.sha256 for s in index.shards)
        )
    except (ShardError, OSError):
        return None
    return index if same else None


def png_side(png: bytes) -> int | None:
    """The side of a square PNG, read off its header; None for anything else.

    >>> png_side(b"not a PNG") is None
    True
    """
    if len(png) < 24 or not png.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", png[16:24])
    return int(width) if width == height else None


def _kept_faces(
    workspace: Workspace, hold_out: float | None, listener: Listener
) -> dict[str, FaceRecord]:
    """By the crop's hash, sorted by it; with a share to hold out, as it shares them out."""
    with Catalog(workspace.catalog) as catalog:
        kept = catalog.faces(Status.KEPT)
        if not kept:
            raise _nothing_kept(workspace, catalog)
        if amiss := stopped_crop(catalog):
            listener(Note("shard", amiss, warning=True))
        moved = {}
        if hold_out is not None:
            every = catalog.faces(None, landmarks=False)
            anew = split_anew(every, hold_out, catalog.hashed_images())
            moved = {face.id: face.split for face in anew}
    faces: dict[str, FaceRecord] = {}
    for face in kept:
        if face.sha256 and face.path:
            split = moved.get(face.id, face.split)
            faces.setdefault(face.sha256, replace(face, split=split))
    return faces


def _nothing_kept(workspace: Workspace, catalog: Catalog) -> WorkspaceError:
    faces = catalog.tally("faces")
    if amiss := stopped_crop(catalog):
        return WorkspaceError(
            f"no face in {workspace.root} is kept: {amiss}", hint=unfinished_crop(catalog)
        )
    if not faces.total:
        return WorkspaceError(f"no faces in {workspace.root}", hint="facegan crop")
    counts = Counter(faces.rejected).most_common()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
    return WorkspaceError(
        f"none of {faces.total} faces in {workspace.root} is kept: {reasons}; other thresholds of"
        " `facegan crop` may keep some",
        hint="facegan review",
    )


def _common_size(workspace: Workspace, faces: Iterable[FaceRecord], wanted: int | None) -> int:
    sizes = Counter(_size_of(workspace, face) for face in faces)
    (size, _), *others = sizes.most_common()
    if others:
        with Catalog(workspace.catalog) as catalog:
            going_on = unfinished_crop(catalog)
        told = ", ".join(f"{count:,} of {side} px" for side, count in sorted(sizes.items()))
        stopped = ": the last `facegan crop` was stopped" if going_on else ""
        raise ShardError(
            f"the faces are of different sizes ({told}){stopped}",
            hint=going_on or f"facegan crop --size {size}",
        )
    if wanted is not None and wanted != size:
        instead = f"; `facegan train --size {wanted}` takes these too" if wanted < size else ""
        raise ShardError(
            f"the crops are {size} px, --size is {wanted}: it is for the images of a FOLDER"
            f"{instead}",
            hint=f"facegan train --size {wanted}"
            if wanted < size
            else f"facegan crop --size {wanted}",
        )
    return size


def _size_of(workspace: Workspace, face: FaceRecord) -> int:
    path = _path(workspace, face)
    try:
        with path.open("rb") as file:
            side = png_side(file.read(24))
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    if side is None:
        raise _broken(path, "no square PNG")
    return side


def _entry(workspace: Workspace, face: FaceRecord, metadata: Mapping[str, Any]) -> Entry:
    path = _path(workspace, face)
    try:
        png = path.read_bytes()
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    if files.sha256_of(png) != face.sha256:
        raise _broken(path, "its bytes are not those that were written")
    return Entry(files.sha256_of(png), png, metadata, face.split)


def _broken(path: Path, why: str) -> ShardError:
    return ShardError(
        f"cannot pack {path}: {why}", hint=f"rm -f {path}, then facegan crop, which cuts it again"
    )


def _path(workspace: Workspace, face: FaceRecord) -> Path:
    return workspace.root / (face.path or "")


def _facts(face: FaceRecord, origins: Sequence[Origin] | None) -> dict[str, Any]:
    """What stands beside a crop."""
    box = face.box
    facts: dict[str, Any] = {
        "image_sha256": face.image_sha256,
        "box": [box.left, box.top, box.right, box.bottom] if box else None,
        "landmarks": [list(point) for point in face.landmarks] if face.landmarks else None,
        "score": face.score,
        "detector": face.detector,
    }
    if origins:
        named = {name: getattr(origins[0].result, name) for name in ORIGIN_FIELDS}
        named["other_licenses"] = other_licenses(origins)
        facts["origin"] = {name: without_user(text) for name, text in named.items() if text}
    return facts
