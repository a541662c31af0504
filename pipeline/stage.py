"""One stage: pending items -> executor -> outcomes -> catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

from facegan.core.events import Advanced, Finished, Listener, Started
from facegan.core.records import Outcome, Status, Tally
from pipeline.executors import Executor, WorkerDied

Item = TypeVar("Item")
Result = TypeVar("Result")

Ends = Counter[tuple[Status, str]]
"""How many items ended with a status and a reason; the reason is empty where there is none."""


def run_stage(
    stage: str,
    items: Iterable[Item],
    work: Callable[[Item], Result],
    save: Callable[[Item, Result | WorkerDied], Outcome],
    executor: Executor,
    *,
    listener: Listener,
    should_stop: Callable[[], bool],
    unit: str = "image",
    total: int | None = None,
    done: int = 0,
) -> Tally:
    """Work off `items`; each outcome is in the catalog before the next one is looked at.

    Args:
        stage: name shown to the user.
        items: what has no outcome yet; taken as needed, so it may be endless. Asked again after
            each outcome, also at their end, for outcomes may bring further items.
        work: the item function, run by `executor`; does not touch the catalog.
        save: writes one result's files and rows, in this thread, and says what became of it.
        executor: where `work` runs.
        listener: hears Started, Advanced after every item, Finished.
        should_stop: asked before each new item is begun; true ends the stage after those in flight.
        unit: what an item is called.
        total: how many items or kept items are expected, None when that is not known.
        done: how many of them an earlier call has done.

    Returns:
        How the items of this call ended.
    """
    counts: Ends = Counter()
    listener(Started(stage, total, unit, done))
    try:
        # Closed here, so that workers end before an error of `save` is reported.
        with closing(executor.run(work, Until(items, should_stop))) as results:
            for item, result in results:
                outcome = save(item, result)
                counts[outcome.status, outcome.reason or ""] += 1
                done += 1
                listener(Advanced(stage, done, as_figures(counts)))
    finally:
        listener(Finished(stage))
    return as_tally(counts)


class Until(Iterator[Item]):
    """The items until it is time to stop; an end of theirs may be one for now."""

    def __init__(self, items: Iterable[Item], should_stop: Callable[[], bool]) -> None:
        self._items = iter(items)
        self._should_stop = should_stop
        self._stopped = False

    def __next__(self) -> Item:
        if self._stopped:
            raise StopIteration
        item = next(self._items)
        if self._should_stop():
            self._stopped = True
            raise StopIteration
        return item


def as_figures(ends: Ends) -> dict[str, int]:
    """By status, for the progress."""
    figures: Counter[str] = Counter()
    for (status, _), count in ends.items():
        figures[status.value] += count
    return dict(figures)


def as_tally(ends: Ends) -> Tally:
    """By status and reason, the most frequent reason first."""

    def by_reason(status: Status) -> dict[str, int]:
        return {reason: n for (s, reason), n in ends.most_common() if s is status}

    kept = sum(by_reason(Status.KEPT).values())
    return Tally(kept, by_reason(Status.REJECTED), by_reason(Status.FAILED))
