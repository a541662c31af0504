"""Events -> what the user sees on stderr: bars on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from facegan.core.events import Advanced, Event, Finished, Listener, Note, Started, silent

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

LINE_EVERY_S = 10.0
NARROW = 100
"""Columns of a terminal below which a bar is told by its numbers alone."""


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Listener]:
    """A listener for the block: bars on a terminal, lines otherwise; warnings only if quiet."""
    if quiet:
        yield _warnings_only
    elif sys.stderr.isatty():
        bars = Bars()
        try:
            yield bars
        finally:
            bars.close()
    else:
        yield Lines(sys.stderr)


def _warnings_only(event: Event) -> None:
    if isinstance(event, Note) and event.warning:
        print(f"warning: {event.text}", file=sys.stderr, flush=True)  # noqa: T201
    else:
        silent(event)


def figures_text(figures: Mapping[str, int | float | str]) -> str:
    """Figures as they stand beside a bar.

    >>> figures_text({"kept": 12, "it/s": 11.8})
    'kept 12 · it/s 11.8'
    """
    return " · ".join(f"{name} {_short(value)}" for name, value in figures.items())


def _short(value: int | float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class Bars:
    """Rich progress bars with rate, elapsed time and ETA."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        match event:
            case Started():
                self.tasks[event.stage] = self._open().add_task(
                    event.stage,
                    total=event.total,
                    completed=event.done,
                    unit=event.unit,
                    figures="",
                )
            case Advanced() if event.stage in self.tasks:
                self._open().update(
                    self.tasks[event.stage],
                    completed=event.done,
                    figures=figures_text(event.figures),
                )
            case Finished():
                self.tasks.pop(event.stage, None)
                if not self.tasks:
                    self.close()
            case Note():
                style = "yellow" if event.warning else "dim"
                prefix = "warning: " if event.warning else ""
                self.console.print(
                    f"{prefix}{event.text}", style=style, highlight=False, markup=False
                )

    def close(self) -> None:
        """Leave the bars as they are and go on below them."""
        if self.bars is not None:
            self.bars.stop()
            self.bars = None

    def _open(self) -> Progress:
        from rich.progress import Progress

        if self.bars is None:
            narrow = self.console.width < NARROW
            self.bars = Progress(*_columns(narrow), console=self.console, expand=narrow)
            self.bars.start()
        return self.bars


def _columns(narrow: bool) -> list[ProgressColumn]:
    """What a bar shows. What it counts stays whole: the figures at its end give way."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    def whole() -> Column:
        return Column(no_wrap=True)

    bar = [] if narrow else [BarColumn(bar_width=12, table_column=whole())]
    elapsed = [] if narrow else [TimeElapsedColumn(table_column=whole())]
    return [
        TextColumn("{task.description:<7}"),
        *bar,
        MofNCompleteColumn(table_column=whole()),
        rate_column(),
        *elapsed,
        TimeRemainingColumn(compact=narrow, table_column=whole()),
        figures_column(),
    ]


def rate_column() -> ProgressColumn:
    """Items per second, over rich's window of recent updates."""
    from rich.progress import ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

    class _Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f}/s" if speed else "", style="cyan")

    return _Rate(table_column=Column(no_wrap=True))


def figures_column() -> ProgressColumn:
    """A task's figures in what is left of the line."""
    from rich.progress import ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

    class _Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.fields["figures"], style="dim", no_wrap=True, overflow="ellipsis")

    return _Figures(table_column=Column(ratio=1))


class Lines:
    """One plain line at the start, every 10 s and at the end of a stage."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started: dict[str, tuple[Started, float]] = {}
        self.last: dict[str, Advanced] = {}
        self.spoke_at: dict[str, tuple[float, int]] = {}
        """When the last line was printed, and what was done by then."""

    def __call__(self, event: Event) -> None:
        """Print the event if it is time."""
        now = time.monotonic()
        match event:
            case Started():
                self.started[event.stage] = event, now
                self.spoke_at[event.stage] = now, event.done
                total = "" if event.total is None else f" of {event.total}"
                self._say(f"{event.stage}: from {event.unit} {event.done}{total}")
            case Advanced():
                self.last[event.stage] = event
                if now - self.spoke_at[event.stage][0] >= LINE_EVERY_S:
                    self._say(self._line(event, now))
                    self.spoke_at[event.stage] = now, event.done
            case Finished():
                if event.stage in self.last:
                    self._say(self._line(self.last.pop(event.stage), now))
            case Note():
                self._say(("warning: " if event.warning else "") + event.text)

    def _line(self, event: Advanced, now: float) -> str:
        start, since = self.started[event.stage]
        # The speed since the last line: what has been slow before says little of what is to come.
        spoke_at, done = self.spoke_at[event.stage]
        rate = (event.done - done) / max(now - spoke_at, 1e-9)
        elapsed = now - since
        total = "" if start.total is None else f"/{start.total}"
        eta = ""
        if start.total is not None and rate > 0 and event.done < start.total:
            eta = f", eta {(start.total - event.done) / rate:.0f} s"
        figures = figures_text(event.figures)
        return (
            f"{event.stage}: {event.done}{total} {start.unit}s, {rate:.1f}/s, "
            f"{elapsed:.0f} s{eta}{', ' + figures if figures else ''}"
        )

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)
