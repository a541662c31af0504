"""The eyes of Haar's faces, by the eye cascades."""

import itertools

import cv2
import numpy as np
import pytest

from facegan.core.records import Box
from pipeline.config import CropConfig
from pipeline.detect import build, resolve
from pipeline.eyes import Eye, best_pair, find_eyes
from pipeline.portraits import portraits

LEFT, RIGHT = Eye(0.32, 0.4, 0.24), Eye(0.68, 0.41, 0.23)


@pytest.fixture(scope="module")
def shown():
    return list(portraits(10, seed=31, size_px=256))


def box_of(portrait):
    """Such as Haar's cascade draws: square, some more than the face's width."""
    x, y = np.mean(portrait.eyes, axis=0)
    side = np.hypot(*np.subtract(*portrait.eyes)) / 0.35
    return Box(x - 0.5 * side, y - 0.4 * side, x + 0.5 * side, y + 0.6 * side)


def grey(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def error_of(found, portrait):
    """Of the worse eye, as a share of the eyes' distance."""
    distance = np.hypot(*np.subtract(*portrait.eyes))
    return np.hypot(*(np.array(found) - portrait.eyes).T).max() / distance


def test_the_eyes_of_drawn_portraits_are_found_where_they_are(shown):
    errors = [
        error_of(eyes, portrait)
        for portrait in shown
        if (eyes := find_eyes(grey(portrait.image), box_of(portrait)))
    ]
    assert len(errors) >= 9
    assert np.median(errors) < 0.1
    assert max(errors) < 0.2


def test_eyes_come_in_the_pictures_own_pixels_whatever_its_size(shown):
    portrait = shown[0]
    near = find_eyes(grey(portrait.image), box_of(portrait))
    large = cv2.resize(portrait.image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    far = find_eyes(grey(large), box_of(portrait).scaled(3))
    assert np.allclose(near, np.array(far) / 3, atol=3)


@pytest.mark.parametrize(
    "box",
    [
        Box(10, 10, 100, 100),
        Box(-50, -50, 60, 60),
        Box(90, 90, 400, 400),
        Box(500, 500, 600, 600),
        Box(-9, -9, -1, -1),
        Box(5, 5, 6, 6),
    ],
)
def test_where_no_eyes_are_none_are_found_and_boxes_may_reach_beyond(box):
    assert find_eyes(np.full((128, 128), 127, np.uint8), box) is None


def test_the_pair_is_the_one_that_lies_as_eyes_do():
    nostrils = [Eye(0.45, 0.62, 0.15), Eye(0.55, 0.62, 0.15)]
    brow = Eye(0.33, 0.27, 0.25)
    for order in itertools.permutations([LEFT, RIGHT, brow, *nostrils]):
        assert best_pair(list(order)) == (LEFT, RIGHT)


@pytest.mark.parametrize(
    "other",
    [
        Eye(0.40, 0.4, 0.24),  # too close
        Eye(0.95, 0.4, 0.24),  # too far
        Eye(0.60, 0.75, 0.24),  # tilted by more than the face cascade finds
        Eye(0.68, 0.4, 0.39),  # much larger
        Eye(0.02, 0.4, 0.24),  # not round the middle
    ],
)
def test_what_does_not_lie_as_eyes_do_is_no_pair(other):
    assert best_pair([LEFT, other]) is None
    assert best_pair([LEFT]) is None


def test_haars_faces_have_eyes_where_they_are_aligned_and_none_else(shown):
    image, search_px = shown[2].image, 160
    config = CropConfig(detector="haar", search_px=search_px)
    (face,) = build(resolve(config), config)(image)
    assert len(face.landmarks) == 2
    assert error_of(face.landmarks, shown[2]) < 0.2
    plain = CropConfig(detector="haar", search_px=search_px, align=False)
    (same,) = build(resolve(plain), plain)(image)
    assert (same.box, same.landmarks) == (face.box, None)
