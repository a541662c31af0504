"""What the sources with a JSON API share: asking it, and reading what a stranger answers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from facegan.core.errors import SourceError
from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig, split_host
from pipeline.connections import target_of
from pipeline.http import Transport
from pipeline.manners import plain
from pipeline.sources.answers import keep

LARGEST_SIDE = 1_000_000
"""Of a picture, in pixels; what is told to be larger is not believed."""

CHANGED = "its API may have changed: look at that file, or use another source"


@dataclass(frozen=True, slots=True)
class Api:
    """One service's API.

    Args:
        source: the source's name.
        base: scheme and host, and no slash at the end.
        transport: open connections.
        answers: folder in which an answer that nobody understands is kept.
    """

    source: str
    base: str
    transport: Transport
    answers: Path

    @classmethod
    def of(
        cls, source: str, base: str, config: ScrapeConfig, transport: Transport, answers: Path
    ) -> Api:
        """At `base`, or where the configuration says."""
        return cls(source, (config.base_url or base).rstrip("/"), transport, answers)

    @property
    def place(self) -> str:
        """Its host, and its port where it has one, for messages."""
        return urlsplit(self.base).netloc.rpartition("@")[2]

    @property
    def host(self) -> str:
        """Its host, for `Manners`."""
        return urlsplit(self.base).hostname or ""

    def address(self, path: str, values: Mapping[str, str | int] | None = None) -> str:
        """Of one request."""
        query = f"?{urlencode(values, errors='replace')}" if values else ""
        return f"{self.base}{path}{query}"

    def json(self, url: str, headers: Mapping[str, str] | None = None, fresh_s: float = 0) -> Any:
        """As Transport's, which also tells what it raises; what came instead of JSON is kept."""
        try:
            return self.transport.json(url, headers=headers, fresh_s=fresh_s)
        except SourceError as error:
            if error.answer is None or error.status != 200:
                raise
            path = keep(self.answers, f"{self.source}.json", error.answer)
            text = f"{error.message}. The answer is kept in {path}"
            raise SourceError(text, hint=CHANGED, status=error.status) from error

    def odd(self, answer: object, why: str) -> SourceError:
        """The error for an answer that is not as it should be; keeps the answer.

        Args:
            answer: as it was parsed.
            why: what is odd, as the end of a sentence: "it has no results".
        """
        path = keep(self.answers, f"{self.source}.json", _text(answer))
        return SourceError(
            f"{self.place} answers with what {self.source} does not understand: {why}. The answer"
            f" is kept in {path}",
            hint=CHANGED,
        )


def may_have_secrets(config: ScrapeConfig) -> bool:
    """Whether what is asked may be given credentials: the source itself, and one's own servers.

    >>> may_have_secrets(ScrapeConfig("a", base_url="https://a.example"))
    False
    >>> may_have_secrets(ScrapeConfig("a", base_url="http://a.example", allow_hosts=("a.example",)))
    True
    """
    if config.base_url is None:
        return True
    _, host, port = target_of(config.base_url)
    own = {split_host(text) for text in config.allow_hosts}
    return not own.isdisjoint({(plain(host), port), (plain(host), None)})


def numbered(results: Iterable[SearchResult], seen: set[str]) -> Iterator[SearchResult]:
    """Those with a new address, their ranks going on from those before.

    Args:
        results: in the source's order.
        seen: addresses so far; grows.
    """
    for result in results:
        if result.url not in seen:
            seen.add(result.url)
            yield dataclasses.replace(result, rank=len(seen) - 1)


def fields(value: object) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def whole(value: object, high: int = LARGEST_SIDE) -> int | None:
    """A whole number from 1 to `high`; None for anything else.

    >>> whole(3), whole(0), whole(True), whole("3"), whole(10**30)
    (3, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= high else None


def _text(answer: object) -> str:
    try:
        return json.dumps(answer)
    except (ValueError, RecursionError):  # nested too deeply to be written
        return f"{type(answer).__name__} that cannot be written"
