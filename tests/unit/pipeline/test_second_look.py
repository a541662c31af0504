"""A tilted face is searched again upright; an unsure one is looked at from all around."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facegan.core.records import Box, Face
from pipeline.align import ffhq_framing
from pipeline.second_look import (
    AROUND_BOX,
    AROUND_DEG,
    FROM_ROLL_DEG,
    LAST_PX,
    LOOK_PX,
    MIRRORED,
    SURE,
    Looks,
    look_again,
)

IMAGE = np.full((200, 300, 3), 128, np.uint8)
IMAGE[:, :150] = 90
BOX = Box(100, 50, 180, 150)
FACE = ((-10.0, 0.0), (10.0, 0.0), (0.0, 6.0), (-6.0, 20.0), (6.0, 20.0))
"""Five landmarks round the eyes' middle, upright."""
EYES_AT = (140.0, 80.0)
UNSURE = SURE - 0.1
BLIND_FROM_DEG = 30


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


def seen_again(image, face, seer):
    return look_again(image, face, Looks(seer, seer))


COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))


def marked(degrees, at=BOX.centre):
    """A picture of a face of coloured discs, tilted clockwise, and its landmarks."""
    image = np.zeros((200, 300, 3), np.uint8)
    points = placed(degrees, at, 1.5)
    for (x, y), colour in zip(points, COLOURS, strict=True):
        cv2.circle(image, (round(x * 16 - 8), round(y * 16 - 8)), 64, colour, -1, cv2.LINE_AA, 4)
    return image, points


class Around:
    """A detector of discs: the surer, the more upright they are shown, and blind where they lie."""

    def __init__(self, best=0.92):
        self.best, self.looks = best, 0

    def __call__(self, image):
        self.looks += 1
        points = [centroid(image, colour) for colour in COLOURS]
        if None in points:
            return []
        (left, right), mouth = points[:2], points[3]
        across, down = np.subtract(right, left), np.subtract(mouth, left)
        if across[0] * down[1] < across[1] * down[0]:
            points = [points[at] for at in MIRRORED]
        off = abs(ffhq_framing(points, 0).angle_deg)
        if off > BLIND_FROM_DEG:
            return []
        x, y = np.mean(points, axis=0)
        return [Face(Box(x - 20, y - 20, x + 20, y + 20), self.best - off / 1000, tuple(points))]


def centroid(image, colour):
    like = np.abs(image.astype(int) - colour).max(axis=2) < 100
    rows, columns = np.nonzero(like)
    return (columns.mean() + 0.5, rows.mean() + 0.5) if rows.size else None


def test_a_face_that_is_hardly_tilted_is_left_as_it_was_found():
    face = Face(BOX, SURE, placed(FROM_ROLL_DEG - 1))
    seer = Seer(face, FACE)
    assert seen_again(IMAGE, face, seer) is face
    assert seer.shown == []


@pytest.mark.parametrize("score", [SURE, UNSURE])
@pytest.mark.parametrize("points", [None, ((0.0, 0.0), (0.0, 9.0)), ((1.0, 1.0),) * 5])
def test_a_face_without_five_useful_landmarks_is_left_as_it_was_found(points, score):
    face = Face(BOX, score, points)
    assert seen_again(IMAGE, face, Seer(face, FACE)) is face


@pytest.mark.parametrize("score", [SURE, UNSURE])
@pytest.mark.parametrize("degrees", [-80, -15, 12, 30, 170])
def test_a_tilted_face_is_shown_upright_and_small(degrees, score):
    face = Face(BOX, score, placed(degrees))
    seer = Seer(face, None)
    seen_again(IMAGE, face, seer)
    assert {image.shape for image in seer.shown[:-2]} == {(LOOK_PX, LOOK_PX, 3)}
    assert [image.shape for image in seer.shown[-2:]] == [(LAST_PX, LAST_PX, 3)] * 2


@pytest.mark.parametrize("score", [SURE, UNSURE])
def test_a_face_that_is_not_found_again_keeps_its_framing(score):
    face = Face(BOX, score, placed(30))
    again = seen_again(IMAGE, face, Seer(face, None))
    assert np.allclose(again.landmarks, face.landmarks)
    assert again.score == score


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
    face = Face(BOX, SURE, placed(40))
    assert seen_again(IMAGE, face, Seer(face, tuple(found))) is face


@pytest.mark.parametrize("truth", [26, 45, 60, 75, 90, 120, 135, 180, -45, -90, -135, -150])
@pytest.mark.parametrize("seen_as", [0, 20])
def test_which_way_is_up_is_found_where_the_first_look_was_wrong(truth, seen_as):
    image, points = marked(truth)
    again = seen_again(image, Face(BOX, UNSURE, placed(seen_as, BOX.centre)), Around())
    assert np.allclose(again.landmarks, points, atol=0.6)
    assert again.box == BOX


@pytest.mark.parametrize(("best", "score"), [(0.91, 0.91), (UNSURE - 0.1, UNSURE)])
def test_a_face_that_was_found_lying_is_as_sure_as_it_is_upright(best, score):
    image, _ = marked(90)
    again = seen_again(image, Face(BOX, UNSURE, placed(0)), Around(best))
    assert again.score == pytest.approx(score, abs=0.002)


@pytest.mark.parametrize("truth", [0, 4, -20])
def test_a_face_that_is_best_seen_upright_is_left_as_it_was_found(truth):
    image, _ = marked(truth)
    face = Face(BOX, UNSURE, placed(2))
    assert seen_again(image, face, Around()) is face


def test_a_surely_seen_face_is_not_looked_at_from_all_around():
    image, _ = marked(180)
    seer = Around()
    face = Face(BOX, SURE, placed(0))
    assert seen_again(image, face, seer) is face
    assert seer.looks == 0


@pytest.mark.parametrize(
    ("best", "looks"), [(SURE + 0.02, 1), (SURE - 0.02, len(AROUND_DEG))], ids=["sure", "unsure"]
)
def test_looking_around_ends_where_a_face_is_surely_seen(best, looks):
    image, _ = marked(0)
    seer = Around(best)
    seen_again(image, Face(BOX, UNSURE, placed(0)), seer)
    assert seer.looks == looks


def test_a_neighbour_at_the_edge_of_a_look_around_is_not_believed():
    image, _ = marked(180, (BOX.centre[0] + 0.3 * AROUND_BOX * BOX.height, BOX.centre[1]))
    face = Face(BOX, UNSURE, placed(0))
    assert seen_again(image, face, Around()) is face
