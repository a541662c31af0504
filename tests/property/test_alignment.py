import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.align import Framing, ffhq_framing, warp

ANGLES = st.floats(-180, 180)
PLACES = st.floats(-5000, 5000)
FACE = np.array([(-0.5, 0.0), (0.5, 0.0), (0.05, 0.6), (-0.37, 1.0), (0.4, 1.08)])


def moved(points, angle, scale, x, y):
    turn = math.radians(angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    spots = scale * points @ np.array(((cosine, sine), (-sine, cosine))) + (x, y)
    return tuple(tuple(spot) for spot in spots.tolist())


def dots(width, height, spots, sigma):
    """White dots on black, their centres at `spots` in continuous coordinates."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    grey = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) for x, y in spots)
    return np.repeat(np.rint(240 * np.minimum(grey, 1)).astype(np.uint8)[..., None], 3, axis=2)


def moments(crop, spot, reach):
    """Centre (continuous) and 2x2 spread of the light round a spot."""
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]] + 0.5
    light = crop[..., 0].astype(float) * (np.hypot(columns - spot[0], rows - spot[1]) < reach)
    places = np.stack([columns, rows])
    centre = (places * light).sum((1, 2)) / light.sum()
    off = places - centre[:, None, None]
    return centre, (off[:, None] * off[None] * light).sum((2, 3)) / light.sum()


@given(ANGLES, st.floats(5, 2000), PLACES, PLACES, st.floats(0, 1), st.sampled_from([64, 256]))
def test_eyes_and_mouth_land_alike_wherever_the_face_is(angle, scale, x, y, margin, size):
    upright, points = moved(FACE, 0, 100, 0, 0), moved(FACE, angle, scale, x, y)
    reference, framing = ffhq_framing(upright, margin), ffhq_framing(points, margin)
    for point, where in zip(points, upright, strict=True):
        place, expected = framing.in_crop(point, size), reference.in_crop(where, size)
        assert math.dist(place, expected) < 1e-6 * size
    away = (framing.angle_deg - angle - reference.angle_deg + 180) % 360 - 180
    assert abs(away) < 1e-6


@given(ANGLES, st.floats(1, 3000), PLACES, PLACES, PLACES, PLACES)
def test_picture_and_crop_map_into_each_other(angle, side, x, y, to_x, to_y):
    framing = Framing((x, y), side, angle)
    there = framing.in_crop((to_x, to_y), 256)
    assert math.dist(framing.in_picture(there, 256), (to_x, to_y)) < 1e-6


@settings(max_examples=25, deadline=None)
@given(ANGLES, st.floats(24, 60), st.floats(0.45, 0.55), st.floats(0.45, 0.55))
def test_eyes_lie_in_the_crop_where_the_framing_says_and_stay_round(angle, scale, x, y):
    """Whatever is turned, reduced or enlarged by 0.5 to 1.6."""
    points = moved(FACE, angle, scale, x * 300, y * 260)
    framing = ffhq_framing(points, 0)
    sigma = 3.0
    crop, _ = warp(dots(300, 260, points[:2], sigma), framing, 150)
    step = framing.side_px / 150
    for point in points[:2]:
        expected = framing.in_crop(point, 150)
        centre, spread = moments(crop, expected, 4.5 * sigma / step)
        assert math.dist(centre, expected) < 0.06
        longest, shortest = np.sqrt(np.linalg.eigvalsh(spread))[::-1]
        assert longest / shortest < 1.03


@settings(max_examples=12, deadline=None)
@given(ANGLES, st.floats(1.6, 12), st.floats(-9, 9))
def test_a_circle_stays_a_circle_at_strong_reductions_and_at_borders(angle, step, shift):
    side, sigma = round(40 * step) + 7, 3.0 * step
    spot = (side / 2 + shift, side / 2 - shift)
    framing = Framing((side / 2, side / 2), 40 * step, angle)
    crop, _ = warp(dots(side, side, [spot], sigma), framing, 40)
    expected = framing.in_crop(spot, 40)
    centre, spread = moments(crop, expected, 10)
    assert math.dist(centre, expected) < 0.06
    longest, shortest = np.sqrt(np.linalg.eigvalsh(spread))[::-1]
    assert longest / shortest < 1.03
