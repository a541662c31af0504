import cv2
import numpy as np
import pytest

from facegan.core.records import Box, Face
from pipeline.align import Framing, box_framing, ffhq_framing, warp
from pipeline.portraits import PortraitLimits, portraits
from pipeline.quality import inner_luma, measure, roll, sharpness, yaw

FRONTAL = ((80.0, 100.0), (120.0, 100.0), (100.0, 124.0), (88.0, 140.0), (112.0, 140.0))


@pytest.fixture(scope="module")
def people():
    return list(portraits(4, seed=8, size_px=512))


def crop_of(portrait, size=256):
    framing = ffhq_framing(portrait.landmarks, 0)
    return warp(portrait.image, framing, size)[0], framing


def quality_of(portrait, change=lambda crop: crop, size=256):
    crop, framing = crop_of(portrait, size)
    return measure(change(crop), Face(portrait.box, 1.0, portrait.landmarks), framing, 0.0)


def blurred(sigma):
    return lambda crop: cv2.GaussianBlur(crop, (0, 0), sigma)


def test_the_more_a_face_is_blurred_the_less_sharp_it_is(people):
    for portrait in people:
        found = [quality_of(portrait).sharpness]
        found += [quality_of(portrait, blurred(s)).sharpness for s in (0.5, 1, 2, 4)]
        assert found == sorted(found, reverse=True)
        assert found[0] > 1.5 * found[3]


def test_a_sharp_face_is_sharper_than_a_blurred_one_at_any_size(people):
    sharp = [quality_of(p, size=size).sharpness for p in people for size in (64, 128, 256, 512)]
    soft = [quality_of(p, blurred(size / 64), size=size).sharpness
            for p in people for size in (128, 256, 512)]  # fmt: skip
    assert min(sharp) > max(soft)


def test_sharpness_hardly_depends_on_the_size_of_the_crop(people):
    for portrait in people:
        at_256 = quality_of(portrait).sharpness
        for size in (64, 128, 512):
            assert quality_of(portrait, size=size).sharpness == pytest.approx(at_256, rel=0.25)


def test_sharpness_hardly_depends_on_contrast(people):
    flatter = [quality_of(p, lambda crop: crop // 2 + 60).sharpness for p in people]
    assert flatter == pytest.approx([quality_of(p).sharpness for p in people], rel=0.15)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_face_has_no_sharpness_and_its_own_exposure(level):
    crop = np.full((64, 64, 3), level, np.uint8)
    found = measure(crop, Face(Box(0, 0, 64, 64), 1.0), Framing((32, 32), 64), 0.0)
    assert found.sharpness == pytest.approx(0, abs=1e-4)
    assert found.exposure == pytest.approx(level / 255)


def test_exposure_is_that_of_the_face_and_not_of_what_is_round_it():
    crop = np.zeros((200, 200, 3), np.uint8)
    framing = ffhq_framing(FRONTAL, 0)
    face = Face(Box(70, 70, 130, 160), 1.0, FRONTAL)
    x, y = (round(at) for at in framing.in_crop((100.0, 112.0), 200))
    crop[y - 52 : y + 52, x - 52 : x + 52] = 200
    assert measure(crop, face, framing, 0.0).exposure == pytest.approx(200 / 255, abs=0.01)


def test_the_inner_face_is_the_same_whether_the_crop_is_aligned_or_the_box(people):
    for portrait in people:
        face = Face(portrait.box, 1.0, portrait.landmarks)
        crop, framing = crop_of(portrait)
        upright = box_framing(portrait.box, 0.4)
        plain, _ = warp(portrait.image, upright, 256)
        means = [inner_luma(crop, face, framing).mean(), inner_luma(plain, face, upright).mean()]
        assert means[0] == pytest.approx(means[1], rel=0.06)


def test_a_face_outside_its_crop_is_still_measured():
    face = Face(Box(900, 900, 990, 990), 1.0)
    found = measure(np.full((32, 32, 3), 9, np.uint8), face, Framing((10, 10), 20), 0.3)
    assert found.exposure == pytest.approx(9 / 255)
    assert (found.padding, found.size_px, found.upscale) == (0.3, 90, 1.6)


def test_yaw_is_that_of_the_head_and_positive_to_the_right():
    limits = PortraitLimits(max_yaw_deg=40, max_roll_deg=25)
    turned = list(portraits(12, seed=2, size_px=64, limits=limits))
    for portrait in turned:
        assert yaw(portrait.landmarks) == pytest.approx(portrait.attributes.yaw_deg, abs=4)
    assert yaw(((0.0, 0.0), (10.0, 0.0), (8.0, 6.0), (2.0, 10.0), (8.0, 10.0))) > 30


def test_a_face_in_profile_is_turned_by_a_right_angle():
    assert yaw(((5.0, 0.0), (5.0, 0.0), (9.0, 6.0), (5.0, 10.0), (5.0, 10.0))) is not None
    nearly = ((5.0, 0.0), (5.2, 0.0), (9.0, 6.0), (5.0, 10.0), (5.2, 10.0))
    assert 85 < yaw(nearly) <= 90


def test_roll_is_that_of_the_head_and_positive_clockwise():
    for portrait in portraits(6, seed=3, size_px=64, limits=PortraitLimits(max_roll_deg=30)):
        assert roll(portrait.landmarks) == pytest.approx(portrait.attributes.roll_deg, abs=3)
    assert roll(((0.0, 0.0), (10.0, 1.0))) > 0
    assert abs(roll(((10.0, 0.0), (0.0, 0.0)))) == 180


def test_without_landmarks_there_is_no_pose():
    assert (yaw(None), roll(None)) == (None, None)
    assert yaw(FRONTAL[:2]) is None
    assert roll(((1.0, 1.0),) * 5) is None


def test_sharpness_of_one_pixel_is_none():
    assert sharpness(np.full((1, 1), 7, np.uint8)) == 0
