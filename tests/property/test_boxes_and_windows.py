import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from facegan.core.records import Box
from pipeline.windows import crop_face, cut, window_of

COORDINATES = st.floats(-1000, 1000, allow_nan=False, width=32)
SIDES = st.floats(0.125, 500, width=32)
MARGINS = st.floats(0, 1)


@st.composite
def boxes(draw):
    left, top, width, height = (draw(s) for s in (COORDINATES, COORDINATES, SIDES, SIDES))
    return Box(left, top, left + width, top + height)


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_between_0_and_1(one, two):
    assert one.iou(two) == two.iou(one)
    assert 0 <= one.iou(two) <= 1 + 1e-9
    assert abs(one.iou(one) - 1) < 1e-9


@given(boxes(), boxes(), st.floats(0.1, 10))
def test_overlap_does_not_depend_on_the_scale(one, two, factor):
    scaled = one.scaled(factor).iou(two.scaled(factor))
    assert abs(scaled - one.iou(two)) < 1e-3


@given(boxes(), MARGINS, st.integers(1, 2000), st.integers(1, 2000))
def test_a_window_is_square_and_lies_inside_the_picture_or_spans_it(box, margin, width, height):
    window = window_of(box, margin, width, height)
    assert window.side == max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    for start, length in ((window.left, width), (window.top, height)):
        if window.side <= length:
            assert 0 <= start <= length - window.side
        else:
            assert start <= 0
            assert start + window.side >= length


@given(boxes(), MARGINS)
def test_a_window_far_from_the_border_is_centred_on_its_box(box, margin):
    box = Box(box.left + 5000, box.top + 5000, box.right + 5000, box.bottom + 5000)
    window = window_of(box, margin, 10_000, 10_000)
    x, y = box.centre
    assert abs(window.left + window.side / 2 - x) <= 1
    assert abs(window.top + window.side / 2 - y) <= 1
    assert window.side + 1 >= max(box.width, box.height)


@given(boxes(), MARGINS, st.integers(1, 40), st.integers(1, 40))
def test_what_is_cut_is_square_and_the_picture_is_never_stretched(box, margin, width, height):
    assume(max(box.width, box.height) <= 200)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    window = window_of(box, margin, width, height)
    part = cut(image, window).astype(int)
    assert part.shape == (window.side, window.side, 3)
    # One pixel to the right is one column on, or one back in a reflection, or the border's twin.
    for channel, axis in ((0, 1), (1, 0)):
        assert np.abs(np.diff(part[..., channel], axis=axis)).max(initial=0) <= 1


@given(boxes(), MARGINS, st.integers(1, 60), st.integers(1, 60), st.sampled_from([32, 48]))
def test_a_crop_has_the_asked_size_and_stays_in_range(box, margin, width, height, size):
    assume(max(box.width, box.height) <= 200)
    image = np.full((height, width, 3), 77, np.uint8)
    crop = crop_face(image, box, margin=margin, size=size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    assert (crop == 77).all()


@given(boxes(), MARGINS, st.integers(1, 2000), st.integers(1, 2000))
def test_the_padding_of_a_window_is_the_share_that_the_picture_does_not_fill(
    box, margin, width, height
):
    window = window_of(box, margin, width, height)
    inside = min(window.side, width) * min(window.side, height)
    assert abs(window.padding(width, height) - (1 - inside / window.side**2)) < 1e-9
    (left, top), (right, bottom) = (window.framing.in_picture(at, 1) for at in ((0, 0), (1, 1)))
    assert (left, top) == (window.left, window.top)
    assert (right, bottom) == (window.left + window.side, window.top + window.side)
