"""The plain progress lines that a log shows."""

from __future__ import annotations

import io

import pytest

from facegan.commands import _progress
from facegan.commands._progress import Lines
from facegan.core.events import Advanced, Finished, Note, Started


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_lines_come_every_ten_seconds_with_the_recent_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr(_progress, "time", clock)
    lines = Lines(stream)
    lines(Started("train", total=100, unit="iteration"))
    for now, done in ((4.0, 1), (10.0, 10), (15.0, 40), (20.0, 60)):
        clock.now = now
        lines(Advanced("train", done, {"d_loss": 0.5}))
    lines(Note("train", "low disk", warning=True))
    lines(Finished("train"))
    printed = stream.getvalue().splitlines()
    assert printed[0] == "train: from iteration 0 of 100"
    assert printed[1] == "train: 10/100 iterations, 1.0/s, 10 s, eta 90 s, d_loss 0.5"
    assert printed[2] == "train: 60/100 iterations, 5.0/s, 20 s, eta 8 s, d_loss 0.5"
    assert printed[3] == "warning: low disk"
