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


@pytest.mark.parametrize("width", [60, 80, 99, 100, 160])
def test_bars_show_their_counts_whole_on_any_terminal(width: int) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bars = _progress.Bars()
    bars.console = console
    bars(Started("scrape", total=1000, unit="image"))
    figures = {"kept": 822, "duplicate": 19, "rejected": 30, "robots_txt": 30, "MB/s": 0.07}
    bars(Advanced("scrape", 822, figures))
    assert bars.bars is not None
    table = bars.bars.make_tasks_table(bars.bars.tasks)
    bars.close()
    with console.capture() as drawn:
        console.print(table)
    (line,) = drawn.get().splitlines()
    assert "scrape" in line
    assert " 822/1000 " in line
    assert "kept 822" in line
