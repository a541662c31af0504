"""The open connections of one scrape: one request at a time, guarded, bounded and in its turn."""

from __future__ import annotations

import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Self
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    LocationParseError,
)
from urllib3.exceptions import TimeoutError as SlowError
from urllib3.util import Url, parse_url

from pipeline.config import ScrapeConfig, split_host
from pipeline.guard import AddressGuard, Deadline, Resolver, guarded_pools, system_resolver
from pipeline.manners import Manners, StoppedError
from pipeline.words import is_proxys, proxy_name, retry_after_s, words

AGENT_TOKEN = "facegan"  # noqa: S105 - what robots.txt calls us
AGENT = f"{AGENT_TOKEN}/0.1"
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""A server that asks to wait for longer is left for the next call."""
LONGEST_NAP_S = 0.25
"""Between two looks at whether to stop."""
SMALL_BODY_BYTES = 16 * 1024
"""An answer that nobody wants is read up to this size, so that its connection can be used again."""

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone at the next try; so may every other 5xx."""
BUSY = frozenset({429, 503})
"""Statuses by which a host asks all of us for fewer requests."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}


class Connections:
    """Guarded, pooled connections; a context manager that closes them.

    Args:
        config: time-outs, retries, budgets, allowed hosts and the contact in the User-Agent.
        resolver: turns names into addresses.
        clock: seconds that only go forward.
        sleep: waits that many seconds; by default until `stop` is called.
    """

    def __init__(
        self,
        config: ScrapeConfig,
        *,
        resolver: Resolver = system_resolver,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._stopped = threading.Event()
        self._should_stop: Callable[[], bool] = lambda: False
        sleep = self._nap if sleep is None else sleep
        allowed = [host for text in config.allow_hosts if (host := split_host(text))]
        self.config = config
        self.clock = clock
        self.deadline = Deadline()
        self.agent = f"{AGENT} (+{config.contact})" if config.contact else AGENT
        self.manners = Manners(
            config.host_connections, config.host_rate, exempt=allowed, clock=clock, sleep=sleep
        )
        self._guard = AddressGuard(allowed, resolver)
        self.pools = guarded_pools(
            self._guard,
            self.deadline,
            connections=config.workers,
            clock=clock,
            proxy=config.proxy,
        )
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.pools.clear()

    def stop(self) -> None:
        """Wake whoever waits, for a host's turn or for another try, to give up.

        Answers on their way are still read.
        """
        self._stopped.set()
        self.manners.stop()

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        """Let `stop` be called as soon as `should_stop` turns true; what is stopped stays so.

        Args:
            should_stop: asked by whichever thread begins a request, and by all that wait.
        """
        self._should_stop = should_stop

    @property
    def stopping(self) -> bool:
        """Whether it is time to stop."""
        if not self._stopped.is_set() and self._should_stop():
            self.stop()
        return self._stopped.is_set()

    def _nap(self, seconds: float) -> None:
        """Sleep, in pieces: what turns `should_stop` true, such as a signal, wakes nobody."""
        while seconds > 0 and not self.stopping:
            self._stopped.wait(min(seconds, LONGEST_NAP_S))
            seconds -= LONGEST_NAP_S

    @contextlib.contextmanager
    def ask(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Iterator[BaseHTTPResponse]:
        """The answer to one request; a redirect is an answer too.

        Begins when it is the host's turn; the wait for that is added to the thread's deadline. The
        connection is kept when the body has been read.

        Raises:
            AddressRefusedError: the host's address is not public.
            BusyHostError: the host asks for a longer pause than there is time for.
            StoppedError: it is time to stop.
            HTTPError, OSError, ValueError: whatever connections raise; see `words`.
        """
        target, host, port = target_of(url)
        if self.stopping:
            raise StoppedError(host)
        if self.config.proxy:
            self._guard.check_literal(host, port)
        give_up_at = min(self.deadline.at, self.clock() + LONGEST_WAIT_S)
        with self.manners.turn(host, port, give_up_at) as waited_s:
            self.deadline.at += waited_s
            left_s = self.deadline.at - self.clock()
            if left_s <= 0:
                raise SlowError("the deadline has passed")
            pool = self.pools.connection_from_host(host, port, target.scheme)
            answer = pool.urlopen(
                method,
                # A proxy is told the whole address of what it is to fetch for us.
                target._replace(fragment=None).url
                if self.config.proxy and target.scheme == "http"
                else target.request_uri,
                redirect=False,
                assert_same_host=False,
                headers=headers,
                body=body,
                timeout=Timeout(min(left_s, self.config.timeout_s)),
                retries=False,
                preload_content=False,
            )
            try:
                yield answer
            finally:
                if 0 < (answer.length_remaining or 0) <= SMALL_BODY_BYTES:
                    answer.drain_conn()
                answer.close()
                answer.release_conn()

    def told(self, error: BaseException) -> str:
        """What a connection raised, in words; of a proxy's failures it says so."""
        text = words(error)
        if self.config.proxy and is_proxys(error):
            return f"the proxy {proxy_name(self.config.proxy)}: {text}"
        return text

    def wait(
        self,
        attempt: int,
        url: str,
        status: int | None = None,
        wished: str | None = None,
        *,
        more: bool = True,
    ) -> bool:
        """Wait before the try that follows `attempt` (from 0): 0.5 s, 1 s, 2 s and so on.

        Where the host asks for the wait, nobody asks it before: its next turn comes after that.

        Args:
            attempt: the one that failed.
            url: what was asked for.
            status: HTTP's, None where there was none.
            wished: the server's Retry-After.
            more: whether there may be another try; without, only the host's wish is remembered.

        Returns:
            Whether to try again. Not where the server wishes for more than 30 s or where the
            thread's deadline would pass.
        """
        # With jitter, so that threads which failed together do not come back together.
        backed_off_s = min(FIRST_WAIT_S * 2**attempt * random.uniform(0.75, 1.25), LONGEST_WAIT_S)
        wish_s = retry_after_s(wished)
        seconds = max(backed_off_s, wish_s or 0.0)
        asked = status is not None and is_transient(status) and (status in BUSY or wish_s)
        if asked:
            self.manners.pause(host_of(url), seconds)
        if not more or seconds > LONGEST_WAIT_S or self.clock() + seconds >= self.deadline.at:
            return False
        if not asked:
            self._sleep(seconds)
        return not self.stopping


@functools.lru_cache(32)
def target_of(url: str) -> tuple[Url, str, int]:
    """An address in its parts, and whom to connect: host and port.

    Raises:
        LocationParseError: it is no http address.
    """
    target = parse_url(url)
    port = target.port or PORTS.get(target.scheme or "")
    if not target.host or port is None or target.scheme not in PORTS:
        raise LocationParseError(f"{url[:80]!r} is no http address")
    return target, target.host, port


def is_transient(status: int) -> bool:
    """Whether another try may help against an HTTP status."""
    return status in TRANSIENT or status >= 500


def redirect_of(answer: BaseHTTPResponse, url: str) -> str | None:
    """Where an answer from `url` sends us, None where it does not.

    Raises:
        LocationParseError: to something that is no address.
    """
    location = answer.headers.get("Location")
    if answer.status not in REDIRECTS or not location:
        return None
    # A header is read as Latin-1; servers mean UTF-8 by what is beyond ASCII.
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise LocationParseError(f"redirect: {error}") from None


def host_of(url: str) -> str:
    """A host's name as budgets know it; empty where the address has none.

    >>> host_of("http://user@Example.org:8000/a")
    'example.org'
    """
    try:
        return target_of(url)[1]
    except LocationParseError:
        return ""
