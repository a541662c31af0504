"""JPEGs have a fast way of their own: of whatever becomes of a file, Pillow would say the same."""

import io
from functools import cache
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline import images
from pipeline.images import ImageLimits, Rejection, decode
from pipeline.portraits import portraits

KINDS = {
    "plain": {"quality": 90},
    "progressive": {"quality": 85, "progressive": True},
    "unthinned colour": {"quality": 70, "subsampling": 0},
    "restarts": {"quality": 80, "restart_marker_blocks": 4},
    "tiny": {"quality": 80},
    "grey": {"quality": 80},
    "rgb": {"quality": 90, "keep_rgb": True},
    "cmyk": {"quality": 80},
}


@cache
def jpeg(kind):
    picture = Image.fromarray(next(portraits(1, seed=3, size_px=96)).image).crop((0, 0, 93, 71))
    if kind == "tiny":
        picture = picture.resize((1, 3))
    picture = picture.convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB"))
    file = io.BytesIO()
    picture.save(file, "JPEG", **KINDS[kind])
    return file.getvalue()


def by_pillow(data):
    with mock.patch.object(images, "_sound_jpeg", return_value=None):
        return decode(data, ImageLimits())


def assert_same(data):
    fast, slow = decode(data, ImageLimits()), by_pillow(data)
    if isinstance(slow, Rejection):
        assert fast == slow
    else:
        assert np.array_equal(fast, slow)
        assert fast.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_file_has_the_same_pixels(kind):
    assert_same(jpeg(kind))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"cmyk"}))
def test_a_sound_file_needs_no_pillow_to_be_unpacked(kind):
    with mock.patch.object(images, "_unpacked", side_effect=AssertionError):
        assert not isinstance(decode(jpeg(kind), ImageLimits()), Rejection)


@st.composite
def broken(draw):
    data = bytearray(jpeg(draw(st.sampled_from(sorted(KINDS)))))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(2, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        at = draw(st.integers(2, len(data) - 1))
        del data[at : at + draw(st.integers(1, 200))]
    if draw(st.booleans()):
        del data[draw(st.integers(100, max(100, len(data)))) :]
    return bytes(data) + draw(st.sampled_from([b"", b"\xff\xd9", b"more", jpeg("plain")]))


@settings(max_examples=400, deadline=None)
@given(broken())
def test_a_broken_file_is_judged_the_same(data):
    assert_same(data)
