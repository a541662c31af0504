import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facegan.core.records import Box
from pipeline.align import MOUTH_BELOW_EYES, Framing, box_framing, ffhq_framing, warp
from pipeline.portraits import paint, portraits

NOSE = (100.0, 120.0)
MEAN_FACE = ((80.0, 100.0), (120.0, 100.0), NOSE, (88.0, 141.2), (112.0, 141.2))


def grating(side, cycles, angle):
    """Of so many cycles a pixel."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    along = math.cos(angle) * columns + math.sin(angle) * rows
    grey = 127.5 + 100 * np.cos(2 * np.pi * cycles * along + 0.4)
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def what_remains(cycles, step, angle=0.5, size=64):
    """Of a grating of so many cycles a crop pixel, as a share of its amplitude."""
    side = round(size * step * 1.6) + 20
    framing = Framing((side / 2, side / 2), size * step, 17.0)
    crop, _ = warp(grating(side, cycles / step, angle), framing, size)
    return float(crop[..., 0].astype(float).std()) * 2**0.5 / 100


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_a_face_of_mean_proportions_lands_at_the_documented_places():
    framing = ffhq_framing(MEAN_FACE, 0)
    assert framing.side_px == 160
    assert framing.in_crop(MEAN_FACE[0], 1000) == pytest.approx((375, 474), abs=0.5)
    assert framing.in_crop(MEAN_FACE[1], 1000) == pytest.approx((625, 474), abs=0.5)
    assert framing.in_crop((100.0, 141.2), 1000) == pytest.approx((500, 732), abs=0.5)


def test_a_long_face_is_shown_smaller():
    long = (*MEAN_FACE[:3], (88.0, 180.0), (112.0, 180.0))
    framing = ffhq_framing(long, 0)
    assert framing.side_px == pytest.approx(2 * 1.8 * 80)
    assert framing.centre == pytest.approx((100, 108))


def test_a_margin_is_a_share_of_the_side_on_each_side():
    assert ffhq_framing(MEAN_FACE, 0.25).side_px == 240
    assert ffhq_framing(MEAN_FACE, 0.25).centre == ffhq_framing(MEAN_FACE, 0).centre
    assert box_framing(Box(0, 0, 20, 40), 0.5) == Framing((10, 20), 80)


def test_the_framing_is_that_of_ffhqs_own_script():
    left, right, mouth = np.array((31.0, 52.0)), np.array((70.0, 41.0)), np.array((60.0, 95.0))
    points = (tuple(left), tuple(right), NOSE, tuple(mouth - 9), tuple(mouth + 9))
    eyes = (left + right) / 2
    x = (right - left) - np.flipud(mouth - eyes) * [-1, 1]
    x *= max(np.hypot(*(right - left)) * 2.0, np.hypot(*(mouth - eyes)) * 1.8) / np.hypot(*x)
    y, centre = np.flipud(x) * [-1, 1], eyes + (mouth - eyes) * 0.1
    framing = ffhq_framing(points, 0)
    for (column, row), corner in (
        ((0, 0), centre - x - y),
        ((0, 1), centre - x + y),
        ((1, 1), centre + x + y),
        ((1, 0), centre + x - y),
    ):
        assert framing.in_picture((column, row), 1) == pytest.approx(tuple(corner))


def test_with_two_eyes_the_mouth_is_taken_where_it_mostly_is():
    mouth = 100 + 40 * MOUTH_BELOW_EYES
    five = (*MEAN_FACE[:3], (88.0, mouth), (112.0, mouth))
    assert ffhq_framing(MEAN_FACE[:2], 0.1) == ffhq_framing(five, 0.1)


@pytest.mark.parametrize(
    "landmarks",
    [(), MEAN_FACE[:3], ((5.0, 5.0),) * 5, ((5.0, 5.0),) * 2, ((math.nan, 0.0), (1.0, 1.0)),
     ((0.0, 0.0), (math.inf, 0.0))],
)  # fmt: skip
def test_landmarks_that_no_face_has_are_refused(landmarks):
    with pytest.raises(ValueError, match="landmarks"):
        ffhq_framing(landmarks, 0)


def test_an_upright_framing_on_whole_pixels_is_cut_without_resampling():
    crop, padding = warp(noise(100, 90), Framing((40, 50), 32), 32)
    assert np.array_equal(crop, noise(100, 90)[34:66, 24:56])
    assert padding == 0


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_quarter_turns_move_pixels_only(degrees, turns):
    crop, _ = warp(noise(80, 80), Framing((40, 40), 32, degrees), 32)
    assert np.array_equal(crop, np.rot90(noise(80, 80)[24:56, 24:56], turns))


@pytest.mark.parametrize("step", [1.1, 1.6, 2.5, 3.9, 4.4, 7.3])
def test_what_a_crop_cannot_show_is_filtered_out_and_the_rest_stays(step):
    assert what_remains(0.1, step) > 0.93
    assert what_remains(0.25, step) > 0.75
    if step > 1.5:  # else the picture itself has no such gratings
        assert what_remains(0.75, step) < 0.35
    if step > 2.2:
        assert what_remains(1.1, step) < 0.2


def test_a_fine_checkerboard_becomes_grey():
    board = np.where(np.indices((400, 400)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    crop, _ = warp(cv2.merge([board] * 3), Framing((200, 200), 200, 12), 64)
    assert np.abs(crop.astype(int) - 127).max() <= 8
    turn = cv2.getRotationMatrix2D((200, 200), 12, 0.32) - [[0, 0, 168], [0, 0, 168]]
    assert cv2.warpAffine(board, turn, (64, 64)).std() > 30  # the same, unfiltered


def test_enlarging_shows_no_more_than_there_is():
    crop, _ = warp(grating(60, 0.05, 0.3), Framing((30, 30), 32, 9), 64)
    there, _ = warp(grating(600, 0.005, 0.3), Framing((300, 300), 320, 9), 64)
    assert np.abs(crop.astype(int) - there).max() <= 4


def test_padding_is_the_share_beyond_the_picture():
    image = noise(100, 80)
    assert warp(image, Framing((0, 40), 40), 32)[1] == 0.5
    assert warp(image, Framing((100, 80), 40), 32)[1] == 0.75
    assert warp(image, Framing((20, 20), 40), 32)[1] == 0
    assert warp(image, Framing((50, 40), 400), 200)[1] == pytest.approx(1 - 0.25 * 0.2)
    turned = warp(image, Framing((0, 40), 40, 45), 64)[1]
    assert turned == pytest.approx(0.5, abs=0.01)


def test_beyond_its_border_the_picture_is_reflected_then_fades_to_its_mean_colour():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, :100:2] = 250
    image[..., 2] = 90
    crop, _ = warp(image, Framing((0, 100), 128), 128)
    assert np.array_equal(crop[:, 64:], image[36:164, :64])
    mean = image[36:164, :64].reshape(-1, 3).mean(axis=0)
    assert np.abs(crop[:, 0] - mean).max() <= 2
    assert abs(int(crop[50, 63, 0]) - 250) < 60
    spread = crop[..., 0].astype(float).std(axis=0)
    assert crop[:, 40:50, 0].std() < 10
    assert spread.max() < 2


def test_a_framing_beyond_the_picture_is_padding_alone():
    crop, padding = warp(noise(50, 40), Framing((500, 500), 60, 20), 32)
    assert padding == 1
    assert crop.shape == (32, 32, 3)
    assert warp(noise(50, 40), Framing((25, 20), 1e7), 32)[0].shape == (32, 32, 3)


def test_of_a_large_picture_only_the_needed_part_is_read():
    vast = np.broadcast_to(np.array((10, 20, 30), np.uint8), (60_000, 60_000, 3))  # 10.8 GB if read
    crop, padding = warp(vast, Framing((50_000.5, 41_000), 700, 33), 64)
    assert padding == 0
    assert (crop == (10, 20, 30)).all()


def rolled(portrait, degrees):
    return paint(replace(portrait.attributes, roll_deg=degrees), 256)


def test_the_eyes_of_a_rolled_portrait_stay_in_place():
    person = next(portraits(1, seed=4, size_px=256))
    found = []
    for degrees in range(-30, 31, 12):
        same = rolled(person, float(degrees))
        framing = ffhq_framing(same.landmarks, 0)
        found.append([framing.in_crop(eye, 256) for eye in same.eyes])
    assert np.std(found, axis=0).max() < 0.5
