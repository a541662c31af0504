"""Progress as data. Stages never print: they call a listener with these events.

listener = events.silent
listener(Started("crop", total=120, unit="image"))
listener(Advanced("crop", done=1, figures={"kept": 1}))
listener(Finished("crop"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Started:
    """A stage begins; `total` is None where the end is not known."""

    stage: str
    total: int | None
    unit: str
    done: int = 0
    """What an earlier call has done already: the bar starts here."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """`done` items of the stage have an outcome; `figures` are shown beside the bar."""

    stage: str
    done: int
    figures: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """The stage's bar can go."""

    stage: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user; a warning when `warning` is true."""

    stage: str
    text: str
    warning: bool = False


Event = Started | Advanced | Finished | Note
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that drops every event."""
