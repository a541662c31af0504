"""A second look at tilted faces: YuNet places eyes and mouth right on a face that stands upright.

Of a lying face, or one that stands on its head, YuNet often lays eyes and mouth as if it were
upright. Its score tells: of 438 photographs and rendered faces 434 have 0.93 or more upright, 198
turned by 30 degrees, none turned by 45 or more. A face of less is looked at from all around first.
Of 109 of them, turned by 60, 75, ... 180 degrees, between 8 (at 90) and 94 (at 180) in 100 were
kept crooked without that. With it all that are found (106 at the least, at 90) are framed upright,
none by more than 15 degrees off, and `max_roll` sees the tilt that they have.

Measured with the eyes' places in crops of 256 px: on 200 drawn portraits of 384 px rolled by up to
30 degrees their standard deviation is 4.2 px before and 2.7 px after; on 28 photographs, each
turned by six angles of up to 28 degrees, they lie on average 5.4 px and 3.6 px from where the
unturned photograph has them. A face that stands nearly upright is not looked at again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

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
LOOK_PX = 128
"""Side of the upright face that is searched; 112, 144 and 160 px place the eyes worse or no better.
"""
FIRST_MARGIN, LAST_MARGIN = 0.25, 0.15
"""Round FFHQ's framing: the first look has room for an error of the framing."""
FROM_ROLL_DEG = 5.0
"""Smaller tilts leave the first look as it is: 83 % of 138 photographs."""
ROUNDS, SETTLED_DEG = 4, 1.5
"""First looks are repeated until one turns the face by less: a tilt is underestimated, the more so
the larger it is."""
MIDDLE = (LOOK_PX / 2, LOOK_PX / 2)
MIRRORED = (1, 0, 2, 4, 3)
"""The landmarks' order once left and right are exchanged."""
FURTHEST, LEAST_RATIO = 0.25, 0.6
"""A second look is believed when its framing's centre is moved by less than that share of the side
and neither side is less than that share of the other; a look around, when its face is no further
from the middle."""


def look_again(image: Pixels, face: Face, detect: Detector) -> Face:
    """The face with its landmarks as they are seen once it is turned upright.

    A face that was not surely seen is looked at from all around: which way is up? First looks mend
    the framing until they agree. Then the landmarks are the mean of those in the upright face and
    in its mirror image: what a detector does to one side of a face it does to the other there.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
        face: as it was found in the image.
        detect: searches LOOK_PX by LOOK_PX pixels; one that serves this size alone is faster.

    Returns:
        The same face where it has no five landmarks, stands nearly upright, or is not found again.
        The score is that of the best look around where this was a tilted one.
    """
    if face.landmarks is None or len(face.landmarks) != 5:
        return face
    if face.score < SURE:
        face = _look_around(image, face, detect)
    return _look_closer(image, face, face.landmarks or (), detect)


def _look_around(image: Pixels, face: Face, detect: Detector) -> Face:
    """The face as it is best seen; the same one where that is upright."""
    best: tuple[Face, Framing] | None = None
    for degrees in AROUND_DEG:
        side = AROUND_BOX * max(face.box.width, face.box.height)
        framing = Framing(face.box.centre, side, degrees)
        seen = _central(detect(warp(image, framing, LOOK_PX)[0]))
        if seen is None or math.dist(seen.box.centre, MIDDLE) > FURTHEST * LOOK_PX:
            continue
        if best is None or seen.score > best[0].score:
            best = seen, framing
        if seen.score >= SURE:
            break
    if best is None or not best[1].angle_deg:
        return face
    seen, framing = best
    points = _in_picture(seen.landmarks or (), framing)
    return replace(face, score=max(face.score, seen.score), landmarks=points)


def _look_closer(image: Pixels, face: Face, points: Landmarks, detect: Detector) -> Face:
    before = _framing(points, 0)
    if before is None or abs(before.angle_deg) < FROM_ROLL_DEG:
        return face
    angle = before.angle_deg
    for _ in range(ROUNDS):
        points = _look(image, points, detect, FIRST_MARGIN, mirrored=False)
        after = _framing(points, 0)
        if after is None or not _is_the_same(before, after):
            return face
        angle, turned = after.angle_deg, abs(after.angle_deg - angle)
        if turned < SETTLED_DEG:
            break
    points = _look(image, points, detect, LAST_MARGIN, mirrored=True)
    after = _framing(points, 0)
    if after is None or not _is_the_same(before, after):
        return face
    return replace(face, landmarks=points)


def _framing(points: Landmarks, margin: float) -> Framing | None:
    try:
        return ffhq_framing(points, margin)
    except ValueError:
        return None


def _look(
    image: Pixels, points: Landmarks, detect: Detector, margin: float, *, mirrored: bool
) -> Landmarks:
    """The landmarks that are found once the face is upright; the given ones where none are."""
    framing = ffhq_framing(points, margin)
    upright, _ = warp(image, framing, LOOK_PX)
    looks = [_points(detect(upright))]
    if mirrored:
        looks.append(_unmirrored(_points(detect(np.ascontiguousarray(upright[:, ::-1])))))
    seen = [look for look in looks if look is not None]
    if not seen:
        return points
    mean = np.mean(seen, axis=0).tolist()
    return _in_picture(mean, framing)


def _in_picture(points: Sequence[Sequence[float]], framing: Framing) -> Landmarks:
    return tuple(framing.in_picture((x, y), LOOK_PX) for x, y in points)


def _points(faces: list[Face]) -> Landmarks | None:
    seen = _central(faces)
    return None if seen is None else seen.landmarks


def _central(faces: list[Face]) -> Face | None:
    """The face with landmarks that is nearest to the middle."""
    with_points = [face for face in faces if face.landmarks is not None]
    return min(with_points, key=lambda face: math.dist(face.box.centre, MIDDLE), default=None)


def _unmirrored(points: Landmarks | None) -> Landmarks | None:
    if points is None:
        return None
    return tuple((LOOK_PX - points[at][0], points[at][1]) for at in MIRRORED)


def _is_the_same(before: Framing, after: Framing) -> bool:
    ratio = after.side_px / before.side_px
    moved = math.dist(before.centre, after.centre) / before.side_px
    return LEAST_RATIO <= ratio <= 1 / LEAST_RATIO and moved < FURTHEST
