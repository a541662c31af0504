"""What sources ask a service: its result pages and its API's answers."""

from __future__ import annotations

import functools
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from pipeline.bodies import TooLargeError, read_body
from pipeline.config import ScrapeConfig
from pipeline.connections import (
    LONGEST_WAIT_S,
    SMALL_BODY_BYTES,
    Connections,
    host_of,
    is_transient,
    redirect_of,
)
from pipeline.guard import AddressRefusedError, Resolver, system_resolver
from pipeline.manners import BusyHostError, StoppedError
from pipeline.permissions import Permissions
from pipeline.words import is_proxys, printable, proxy_name, retry_after_s, words

# A list of addresses does not wait for what only pages and APIs need.
if TYPE_CHECKING:
    from pipeline.answer_cache import AnswerCache
    from pipeline.cookies import Cookies

__all__ = ["LONGEST_WAIT_S", "Transport", "retry_after_s", "words"]

MAX_PAGE_BYTES = 16 * 1024 * 1024
REFUSALS = frozenset({401, 403, 451})
NOT_MODIFIED = 304
CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since"})
FOR_ONE_HOST = frozenset({"authorization", "cookie", "if-none-match", "if-modified-since"})
"""Headers that a redirect to another host does not take along."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    """Where it came from after redirects."""


class Transport(Connections):
    """Connections that also speak for a source: pages, JSON, errors in words.

    Args:
        config: time-outs, retries, allowed hosts and the contact in the User-Agent.
        cache: folder in which an API's answers are kept; None keeps none.
        resolver: turns names into addresses.
        clock: seconds that only go forward.
        sleep: waits that many seconds; by default until `stop` is called.
    """

    def __init__(
        self,
        config: ScrapeConfig,
        *,
        cache: Path | None = None,
        resolver: Resolver = system_resolver,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(config, resolver=resolver, clock=clock, sleep=sleep)
        country = config.market
        self._headers = {
            "User-Agent": self.agent,
            "Accept-Language": f"{country},{country.partition('-')[0]};q=0.8",
            "Accept-Encoding": "gzip, deflate",
        }
        # An image does not shrink by compression; only a bomb does.
        self.for_images = {
            "User-Agent": self.agent,
            "Accept": "image/*",
            "Accept-Encoding": "identity",
        }
        self.permissions = Permissions(self)
        self._answers = cache

    def page(self, url: str) -> str:
        """The text of a result page, decoded as UTF-8.

        Raises:
            RateLimitedError: the server still asks to wait after the last try.
            BlockedError: it refuses.
            SourceError: it cannot be reached or answers with an error.
        """
        answer = self._answer(url, self._headers | {"Accept": "text/html, */*"}, cookies=True)
        return answer.body.decode("utf-8", errors="replace")

    def json(
        self, url: str, *, headers: Mapping[str, str] | None = None, fresh_s: float = 0
    ) -> Any:
        """The parsed JSON of an API's answer.

        An answer that was kept is used as long as it is fresh, then asked about by its ETag or
        Last-Modified.

        Args:
            url: what to ask for.
            headers: to send beside our own.
            fresh_s: how long an answer counts as fresh where the server says nothing.

        Raises:
            RateLimitedError: the server still asks to wait after the last try.
            BlockedError: it refuses.
            SourceError: it cannot be reached, or answers with an error or something else than JSON.
        """
        if self.stopping:  # also where all answers are known
            raise _busy(StoppedError(host_and_port(url)))
        asked = self._headers | {"Accept": "application/json"} | dict(headers or {})
        cache = self._cache if host_of(url) else None
        if cache is None:
            return _parsed(self._answer(url, asked))
        if (body := cache.fresh(url, asked)) is not None:
            return _parsed(_Answer(200, {}, body, url))
        conditions = cache.conditions(url, asked)
        answer = self._answer(url, asked | conditions)
        if answer.status == NOT_MODIFIED:
            body = cache.confirm(url, asked, answer.headers, fresh_s)
            if body is not None:
                return _parsed(_Answer(200, {}, body, url))
            answer = self._answer(url, asked)
        value = _parsed(answer)
        cache.store(url, asked, answer.headers, answer.body, fresh_s)
        return value

    def post_json(self, url: str, form: Mapping[str, str]) -> Any:
        """The parsed JSON of the answer to a form, as for a token; redirects are not followed.

        Raises:
            RateLimitedError: the server still asks to wait after the last try.
            BlockedError: it refuses.
            SourceError: it cannot be reached, or answers with an error or something else than JSON.
        """
        kind = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form, errors="replace").encode()
        return _parsed(self._answer(url, self._headers | kind, body=body))

    def _answer(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        cookies: bool = False,
    ) -> _Answer:
        """A sound answer (200 or 304), after as many tries as are allowed."""
        self.deadline.at = self.clock() + self.config.deadline_s
        for attempt in range(self.config.retries + 1):
            more = attempt < self.config.retries
            try:
                answer = self._follow(url, headers, body, cookies=cookies)
            except AddressRefusedError as error:
                hint = f"if that server is yours: --allow-host {error.host}"
                raise SourceError(str(error), hint=hint) from error
            except BusyHostError as error:
                raise _busy(error) from error
            except TooLargeError as error:
                raise SourceError(
                    f"{printable(url)} is larger than {MAX_PAGE_BYTES:,} bytes"
                ) from error
            except (HTTPError, OSError, ValueError, zlib.error) as error:
                if not self.wait(attempt, url, None, None, more=more):
                    raise self._unreachable(url, error) from error
                continue
            if answer.status == 200 or (answer.status == NOT_MODIFIED and CONDITIONS & {*headers}):
                return answer
            wished = answer.headers.get("Retry-After")
            again = is_transient(answer.status) and more
            if not self.wait(attempt, answer.url, answer.status, wished, more=again):
                raise _refusal(answer, wished)
        raise AssertionError("the last try returns or raises")

    def _follow(
        self, url: str, headers: Mapping[str, str], body: bytes | None, *, cookies: bool
    ) -> _Answer:
        """One try, with its redirects."""
        method = "GET" if body is None else "POST"
        for _ in range(self.config.max_redirects + 1):
            cookie = self._cookies.header(url) if cookies else None
            sent = {**headers, "Cookie": cookie} if cookie else headers
            with self.ask(url, sent, method=method, body=body) as answer:
                if cookies:
                    self._cookies.take(url, answer)
                elsewhere = redirect_of(answer, url)
                if elsewhere is None or body is not None:
                    return _read(answer, url)
            if urlsplit(elsewhere)[:2] != urlsplit(url)[:2]:
                headers = {k: v for k, v in headers.items() if k.lower() not in FOR_ONE_HOST}
            url = elsewhere
        raise SourceError(
            f"{host_and_port(url)} redirects more than {self.config.max_redirects} times"
        )

    @functools.cached_property
    def _cache(self) -> AnswerCache | None:
        from pipeline.answer_cache import AnswerCache

        return AnswerCache(self._answers) if self._answers else None

    @functools.cached_property
    def _cookies(self) -> Cookies:
        from pipeline.cookies import Cookies

        return Cookies()

    def _unreachable(self, url: str, error: Exception) -> SourceError:
        hint = "check the network, then run the same command again"
        if self.config.proxy and is_proxys(error):
            text = f"cannot reach the proxy {proxy_name(self.config.proxy)}: {words(error)}"
            return SourceError(text, hint="check --proxy")
        return SourceError(f"cannot reach {host_and_port(url)}: {words(error)}", hint=hint)


def host_and_port(url: str) -> str:
    """For a message: the part of an address that says where."""
    try:
        where = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        where = ""
    return printable(where or url, 80)


def _read(answer: BaseHTTPResponse, url: str) -> _Answer:
    body = read_body(answer, MAX_PAGE_BYTES) if answer.status == 200 else _told(answer)
    return _Answer(answer.status, answer.headers, body, url)


def _told(answer: BaseHTTPResponse) -> bytes:
    """What stands beside an error's status, where it is short and comes whole."""
    try:
        return read_body(answer, SMALL_BODY_BYTES)
    except (TooLargeError, HTTPError, OSError, ValueError, zlib.error):
        return b""


def _parsed(answer: _Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{host_and_port(answer.url)} answers with something else than JSON: {error}",
            status=answer.status,
            answer=answer.body,
        ) from error


def _busy(error: BusyHostError) -> RateLimitedError:
    when = f" in {error.wait_s:.0f} s" if error.wait_s else ""
    return RateLimitedError(
        str(error),
        hint=f"run the same command again{when}",
        retry_after_s=error.wait_s,
    )


def _refusal(answer: _Answer, wished: str | None) -> SourceError:
    status, host = answer.status, host_and_port(answer.url)
    if status == 429:
        seconds = retry_after_s(wished)
        wait = f"in {seconds:.0f} s" if seconds else "in some minutes"
        return RateLimitedError(
            f"{host} asks for fewer requests (HTTP 429)",
            hint=f"run the same command again {wait}",
            status=status,
            answer=answer.body,
            retry_after_s=seconds,
        )
    if status in REFUSALS:
        return BlockedError(
            f"{host} refuses the search (HTTP {status})",
            hint="wait an hour, or take another --source (`facegan sources` lists them)",
            status=status,
            answer=answer.body,
        )
    return SourceError(
        f"{host} answers with HTTP {status} ({printable(answer.url)})",
        hint="run the same command again later",
        status=status,
        answer=answer.body,
    )
