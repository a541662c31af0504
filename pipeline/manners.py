"""How often a host is asked, and by how many connections at once."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

HOSTS_REMEMBERED = 4096
"""Beyond that, those that were idle for longest are forgotten."""


class BusyHostError(Exception):
    """There is no turn for this asker: the host asked for a long pause."""

    def __init__(self, host: str, wait_s: float, text: str | None = None) -> None:
        super().__init__(text or f"{host} asks to wait for another {wait_s:.0f} s")
        self.host = host
        self.wait_s = wait_s


class StoppedError(BusyHostError):
    """There is no turn for anybody: all is stopped."""

    def __init__(self, host: str) -> None:
        super().__init__(host, 0.0, f"stopped while waiting for {host}")


@dataclass(slots=True)
class _Host:
    """What is known of one host; changed under the manners' lock alone."""

    freed: threading.Condition
    connections: int
    gap_s: float
    """Between two starts."""
    open: int = 0
    waiting: int = 0
    next_start: float = -math.inf
    paused_until: float = -math.inf

    def idle(self, now: float) -> bool:
        """Nothing would be lost with it."""
        return not (self.open or self.waiting) and max(self.next_start, self.paused_until) <= now


@dataclass(frozen=True, slots=True)
class _Budget:
    connections: int
    gap_s: float

    @classmethod
    def of(cls, connections: int, per_second: float) -> _Budget:
        return cls(connections, 1 / per_second if per_second > 0 else 0.0)


@dataclass(slots=True)
class _Queue:
    """One asker's way through a host's queue."""

    began: float
    give_up_at: float
    slept_until: float = field(default=-math.inf)


class Manners:
    """Budgets by host name, for all threads: connections at once, and starts evenly spaced in time.

    Args:
        connections: to one host at the same time.
        per_second: requests to one host begun in a second; 0 is as many as there can be.
        exempt: one's own servers, as (host, port), the port None for any: without a budget, though
            a pause that they ask for counts.
        clock: seconds that only go forward.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        connections: int,
        per_second: float,
        *,
        exempt: Iterable[tuple[str, int | None]] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._budget = _Budget.of(connections, per_second)
        self._exempt = frozenset((plain(host), port) for host, port in exempt)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._stopped = False

    def stop(self) -> None:
        """Send away whoever waits for a turn, now and from now on."""
        with self._lock:
            self._stopped = True
            for entry in self._hosts.values():
                entry.freed.notify_all()

    def limit(
        self, host: str, *, connections: int | None = None, per_second: float | None = None
    ) -> None:
        """Hold a host to a stricter budget; of several the strictest counts."""
        with self._lock:
            entry = self._entry(plain(host))
            if connections is not None:
                entry.connections = min(entry.connections, connections)
            if per_second is not None:
                entry.gap_s = max(entry.gap_s, _Budget.of(1, per_second).gap_s)

    def pause(self, host: str, seconds: float) -> None:
        """Nobody asks the host before: its Retry-After."""
        with self._lock:
            entry = self._entry(plain(host))
            entry.paused_until = max(entry.paused_until, self._clock() + seconds)

    @contextlib.contextmanager
    def turn(self, host: str, port: int, give_up_at: float = math.inf) -> Iterator[float]:
        """One request to a host, answer and all: begun when its budget allows.

        Args:
            host: its name or address.
            port: tells one's own servers from others'.
            give_up_at: the time on the clock beyond which a pause is too long; time spent in the
                queue is added to it.

        Yields:
            The seconds waited.

        Raises:
            BusyHostError: the host asked for a pause that ends after `give_up_at`.
            StoppedError: `stop` was called.
        """
        name = plain(host)
        own = bool({(name, port), (name, None)} & self._exempt)
        queue = _Queue(self._clock(), give_up_at)
        with self._lock:
            entry = self._entry(name)
            entry.waiting += 1
            try:
                self._take_slot(entry, name, queue, own=own)
            except BaseException:
                entry.freed.notify()  # another one's turn: this one may have been woken for it
                raise
            finally:
                entry.waiting -= 1
            entry.open += 1
        try:
            self._await_start(entry, name, queue, own=own)
            yield self._waited(queue)
        finally:
            with self._lock:
                entry.open -= 1
                entry.freed.notify()

    def _take_slot(self, entry: _Host, name: str, queue: _Queue, *, own: bool) -> None:
        self._check(entry, name, queue)
        while not own and entry.open >= entry.connections and not self._stopped:
            entry.freed.wait()
        self._check(entry, name, queue)

    def _await_start(self, entry: _Host, name: str, queue: _Queue, *, own: bool) -> None:
        """Sleep until the start that is reserved here, and through pauses asked for meanwhile."""
        start = -math.inf
        while True:
            with self._lock:
                self._check(entry, name, queue)
                if start < entry.paused_until or start == -math.inf:
                    start = self._reserve(entry, own=own)
            # What was slept counts, even where a test's clock stands still.
            if start <= queue.slept_until:
                return
            seconds = start - max(self._clock(), queue.slept_until)
            if seconds <= 0:
                return
            self._sleep(seconds)
            queue.slept_until = start

    def _reserve(self, entry: _Host, *, own: bool) -> float:
        now = self._clock()
        if own:
            return max(now, entry.paused_until)
        start = max(now, entry.next_start, entry.paused_until)
        entry.next_start = start + entry.gap_s
        return start

    def _check(self, entry: _Host, name: str, queue: _Queue) -> None:
        """Raise what keeps the asker from its turn."""
        if self._stopped:
            raise StoppedError(name)
        until, now = entry.paused_until, self._clock()
        over = until <= max(now, queue.slept_until)
        if not over and until > queue.give_up_at + self._waited(queue):
            raise BusyHostError(name, until - now)

    def _waited(self, queue: _Queue) -> float:
        return max(self._clock(), queue.slept_until) - queue.began

    def _entry(self, name: str) -> _Host:
        """The host's entry, now the one used last."""
        entry = self._hosts.get(name)
        if entry is None:
            self._forget_some()
            budget = self._budget
            entry = _Host(threading.Condition(self._lock), budget.connections, budget.gap_s)
            self._hosts[name] = entry
        self._hosts.move_to_end(name)
        return entry

    def _forget_some(self) -> None:
        while len(self._hosts) >= HOSTS_REMEMBERED:
            name, oldest = next(iter(self._hosts.items()))
            if not oldest.idle(self._clock()):
                return
            del self._hosts[name]


def plain(host: str) -> str:
    """A host's name in one form.

    >>> plain("Example.ORG."), plain("[::1]")
    ('example.org', '::1')
    """
    return host.lower().rstrip(".").strip("[]")
