"""Wikimedia Commons: a search for files, with what their pages say of author and licence.

The API tells of errors in answers of HTTP status 200. An answer may describe some of its files
alone: its `continue` object, merged whole into the next request, leads to the rest of them and
then to the next files.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from facegan.core.errors import BlockedError, RateLimitedError
from facegan.core.records import Outcome, Reason, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.sources.api import Api, fields, items, numbered, whole
from pipeline.sources.licences import attribution, restrictions
from pipeline.sources.text import address, clean, plain

BASE_URL = "https://commons.wikimedia.org"
MEDIA_HOST = "upload.wikimedia.org"
MEDIA_CONNECTIONS = 2
"""Wikimedia's wish for robots; its API it wants asked in series."""
BATCH = 50
MAX_ANSWERS = 1000
"""A search: its 10,000 results come in 200 batches."""

MAXLAG_S = 5
LONGEST_WAIT_S = 30
BUSY = frozenset({"maxlag", "ratelimited"})

WIDTHS = (960, 1280, 1920, 3840)
"""Standard ones: Wikimedia has them ready, and refuses robots that ask for others."""
BITMAPS = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
    "image/tiff": (".tif", ".tiff"),
}
"""Kinds of files that are taken, with the ends of their names."""

UNRESTRICTED = "haslicense:unrestricted"
FREE = "haslicense:unrestricted|attribution|attribution-same-license"
LICENSES = {
    "any": None,
    "public": UNRESTRICTED,
    "share": FREE,
    "share-commercially": FREE,
    "modify": FREE,
    "modify-commercially": FREE,
}
"""Commons takes no file whose licence forbids use for money or changes."""
ABOUT = ("Artist", "Attribution", "Credit", "LicenseShortName", "LicenseUrl", "Restrictions")

REFUSED = frozenset({Reason.HTTP_403, Reason.HTTP_429})
NEEDS_CONTACT = "Wikimedia wants to know whom to write to: set FACEGAN_CONTACT to an address"


class CommonsSource:
    """Searches on Wikimedia Commons, or on a server that answers like it.

    Args:
        config: the licence, the smallest size and `base_url`.
        transport: open connections.
        answers: folder in which an answer that nobody understands is kept.
    """

    name = "commons"
    gives = frozenset({"page_url", "title", "license", "attribution", "width", "height"})

    def __init__(self, config: ScrapeConfig, transport: Transport, answers: Path) -> None:
        self._config = config
        self._transport = transport
        self._api = Api.of(self.name, BASE_URL, config, transport, answers)
        transport.manners.limit(self._api.host, connections=1)
        transport.manners.limit(MEDIA_HOST, connections=MEDIA_CONNECTIONS)

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. In the order that the search ranks them in.

        Raises:
            RateLimitedError: the servers are busy, also after the last try.
            BlockedError: they refuse.
            SourceError: they cannot be reached, or answer with an error or in another way.
        """
        seen: set[str] = set()
        for pages in self._batches(query):
            if pages and not any(_described(page) for page in pages):
                raise self._api.odd(pages, "none of the files has an address")
            found = (file_result(page, query, self._config) for page in pages)
            yield from numbered((result for result in found if result), seen)

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        fetched = fetch_image(result.url, self._transport)
        if isinstance(fetched, Fetched) or self._config.contact:
            return fetched
        if fetched.reason in REFUSED:
            return dataclasses.replace(fetched, detail=f"{fetched.detail}. {NEEDS_CONTACT}")
        return fetched

    def _batches(self, query: str) -> Iterator[list[dict[str, Any]]]:
        """The files of one step of the search at a time, each described whole, best first."""
        following: dict[str, str] = {}
        places: set[str] = set()
        pages: dict[str, dict[str, Any]] = {}
        for _ in range(MAX_ANSWERS):
            answer = self._ask(following | self._values(query))
            _merge(pages, answer)
            following = _following(answer)
            if "batchcomplete" in answer or not following or len(pages) > BATCH:
                if not pages:
                    return
                yield sorted(pages.values(), key=_index)
                pages = {}
            # An answer that leads back to where the search was would never let it end.
            place = json.dumps(following, sort_keys=True)
            if not following or place in places:
                return
            places.add(place)

    def _values(self, query: str) -> dict[str, str]:
        return {
            "action": "query",
            "format": "json",
            "maxlag": str(MAXLAG_S),
            "generator": "search",
            "gsrnamespace": "6",
            "gsrsearch": f"{search_filters(self._config)} {query}",
            "gsrlimit": str(BATCH),
            "prop": "imageinfo",
            "iiprop": "url|size|mime|extmetadata",
            "iiurlwidth": str(thumb_width(self._config.min_size_px)),
            "iiextmetadatafilter": "|".join(ABOUT),
            "iiextmetadatalanguage": "en",
        }

    def _ask(self, values: dict[str, str]) -> dict[str, Any]:
        """One answer without an error in it; busy servers are asked again, some time later."""
        url = self._api.address("/w/api.php", values)
        code = None
        for attempt in range(self._config.retries + 1):
            if code is not None:
                wait_s = min(MAXLAG_S * 2 ** (attempt - 1), LONGEST_WAIT_S)
                self._transport.manners.pause(self._api.host, wait_s)
            answer = self._json(url)
            error = fields(answer).get("error")
            if error is None:
                if _is_whole(answer):
                    return answer
                raise self._api.odd(answer, "it holds neither files nor the end of a search")
            code = clean(fields(error).get("code"))
            if code not in BUSY:
                info = clean(fields(error).get("info")) or "without an explanation"
                raise self._api.odd(answer, f"the error {code}, {info[:200]}")
        raise RateLimitedError(
            f"{self._api.place} is busy ({code}), also at try {self._config.retries + 1}",
            hint="run the same command again in some minutes",
        )

    def _json(self, url: str) -> Any:
        try:
            return self._api.json(url)
        except (BlockedError, RateLimitedError) as error:
            if not self._config.contact:
                error.hint = f"{NEEDS_CONTACT}, then {error.hint or 'try again later'}"
            raise


def search_filters(config: ScrapeConfig) -> str:
    """What a search asks for beside the query, in Commons' own words.

    >>> search_filters(ScrapeConfig("ada", license="public", min_size_px=256))
    'filetype:bitmap fileres:>256 haslicense:unrestricted'
    """
    size = f"fileres:>{config.min_size_px}" if config.min_size_px > 32 else None
    return " ".join(part for part in ("filetype:bitmap", size, LICENSES[config.license]) if part)


def thumb_width(min_size_px: int) -> int:
    """The smallest standard width that may do."""
    return next((width for width in WIDTHS if width >= min_size_px), WIDTHS[-1])


def file_result(page: dict[str, Any], query: str, config: ScrapeConfig) -> SearchResult | None:
    """One file; None for what is no bitmap or has no address. Pure.

    Args:
        page: of `query.pages`.
        query: what was searched for.
        config: the smallest size, and the filters.
    """
    about = _described(page)
    title = clean(page.get("title")) or ""
    if about is None or not _is_bitmap(about.get("mime"), title):
        return None
    url, width, height = _picture(about, config.min_size_px)
    says = fields(about.get("extmetadata"))
    name, creator = _name(title), plain(_value(says, "Artist"))
    licence = plain(_value(says, "LicenseShortName"))
    return SearchResult(
        url=url,
        query=query,
        source=CommonsSource.name,
        rank=0,
        page_url=address(about.get("descriptionurl"), BASE_URL),
        title=name,
        creator=creator,
        license=licence,
        license_url=address(_value(says, "LicenseUrl"), BASE_URL),
        attribution=_credit(says, name, creator, licence),
        filters=search_filters(config),
        width=width,
        height=height,
    )


def _credit(says: dict[str, Any], title: str | None, by: str | None, licence: str | None) -> str:
    """The line that the author wants, else one that also tells where the file is from."""
    line = plain(_value(says, "Attribution")) or attribution(
        title, by, licence, "Wikimedia Commons", plain(_value(says, "Credit"))
    )
    return line + restrictions(plain(_value(says, "Restrictions")))


def _is_whole(answer: object) -> TypeGuard[dict[str, Any]]:
    """Whether an answer lists files, or says that there are none."""
    if "query" not in fields(answer):
        return "batchcomplete" in fields(answer)
    pages = fields(fields(answer)["query"]).get("pages")
    return isinstance(pages, dict | list) and all(isinstance(page, dict) for page in _listed(pages))


def _listed(pages: object) -> list[Any]:
    """Files as formatversion 1 (by their number) or 2 (in a list) has them."""
    return list(pages.values()) if isinstance(pages, dict) else items(pages)


def _merge(pages: dict[str, dict[str, Any]], answer: dict[str, Any]) -> None:
    """Add an answer's files; what two answers say of one file belongs together."""
    for page in _listed(fields(answer.get("query")).get("pages")):
        key = f"{page.get('pageid')} {page.get('title')}"
        pages[key] = pages.get(key, {}) | page


def _following(answer: dict[str, Any]) -> dict[str, str]:
    """The `continue` object as parameters."""
    return {
        key: str(value)
        for key, value in fields(answer.get("continue")).items()
        if isinstance(value, str | int)
    }


def _index(page: dict[str, Any]) -> int:
    return whole(page.get("index")) or 0


def _described(page: dict[str, Any]) -> dict[str, Any] | None:
    """What is said of the file's present version, where that has an address."""
    about = fields(next(iter(items(page.get("imageinfo"))), None))
    return about if address(about.get("url"), BASE_URL) else None


def _is_bitmap(mime: object, title: str) -> bool:
    if isinstance(mime, str):
        return mime in BITMAPS
    return title.lower().endswith(tuple(end for ends in BITMAPS.values() for end in ends))


def _picture(about: dict[str, Any], min_size_px: int) -> tuple[str, int | None, int | None]:
    """Address, width and height of what is fetched: the original where it is small."""
    width, height = whole(about.get("width")), whole(about.get("height"))
    thumb = address(about.get("thumburl"), BASE_URL)
    small = whole(about.get("thumbwidth")), whole(about.get("thumbheight"))
    is_large = width is not None and width > thumb_width(min_size_px)
    if thumb and is_large and min(side or min_size_px for side in small) >= min_size_px:
        return thumb, *small
    return address(about.get("url"), BASE_URL) or "", width, height


def _value(says: dict[str, Any], key: str) -> object:
    return fields(says.get(key)).get("value")


def _name(title: str) -> str | None:
    """A file's name without namespace and suffix.

    >>> _name("File:Ada (1890).v2.jpg"), _name("File:Ada")
    ('Ada (1890).v2', 'Ada')
    """
    stem, dot, suffix = title.removeprefix("File:").rpartition(".")
    return (stem if dot and stem and len(suffix) <= 5 else title.removeprefix("File:")) or None
