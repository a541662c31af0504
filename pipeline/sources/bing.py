"""Bing's image search: result pages, their continuation and their tiles.

A tile is `a.iusc`; its attribute `m` holds JSON with the image's address (`murl`), its page
(`purl`) and its title (`t`). A page leads to the next one by the `data-nexturl` of the container
around its tiles, or by `first`, the 1-based position of a page's first tile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from facegan.core.errors import BlockedError
from facegan.core.files import write_bytes
from facegan.core.records import Outcome, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport

BASE_URL = "https://www.bing.com"
PAGE_SIZE = 35

NO_RESULTS = re.compile(
    r"there are no (?:image )?results for|did not match any|no (?:image )?results found|"
    r"couldn.t find any (?:image )?results|didn.t find any (?:image )?results",
    re.IGNORECASE,
)
SIZE = re.compile(r"(\d{1,6})\s*[x\u00d7]\s*(\d{1,6})")
HIGHLIGHT = re.compile(r"[\ue000-\uf8ff]")
"""Bing marks the words that it found with characters of Unicode's private area."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one page says."""

    results: tuple[SearchResult, ...]
    tiles: int
    """Found, with or without a usable address."""
    next_url: str | None
    """Where the page says that it goes on."""
    no_results: bool
    """Bing's own words that there is nothing."""


def parse_page(html: str, query: str, url: str = BASE_URL, first_rank: int = 0) -> Page:
    """Read a result page or one of its continuations. Pure.

    Args:
        html: the page.
        query: what was searched for.
        url: the page's own address; a next page elsewhere is not followed.
        first_rank: rank of the first tile.
    """
    # Inside an element, no text can look like a file name or like XML, of which bs4 would warn.
    soup = BeautifulSoup(f"<div>{html}", "html.parser")
    tiles = soup.select("a.iusc[m]")
    results = (_result(tile, query, first_rank + at) for at, tile in enumerate(tiles))
    return Page(
        results=tuple(result for result in results if result is not None),
        tiles=len(tiles),
        next_url=_next_url(soup, url),
        no_results=not tiles and NO_RESULTS.search(_words(soup)) is not None,
    )


class BingSource:
    """Searches on Bing, or on a server that answers like it.

    Args:
        config: the filters, and `base_url`.
        transport: open connections.
        answers: folder in which a page without tiles is kept.
    """

    name = "bing"

    def __init__(self, config: ScrapeConfig, transport: Transport, answers: Path) -> None:
        self._base = (config.base_url or BASE_URL).rstrip("/")
        self._config = config
        self._transport = transport
        self._answers = answers

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. Ends when a page brings no new address.

        Raises:
            BlockedError: the first page has no tiles and does not say that there are none.
            SourceError: Bing cannot be reached.
        """
        seen: set[str] = set()
        url, tiles = self._address(query, 0), 0
        while True:
            html = self._transport.page(url)
            page = parse_page(html, query, url, tiles)
            new = [result for result in page.results if result.url not in seen]
            if not new:
                if not seen and not page.no_results:
                    raise self._blocked(html)
                return
            # One by one: an address may stand twice on a page.
            for result in new:
                if result.url not in seen:
                    seen.add(result.url)
                    yield result
            tiles += page.tiles
            url = page.next_url or self._address(query, tiles)

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        return fetch_image(result.url, self._transport)

    def _address(self, query: str, tiles: int) -> str:
        """The page that follows the first `tiles` tiles."""
        filters = [
            *(["filterui:face-face"] if self._config.only_faces else []),
            *(["filterui:photo-photo"] if self._config.only_photos else []),
        ]
        values: dict[str, str | int] = {"q": query, "first": tiles + 1, "count": PAGE_SIZE}
        if filters:
            values["qft"] = "".join(f"+{name}" for name in filters)
        if tiles:
            values["mmasync"] = 1
        values["mkt"] = self._config.market
        page = "async" if tiles else "search"
        return f"{self._base}/images/{page}?{urlencode(values)}"

    def _blocked(self, html: str) -> BlockedError:
        path = self._answers / "bing.html"
        write_bytes(path, html.encode())
        host = urlsplit(self._base).netloc
        return BlockedError(
            f"{host} answers with a page without results: it asks for a captcha, or its pages have"
            f" changed. The page is kept in {path}",
            hint="open that page in a browser; wait an hour, or use --source folder --folder DIR",
        )


def _result(tile: Tag, query: str, rank: int) -> SearchResult | None:
    try:
        about = json.loads(str(tile["m"]))
    except (ValueError, RecursionError):
        return None
    address = _text(about, "murl")
    if address is None:
        return None
    title = HIGHLIGHT.sub("", _text(about, "t") or "").strip()
    width, height = _size(tile)
    return SearchResult(
        url=address,
        query=query,
        source=BingSource.name,
        rank=rank,
        page_url=_text(about, "purl"),
        title=title or None,
        width=width,
        height=height,
    )


def _words(element: Tag) -> str:
    """An element's text with single spaces."""
    return " ".join(element.get_text(" ").split())


def _text(about: object, key: str) -> str | None:
    value = about.get(key) if isinstance(about, dict) else None
    if not isinstance(value, str):
        return None
    # A lone surrogate, which JSON can spell, is no text that the catalog can hold.
    return value.encode("utf-8", "replace").decode().replace("\0", "").strip() or None


def _size(tile: Tag) -> tuple[int | None, int | None]:
    """From the tile's text ("1200 x 800"), else from its link's `expw` and `exph`."""
    around = tile.find_parent(class_="imgpt") or tile
    for element in around.select(".img_info .nowrap, .img_info, .fileInfo"):
        if found := SIZE.search(_words(element)):
            return int(found[1]), int(found[2])
    try:
        link = parse_qs(urlsplit(str(tile.get("href", ""))).query)
    except ValueError:
        return None, None
    found = SIZE.fullmatch(f"{link.get('expw', [''])[0]}x{link.get('exph', [''])[0]}")
    return (int(found[1]), int(found[2])) if found else (None, None)


def _next_url(soup: BeautifulSoup, url: str) -> str | None:
    # The parser makes attribute names lower case: Bing writes data-nextUrl and data-nexturl.
    container = soup.select_one("[data-nexturl]")
    if container is None:
        return None
    try:
        following = urljoin(url, str(container["data-nexturl"]))
        here, there = urlsplit(url), urlsplit(following)
    except ValueError:
        return None
    same_place = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    return following if same_place and there.path.endswith("/images/async") else None
