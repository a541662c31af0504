"""A second look at a tilted face: turned upright, YuNet tells its eyes and mouth well.

YuNet finds faces at any tilt, but it was trained on upright ones: at 30 degrees its eyes are off by
an eighth of their distance. So the surroundings of a tilted face are turned by the tilt that the
landmarks show, searched again, and the landmarks mapped back. A tilt is underestimated, the more so
the larger it is; hence a few rounds.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from facegan.core.records import Landmarks

LOOK_PX = 128
"""Side of the picture that is searched again; the face fills a good half of it."""
LOOK_SHARE = 3.9
"""Its side on the face, in eye distances (or distances of eyes and mouth, where these are more)."""
LEAST_TILT_DEG = 5.0
"""With less the first look was good enough."""
SETTLED_DEG = 2.0
"""Two looks that differ by less agree."""
ROUNDS = 3

Points = NDArray[np.float64]
Search = Callable[[MatLike], list[Points]]
"""(S, S, 3) uint8 BGR -> the landmarks (5, 2) of each face in it."""


def look_again(image: MatLike, landmarks: Landmarks, search: Search) -> Landmarks:
    """Better landmarks of a face that is tilted; the same ones where it is not.

    Args:
        image: (H, W, 3) uint8, BGR.
        landmarks: five points in its pixels.
        search: finds landmarks.
    """
    points = np.array(landmarks, np.float64)
    for _ in range(ROUNDS):
        turn = _turn(points)
        if turn is None:
            break
        look = cv2.warpAffine(
            image, turn, (LOOK_PX, LOOK_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        found = search(look)
        if not found:
            break
        best = min(found, key=_off_centre)
        before, points = points, (best - turn[:, 2]) @ np.linalg.inv(turn[:, :2]).T
        if abs(_between(tilt_deg(before), tilt_deg(points))) < SETTLED_DEG:
            break
    return tuple((float(x), float(y)) for x, y in points)


def tilt_deg(points: Points) -> float:
    """Clockwise angle of the head in the picture, from all of eyes and mouth."""
    eyes, mouth = points[1] - points[0], points[4] - points[3]
    x, y = (points[3] + points[4] - points[0] - points[1]) / 2
    across = eyes + mouth + 2 * np.array([y, -x])
    return float(np.degrees(np.arctan2(across[1], across[0])))


def _turn(points: Points) -> Points | None:
    """(2, 3): from the picture to the look; None where the face is upright or a mere dot."""
    tilt = np.radians(tilt_deg(points))
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    side = LOOK_SHARE * max(np.linalg.norm(points[1] - points[0]), np.linalg.norm(mouth - eyes))
    if abs(tilt) < np.radians(LEAST_TILT_DEG) or side < 1:
        return None
    cos, sin = LOOK_PX / side * np.array([np.cos(tilt), np.sin(tilt)])
    turned = np.array([[cos, sin], [-sin, cos]])
    shift = LOOK_PX / 2 - turned @ ((eyes + mouth) / 2)
    return np.column_stack([turned, shift])


def _off_centre(face: Points) -> float:
    middle = (face[:2].mean(axis=0) + face[3:].mean(axis=0)) / 2
    return float(np.linalg.norm(middle - LOOK_PX / 2))


def _between(one: float, other: float) -> float:
    """Degrees from one direction to the other, in [-180, 180)."""
    return (other - one + 180) % 360 - 180
