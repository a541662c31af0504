"""The open connections of one scrape: result pages through requests, images through its pools."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.exceptions import TimeoutError as SlowError
from urllib3.util import Retry

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from pipeline.config import ScrapeConfig, split_host
from pipeline.guard import (
    AddressGuard,
    AddressRefusedError,
    Deadline,
    GuardedAdapter,
    Resolver,
    guarded_pools,
    system_resolver,
)

AGENT = "facegan/0.1"
MAX_REDIRECTS = 5
MAX_PAGE_BYTES = 16 * 1024 * 1024
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
CHUNK_BYTES = 64 * 1024

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone at the next try; so may every other 5xx."""
REFUSALS = frozenset({401, 403, 451})


class Transport:
    """Guarded, pooled connections; a context manager that closes them.

    Args:
        config: time-outs, retries, allowed hosts and the contact in the User-Agent.
        resolver: turns names into addresses.
        clock: seconds that only go forward.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        config: ScrapeConfig,
        *,
        resolver: Resolver = system_resolver,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        allowed = [host for text in config.allow_hosts if (host := split_host(text))]
        self.config = config
        self.clock = clock
        self.deadline = Deadline()
        self.agent = f"{AGENT} (+{config.contact})" if config.contact else AGENT
        self.pools = guarded_pools(
            AddressGuard(allowed, resolver),
            self.deadline,
            connections=config.workers,
            clock=clock,
        )
        self._sleep = sleep
        self._session = self._new_session()

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
        self.pools.clear()

    def page(self, url: str) -> str:
        """The text of a result page, decoded as UTF-8.

        Raises:
            RateLimitedError: the server still asks to wait after the last try.
            BlockedError: it refuses.
            SourceError: it cannot be reached or answers with an error.
        """
        self.deadline.at = self.clock() + self.config.deadline_s
        for attempt in range(self.config.retries + 1):
            last = attempt == self.config.retries
            try:
                with self._session.get(url, timeout=self.config.timeout_s, stream=True) as answer:
                    if answer.status_code == 200:
                        return self._text(answer)
                    wished = answer.headers.get("Retry-After")
                    again = is_transient(answer.status_code) and not last
                    if not (again and self.wait(attempt, wished)):
                        raise _refusal(answer, wished)
            except AddressRefusedError as error:
                hint = f"if that server is yours: --allow-host {error.host}"
                raise SourceError(str(error), hint=hint) from error
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                if last or not self.wait(attempt, None):
                    raise _unreachable(url, error) from error
        raise AssertionError("the last try returns or raises")

    def wait(self, attempt: int, wished: str | None) -> bool:
        """Wait before the try that follows `attempt` (from 0): 0.5 s, 1 s, 2 s and so on.

        Args:
            attempt: the one that failed.
            wished: the server's Retry-After.

        Returns:
            False, without waiting, where the server wishes for more than 30 s or where the
            thread's deadline would pass.
        """
        # With jitter, so that threads which failed together do not come back together.
        seconds = FIRST_WAIT_S * 2**attempt * random.uniform(0.75, 1.25)
        seconds = max(seconds, retry_after_s(wished) or 0.0)
        if seconds > LONGEST_WAIT_S or self.clock() + seconds >= self.deadline.at:
            return False
        self._sleep(seconds)
        return True

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = MAX_REDIRECTS
        adapter = GuardedAdapter(self.pools)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        country = self.config.market
        session.headers["User-Agent"] = self.agent
        session.headers["Accept-Language"] = f"{country},{country.partition('-')[0]};q=0.8"
        return session

    @staticmethod
    def _text(answer: requests.Response) -> str:
        body = bytearray()
        for chunk in answer.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_PAGE_BYTES:
                raise SourceError(f"{answer.url} is larger than {MAX_PAGE_BYTES:,} bytes")
        return body.decode("utf-8", errors="replace")


def is_transient(status: int) -> bool:
    """Whether another try may help against an HTTP status."""
    return status in TRANSIENT or status >= 500


def retry_after_s(text: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; None where it holds neither.

    >>> retry_after_s("3"), retry_after_s("soon"), retry_after_s(None)
    (3.0, None, None)
    """
    if text is None:
        return None
    try:
        return float(Retry().parse_retry_after(text))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def words(error: BaseException) -> str:
    """What a connection raised, in words; requests and urllib3 wrap one error in another."""
    while True:
        if isinstance(error, NameResolutionError):
            return "the name has no address"
        if isinstance(error, NewConnectionError) and isinstance(error.__cause__, OSError):
            return error.__cause__.strerror or str(error.__cause__)
        if isinstance(error, SlowError | TimeoutError):
            return "no answer in time"
        if isinstance(error, IncompleteRead):
            return f"the answer broke off after {error.args[0]} bytes"
        inner = [*error.args, getattr(error, "reason", None)]
        nested = [part for part in inner if isinstance(part, BaseException)]
        if not nested:
            return str(error)
        error = nested[-1]


def _refusal(answer: requests.Response, wished: str | None) -> SourceError:
    status, host = answer.status_code, urlsplit(answer.url).netloc
    if status == 429:
        seconds = retry_after_s(wished)
        text = f"{host} asks for fewer requests (HTTP 429)"
        wait = f"in {seconds:.0f} s" if seconds else "in some minutes"
        return RateLimitedError(
            text, hint=f"run the same command again {wait}", retry_after_s=seconds
        )
    if status in REFUSALS:
        return BlockedError(
            f"{host} refuses the search (HTTP {status})",
            hint="wait an hour, or use another source: --source folder --folder DIR",
        )
    return SourceError(
        f"{host} answers with HTTP {status} ({answer.url})",
        hint="run the same command again later",
    )


def _unreachable(url: str, error: Exception) -> SourceError:
    host = urlsplit(url).netloc
    return SourceError(
        f"cannot reach {host}: {words(error)}",
        hint="check the network, then run the same command again",
    )
