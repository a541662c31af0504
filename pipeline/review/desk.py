"""The catalog as the review page uses it: any thread may ask, one thread alone touches the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from facegan.core.catalog import Catalog
from facegan.core.errors import CatalogError, NothingProducedError, WorkspaceError
from facegan.core.files import Workspace
from facegan.core.records import FaceRecord, ImageRecord, SearchResult, Status

T = TypeVar("T")

Verdicts = Mapping[int, Status | None]
"""What is decided of faces, by their ids; None leaves a face to the rules."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a sitting left behind; a decision that was taken back within it counts for nothing."""

    kept: int = 0
    """Confirmed: the rules keep them too."""
    rescued: int = 0
    """Kept although the rules reject them."""
    rejected: int = 0
    taken_back: int = 0
    """Decisions of earlier sittings that stand no longer."""

    @property
    def total(self) -> int:
        """Faces of which the decision is another one now."""
        return sum(asdict(self).values())

    def as_dict(self) -> dict[str, int]:
        """For `--json`."""
        return asdict(self)


class Desk:
    """An open catalog and the decisions of this sitting; a context manager that closes it.

    SQLite's connections belong to the thread that made them; so one thread of its own does all
    the reading and writing, one call after another.

    Args:
        workspace: that `facegan crop` has worked in.

    Raises:
        WorkspaceError: there is no catalog, or it cannot be read.
        NothingProducedError: there are no faces in it.
    """

    def __init__(self, workspace: Workspace) -> None:
        if not workspace.catalog.exists():
            raise WorkspaceError(f"no faces in {workspace.root}", hint="facegan crop")
        self.workspace = workspace
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        self._before: dict[int, Status | None] = {}
        self._decided: dict[int, FaceRecord] = {}
        self._steps: list[Verdicts] = []
        self._origins: dict[str, SearchResult] | None = None
        self._catalog: Catalog | None = None
        try:
            self._catalog = self._ask(lambda: Catalog(workspace.catalog))
            if not self._ask(self._open.count_faces):
                raise NothingProducedError(f"no faces in {workspace.root}", hint="facegan crop")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was asked for and close the file."""
        if self._catalog is not None:
            self._ask(self._catalog.close)
            self._catalog = None
        self._thread.shutdown()

    def faces(self, offset: int, limit: int) -> tuple[list[FaceRecord], int]:
        """Some of the faces by id, and how many there are in all."""
        return self._ask(self._page, offset, limit)

    def review(self, verdicts: Verdicts) -> list[FaceRecord]:
        """Decide on faces that the page has shown: on all or none, and in one step of `undo`.

        Raises:
            CatalogError: there is no such face, or it cannot be written.
        """
        return self._ask(self._review, verdicts)

    def undo(self) -> list[FaceRecord]:
        """Take back the last step of this sitting that stands, whichever page made it.

        Returns:
            Its faces as they are again; none where there is no step.

        Raises:
            CatalogError: it cannot be written.
        """
        return self._ask(self._undo)

    @property
    def steps(self) -> int:
        """How many can be taken back."""
        return len(self._steps)

    def image(self, sha256: str) -> ImageRecord | None:
        """A picture that faces were found in; None where there is none, or it was taken out."""
        return self._ask(lambda: self._open.image(sha256))

    def origin(self, image_sha256: str) -> SearchResult | None:
        """What the source said of an image; None for one that no search found."""
        return self._ask(self._origin, image_sha256)

    def changes(self) -> Changes:
        """What stands otherwise than when the sitting began."""
        counts = {"kept": 0, "rescued": 0, "rejected": 0, "taken_back": 0}
        for face_id, face in self._decided.items():
            if face.review is not self._before[face_id]:
                counts[_kind(face)] += 1
        return Changes(**counts)

    # in the catalog's own thread

    @property
    def _open(self) -> Catalog:
        assert self._catalog is not None  # noqa: S101 - nothing is asked after `close`
        return self._catalog

    def _ask(self, function: Callable[..., T], *args: Any) -> T:
        return self._thread.submit(function, *args).result()

    def _page(self, offset: int, limit: int) -> tuple[list[FaceRecord], int]:
        faces = self._open.page_of_faces(offset=offset, limit=limit)
        for face in faces:
            self._before.setdefault(face.id or 0, face.review)
        return faces, self._open.count_faces()

    def _review(self, verdicts: Verdicts) -> list[FaceRecord]:
        for face_id in verdicts:
            if face_id not in self._before:
                raise CatalogError(f"there is no face {face_id} on this page", hint="load it again")
        before = {face_id: self._standing(face_id) for face_id in verdicts}
        faces = self._decide(verdicts)
        changed = {one: was for one, was in before.items() if was is not verdicts[one]}
        if changed:
            self._steps.append(changed)
        return faces

    def _undo(self) -> list[FaceRecord]:
        if not self._steps:
            return []
        faces = self._decide(self._steps[-1])
        self._steps.pop()
        return faces

    def _standing(self, face_id: int) -> Status | None:
        decided = self._decided.get(face_id)
        return decided.review if decided else self._before[face_id]

    def _decide(self, verdicts: Verdicts) -> list[FaceRecord]:
        faces = self._open.review_faces(verdicts)
        self._decided |= {face.id or 0: face for face in faces}
        return faces

    def _origin(self, image_sha256: str) -> SearchResult | None:
        if self._origins is None:
            self._origins = self._open.origins()
        return self._origins.get(image_sha256)


def _kind(face: FaceRecord) -> str:
    if face.review is Status.REJECTED:
        return "rejected"
    if face.review is Status.KEPT:
        return "rescued" if face.auto_reason else "kept"
    return "taken_back"
