"""Ways of running a stage's item function, behind one protocol.

All of them keep a bounded number of items in flight, so memory does not grow with the list, and
give results in the order in which they are done.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar, cast

from facegan.core.errors import FaceganError

Item = TypeVar("Item")
Result = TypeVar("Result")

LINGER_S = 0.05
"""Results do not wait longer than this for items that are slow to come."""


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The process that worked on an item died: a decoder crashed or memory ran out."""


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
    """For work that computes, and for decoders that may crash on hostile bytes.

    `work` and the items must be picklable. When a worker dies, the items that were in flight are
    tried again, each alone in a process of its own: the one at which it dies again is the culprit.
    Workers and the fork server leave Ctrl-C to the parent, and end when the parent is gone.
    """

    workers: int
    preload: tuple[str, ...] = ()
    """Modules that workers find imported (on Linux): a pool then starts in 0.03 s, not 0.4 s."""

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See Executor.

        Raises:
            FaceganError: worker processes die before they have begun anything.
        """
        remaining = iter(items)
        while True:
            suspects: list[Item] = []
            with _ended(self._pool(self.workers)) as pool:
                yield from _in_flight(pool, work, remaining, 3 * self.workers, suspects)
            if not suspects:
                return
            for item in suspects:
                yield item, self._alone(work, item)

    def _alone(self, work: Callable[[Item], Result], item: Item) -> Result | WorkerDied:
        with _ended(self._pool(1)) as pool:
            try:
                _submit(pool, os.getpid).result()
            except BrokenProcessPool as error:
                raise FaceganError(
                    "worker processes die before they have begun anything"
                ) from error
            try:
                return _submit(pool, work, item).result()
            except BrokenProcessPool:
                return WorkerDied()

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        # Not fork: the parent holds threads (OpenCV's, the progress bar's), whose locks a fork
        # copies. The fork server holds none; elsewhere than on Linux it is missing or unsafe.
        if sys.platform == "linux":
            resource_tracker.ensure_running()  # which would end what _without_ctrl_c begins
            server = multiprocessing.get_context("forkserver")
            server.set_forkserver_preload(list(self.preload))
            return ProcessPoolExecutor(workers, mp_context=server, initializer=_begin_worker)
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin_worker)


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
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


def _submit(pool: ProcessPoolExecutor, work: Callable[..., Result], *items: Any) -> Future[Result]:
    """Hand work to a pool; this is where it starts its workers, and the first one the server."""
    with _without_ctrl_c():
        return pool.submit(work, *items)


@contextlib.contextmanager
def _ended(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """Wait at the end for what is in flight, but not where Ctrl-C wants an end at once."""
    try:
        yield pool
    except KeyboardInterrupt:
        _kill(pool)
        raise
    except BaseException:
        _end(pool)
        raise
    else:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    try:
        pool.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        _kill(pool)
        raise


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the workers amid their items: a pool whose shutdown is broken off waits for ever."""
    with _without_ctrl_c():
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without it, a worker whose parent was killed waits for its next item for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_flight(
    pool: ProcessPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterator[Item],
    bound: int,
    suspects: list[Item],
) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
    """Keep `bound` items submitted; on a broken pool put what was in flight into `suspects`."""
    running: dict[Future[Result], Item] = {}
    broken = False
    while True:
        if not broken:
            for item in islice(items, bound - len(running)):
                try:
                    running[_submit(pool, work, item)] = item
                except BrokenProcessPool:
                    broken = True
                    suspects.append(item)
                    break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            item = running.pop(future)
            try:
                yield item, future.result()
            except BrokenProcessPool:
                broken = True
                suspects.append(item)
