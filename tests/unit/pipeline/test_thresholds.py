from dataclasses import replace

import pytest

from facegan.core.records import Reason, Status
from pipeline.config import CropConfig
from pipeline.select import figure
from tests.unit.pipeline.test_select import ALL, face, judged, reasons


@pytest.mark.parametrize(
    ("setting", "value", "reason", "detail"),
    [
        ({"min_face_px": 101}, {}, Reason.TOO_SMALL, "100 px, at least 101"),
        ({"min_face_px": 46}, {"size_px": 45.99}, Reason.TOO_SMALL, "45.99 px, at least 46"),
        ({"min_face_px": 5000}, {"size_px": 1234.56}, Reason.TOO_SMALL, "1235 px, at least 5000"),
        ({"min_score": 0.95}, {}, Reason.LOW_SCORE, "score 0.9, at least 0.95"),
        ({"min_sharpness": 0.31}, {}, Reason.BLURRED, "sharpness 0.3, at least 0.31"),
        ({"min_exposure": 0.6}, {}, Reason.TOO_DARK, "exposure 0.5, at least 0.6"),
        ({"max_exposure": 0.4}, {}, Reason.TOO_BRIGHT, "exposure 0.5, at most 0.4"),
        ({"max_yaw": 9.5}, {}, Reason.TURNED_AWAY, "turned 10, at most 9.5"),
        ({"max_roll": 14}, {}, Reason.TILTED, "tilted 15, at most 14"),
        ({"max_roll": 14}, {"roll": -15.0}, Reason.TILTED, "tilted 15, at most 14"),
        ({"max_padding": 0.01}, {}, Reason.PADDED, "padding 0.05, at most 0.01"),
    ],
)
def test_each_threshold_rejects_with_its_value(setting, value, reason, detail):
    config = replace(ALL, **setting)
    (rejected,) = judged([face("a", **value)], config)
    assert (rejected.status, rejected.reason, rejected.detail) == (
        Status.REJECTED,
        reason,
        detail,
    )
    assert (rejected.auto_reason, rejected.auto_detail) == (reason, detail)
    (kept,) = judged([face("a", **value)])
    assert (kept.status, kept.reason, kept.auto_reason) == (Status.KEPT, None, None)


def test_a_value_at_the_threshold_passes_and_one_that_was_not_measured_too():
    config = replace(
        ALL, min_face_px=100, min_score=0.9, min_sharpness=0.3, min_exposure=0.5,
        max_exposure=0.5, max_yaw=10, max_roll=15, max_padding=0.05,
    )  # fmt: skip
    unknown = dict.fromkeys(("score", "sharpness", "exposure", "yaw", "roll", "padding"))
    assert reasons([face("a"), face("b", **unknown)], config) == [None, None]


def test_the_first_threshold_gives_the_reason():
    measured = {"score": 0.1, "sharpness": 0.0, "exposure": 0.0, "yaw": 90.0, "roll": 90.0}
    better = face("a", size_px=10.0, padding=0.9, **measured)
    seen = []
    for name in ("size_px", "score", "exposure", "sharpness", "yaw", "roll", "padding"):
        seen += reasons([better], CropConfig())
        better = replace(better, **{name: None})
    assert seen == [
        Reason.TOO_SMALL, Reason.LOW_SCORE, Reason.TOO_DARK, Reason.BLURRED, Reason.TURNED_AWAY,
        Reason.TILTED, Reason.PADDED,
    ]  # fmt: skip
    assert reasons([better], CropConfig()) == [None]


def test_a_face_without_light_or_with_too_much_is_not_called_blurred():
    dark, bright = face("a", sharpness=0.1, exposure=0.05), face("b", sharpness=0.1, exposure=0.95)
    assert reasons([dark, bright], CropConfig()) == [Reason.TOO_DARK, Reason.TOO_BRIGHT]


def test_a_value_close_to_the_threshold_is_told_in_as_many_digits_as_it_takes():
    assert figure(0.2999999, 0.3) == "0.2999999"
    assert figure(12.3456, 20) == "12.3"
