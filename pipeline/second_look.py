"""A second look at tilted faces: YuNet places eyes and mouth right on a face that stands upright.

Of a lying face, or one that stands on its head, YuNet often lays eyes and mouth as if it were
upright. Its score tells: of 438 photographs and rendered faces 434 have 0.93 or more upright, 198
turned by 30 degrees, none turned by 45 or more. A face of less is looked at from all around first.
Of 109 of them, turned by 60, 75, ... 180 degrees, between 8 (at 90) and 94 (at 180) in 100 were
kept crooked without that. With it all that are found (106 at the least, at 90) are framed upright,
none by more than 15 degrees off, and `max_roll` sees the tilt that they have.

Measured with the eyes' places in crops of 256 px: on 120 drawn portraits of 384 px rolled by up to
30 degrees their standard deviation is 4.1 px before and 2.0 px after; on 63 photographs and
rendered faces, turned by 9, 18 and 28 degrees to either side, they lie on average 5.6 px and 3.8 px
from where the unturned picture has them. A face that stands nearly upright is not looked at again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facegan.core.records import Face, Landmarks
from pipeline.align import Framing, ffhq_framing, warp
from pipeline.detect import Detector
from pipeline.images import Pixels

SURE = 0.93
"""A first look of at least that score is of a face that stands upright, or nearly so."""
AROUND_DEG = (0.0, 180.0, 90.0, 270.0, 45.0, 315.0, 135.0, 225.0)
"""Any other face is looked at under these tilts until one gives SURE; else the best counts."""
AROUND_BOX = 1.6
"""Those looks are of a square round the box, so many times its longer side: 1.4 to 2.2 do as well.
"""
LOOK_PX, LAST_PX = 128, 256
"""Sides of the upright face that is searched, and of the last look at it."""
FIRST_MARGIN, LAST_MARGIN = 0.25, 0.0
"""Round FFHQ's framing: first looks have room for an error of the framing. The last look's size and
margin decide how large a face is seen: at these as large as an upright one is by the first search
(1.005 times), of 14 others tried from 128 to 256 px and 0 to 0.5 all but one see it 4 to 10 %
larger."""
FROM_ROLL_DEG = 5.0
"""Smaller tilts leave the first look as it is: 83 % of 138 photographs."""
ROUNDS, SETTLED_DEG = 4, 1.5
"""First looks are repeated until one turns the face by less: a tilt is underestimated, the more so
the larger it is."""
MIRRORED = (1, 0, 2, 4, 3)
"""The landmarks' order once left and right are exchanged."""
FURTHEST, LEAST_RATIO = 0.25, 0.6
"""A second look is believed when its framing's centre is moved by less than that share of the side
and neither side is less than that share of the other; a look around, when its face is no further
from the middle."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What searches; a detector that serves one size alone is faster."""

    first: Detector
    """Of LOOK_PX by LOOK_PX pixels."""
    last: Detector
    """Of LAST_PX by LAST_PX."""


def look_again(image: Pixels, face: Face, looks: Looks) -> Face:
    """The face with its landmarks as they are seen once it is turned upright.

    A face that was not surely seen is looked at from all around: which way is up? First looks mend
    the framing until they agree. Then the landmarks are the mean of those in the upright face and
    in its mirror image: what a detector does to one side of a face it does to the other there.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
        face: as it was found in the image.
        looks: with what.

    Returns:
        The same face where it has no five landmarks, stands nearly upright, or is not found again.
        The score is that of the best look around where this was a tilted one.
    """
    if face.landmarks is None or len(face.landmarks) != 5:
        return face
    if face.score < SURE:
        face = _look_around(image, face, looks.first)
    return _look_closer(image, face, face.landmarks or (), looks)


def _look_around(image: Pixels, face: Face, detect: Detector) -> Face:
    """The face as it is best seen; the same one where that is upright."""
    best: tuple[Face, Framing] | None = None
    for degrees in AROUND_DEG:
        side = AROUND_BOX * max(face.box.width, face.box.height)
        framing = Framing(face.box.centre, side, degrees)
        seen = _central(detect(warp(image, framing, LOOK_PX)[0]), LOOK_PX)
        if seen is None or _off_centre(seen, LOOK_PX) > FURTHEST * LOOK_PX:
            continue
        if best is None or seen.score > best[0].score:
            best = seen, framing
        if seen.score >= SURE:
            break
    if best is None or not best[1].angle_deg:
        return face
    seen, framing = best
    points = _in_picture(seen.landmarks or (), framing, LOOK_PX)
    return replace(face, score=max(face.score, seen.score), landmarks=points)


def _look_closer(image: Pixels, face: Face, points: Landmarks, looks: Looks) -> Face:
    before = _framing(points, 0)
    if before is None or abs(before.angle_deg) < FROM_ROLL_DEG:
        return face
    angle = before.angle_deg
    for _ in range(ROUNDS):
        points = _look(image, points, looks.first)
        after = _framing(points, 0)
        if after is None or not _is_the_same(before, after):
            return face
        angle, turned = after.angle_deg, abs(after.angle_deg - angle)
        if turned < SETTLED_DEG:
            break
    points = _last_look(image, points, looks.last)
    after = _framing(points, 0)
    if after is None or not _is_the_same(before, after):
        return face
    return replace(face, landmarks=points)


def _framing(points: Landmarks, margin: float) -> Framing | None:
    try:
        return ffhq_framing(points, margin)
    except ValueError:
        return None


def _look(image: Pixels, points: Landmarks, detect: Detector) -> Landmarks:
    """The landmarks that are found once the face is upright; the given ones where none are."""
    framing = ffhq_framing(points, FIRST_MARGIN)
    seen = _central(detect(warp(image, framing, LOOK_PX)[0]), LOOK_PX)
    return _in_picture(seen.landmarks or (), framing, LOOK_PX) if seen else points


def _last_look(image: Pixels, points: Landmarks, detect: Detector) -> Landmarks:
    """The mean of those in the upright face and in its mirror image."""
    framing = ffhq_framing(points, LAST_MARGIN)
    upright, _ = warp(image, framing, LAST_PX)
    seen = _central(detect(upright), LAST_PX)
    mirrored = _central(detect(np.ascontiguousarray(upright[:, ::-1])), LAST_PX)
    looks = [seen.landmarks or ()] if seen else []
    looks += [_unmirrored(mirrored.landmarks or ())] if mirrored else []
    if not looks:
        return points
    return _in_picture(np.mean(looks, axis=0).tolist(), framing, LAST_PX)


def _in_picture(points: Sequence[Sequence[float]], framing: Framing, size: int) -> Landmarks:
    return tuple(framing.in_picture((x, y), size) for x, y in points)


def _central(faces: list[Face], size: int) -> Face | None:
    """The face with landmarks that is nearest to the middle of so many pixels."""
    with_points = [face for face in faces if face.landmarks is not None]
    return min(with_points, key=lambda face: _off_centre(face, size), default=None)


def _off_centre(face: Face, size: int) -> float:
    return math.dist(face.box.centre, (size / 2, size / 2))


def _unmirrored(points: Landmarks) -> Landmarks:
    return tuple((LAST_PX - points[at][0], points[at][1]) for at in MIRRORED)


def _is_the_same(before: Framing, after: Framing) -> bool:
    ratio = after.side_px / before.side_px
    moved = math.dist(before.centre, after.centre) / before.side_px
    return LEAST_RATIO <= ratio <= 1 / LEAST_RATIO and moved < FURTHEST
