"""Counting by a detector that is handed over."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.core.errors import ScoreError
from facegan.score.face_share import face_share


def images(counts):
    """Pictures whose first value says how many faces they show."""
    made = np.zeros((len(counts), 16, 16, 3), np.uint8)
    made[:, 0, 0, 0] = counts
    return made


def count_faces(image):
    return int(image[0, 0, 0])


def test_shares_of_none_one_and_several():
    found = face_share(images([1, 1, 0, 2, 1, 3, 1, 1]), count_faces)
    assert (found.one, found.none, found.several) == (5 / 8, 1 / 8, 2 / 8)
    assert found.images == 8


def test_interval_is_wilson_s():
    found = face_share(images([1] * 8 + [0] * 2), count_faces)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_interval_stays_within_0_and_1_and_holds_the_share(count):
    found = face_share(images([count] * 5), count_faces)
    assert 0 <= found.low <= found.one <= found.high <= 1
    assert found.high - found.low > 0.4


def test_each_image_is_shown_once_as_it_is():
    seen = []
    given = images([1, 0, 2])

    def count(image):
        seen.append(image)
        return 1

    face_share(given, count)
    assert np.array_equal(seen, given)


def test_a_negative_count_is_refused():
    with pytest.raises(ScoreError, match="counted -1 faces"):
        face_share(images([1, 1]), lambda _image: -1)


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 16, 16, 3), np.uint8), np.zeros((2, 16, 16, 3), np.float32)]
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ScoreError, match="the share of faces takes RGB images"):
        face_share(wrong, count_faces)
