"""Clusters of duplicates: each face goes with the best one that it is a copy of.

A cluster has a leader, its best face, and every other face in it is a copy of the leader itself:
likeness is not handed on from one to the next, so that a row of faces each a little different from
the last is not one cluster. Copies that a person has kept beside the leader are the exception:
theirs belong to the cluster as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from facegan.core.face_tables import HashedImage
from facegan.core.records import Box, FaceRecord
from pipeline.dedup import IMAGE_BITS, Likeness, alike
from pipeline.neighbours import Ints

SAME_PLACE_IOU = 0.5
"""Two faces of one image, or of copies of it, that overlap so much are one."""
AT_ONCE = 500
"""Leaders that a face is compared with together: seldom are there more, or is the first not among
these."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Which of some faces look alike, and which of their images."""

    faces: Sequence[FaceRecord]
    crops: Likeness
    images: Likeness
    image_of: Ints
    """(N,) for each face the first face of its image: the images' likeness is told by these."""
    sizes: Mapping[str, HashedImage]

    @property
    def edges(self) -> Iterable[tuple[Ints, Ints]]:
        """Pairs of faces that join all that look alike or whose images are or look the same."""
        yield np.arange(len(self.faces)), self.image_of
        yield from self.crops.edges
        yield from self.images.edges


def looks(faces: Sequence[FaceRecord], images: Mapping[str, HashedImage], bits: int) -> Looks:
    """Compare faces by their crops and by their images.

    Args:
        faces: of the catalog.
        images: the perceptual hashes and sizes of their images, as far as there are any.
        bits: of 64 in which the hashes of two crops may differ; below 0 nothing looks alike.
    """
    firsts: dict[str, int] = {}
    image_of = [firsts.setdefault(face.image_sha256, at) for at, face in enumerate(faces)]
    known = [
        _hash_of(images, face) if image_of[at] == at else None for at, face in enumerate(faces)
    ]
    return Looks(
        faces,
        alike([face.phash for face in faces], bits),
        alike(known, min(bits, IMAGE_BITS)),
        np.array(image_of, np.int64),
        images,
    )


def leaders(
    looks: Looks, chosen: Sequence[int], by_hand: Collection[int] = frozenset()
) -> dict[int, int]:
    """Find the face that each one is a copy of.

    Two faces are copies where their crops look alike, or where their images do and they lie at the
    same place in them; both may be mirrored. Two faces of one image are none unless they overlap.

    Args:
        looks: of the faces.
        chosen: positions of the faces that count, those that are to lead first.
        by_hand: those of them that are kept whatever they are copies of: no copy of theirs leads.

    Returns:
        For each position its leader's; the leaders are their own.
    """
    rank = {at: number for number, at in enumerate(chosen)}
    by_crop = _Shelf(looks.crops, np.arange(len(looks.faces)))
    by_image = _Shelf(looks.images, looks.image_of)
    found: dict[int, int] = {}
    for at in chosen:
        crops = (best for best, _ in by_crop.leaders(at) if _may_be_one(looks, best, at))
        images = (best for best, over in by_image.leaders(at) if _same_place(looks, best, at, over))
        best = min((*islice(crops, 1), *islice(images, 1)), key=rank.__getitem__, default=at)
        found[at] = found.get(best, at)
        if found[at] == at or at in by_hand:
            by_crop.add(at)
            by_image.add(at)
    return found


class _Shelf:
    """Leaders, laid by the part of the pictures that theirs belong to."""

    def __init__(self, likeness: Likeness, picture_of: Ints) -> None:
        self._likeness = likeness
        self._picture_of = picture_of
        self._part = likeness.part[picture_of].tolist()
        self._leaders: defaultdict[int, list[int]] = defaultdict(list)

    def leaders(self, at: int) -> Iterator[tuple[int, bool]]:
        """Those that look like a face, and whether it is their mirror images that do, as added."""
        there = self._leaders[self._part[at]]
        for first in range(0, len(there), AT_ONCE):
            some = there[first : first + AT_ONCE]
            near = self._likeness.near(self._picture_of[at], self._picture_of[some])
            for place in np.flatnonzero(near[0] | near[1]).tolist():
                for mirrored in (False, True):
                    if near[mirrored][place]:
                        yield some[place], mirrored

    def add(self, at: int) -> None:
        self._leaders[self._part[at]].append(at)


def _may_be_one(looks: Looks, one: int, other: int) -> bool:
    """Whether two faces whose crops look alike count as one."""
    return looks.image_of[one] != looks.image_of[other] or _same_place(looks, one, other)


def _same_place(looks: Looks, one: int, other: int, mirrored: bool = False) -> bool:
    """Whether two faces lie at the same place, as shares of their images' sides."""
    first, second = (_relative(looks.faces[at], looks.sizes) for at in (one, other))
    if looks.image_of[one] == looks.image_of[other]:
        first, second = looks.faces[one].box, looks.faces[other].box
    elif mirrored and first is not None:
        first = Box(1 - first.right, first.top, 1 - first.left, first.bottom)
    return first is not None and second is not None and first.iou(second) > SAME_PLACE_IOU


def _relative(face: FaceRecord, sizes: Mapping[str, HashedImage]) -> Box | None:
    size = sizes.get(face.image_sha256)
    if size is None or face.box is None or min(size.width, size.height) < 1:
        return None
    box, width, height = face.box, size.width, size.height
    return Box(box.left / width, box.top / height, box.right / width, box.bottom / height)


def _hash_of(images: Mapping[str, HashedImage], face: FaceRecord) -> str | None:
    """None also for an image that shows nothing: another such one is no copy of it."""
    image = images.get(face.image_sha256)
    return image.phash if image is not None and image.phash.strip("0") else None
