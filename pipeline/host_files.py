"""Files at a known path by which a host says what it wants: read once a call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from urllib3 import BaseHTTPResponse

from facegan.core.records import Reason
from pipeline.bodies import read_beginning
from pipeline.connections import Connections, is_transient, redirect_of, target_of
from pipeline.troubles import Trouble, of_status, told

T = TypeVar("T")

MAX_BYTES = 512 * 1024
HOSTS_REMEMBERED = 1024
"""Those that were asked for longest ago are forgotten first."""
FOLLOWED = 5
"""Redirects on the way to the file."""
TRIED_AGAIN_S = 60.0
"""Age from which a file that could not be read is asked for again."""
OF_THE_HOST = frozenset({Reason.BLOCKED_ADDRESS, Reason.BAD_ADDRESS})
"""What holds for the host's images as well."""


@dataclass(frozen=True, slots=True)
class _Unknown:
    """Why nobody can tell; an exception, raised in many threads, would hold on to all of them."""

    reason: Reason
    detail: str
    final: bool


@dataclass(slots=True)
class _Entry(Generic[T]):
    found: Future[T | _Unknown] = field(default_factory=Future)
    stale_at: float = float("inf")


class HostFile(Generic[T]):
    """One file of every host: asked for by one thread, while others that need it wait.

    Args:
        connections: open ones.
        path: where it lies on each host.
        read: what the file's bytes mean for a host; None where there is no file.
        needed: whether a server that fails (5xx, 429) leaves it open what the file says; else it
            counts as having none.
    """

    def __init__(
        self,
        connections: Connections,
        path: str,
        read: Callable[[str, bytes | None], T],
        *,
        needed: bool,
    ) -> None:
        self._connections = connections
        self._path = path
        self._name = path.rpartition("/")[2]
        self._read = read
        self._needed = needed
        self._headers = {"User-Agent": connections.agent, "Accept-Encoding": "gzip, deflate"}
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()

    def of(self, url: str) -> T:
        """The file of the host of `url`; waiting for it does not count against the deadline.

        Raises:
            Trouble: nobody can tell what it says.
        """
        connections = self._connections
        with told(connections):
            target, host, port = target_of(url)
        began, deadline_at = connections.clock(), connections.deadline.at
        entry, mine = self._entry(f"{target.scheme}://{host}:{port}")
        if mine:
            self._fill(entry, target._replace(path=self._path, query=None, fragment=None).url)
        if mine or not entry.found.done():
            entry.found.exception()  # waits
            connections.deadline.at = deadline_at + connections.clock() - began
        found = entry.found.result()
        if isinstance(found, _Unknown):
            raise Trouble(found.reason, found.detail, final=found.final)
        return found

    def _entry(self, origin: str) -> tuple[_Entry[T], bool]:
        """The host's entry, and whether this thread is the one to fill it."""
        with self._lock:
            entry = self._entries.get(origin)
            mine = entry is None or self._connections.clock() >= entry.stale_at
            if entry is None or mine:
                entry = self._entries[origin] = _Entry()
            self._entries.move_to_end(origin)
            while len(self._entries) > HOSTS_REMEMBERED:
                self._entries.popitem(last=False)
            return entry, mine

    def _fill(self, entry: _Entry[T], url: str) -> None:
        connections = self._connections
        connections.deadline.at = connections.clock() + connections.config.deadline_s
        try:
            entry.found.set_result(self._read(url, self._bytes(url)))
        except Trouble as trouble:
            entry.stale_at = connections.clock() + TRIED_AGAIN_S
            detail = f"{self._name}: {trouble}"
            entry.found.set_result(_Unknown(trouble.reason, detail, trouble.final))
        except BaseException as error:
            entry.found.set_exception(error)
            raise

    def _bytes(self, url: str) -> bytes | None:
        """The file, after as many tries as an image gets."""
        attempt = 0
        while True:
            try:
                return self._follow(url)
            except Trouble as trouble:
                more = trouble.again and attempt < self._connections.config.retries
                asked = trouble.url or url
                if not self._connections.wait(
                    attempt, asked, trouble.http_status, trouble.wished, more=more
                ):
                    raise
            attempt += 1

    def _follow(self, url: str) -> bytes | None:
        try:
            first = True
            for _ in range(FOLLOWED + 1):
                with told(self._connections), self._connections.ask(url, self._headers) as answer:
                    first = False
                    target = redirect_of(answer, url)
                    if target is None:
                        return self._judged(answer, url)
                url = target
        except Trouble as trouble:
            if trouble.final and not (first and trouble.reason in OF_THE_HOST):
                # No word about the host's images: they are tried again.
                raise Trouble(trouble.reason, str(trouble)) from None
            raise
        return None

    def _judged(self, answer: BaseHTTPResponse, url: str) -> bytes | None:
        if 200 <= answer.status < 300:
            return read_beginning(answer, MAX_BYTES)
        if self._needed and is_transient(answer.status):
            raise of_status(answer.status, answer.headers.get("Retry-After"), url)
        return None
