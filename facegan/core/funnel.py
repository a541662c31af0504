"""How much of a project is there: results -> images -> faces -> shards -> runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facegan.core.catalog import Catalog
from facegan.core.counted import counted
from facegan.core.errors import ShardError
from facegan.core.files import Workspace
from facegan.core.records import Reason, Status, Tally
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import INDEX_NAME, ShardIndex, open_index, selection_hash

SCRAPE = 'facegan scrape "artist"'


@dataclass(frozen=True, slots=True)
class Funnel:
    """What lies in a workspace."""

    results: int
    results_tally: Tally
    images: int
    images_tally: Tally
    faces_tally: Tally
    shards: int
    """Images in the shards."""
    image_size: int | None
    """Of the shards, in pixels."""
    stale: bool
    """Whether the faces have changed since they were packed."""
    runs: tuple[Mapping[str, Any], ...]
    """Newest first: name, iteration, iterations, status."""
    held_out: int = 0
    """Of the images in the shards: no training sees them."""
    folder: str | None = None
    """Whose images the shards hold; None where they hold the workspace's faces."""
    unfinished: str | None = None
    """The command that goes on with a `facegan crop` that was stopped."""
    faces_pending: int = 0
    """Faces that a `facegan crop` has found and, killed, not judged; in no tally."""
    crop: str | None = None
    """The line of the newest `facegan crop`; None where no call is known."""
    crop_amiss: str | None = None
    """What is amiss with the faces while that has not ended."""

    @property
    def next_step(self) -> str:
        """The command that makes something of what is there."""
        left = self.images - taken_out(self.images_tally)
        packed = self.shards and not self.stale
        if left and self.unfinished:
            return self.unfinished
        if left and self.images_tally.total < self.images:
            return self.crop or "facegan crop"
        if not packed and left and self.faces_tally.total - taken_out(self.faces_tally):
            return (self.crop or "facegan shard") if self.faces_tally.kept else "facegan review"
        if not packed:
            return SCRAPE
        if not self.runs or self.runs[0]["status"] != "finished":
            return "facegan train"
        return "facegan sample"


def taken_out(items: Tally) -> int:
    """How many images or faces were taken out by hand or by `facegan forget`."""
    return sum(items.rejected.get(reason, 0) for reason in (Reason.FORGOTTEN, Reason.OPTED_OUT))


def funnel(workspace: Workspace) -> Funnel:
    """Read the catalog and the shard index; an empty workspace gives zeros.

    Raises:
        CatalogError: the catalog cannot be read.
        ShardError: there is an index and it cannot be read.
    """
    index = _index(workspace)
    packed: dict[str, Any] = {
        "shards": index.count if index else 0,
        "image_size": index.image_size if index else None,
        "held_out": len(index.split(HELD_OUT)) if index else 0,
        "folder": packed_folder(index),
    }
    if not workspace.catalog.exists():
        nothing = Tally()
        return Funnel(0, nothing, 0, nothing, nothing, stale=False, runs=(), **packed)
    with Catalog(workspace.catalog) as catalog:
        return Funnel(
            results=catalog.rows("search_results"),
            results_tally=catalog.tally("search_results"),
            images=catalog.rows("images"),
            images_tally=catalog.tally("images"),
            faces_tally=catalog.tally("faces"),
            stale=_differs(index, catalog),
            runs=tuple(catalog.runs()),
            unfinished=unfinished_crop(catalog),
            crop=crop_again(catalog),
            crop_amiss=_amiss(catalog),
            faces_pending=catalog.count_faces(Status.PENDING),
            **packed,
        )


def crop_again(catalog: Catalog) -> str | None:
    """The line of the newest `facegan crop`; None where no call is known.

    Once more it judges all faces by the same rules, by what was decided by hand since, and packs
    them.
    """
    last = catalog.last_crop()
    return shlex.join(("facegan", *last[0])) if last else None


def unfinished_crop(catalog: Catalog) -> str | None:
    """The line that goes on with the newest `facegan crop`; None where that has ended."""
    last = catalog.last_crop()
    return None if last is None or last[1] else crop_again(catalog)


def stopped_crop(catalog: Catalog) -> str | None:
    """What is amiss with the faces after a `facegan crop` that was stopped; None after any other.

    One that was killed has judged none of the faces that it has found.
    """
    amiss = _amiss(catalog)
    if amiss is None:
        return None
    return "the last `facegan crop` was stopped" + (f": {amiss}" if amiss else "")


def _amiss(catalog: Catalog) -> str | None:
    """In words; empty where nothing is. None where the newest `facegan crop` has ended."""
    if unfinished_crop(catalog) is None:
        return None
    told = []
    if waiting := catalog.count_faces(Status.PENDING):
        told.append(f"{counted(waiting, 'face')} not judged yet")
    if others := catalog.kept_of_other_settings():
        told.append(f"{counted(others, 'kept face')} still of other settings")
    return ", ".join(told)


def packed_folder(index: ShardIndex | None) -> str | None:
    """Whose images the shards hold; None where they hold a workspace's faces."""
    if index is None or index.config.get("source") != "folder":
        return None
    return str(index.config.get("folder", "a folder"))


def refuse_stale(workspace: Workspace) -> None:
    """Keep training off shards that no longer hold the kept faces.

    Raises:
        ShardError: the faces have changed since they were packed, or the index cannot be read.
        CatalogError: the catalog cannot be read.
    """
    if not is_stale(workspace):
        return
    with Catalog(workspace.catalog) as catalog:
        again = crop_again(catalog)
    raise ShardError(
        f"the faces of {workspace.root} have changed since {workspace.shards} was packed",
        hint=again or "facegan shard",
    )


def is_stale(workspace: Workspace) -> bool:
    """Whether the faces have changed since they were packed into the workspace's shards.

    Raises:
        CatalogError: the catalog cannot be read.
        ShardError: there is an index and it cannot be read.
    """
    index = _index(workspace)
    if index is None or not workspace.catalog.exists():
        return False
    with Catalog(workspace.catalog) as catalog:
        return _differs(index, catalog)


def _differs(index: ShardIndex | None, catalog: Catalog) -> bool:
    """Shards of a folder of one's own do not go by the workspace's faces."""
    if index is None or index.config.get("source") != "catalog":
        return False
    return selection_hash(catalog.kept_crops()) != index.selection


def _index(workspace: Workspace) -> ShardIndex | None:
    exists = (workspace.shards / INDEX_NAME).exists()
    return open_index(workspace.shards) if exists else None
