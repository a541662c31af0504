"""How long a scoring would take: what is left to do, and a rate that was tried."""

from itertools import count

import pytest

from facegan.config import ScoreConfig
from facegan.core.files import Workspace
from facegan.estimate import estimate
from facegan.images import encode_png
from facegan.scoring import plan, score
from facegan.subjects import find_reference

from .conftest import pictures


@pytest.fixture
def planned(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(pictures(40, 32, seed)):
            (tmp_path / name / f"{number}.png").write_bytes(encode_png(image))
    config = ScoreConfig(features="none", device="cpu")
    workspace = Workspace(tmp_path / "data")
    return plan(config, workspace, str(tmp_path / "a"), against=str(tmp_path / "b"))


def test_what_is_left_is_counted_and_the_rate_is_what_was_tried(planned):
    ticks = count()
    guess = estimate(planned, lambda _: 1, clock=lambda: float(next(ticks)))
    assert guess.to_compute == 80
    assert guess.images_per_s == pytest.approx(16)  # 16 images in one tick
    assert guess.seconds == pytest.approx(80 / 16 + guess.measures_s)
    assert guess.measures_s > 80 / 4  # each of 80 faces was looked for at 4 a tick
    assert guess.as_dict()["sets"]["real"]["images"] == 40


def test_without_a_detector_its_time_is_left_out(planned):
    guesses = []
    for detector in (None, lambda _: 1):
        ticks = count()
        guesses.append(estimate(planned, detector, clock=lambda ticks=ticks: float(next(ticks))))
    assert guesses[1].measures_s - guesses[0].measures_s == pytest.approx(80 / 4)


def test_after_a_scoring_nothing_is_left_to_compute(planned, monkeypatch):
    monkeypatch.setattr("facegan.score.measure_pixels.PAIRS", 10)
    score(planned)
    guess = estimate(planned)
    assert (guess.to_compute, guess.images_per_s) == (0, 0.0)


def test_real_images_of_a_folder_are_not_called_those_trained_on(planned, tmp_path):
    reference = find_reference(str(tmp_path / "b"), planned.subject, planned.workspace)
    assert not reference.trained_on
    assert not reference.flipped
