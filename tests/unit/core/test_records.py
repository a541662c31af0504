import pytest

from facegan.core.records import Box, Outcome, Reason, Status, Tally


def test_sides_area_and_centre():
    box = Box(10, 20, 30, 60)
    assert (box.width, box.height, box.area, box.centre) == (20, 40, 800, (20, 40))


def test_an_inverted_box_has_no_area():
    assert Box(5, 5, 1, 9).area == 0
    assert Box(5, 5, 1, 9).iou(Box(0, 0, 9, 9)) == 0


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        (Box(0, 0, 2, 2), 1.0),
        (Box(2, 0, 4, 2), 0.0),
        (Box(0, 0, 1, 2), 0.5),
        (Box(9, 9, 10, 10), 0.0),
    ],
)
def test_intersection_over_union(other, iou):
    assert Box(0, 0, 2, 2).iou(other) == iou


def test_scaling_a_box_scales_all_sides():
    assert Box(1, 2, 3, 4).scaled(2.5) == Box(2.5, 5, 7.5, 10)


def test_tally_counts_everything():
    tally = Tally(2, {"no_face": 3}, {"timeout": 4})
    assert tally.total == 9
    assert tally.as_dict() == {"kept": 2, "rejected": {"no_face": 3}, "failed": {"timeout": 4}}
    assert Tally().total == 0


def test_status_and_reason_are_their_words():
    assert Status.KEPT == "kept"
    assert Reason.NO_FACE == "no_face"
    assert Reason("decoder_crashed") is Reason.DECODER_CRASHED
    assert all(reason.value == reason.name.lower() for reason in Reason)


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        Outcome(Status.KEPT).status = Status.FAILED
