"""A second look at tilted faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import detect
from pipeline.config import CropConfig
from pipeline.detect import MODEL_NAME, build, resolve
from pipeline.portraits import portraits
from pipeline.upright import LOOK_PX, look_again, tilt_deg

MODEL = Path(__file__).parents[4] / "shared" / "models" / MODEL_NAME
FACE = np.array([(-20, -20), (20, -20), (0, 2), (-15, 22), (15, 22)], float)
PICTURE = np.zeros((200, 300, 3), np.uint8)


def turned(points, degrees, shift=(0, 0)):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]]) + shift


def as_landmarks(points):
    return tuple(map(tuple, points.tolist()))


@pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 7, 45, 120])
def test_the_tilt_is_the_angle_by_which_a_face_is_turned(degrees):
    assert tilt_deg(turned(FACE, degrees, (80, 90))) == pytest.approx(degrees, abs=1e-6)


def test_an_upright_face_is_not_looked_at_again():
    def search(_):
        raise AssertionError("searched")

    for degrees in (-4, 0, 4):
        landmarks = as_landmarks(turned(FACE, degrees, (80, 90)))
        assert look_again(PICTURE, landmarks, search) == landmarks
    assert look_again(PICTURE, ((5.0, 5.0),) * 5, search) == ((5.0, 5.0),) * 5


def test_a_tilted_face_is_shown_upright_and_what_is_found_is_mapped_back():
    shown = []
    upright = (FACE - (0, 1)) * 1.5 + LOOK_PX / 2

    def search(look):
        shown.append(look.shape)
        return [upright + 40, upright]  # that in the middle counts

    true = turned(FACE, 30, (150, 100))
    found = np.array(look_again(PICTURE, as_landmarks(true), search))
    assert set(shown) == {(LOOK_PX, LOOK_PX, 3)}
    assert tilt_deg(found) == pytest.approx(30, abs=1e-6)
    middle = (true[:2].mean(axis=0) + true[3:].mean(axis=0)) / 2
    assert np.allclose((found[:2].mean(axis=0) + found[3:].mean(axis=0)) / 2, middle)


def test_where_the_second_look_finds_nothing_the_first_counts():
    landmarks = as_landmarks(turned(FACE, 30, (150, 100)))
    assert np.allclose(look_again(PICTURE, landmarks, lambda _: []), landmarks)


def test_rounds_end_when_a_search_never_agrees_with_itself():
    rounds = []

    def search(_):
        rounds.append(1)
        return [turned(FACE, 40, (64, 64))]

    look_again(PICTURE, as_landmarks(turned(FACE, 30, (150, 100))), search)
    assert len(rounds) <= 3


@pytest.mark.skipif(not MODEL.exists(), reason=f"no {MODEL}")
def test_a_second_look_finds_the_eyes_of_tilted_heads_more_exactly(monkeypatch):
    config = CropConfig(detector="yunet", model=MODEL)
    find, errors, plain = build(resolve(config), config), [], []
    for number, portrait in enumerate(portraits(8, seed=21, size_px=320)):
        turn = cv2.getRotationMatrix2D((160, 160), 30 if number % 2 else -30, 1)
        image = cv2.warpAffine(portrait.image, turn, (320, 320), borderMode=cv2.BORDER_REPLICATE)
        true = np.array(portrait.eyes) @ turn[:, :2].T + turn[:, 2]
        for found, second_look in ((errors, look_again), (plain, lambda _, first, __: first)):
            monkeypatch.setattr(detect, "look_again", second_look)
            (face, *_) = find(np.asarray(image, np.uint8))
            found.append(np.hypot(*(np.array(face.landmarks[:2]) - true).T).mean())
    assert np.median(errors) < 0.8 * np.median(plain)
