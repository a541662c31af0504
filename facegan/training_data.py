"""Where the faces that a run was trained on came from. No torch here.

A run keeps the hash of its selection of faces. Figures are given only where the workspace still
holds that very selection: those of other faces would be wrong in a model's papers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from facegan.core.catalog import Catalog
from facegan.core.errors import ShardError
from facegan.core.files import Workspace
from facegan.core.funnel import Funnel, funnel
from facegan.core.records import FaceRecord, SearchResult, Status
from facegan.core.shard_index import HELD_OUT, TRAIN
from facegan.core.shards import ShardIndex, open_index, selection_hash
from facegan.runs import Run, data_identity, same_faces

UNKNOWN = "unknown"
NO_CATALOG = "the workspace has no catalog: the run was trained on shards made elsewhere"
OWN_FOLDER = "the faces come from a folder of the user's own, of which the catalog knows nothing"
OTHER_FACES = (
    "the workspace no longer holds the selection of faces that the run was trained on, or the run "
    "was trained on shards from elsewhere"
)
Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What is known of a run's faces; each count is of faces trained on."""

    images: int
    """How many faces."""
    selection: str
    """Hash of the set of them and of those held out."""
    held_out: int = 0
    """How many were kept from training, to score with."""
    gap: str | None = None
    """Why nothing more is known, as half a sentence; None where it is."""
    funnel: Funnel | None = None
    """Of the whole workspace, where the faces are its own."""
    sources: Counts = field(default_factory=dict)
    queries: Counts = field(default_factory=dict)
    licences: Counts = field(default_factory=dict)
    """By the source's own word; `unknown` where it told none."""

    @property
    def unknown_licences(self) -> int:
        """Faces of which no licence is known."""
        return self.images if self.gap else self.licences.get(UNKNOWN, 0)


def training_data(workspace: Workspace, run: Run) -> TrainingData:
    """Look up a run's faces in the workspace's catalog.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    selection = str(run.data.get("selection", ""))
    held_out = int(run.data.get("held_out", 0))
    known = TrainingData(int(run.data.get("count", 0)) - held_out, selection, held_out)
    index = _index(workspace)
    ours = index is not None and same_faces(run.data, data_identity(index))
    if ours and index is not None and index.config.get("source") != "catalog":
        return _without(known, OWN_FOLDER)
    if not workspace.catalog.exists():
        return _without(known, NO_CATALOG)
    with Catalog(workspace.catalog) as catalog:
        faces = [face for face in catalog.faces(None) if face.sha256]
        if ours and index is not None:
            crops = {member.sha256 for member in index.split(TRAIN)}
        else:
            crops = _trained_crops(faces)
            if selection_hash(catalog.kept_crops()) != selection or len(crops) != known.images:
                return _without(known, OTHER_FACES)
        origins = _origins(catalog, faces, crops)
    return replace(
        known,
        funnel=_funnel(workspace),
        sources=_count(origins, lambda result: result.source),
        queries=_count(origins, lambda result: result.query),
        licences=_count(origins, lambda result: result.license),
    )


def _without(known: TrainingData, gap: str) -> TrainingData:
    return replace(known, gap=gap)


def _trained_crops(faces: Iterable[FaceRecord]) -> set[str]:
    kept = [face for face in faces if face.status is Status.KEPT]
    return {face.sha256 for face in kept if face.sha256 and face.split != HELD_OUT}


def _index(workspace: Workspace) -> ShardIndex | None:
    """The workspace's shards; None where there are none that are whole."""
    try:
        return open_index(workspace.shards)
    except ShardError:
        return None


def _funnel(workspace: Workspace) -> Funnel | None:
    """The workspace's figures; None where its shards are damaged."""
    try:
        return funnel(workspace)
    except ShardError:
        return None


def _origins(
    catalog: Catalog, faces: Iterable[FaceRecord], crops: set[str]
) -> list[SearchResult | None]:
    """One search result a crop, None where the catalog knows none."""
    images = {face.sha256: face.image_sha256 for face in faces if face.sha256}
    results = catalog.origins()
    return [results.get(images.get(crop, "")) for crop in sorted(crops)]


def _count(
    origins: Iterable[SearchResult | None], what: Callable[[SearchResult], str | None]
) -> Counts:
    """How often each answer comes, the commonest first."""
    told = ((what(result) or "").strip() if result else "" for result in origins)
    counts = Counter(answer or UNKNOWN for answer in told)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
