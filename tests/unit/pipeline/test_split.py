import numpy as np
import pytest

from facegan.core.files import sha256_of
from facegan.core.shard_index import HELD_OUT, TRAIN
from pipeline.split import splits

NAMES = [sha256_of(bytes([high, low])) for high in range(16) for low in range(250)]


def pairs(*joined):
    ones, others = zip(*joined, strict=True)
    return [(np.array(ones), np.array(others))]


def test_about_the_share_is_held_out_and_a_greater_share_holds_the_same():
    ten = splits(NAMES, [], 0.1)
    assert 0.085 < ten.count(HELD_OUT) / len(NAMES) < 0.115
    twenty = splits(NAMES, [], 0.2)
    assert all(more == HELD_OUT for less, more in zip(ten, twenty, strict=True) if less == HELD_OUT)


def test_a_face_keeps_its_side_when_others_come():
    few = splits(NAMES[:1000], [], 0.1)
    assert splits(NAMES, [], 0.1)[:1000] == few


def test_groups_are_held_out_as_often_as_single_ones():
    starts = np.arange(0, len(NAMES), 4)
    edges = [(starts, starts + step) for step in (1, 2, 3)]
    found = splits(NAMES, edges, 0.1)
    for start in starts:
        assert len(set(found[start : start + 4])) == 1
    assert 0.07 < found.count(HELD_OUT) / len(NAMES) < 0.13


def test_faces_of_one_image_are_never_parted():
    found = splits([*NAMES, *NAMES], [], 0.5)
    assert found[: len(NAMES)] == found[len(NAMES) :]


def test_the_order_says_nothing():
    joined = [(3, 90), (90, 700)]
    there = splits(NAMES[:1000], pairs(*joined), 0.3)
    back = splits(NAMES[:1000][::-1], pairs(*((999 - a, 999 - b) for a, b in joined)), 0.3)
    assert there == back[::-1]


def test_a_group_larger_than_the_share_stays_in_training():
    chain = np.arange(150)
    found = splits(NAMES[:1000], [(chain, chain + 1)], 0.1)
    assert set(found[:151]) == {TRAIN}
    held = [name for name in NAMES[:60] if splits([name, *NAMES[60:600]], [], 0.5)[0] == HELD_OUT]
    assert splits([held[0]] * 9, [], 0.9) == [TRAIN] * 9


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("hold_out", [0.0, 0.1, 0.9])
def test_something_is_always_left_to_train_on(count, hold_out):
    for first in range(0, 200, 10):
        found = splits(NAMES[first : first + count], [], hold_out)
        assert len(found) == count
        assert not found or TRAIN in found
        assert hold_out > 0 or HELD_OUT not in found
