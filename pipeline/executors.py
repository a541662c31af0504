"""Ways of running a stage's item function, behind one protocol.

All of them keep a bounded number of items in flight, so memory does not grow with the list, and
give results in the order in which they are done.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar, cast

from pipeline.processes import Team, WorkerDied

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = ["DEADLINE_S", "Executor", "Processes", "Serial", "Threads", "WorkerDied"]

DEADLINE_S = 60.0
"""For one item of Processes. Pictures of 100 megapixels took 2.7 to 5.4 s to be decoded, searched
and cut (JPEG, TIFF, AVIF, PNG; one core of a server)."""
LINGER_S = 0.05
"""Results do not wait longer than this for items that are slow to come."""


class Executor(Protocol):
    """Runs one function over many items."""

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """Yield each item with its result, as they come. An exception of `work` is raised.

        Closing the generator drops what has not begun and waits for what has.
        """
        ...


@dataclass(frozen=True, slots=True)
class Serial:
    """One item after another, in this thread."""

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See Executor."""
        for item in items:
            yield item, work(item)


@dataclass(frozen=True, slots=True)
class Threads:
    """For work that waits on the network.

    Two queues and no futures: waiting for the first of many futures costs more than a small image.
    """

    workers: int

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See Executor."""
        with contextlib.closing(self.groups(work, items)) as groups:
            for group in groups:
                yield from group

    def groups(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[list[tuple[Item, Result]], None, None]:
        """Yield together what is ready together: at least one, at most one for each worker."""
        todo: SimpleQueue[tuple[Item] | None] = SimpleQueue()
        done: SimpleQueue[_Done[Item, Result]] = SimpleQueue()
        threads: list[threading.Thread] = []
        running, remaining = 0, iter(items)
        try:
            while True:
                until = time.monotonic() + LINGER_S
                for item in islice(remaining, 2 * self.workers - running):
                    todo.put((item,))
                    running += 1
                    if len(threads) < self.workers:
                        name = f"facegan-{len(threads)}"
                        thread = threading.Thread(target=_serve, args=(work, todo, done), name=name)
                        thread.start()
                        threads.append(thread)
                    if not done.empty() and time.monotonic() > until:
                        break
                if not running:
                    return
                ready = list(_ready(done, self.workers))
                running -= len(ready)
                if good := [
                    (item, cast(Result, got)) for item, got, error in ready if error is None
                ]:
                    yield good
                for _, _, error in ready:
                    if error is not None:
                        raise error
        finally:
            # A consumer that stops early does not wait for what has not begun.
            with contextlib.suppress(Empty):
                while True:
                    todo.get_nowait()
            for _ in threads:
                todo.put(None)
            for thread in threads:
                thread.join()


_Done = tuple[Item, Result | None, BaseException | None]


def _ready(done: SimpleQueue[_Done[Item, Result]], most: int) -> Iterator[_Done[Item, Result]]:
    """Wait for one, then take those that are there as well."""
    yield done.get()
    with contextlib.suppress(Empty):
        for _ in range(most - 1):
            yield done.get_nowait()


def _serve(
    work: Callable[[Item], Result],
    todo: SimpleQueue[tuple[Item] | None],
    done: SimpleQueue[_Done[Item, Result]],
) -> None:
    """One thread of Threads: item after item until there is None."""
    while (task := todo.get()) is not None:
        item = task[0]
        try:
            done.put((item, work(item), None))
        except BaseException as error:
            done.put((item, None, error))


@dataclass(frozen=True, slots=True)
class Processes:
    """For work that computes, and for decoders that may crash or dawdle on hostile bytes.

    `work` and the items must be picklable. An item at which a worker dies is tried again at the
    end, alone in a process of its own: where it dies again, it is the culprit. One that takes too
    long is ended with its worker, and not tried again. The others are not touched by either.
    Workers and the fork server leave Ctrl-C to the parent, and end when the parent is gone.
    """

    workers: int
    preload: tuple[str, ...] = ()
    """Modules that workers find imported (on Linux): a pool then starts in 0.03 s, not 0.4 s."""
    deadline_s: float = DEADLINE_S
    """For one item."""

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See Executor; but closing ends what is in flight, for nobody would learn its results.

        Raises:
            FaceganError: worker processes die before they have begun anything.
        """
        remaining = iter(items)
        while True:
            with Team(work, self.workers, self.preload, self.deadline_s) as team:
                yield from team.run(remaining)
            if not team.suspects:
                return
            for item in team.suspects:
                yield item, self._alone(work, item)

    def _alone(self, work: Callable[[Item], Result], item: Item) -> Result | WorkerDied:
        with Team(work, 1, self.preload, self.deadline_s) as team:
            for _, result in team.run(iter([item])):
                return result
        return WorkerDied()
