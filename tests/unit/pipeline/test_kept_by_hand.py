"""Of copies the one that a person has kept leads, and the largest is one that none has rejected."""

from dataclasses import replace

import pytest

from facegan.core.records import Box, Reason, Status
from tests.unit.pipeline.test_select import ALL, changed, face, hash_of, judged, own_phash, reasons

KEPT, REJECTED = Status.KEPT, Status.REJECTED
STRICT = replace(ALL, min_sharpness=0.2)


def copies(*changes):
    """Faces that are copies of each other, the best first."""
    return [
        face(f"copy {n}", phash=own_phash("one"), size_px=300.0 - n, sharpness=0.9 / (n + 1), **one)
        for n, one in enumerate(changes)
    ]


def test_a_face_kept_by_hand_is_kept_in_place_of_the_better_copy():
    assert reasons(copies({}, {"review": KEPT}, {})) == [Reason.DUPLICATE, None, Reason.DUPLICATE]


@pytest.mark.parametrize("missed", [{"sharpness": 0.1}, {"roll": 170.0}])
def test_a_rescued_face_keeps_its_reason_and_leads_its_copies(missed):
    good, rescued = copies({}, {"review": KEPT})
    rescued = replace(rescued, **missed)
    strict = replace(STRICT, max_roll=45)
    best, own = judged([good, rescued], strict)
    assert (best.status, best.reason) == (REJECTED, Reason.DUPLICATE)
    assert best.detail == f"of {rescued.sha256}"
    assert own.status is KEPT
    assert own.auto_reason in {Reason.BLURRED, Reason.TILTED}
    assert own.cluster == best.cluster == rescued.sha256


def test_all_copies_that_were_kept_by_hand_stay():
    found = judged(copies({"review": KEPT}, {}, {"review": KEPT}))
    assert [one.status for one in found] == [KEPT, REJECTED, KEPT]
    assert {one.cluster for one in found} == {hash_of("copy 0")}


def test_the_copies_of_each_face_that_was_kept_by_hand_are_duplicates():
    """The third is like the second, and not like the first."""
    first = face("a", review=KEPT, size_px=300.0)
    second = face("b", review=KEPT, phash=changed(first.phash, 6))
    third = face("c", phash=changed(first.phash, 12))
    assert reasons([first, second, third]) == [None, None, Reason.DUPLICATE]
    assert reasons([first, replace(second, review=None), third]) == [None, Reason.DUPLICATE, None]


def test_a_face_kept_by_hand_without_a_crop_leads_nothing():
    cut, uncut = copies({}, {"review": KEPT, "path": None, "sha256": None})
    assert reasons([cut, replace(uncut, auto_reason=Reason.TOO_SMALL)])[0] is None


def test_the_copies_of_a_face_that_was_rejected_by_hand_stay_out():
    found = reasons(copies({"review": REJECTED}, {}, {}))
    assert found == [Reason.REVIEWED, Reason.DUPLICATE, Reason.DUPLICATE]


def test_a_copy_kept_by_hand_stands_above_a_better_one_rejected_by_hand():
    found = reasons(copies({"review": REJECTED}, {"review": KEPT}, {}))
    assert found == [Reason.REVIEWED, None, Reason.DUPLICATE]


def test_rejecting_a_copy_by_hand_costs_the_best_one_nothing():
    found = reasons(copies({}, {"review": REJECTED}, {}))
    assert found == [None, Reason.REVIEWED, Reason.DUPLICATE]


def test_the_largest_face_that_was_not_rejected_by_hand_is_kept():
    large = face("a", "i", size_px=180.0, review=REJECTED)
    next_one = face("b", "i", box=Box(200, 0, 320, 120), size_px=120.0)
    small = face("c", "i", box=Box(400, 0, 460, 60), size_px=60.0)
    config = replace(ALL, faces="largest")
    found = judged([small, next_one, large], config)
    assert [one.reason for one in found] == [Reason.NOT_LARGEST, None, Reason.REVIEWED]
    assert found[0].detail == "60 px, the largest 120"
    thrown = [replace(one, review=REJECTED) for one in (small, next_one, large)]
    assert [one.auto_reason for one in judged(thrown, config)] == [Reason.NOT_LARGEST] * 2 + [None]


def test_copies_of_the_largest_face_stay_out_when_it_is_rejected_by_hand():
    large = face("a", "i", size_px=180.0, review=REJECTED)
    beside = face("b", "i", box=Box(200, 0, 320, 120), size_px=120.0)
    copy = face("c", phash=large.phash)
    found = reasons([large, beside, copy], replace(ALL, faces="largest"))
    assert found == [Reason.REVIEWED, None, Reason.DUPLICATE]


def test_where_duplicates_are_not_looked_for_a_decision_is_only_of_its_face():
    config = replace(ALL, duplicates=-1)
    assert reasons(copies({}, {"review": KEPT}, {}), config) == [None, None, None]


@pytest.mark.parametrize("bits", [-1, 8])
def test_of_crops_that_are_the_same_bit_for_bit_a_rejected_one_stays_out(bits):
    config = replace(ALL, duplicates=bits)
    best, same = (face("a", image, size_px=px) for image, px in (("i", 300.0), ("j", 200.0)))
    best, same = judged([best, same], config)
    assert (best.reason, same.reason) == (None, Reason.DUPLICATE)  # `shard` packs the best alone
    best = replace(best, review=REJECTED)
    assert reasons([best, same], config) == [Reason.REVIEWED, Reason.DUPLICATE]
    assert reasons([best, replace(same, review=KEPT)], config) == [Reason.REVIEWED, None]


def test_a_second_look_changes_nothing():
    once = judged(copies({}, {"review": KEPT}, {"review": REJECTED}, {}), STRICT)
    assert judged(once, STRICT) == once
