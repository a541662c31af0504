"""A tilted face is searched again when it is upright."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.core.records import Box, Face
from pipeline.second_look import FROM_ROLL_DEG, LOOK_PX, look_again

IMAGE = np.full((200, 300, 3), 128, np.uint8)
IMAGE[:, :150] = 90
BOX = Box(100, 50, 180, 150)
FACE = ((-10.0, 0.0), (10.0, 0.0), (0.0, 6.0), (-6.0, 20.0), (6.0, 20.0))
"""Five landmarks round the eyes' middle, upright."""
EYES_AT = (140.0, 80.0)


def placed(degrees, at=EYES_AT, scale=1.0):
    """Those landmarks, tilted clockwise."""
    turn = scale * np.exp(1j * np.radians(degrees))
    points = [complex(x, y) * turn + complex(*at) for x, y in FACE]
    return tuple((point.real, point.imag) for point in points)


class Seer:
    """A detector that is shown the upright square and always finds `truth` where it lies there."""

    def __init__(self, face, truth):
        self.face, self.truth, self.shown = face, truth, []

    def __call__(self, image):
        self.shown.append(image)
        return [Face(Box(0, 0, LOOK_PX, LOOK_PX), 0.7, self.truth)] if self.truth else []


def test_a_face_that_is_hardly_tilted_is_left_as_it_was_found():
    face = Face(BOX, 0.9, placed(FROM_ROLL_DEG - 1))
    seer = Seer(face, FACE)
    assert look_again(IMAGE, face, seer) is face
    assert seer.shown == []


@pytest.mark.parametrize("points", [None, ((0.0, 0.0), (0.0, 9.0)), ((1.0, 1.0),) * 5])
def test_a_face_without_five_useful_landmarks_is_left_as_it_was_found(points):
    face = Face(BOX, 0.9, points)
    assert look_again(IMAGE, face, Seer(face, FACE)) is face


@pytest.mark.parametrize("degrees", [-80, -15, 12, 30, 170])
def test_a_tilted_face_is_shown_upright_and_small(degrees):
    face = Face(BOX, 0.9, placed(degrees))
    seer = Seer(face, None)
    look_again(IMAGE, face, seer)
    assert {image.shape for image in seer.shown} == {(LOOK_PX, LOOK_PX, 3)}


def test_a_face_that_is_not_found_again_keeps_its_framing():
    face = Face(BOX, 0.9, placed(30))
    again = look_again(IMAGE, face, Seer(face, None))
    assert np.allclose(again.landmarks, face.landmarks)


@pytest.mark.parametrize(
    "found",
    [
        [(point[0] / 4, point[1] / 4) for point in placed(0, (20.0, 20.0))],
        [(5 * x + 64, 5 * y + 64) for x, y in FACE],
        [(1.0, 1.0)] * 5,
        [(float("nan"), 1.0)] * 5,
    ],
)
def test_another_face_or_nonsense_is_not_believed(found):
    face = Face(BOX, 0.9, placed(40))
    assert look_again(IMAGE, face, Seer(face, tuple(found))) is face
