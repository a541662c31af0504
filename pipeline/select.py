"""Which of the faces are kept: thresholds, the largest of an image, duplicates, and the split.

A pure function of what the catalog holds, run over all of it at the end of every `facegan crop`:
another threshold needs no new cut. What a person has decided in `facegan review` stands above all
of it, and of copies the person's choice leads: those of a face that was kept by hand are its
duplicates, however good they are and whatever the thresholds say of it. A face that was rejected by
hand still keeps out the copies that it is better than: rejected is what is seen, and the next best
copy shows the same. Who wants that copy keeps it by hand, which stands above both. A better copy
that a later search brings is judged anew. The other faces of its image show somebody else: the
largest of these takes its place.

Copies are known also of faces that a rule has rejected: `facegan forget` must find them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from facegan.core.face_tables import TAKEN_OUT_FACE, HashedImage, judged
from facegan.core.records import FaceRecord, Reason, Status
from pipeline.clusters import Looks, leaders, looks
from pipeline.config import CropConfig
from pipeline.split import splits

SPLIT_BITS = 8
"""Faces whose hashes differ in no more of 64 bits are never on both sides of the split, even where
fewer count as duplicates."""

STEPS = 3
"""In which size and sharpness double, when faces are compared."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One threshold."""

    reason: Reason
    name: str
    value: Callable[[FaceRecord], float | None]
    """None, where it was not measured, passes."""
    setting: str
    """The name of its limit among the settings."""
    at_least: bool = False
    unit: str = ""


def _turn(degrees: float | None) -> float | None:
    return None if degrees is None else abs(degrees)


GATES = (
    Gate(Reason.TOO_SMALL, "", lambda f: f.size_px, "min_face_px", at_least=True, unit=" px"),
    Gate(Reason.LOW_SCORE, "score", lambda f: f.score, "min_score", at_least=True),
    Gate(Reason.TOO_DARK, "exposure", lambda f: f.exposure, "min_exposure", at_least=True),
    Gate(Reason.TOO_BRIGHT, "exposure", lambda f: f.exposure, "max_exposure"),
    Gate(Reason.BLURRED, "sharpness", lambda f: f.sharpness, "min_sharpness", at_least=True),
    Gate(Reason.TURNED_AWAY, "turned", lambda f: _turn(f.yaw), "max_yaw"),
    Gate(Reason.TILTED, "tilted", lambda f: _turn(f.roll), "max_roll"),
    Gate(Reason.PADDED, "padding", lambda f: f.padding, "max_padding"),
)
"""In this order; the first that rejects a face gives its reason. The dark and the overexposed come
before the blurred: they have no detail that could be sharp."""

Ruling = tuple[Reason | None, str | None, str | None]
"""Reason, detail and cluster."""


def select(
    faces: Sequence[FaceRecord],
    config: CropConfig,
    hold_out: float,
    images: Mapping[str, HashedImage] | None = None,
) -> list[FaceRecord]:
    """Judge all faces.

    Faces without a crop keep the reason that they were recorded with; those of images that were
    taken out are left alone.

    Args:
        faces: all of the catalog, in any order.
        config: the thresholds.
        hold_out: share of the faces that no training sees, about.
        images: the perceptual hashes and sizes of the images.

    Returns:
        Those faces, as they are now, of which something has changed.
    """
    known = images or {}
    standing = sorted(
        (face for face in faces if face.reason not in TAKEN_OUT_FACE),
        key=lambda face: best_first(face, known.get(face.image_sha256)),
    )
    seen = looks(standing, images or {}, config.duplicates)
    rulings = _rulings(standing, seen, config)
    wide = seen if config.duplicates >= SPLIT_BITS else looks(standing, images or {}, SPLIT_BITS)
    sides = splits([face.image_sha256 for face in standing], wide.edges, hold_out)
    return list(_changed(standing, rulings, sides))


def split_anew(
    faces: Sequence[FaceRecord], hold_out: float, images: Mapping[str, HashedImage]
) -> list[FaceRecord]:
    """Share all faces out again, whatever else was decided of them.

    Returns:
        Those that change sides.
    """
    standing = [face for face in faces if face.reason not in TAKEN_OUT_FACE]
    leader: dict[str, int] = {}
    first = [leader.setdefault(f.cluster, at) if f.cluster else at for at, f in enumerate(standing)]
    clusters = (np.arange(len(first)), np.array(first, np.int64))
    edges = chain(looks(standing, images, SPLIT_BITS).edges, [clusters])
    sides = splits([face.image_sha256 for face in standing], edges, hold_out)
    return [
        replace(face, split=side)
        for face, side in zip(standing, sides, strict=True)
        if face.split != side
    ]


def best_first(face: FaceRecord, image: HashedImage | None = None) -> tuple[object, ...]:
    """Sorts faces: those that were enlarged the least, the sharpest, of the least compressed image.

    A face that has the crop's pixels is large enough: another one may be larger because somebody
    has enlarged it. Enlargement and sharpness count in steps of a quarter (STEPS to a doubling):
    what differs by less is what a picture saved once more may have gained by chance. Of 60 faces of
    512 px and their copies the original comes first before 58 to 60 of JPEG quality 40, 60 and 85,
    of 59 mirrored, 56 reduced to 0.7 of the size and 58 reduced to 0.4, 59 enlarged to 1.4, and all
    that were first reduced to 0.4 and then enlarged; before hardly any that was saved anew at 95,
    which has more bytes and shows the same. Ids say nothing, for they change.

    Args:
        face: any.
        image: that it was cut from, where that is known.
    """
    box = face.box
    return (
        max(0, _step(face.upscale)),
        -_step(face.sharpness),
        -image.bits_per_pixel if image else 0.0,
        -(face.size_px or 0.0),
        -(face.sharpness or 0.0),
        -(face.score or 0.0),
        face.sha256 or "",
        face.image_sha256,
        (box.left, box.top, box.right, box.bottom) if box else (),
    )


def _step(value: float | None) -> int:
    return round(STEPS * math.log2(max(value or 0.0, 1e-6)))


def rejection(face: FaceRecord, config: CropConfig) -> tuple[Reason, str] | None:
    """The first threshold that a face misses, and by what; None where it meets them all."""
    for gate in GATES:
        value, limit = gate.value(face), float(getattr(config, gate.setting))
        if value is None or (value >= limit if gate.at_least else value <= limit):
            continue
        bound = "at least" if gate.at_least else "at most"
        told = f"{gate.name} {figure(value, limit)}{gate.unit}".lstrip()
        return gate.reason, f"{told}, {bound} {limit:g}"
    return None


def figure(value: float, limit: float) -> str:
    """A value in three digits, or in as many as it takes to tell it from the limit.

    >>> figure(12.14, 20), figure(0.19996, 0.2), figure(1234.5, 5000)
    ('12.1', '0.19996', '1234')
    """
    least = max(3, len(f"{abs(value):.0f}"))
    texts = [f"{value:.{digits}g}" for digits in range(least, max(18, least + 1))]
    return next((text for text in texts if float(text) != limit), texts[0])


def _rulings(faces: Sequence[FaceRecord], seen: Looks, config: CropConfig) -> list[Ruling]:
    """What the rules say of each face, the best first."""
    rulings: list[Ruling] = [(face.auto_reason, face.auto_detail, None) for face in faces]
    passing: list[int] = []
    for at, face in enumerate(faces):
        if face.path is not None:
            rejected = rejection(face, config)
            rulings[at] = (*rejected, None) if rejected else (None, None, None)
            if not rejected:
                passing.append(at)
    if config.faces == "largest":
        passing = list(_largest(faces, passing, rulings))
    by_hand = [at for at, face in enumerate(faces) if face.review is Status.KEPT and face.path]
    # After those that pass, so that these alone lead them; those without a crop come last.
    others = sorted(range(len(faces)), key=lambda at: faces[at].path is None)
    chosen = list(dict.fromkeys([*by_hand, *passing, *others]))
    if config.duplicates >= 0:
        leader_of = leaders(seen, chosen, frozenset(by_hand))
    else:
        leader_of = _same_bytes(faces, chosen)
    _rule_duplicates(faces, leader_of, rulings)
    return rulings


def _largest(
    faces: Sequence[FaceRecord], passing: Sequence[int], rulings: list[Ruling]
) -> Iterator[int]:
    """The positions of the largest faces of their images; the others are ruled out.

    One that was rejected by hand rules out nobody; where it is larger it stays to lead its copies.
    """
    largest: dict[str, int] = {}
    for at in sorted(passing, key=lambda at: (_is_thrown(faces[at]), -_size(faces[at]))):
        largest.setdefault(faces[at].image_sha256, at)
    for at in passing:
        best = largest[faces[at].image_sha256]
        if best == at or _size(faces[at]) > _size(faces[best]):
            yield at
        else:
            one, other = _size(faces[at]), _size(faces[best])
            detail = f"{figure(one, other)} px, the largest {figure(other, one)}"
            rulings[at] = (Reason.NOT_LARGEST, detail, None)


def _is_thrown(face: FaceRecord) -> bool:
    return face.review is Status.REJECTED


def _size(face: FaceRecord) -> float:
    """Of the box's shorter side, in pixels, as everywhere."""
    return face.size_px or 0.0


def _same_bytes(faces: Sequence[FaceRecord], chosen: Sequence[int]) -> dict[int, int]:
    """Where nothing counts as alike: for each face the first with the same crop, bit for bit.

    The shards hold it once, and whoever rejects it by hand has rejected what they would hold.
    """
    first: dict[str, int] = {}
    return {at: first.setdefault(faces[at].sha256 or str(at), at) for at in chosen}


def _rule_duplicates(
    faces: Sequence[FaceRecord], leader_of: Mapping[int, int], rulings: list[Ruling]
) -> None:
    """Name the copies; the rules that a face misses are named before."""
    for at, leader in leader_of.items():
        if leader != at:
            name = faces[leader].sha256 or faces[leader].image_sha256
            duplicate = Reason.DUPLICATE, f"of {name}"
            rulings[at] = (*(rulings[at][:2] if rulings[at][0] else duplicate), name)
            rulings[leader] = (*rulings[leader][:2], name)


def _changed(
    faces: Sequence[FaceRecord], rulings: Sequence[Ruling], sides: Sequence[str]
) -> Iterator[FaceRecord]:
    for face, (reason, detail, cluster), side in zip(faces, rulings, sides, strict=True):
        now = judged(
            replace(face, auto_reason=reason, auto_detail=detail, cluster=cluster, split=side)
        )
        if now != face:
            yield now
