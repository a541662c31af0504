"""How much of a project is there: results -> images -> faces -> shards -> runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.core.records import Status, Tally
from facegan.core.shards import INDEX_NAME, ShardIndex, open_index, selection_hash


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

    @property
    def next_step(self) -> str:
        """The command that makes something of what is there."""
        if not self.images:
            return 'facegan scrape "artist"'
        if not self.faces_tally.total or self.images_tally.total < self.images:
            return "facegan crop"
        if not self.shards or self.stale:
            return "facegan shard"
        if not self.runs or self.runs[0]["status"] != "finished":
            return "facegan train"
        return "facegan score"


def funnel(workspace: Workspace) -> Funnel:
    """Read the catalog and the shard index; an empty workspace gives zeros.

    Raises:
        CatalogError: the catalog cannot be read.
        ShardError: there is an index and it cannot be read.
    """
    index = _index(workspace)
    if not workspace.catalog.exists():
        nothing = Tally()
        count, size = (index.count, index.image_size) if index else (0, None)
        return Funnel(0, nothing, 0, nothing, nothing, count, size, False, ())
    with Catalog(workspace.catalog) as catalog:
        kept = [face.sha256 for face in catalog.faces(Status.KEPT) if face.sha256]
        return Funnel(
            results=catalog.rows("search_results"),
            results_tally=catalog.tally("search_results"),
            images=catalog.rows("images"),
            images_tally=catalog.tally("images"),
            faces_tally=catalog.tally("faces"),
            shards=index.count if index else 0,
            image_size=index.image_size if index else None,
            stale=_is_stale(index, kept),
            runs=tuple(catalog.runs()),
        )


def _is_stale(index: ShardIndex | None, kept: list[str]) -> bool:
    """Shards of a folder of one's own do not go by the workspace's faces."""
    if index is None or index.config.get("source") != "catalog":
        return False
    return selection_hash(set(kept)) != index.selection


def _index(workspace: Workspace) -> ShardIndex | None:
    exists = (workspace.shards / INDEX_NAME).exists()
    return open_index(workspace.shards) if exists else None
