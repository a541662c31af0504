"""Clusters of duplicates: each face goes with the best one that it is a copy of.

A cluster has a leader, its best face, and every other face in it is a copy of the leader itself:
likeness is not handed on from one to the next, so that a row of faces each a little different from
the last is not one cluster. Copies that a person has kept beside the leader are the exception:
theirs belong to the cluster as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.core.face_tables import HashedImage
from facegan.core.records import FaceRecord
from pipeline.dedup import IMAGE_BITS, Likeness, alike
from pipeline.neighbours import Ints

Bools = NDArray[np.bool_]

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
    boxes: NDArray[np.float64]
    """(N, 4) left, top, right, bottom as shares of the image's sides, or in pixels; NaN: no box."""
    measured: Bools
    """(N,) whether it is shares."""

    def may_be_one(self, at: int, others: Ints, mirrored: bool) -> Bools:  # noqa: ARG002
        """Which faces that look alike count as one: of one image those that overlap."""
        of_two: Bools = self.image_of[others] != self.image_of[at]
        return np.asarray(of_two | self.at_one_place(at, others, False))

    def at_one_place(self, at: int, others: Ints, mirrored: bool) -> Bools:
        """Which faces lie where this one does in its image, or, mirrored, in the mirror image."""
        same = self.image_of[others] == self.image_of[at]
        box, there = self.boxes[at], self.boxes[others]
        if mirrored:
            flipped = np.array((1 - box[2], box[1], 1 - box[0], box[3]))
            box = np.where(same[:, None], box, flipped)
        comparable = same | (self.measured[at] & self.measured[others])
        shared = _iou(np.broadcast_to(box, there.shape), there)
        return np.asarray(comparable & (shared > SAME_PLACE_IOU))

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
        *_relative(faces, images),
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
        both = by_crop.leader(at, looks.may_be_one), by_image.leader(at, looks.at_one_place)
        alike = [one for one in both if one is not None]
        best = min(alike, key=rank.__getitem__, default=at)
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

    def leader(self, at: int, fits: Callable[[int, Ints, bool], Bools]) -> int | None:
        """The first added that looks like a face, or its mirror image does, and that `fits`."""
        there = self._leaders[self._part[at]]
        for first in range(0, len(there), AT_ONCE):
            some = np.array(there[first : first + AT_ONCE])
            near = self._likeness.near(self._picture_of[at], self._picture_of[some])
            fitting = np.zeros(len(some), np.bool_)
            for mirrored, like in enumerate(near):
                if (places := np.flatnonzero(like)).size:
                    fitting[places] |= fits(at, some[places], bool(mirrored))
            if fitting.any():
                return int(some[fitting.argmax()])
        return None

    def add(self, at: int) -> None:
        self._leaders[self._part[at]].append(at)


def _relative(
    faces: Sequence[FaceRecord], sizes: Mapping[str, HashedImage]
) -> tuple[NDArray[np.float64], Bools]:
    """Boxes as shares of their images' sides, or in pixels where these are unknown; and which."""
    boxes = np.full((len(faces), 4), np.nan)
    known = np.zeros(len(faces), np.bool_)
    for at, face in enumerate(faces):
        if face.box is not None:
            boxes[at] = face.box.left, face.box.top, face.box.right, face.box.bottom
        size = sizes.get(face.image_sha256)
        if size is not None and min(size.width, size.height) >= 1:
            boxes[at] /= size.width, size.height, size.width, size.height
            known[at] = True
    return boxes, known


def _iou(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) intersection over union of (K, 4) boxes each, in order; 0 where there is no box."""
    low, high = np.maximum(some[:, :2], others[:, :2]), np.minimum(some[:, 2:], others[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (some, others)]
    both = areas[0] + areas[1] - common
    return np.asarray(np.divide(common, both, out=np.zeros_like(common), where=both > 0))


def _hash_of(images: Mapping[str, HashedImage], face: FaceRecord) -> str | None:
    """None also for an image that shows nothing: another such one is no copy of it."""
    image = images.get(face.image_sha256)
    return image.phash if image is not None and image.phash.strip("0") else None
