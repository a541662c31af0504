"""Images that failed: a file that is gone, a worker that died, too little memory.

The next call tries them again. What was cut from them before stays: a failure says nothing of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace

from facegan.core.catalog import Catalog
from facegan.core.counted import counted
from facegan.core.face_tables import judged
from facegan.core.files import Workspace
from facegan.core.records import FaceRecord, Outcome, Reason
from pipeline.pack import png_side


@dataclass(slots=True)
class FailedImages:
    """Of one call of `facegan crop`."""

    workspace: Workspace
    catalog: Catalog
    size: int
    """Side of a crop, in pixels."""
    decided_under: str
    _crops: dict[str, list[str]] = field(init=False)
    """By image: where its crops lie."""
    _kept: dict[str, int] = field(init=False)
    _left: Counter[str] = field(default_factory=Counter)
    """Kept faces that stay, by what failed."""
    _aside: dict[str, tuple[Reason | None, int]] = field(default_factory=dict)
    """Images whose crops are of another size: why they failed, and that size."""

    def __post_init__(self) -> None:
        crops = defaultdict(list)
        for image, path in self.catalog.crop_files():
            crops[image].append(path)
        self._crops, self._kept = dict(crops), self.catalog.kept_of_images()

    @property
    def images_with_crops(self) -> Set[str]:
        """By their hashes, as the call began."""
        return self._crops.keys()

    def record(self, sha256: str, outcome: Outcome) -> None:
        """Write down that an image failed; its faces stay, but for those whose crops are gone."""
        sides = {path: self._side(path) for path in self._crops.get(sha256, ())}
        lost = [path for path, side in sides.items() if side is None]
        stay = {side for side in sides.values() if side is not None}
        if not stay:
            self.catalog.record_faces(sha256, [], outcome, self.decided_under)
            return
        self.catalog.record_failure(sha256, outcome, lost)
        if others := stay - {self.size}:
            self._aside[sha256] = (outcome.reason, max(others))
        elif kept := min(self._kept.get(sha256, 0), len(sides) - len(lost)):
            self._left[outcome.reason or ""] += kept

    def judged(self, faces: Sequence[FaceRecord]) -> tuple[list[FaceRecord], list[FaceRecord]]:
        """Share faces out: those that are to be judged, and those set aside, as they are now.

        Set aside are crops of another size: shards hold one size only. They come back with it, or
        once their image can be read; until then no review keeps them. Their files stay: where the
        image is gone for good, nothing could cut them again.
        """
        standing = [face for face in faces if face.image_sha256 not in self._aside]
        return standing, [
            self._set_aside(face)
            for face in faces
            if face.path and face.image_sha256 in self._aside
        ]

    def text(self) -> str | None:
        """What to say of the faces that stay; None where there is nothing to say."""
        told = []
        if n := self._left.total():
            why = ", ".join(f"{reason} {count}" for reason, count in self._left.most_common())
            told.append(f"{counted(n, 'kept face')} of failed images {_stay(n)}: {why}")
        if n := sum(self._kept.get(image, 0) for image in self._aside):
            sides = ", ".join(map(str, sorted({side for _, side in self._aside.values()})))
            are = "is" if n == 1 else "are"
            told.append(
                f"{counted(n, 'kept face')} of failed images {are} set aside, of {sides} px"
            )
        return "; ".join(told) or None

    def _side(self, path: str) -> int | None:
        try:
            with (self.workspace.root / path).open("rb") as file:
                return png_side(file.read(24))
        except OSError:
            return None

    def _set_aside(self, face: FaceRecord) -> FaceRecord:
        reason, side = self._aside[face.image_sha256]
        detail = f"cut at {side} px, and its image cannot be cut anew now"
        return judged(replace(face, auto_reason=reason, auto_detail=detail, cluster=None))


def _stay(count: int) -> str:
    return "stays as it was" if count == 1 else "stay as they were"
