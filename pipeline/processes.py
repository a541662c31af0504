"""Worker processes for work that computes, and for decoders that crash or never end.

Each worker has a pipe of its own, so that the parent knows which item it holds: one that dies or
takes too long costs that item, and no other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

from facegan.core.errors import FaceganError
from facegan.core.records import Reason

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items that a worker holds, so that it need not wait while the parent saves a result."""
TICK_S = 1.0
"""Between two looks at the workers' clocks; more is not counted: a machine's sleep is no item's."""
MOST_STILLBORN = 3
"""Workers in a row that die before they say that they are there: another would, too."""
STILLBORN = "worker processes die as they begin"
STILLBORN_HINT = "--workers 1 needs less memory; a script needs `if __name__ == '__main__':`"
JOIN_S = 5.0
"""Longest wait for a process that was killed: one that hangs in the kernel is left to it."""


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The process that worked on an item died: a decoder crashed or memory ran out."""

    after_s: float | None = None
    """The deadline at which it was ended; None where it died by itself."""

    @property
    def reason(self) -> Reason:
        """For what it decoded."""
        return Reason.DECODER_CRASHED if self.after_s is None else Reason.DECODE_TIMEOUT

    @property
    def detail(self) -> str:
        """In words."""
        if self.after_s is None:
            return "the process that decoded it died"
        return f"broken off after {self.after_s:g} s"


Done = tuple[Item, Result | WorkerDied]


class Team(Generic[Item, Result]):
    """Some workers that run one function over items; a context that leaves no process behind.

    Args:
        work: the function, picklable.
        most: workers that run at once.
        preload: modules that workers find imported (on Linux).
        deadline_s: for one item.
    """

    def __init__(
        self, work: Callable[[Item], Result], most: int, preload: tuple[str, ...], deadline_s: float
    ) -> None:
        self._work, self._most, self._deadline_s = work, most, deadline_s
        self._context = context_of(preload)
        self._workers: list[_Worker[Item]] = []
        self._looked, self._stillborn = time.monotonic(), 0
        self.returned: deque[Item] = deque()
        """Items of workers that died before they came to them."""
        self.suspects: list[Item] = []
        """Items at which a worker died by itself."""

    def __enter__(self) -> Team[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, amid their items if they have some: nobody waits for the results."""
        with without_ctrl_c():
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.close()

    def run(self, items: Iterator[Item]) -> Generator[Done[Item, Result], None, None]:
        """Yield each item with its result, but for the suspects.

        Raises:
            FaceganError: all workers die, MOST_STILLBORN in a row before they have begun.
        """
        while True:
            self._feed(items)
            if not any(worker.items for worker in self._workers):
                return
            done = list(self._results())
            self._feed(items)  # before the consumer takes its time
            yield from done

    def _feed(self, items: Iterator[Item]) -> None:
        while self._may_start or any(w.has_room for w in self._workers):
            if not self.returned:
                for item in items:
                    self.returned.append(item)
                    break
                else:
                    return
            self._least_busy().give(self.returned.popleft())

    def _least_busy(self) -> _Worker[Item]:
        least = min(self._workers, key=lambda worker: len(worker.items), default=None)
        return self._started() if least is None or (least.items and self._may_start) else least

    @property
    def _may_start(self) -> bool:
        """Not while those that were started last have died: the others go on alone until heard."""
        return len(self._workers) < self._most and self._stillborn < MOST_STILLBORN

    def _started(self) -> _Worker[Item]:
        with without_ctrl_c():
            ours, theirs = self._context.Pipe()
            process = self._context.Process(  # type: ignore[attr-defined]
                target=_serve, args=(theirs, self._work), daemon=True
            )
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _results(self) -> Iterator[Done[Item, Result]]:
        """Wait for a message or for a tick; then what has come of it."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        ready = connection.wait(list(by_pipe), min(TICK_S, self._deadline_s))
        self._count_time()
        for pipe in ready:
            worker = by_pipe[cast("Connection", pipe)]
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                self._end(worker)
                if not worker.begun:
                    self._stillborn += 1
                    if not self._workers and not self._may_start:
                        raise FaceganError(STILLBORN, hint=STILLBORN_HINT) from None
                elif worker.items:
                    self.suspects.append(worker.items.popleft())
                self.returned.extend(worker.items)
                continue
            self._stillborn = 0
            if (done := worker.hear(said)) is not None:
                yield cast("Done[Item, Result]", done)
        yield from self._overdue()

    def _count_time(self) -> None:
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, TICK_S), now
        for worker in self._workers:
            worker.spent_s += passed if worker.begun and worker.items else 0

    def _overdue(self) -> Iterator[Done[Item, Result]]:
        """End the workers whose item takes too long."""
        for worker in list(self._workers):
            if worker.spent_s > self._deadline_s and not worker.pipe.poll():
                self._end(worker)
                yield worker.items.popleft(), WorkerDied(self._deadline_s)
                self.returned.extend(worker.items)

    def _end(self, worker: _Worker[Item]) -> None:
        with without_ctrl_c():
            self._workers.remove(worker)
            worker.process.kill()
            worker.close()
        if worker.begun:
            self._stillborn = 0


@dataclass(slots=True, eq=False)
class _Worker(Generic[Item]):
    """A process and what it was given."""

    process: BaseProcess
    pipe: Connection
    items: deque[Item] = field(default_factory=deque)
    """The first is being worked on."""
    begun: bool = False  # has it said that it is there?
    spent_s: float = 0.0
    """On the first item."""

    @property
    def has_room(self) -> bool:
        return len(self.items) < AHEAD

    def give(self, item: Item) -> None:
        self.items.append(item)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # told when it is heard
            self.pipe.send(item)

    def hear(self, said: Any) -> tuple[Item, object] | None:
        """An item and its result; None where the worker only says that it is there."""
        if said is None:
            self.begun = True
            return None
        result, error, trace = said
        if error is not None:
            raise error from _Remote(trace)
        self.spent_s = 0.0
        return self.items.popleft(), result

    def close(self) -> None:
        self.process.join(JOIN_S)
        self.pipe.close()


class _Remote(Exception):  # noqa: N818 - as concurrent.futures has it: the cause of an error
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def context_of(preload: tuple[str, ...]) -> BaseContext:
    """How processes are started.

    Not by fork: the parent holds threads (OpenCV's, the progress bar's), whose locks a fork copies.
    The fork server holds none; elsewhere than on Linux it is missing or unsafe.
    """
    if sys.platform == "linux":
        resource_tracker.ensure_running()  # which would end what without_ctrl_c begins
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(list(preload))
        return server
    return multiprocessing.get_context("spawn")


@contextlib.contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Let SIGINT wait for the end of the block; what is started in it never gets one.

    A process inherits the mask, so that none comes before it can ignore them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """A worker's life: item after item, until it is killed or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    items: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, items), daemon=True).start()
    pipe.send(None)
    while True:
        item = items.get()
        said: tuple[Any, BaseException | None, str]
        try:
            said = work(pickle.loads(item)), None, ""  # noqa: S301 - of the parent
        except BaseException as error:
            said = None, error, traceback.format_exc()
        _send(pipe, said)


def _receive(pipe: Connection, items: SimpleQueue[bytes]) -> None:
    """Take items as they come: a parent that sends never waits for one that works."""
    try:
        while True:
            items.put(pipe.recv_bytes())
    except (EOFError, OSError):  # the parent was killed
        os._exit(1)


def _send(pipe: Connection, said: tuple[Any, BaseException | None, str]) -> None:
    try:
        pipe.send(said)
    except OSError:  # the parent was killed
        os._exit(1)
    except Exception as error:  # what cannot be pickled
        pipe.send((None, FaceganError(f"a worker cannot send {said[:2]!r}: {error}"), said[2]))
