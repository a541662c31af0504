"""The Metropolitan Museum of Art: a search gives the numbers of objects, each is asked for alone.

The museum's guard answers bursts of requests with HTTP 403 for a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from facegan.core.records import Outcome, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.sources.api import Api, fields, items, numbered, whole
from pipeline.sources.licences import CC0, CC0_URL, attribution
from pipeline.sources.text import address, clean

BASE_URL = "https://collectionapi.metmuseum.org"
START = "/public/collection/v1"
FILTERS = "hasImages=true, isPublicDomain"
VIA = "The Metropolitan Museum of Art"

PER_SECOND = 1.0
PAUSE_S = 30.0
"""As long as the guard shuts out, about."""
FRESH_S = 24 * 3600.0
"""An object hardly changes: the next call asks for none that this one knew."""
ODD_IN_A_ROW = 3
HIGHEST_NUMBER = 2**53


class MetSource:
    """Searches in the museum's collection, or on a server that answers like it.

    Args:
        config: `base_url`, and the tries that a refused request is worth.
        transport: open connections; its cache keeps the objects.
        answers: folder in which an answer that nobody understands is kept.
        most_objects: as many are asked for, usable or not; None is all that a search finds.
    """

    name = "met"
    gives = frozenset({"page_url", "title", "license", "license_url", "attribution"})

    def __init__(
        self,
        config: ScrapeConfig,
        transport: Transport,
        answers: Path,
        *,
        most_objects: int | None = None,
    ) -> None:
        self._config = config
        self._transport = transport
        self._api = Api.of(self.name, BASE_URL, config, transport, answers)
        self._most_objects = most_objects
        self._answered = False
        transport.manners.limit(self._api.host, connections=1, per_second=PER_SECOND)

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. Objects in the public domain with a picture, one request each.

        Raises:
            RateLimitedError: the museum refuses after it has answered.
            BlockedError: it refuses from the start.
            SourceError: it cannot be reached or answers in another way, or none of the
                `most_objects` can be used.
        """
        seen: set[str] = set()
        odd: list[tuple[int, Any]] = []  # since the last one that was not
        read = False
        numbers = self._numbers(query)
        asked = numbers[: self._most_objects]
        for number in asked:
            about = self._object(number)
            if about is None:
                continue
            is_odd = "isPublicDomain" not in fields(about)
            odd, read = ([*odd, (number, about)], read) if is_odd else ([], True)
            if len(odd) == ODD_IN_A_ROW:
                break
            result = object_result(fields(about), query)
            yield from numbered([result] if result else [], seen)
        # One odd object is no news; several, or nothing else, are.
        if len(odd) == ODD_IN_A_ROW or (odd and not read):
            number, about = odd[-1]
            raise self._api.odd(about, f"object {number} does not say whether it is free")
        if not seen and len(asked) < len(numbers):
            raise SourceError(
                f"none of {len(asked)} works is in the public domain and has a picture",
                hint="look whether https://metmuseum.github.io tells of a change",
            )

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        return fetch_image(result.url, self._transport)

    def _numbers(self, query: str) -> list[int]:
        """Of the objects that the search finds: all at once, in the museum's order."""
        url = self._api.address(f"{START}/search", {"hasImages": "true", "q": query})
        answer = self._json(url)
        if not isinstance(answer, dict) or answer.keys().isdisjoint({"objectIDs", "total"}):
            raise self._api.odd(answer, "it holds no numbers of objects")
        listed = answer.get("objectIDs")
        found = [number for value in items(listed) if (number := whole(value, HIGHEST_NUMBER))]
        if not found and (listed or answer.get("total") != 0):
            raise self._api.odd(answer, "it holds no numbers of objects")
        return list(dict.fromkeys(found))

    def _object(self, number: int) -> Any:
        """What the museum says of an object; None where there is no such object."""
        try:
            return self._json(self._api.address(f"{START}/objects/{number}"))
        except SourceError as error:
            if error.status in {404, 410}:
                return None
            raise

    def _json(self, url: str) -> Any:
        """An answer; a refusal is waited out some times."""
        for attempt in range(self._config.retries + 1):
            try:
                answer = self._api.json(url, fresh_s=FRESH_S)
            except BlockedError as error:
                if error.status != 403:
                    raise
                if attempt == self._config.retries:
                    raise self._refused() from error
                self._transport.manners.pause(self._api.host, PAUSE_S)
            else:
                self._answered = True
                return answer
        raise AssertionError("the last try returns or raises")

    def _refused(self) -> SourceError:
        text = f"{self._api.place} refuses (HTTP 403), also at try {self._config.retries + 1}"
        if self._answered:
            return RateLimitedError(
                f"{text}: the museum does so for a while where many requests come",
                hint="run the same command again in some minutes: it goes on from here",
            )
        return BlockedError(text, hint="run the same command again in an hour")


def object_result(about: dict[str, Any], query: str) -> SearchResult | None:
    """One object; None where it is not in the public domain or has no picture. Pure.

    Args:
        about: the museum's answer.
        query: what was searched for.
    """
    url = address(about.get("primaryImageSmall")) or address(about.get("primaryImage"))
    if about.get("isPublicDomain") is not True or url is None:
        return None
    title = clean(about.get("title")) or clean(about.get("objectName")) or "Untitled"
    creator = clean(about.get("artistDisplayName"))
    return SearchResult(
        url=url,
        query=query,
        source=MetSource.name,
        rank=0,
        page_url=address(about.get("objectURL")),
        title=title,
        creator=creator,
        license=CC0,
        license_url=CC0_URL,
        attribution=attribution(title, creator, CC0, VIA),
        filters=FILTERS,
    )
