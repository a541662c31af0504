"""Bing's image search: result pages, their continuation and their tiles.

A tile is `a.iusc`; its attribute `m` holds JSON with the image's address (`murl`), its page
(`purl`), its title (`t`) and a description (`desc`). A page leads to the next one by the
`data-nexturl` of the container around its tiles, or by `first`, the 1-based position of a page's
first tile. Bing tells no licence: it can only be asked for images of one (`filters`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from bs4 import BeautifulSoup, Tag

from facegan.core.errors import BlockedError
from facegan.core.records import Outcome, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.sources.answers import keep
from pipeline.sources.text import LONGEST_ADDRESS, address, clean, parse, showable

BASE_URL = "https://www.bing.com"
PAGE_SIZE = 35
CEILING = 1000
"""Results of one query beyond which Bing has no more, about."""
MOST_TILES = 500
"""Read of one page; Bing gives 35 to 150."""

LICENSES = {
    "public": "L1",
    "share": "L2_L3_L4_L5_L6_L7",
    "share-commercially": "L2_L3_L4",
    "modify": "L2_L3_L5_L6",
    "modify-commercially": "L2_L3",
}
NO_RESULTS = re.compile(
    r"there are no (?:image )?results for|did not match any|no (?:image )?results found|"
    r"couldn.t find any (?:image )?results|didn.t find any (?:image )?results",
    re.IGNORECASE,
)
CAPTCHA = re.compile(
    r"captcha|one last step|unusual (?:traffic|activity)|solve the challenge|"
    r"(?:not a|are a) robot|(?:you are|you're) (?:a )?human",
    re.IGNORECASE,
)
CAPTCHA_ELEMENTS = ", ".join(f"[{name}*='captcha' i]" for name in ("id", "class", "src", "action"))
SIZE = re.compile(r"(\d{1,6})\s*[x\u00d7]\s*(\d{1,6})")
SIZED = {"nowrap", "img_info", "fileInfo"}
"""Classes of the elements that tell it."""
NEAR = 300
"""Elements and texts around a tile among which its size is looked for."""
HIGHLIGHT = re.compile(r"[\ue000-\uf8ff]")
"""Bing marks the words that it found with characters of Unicode's private area."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one page says."""

    results: tuple[SearchResult, ...] = ()
    tiles: int = 0
    """Found, with or without a usable address."""
    next_url: str | None = None
    """Where the page says that it goes on."""
    no_results: bool = False
    """Bing's own words that there is nothing."""
    captcha: bool = False
    """It wants to see a human instead."""


def parse_page(
    html: str,
    query: str,
    url: str = BASE_URL,
    first_rank: int = 0,
    filters: str | None = None,
) -> Page:
    """Read a result page or one of its continuations. Pure.

    Args:
        html: the page.
        query: what was searched for.
        url: the page's own address; a next page elsewhere is not followed.
        first_rank: rank of the first tile.
        filters: what was asked for.
    """
    soup = parse(html)
    if soup is None:
        return Page()
    tiles = soup.select("a.iusc[m]", limit=MOST_TILES)
    results = (_result(tile, query, first_rank + at, filters) for at, tile in enumerate(tiles))
    said = "" if tiles else _words(soup)
    return Page(
        results=tuple(result for result in results if result is not None),
        tiles=len(tiles),
        next_url=_next_url(soup, url),
        no_results=NO_RESULTS.search(said) is not None,
        captcha=not tiles and _is_captcha(soup, said, query),
    )


def _is_captcha(soup: BeautifulSoup, said: str, query: str) -> bool:
    # A search for "captcha" has the word on every page.
    in_words = CAPTCHA.search(said) is not None and CAPTCHA.search(query) is None
    return in_words or soup.select_one(CAPTCHA_ELEMENTS) is not None


def filters_of(config: ScrapeConfig) -> str | None:
    """What Bing is asked to leave out, as its parameter `qft` has it.

    >>> filters_of(ScrapeConfig("a", license="public"))
    '+filterui:face-face+filterui:photo-photo+filterui:license-L1'
    """
    side = config.min_size_px
    names = {
        "face-portrait": config.portrait,
        "face-face": config.face and not config.portrait,
        "photo-photo": config.photo,
        # Smaller ones are not worth a filter, which costs results.
        f"imagesize-custom_{side}_{side}": side > 32,
        f"license-{LICENSES.get(config.license)}": config.license in LICENSES,
    }
    return "".join(f"+filterui:{name}" for name, asked in names.items() if asked) or None


class BingSource:
    """Searches on Bing, or on a server that answers like it.

    Args:
        config: the filters, and `base_url`.
        transport: open connections.
        answers: folder in which a page without results is kept.
    """

    name = "bing"
    gives = frozenset({"page_url", "title", "width", "height"})

    def __init__(self, config: ScrapeConfig, transport: Transport, answers: Path) -> None:
        self._base = (config.base_url or BASE_URL).rstrip("/")
        self._config = config
        self._filters = filters_of(config)
        self._transport = transport
        self._answers = answers

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. Ends when a page brings no new address.

        Raises:
            BlockedError: a page has no results that can be read, and does not say that there are
                none: a captcha, or changed markup.
            SourceError: Bing cannot be reached.
        """
        seen: set[str] = set()
        url, tiles = self._address(query, 0), 0
        while True:
            html = self._transport.page(url)
            page = parse_page(html, query, url, tiles, self._filters)
            self._check(page, html, first=not seen)
            # An address may stand twice on a page.
            new: dict[str, SearchResult] = {}
            for result in page.results:
                if result.url not in seen:
                    new.setdefault(result.url, result)
            if not new:
                return
            yield from new.values()
            seen.update(new)
            tiles += page.tiles
            following = page.next_url
            url = self._continued(following, query) if following else self._address(query, tiles)

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        return fetch_image(result.url, self._transport)

    def _address(self, query: str, tiles: int) -> str:
        """The page that follows the first `tiles` tiles."""
        values: dict[str, str | int] = {"q": query, "first": tiles + 1, "count": PAGE_SIZE}
        if tiles:
            values["mmasync"] = 1
        values |= self._asked(query)
        page = "async" if tiles else "search"
        return f"{self._base}/images/{page}?{urlencode(values)}"

    def _continued(self, following: str, query: str) -> str:
        """The next page where the page itself says that it is, with what we ask for in any case."""
        parts = urlsplit(following)
        values = dict(parse_qsl(parts.query)) | self._asked(query)
        return parts._replace(query=urlencode(values), fragment="").geturl()

    def _asked(self, query: str) -> dict[str, str]:
        values = {"q": query, "qft": self._filters} if self._filters else {"q": query}
        # Its own words in English, whatever the market: NO_RESULTS reads them.
        language = {"mkt": self._config.market, "setlang": "en"}
        return values | language | {"adlt": self._config.safe_search}

    def _check(self, page: Page, html: str, *, first: bool) -> None:
        if page.results or page.no_results:
            return
        if page.captcha:
            raise self._blocked(html, "it asks for a captcha")
        if page.tiles:
            raise self._blocked(html, f"none of its {page.tiles} tiles can be read")
        if first:
            raise self._blocked(html, "it refuses this address, or its pages have changed")

    def _blocked(self, html: str, why: str) -> BlockedError:
        path = keep(self._answers, "bing.html", html)
        host = urlsplit(self._base).netloc
        return BlockedError(
            f"{host} answers with a page without results: {why}. The page is kept in {path}",
            hint="open that page in a browser; wait an hour, or take another --source"
            " (`facegan sources` lists them)",
        )


def _result(tile: Tag, query: str, rank: int, filters: str | None) -> SearchResult | None:
    try:
        about = json.loads(str(tile["m"]))
    except (ValueError, RecursionError):
        return None
    # Not judged here: what is no web address is rejected when it is fetched, and so counted.
    url = showable(about.get("murl")) if isinstance(about, dict) else None
    if url is None or len(url) > LONGEST_ADDRESS:
        return None
    width, height = _size(tile)
    return SearchResult(
        url=url,
        query=query,
        source=BingSource.name,
        rank=rank,
        page_url=address(about.get("purl")),
        title=_title(about.get("t")) or _title(about.get("desc")),
        filters=filters,
        width=width,
        height=height,
    )


def _title(value: object) -> str | None:
    return clean(HIGHLIGHT.sub("", value)) if isinstance(value, str) else None


def _words(element: Tag) -> str:
    """An element's text with single spaces."""
    return " ".join(element.get_text(" ").split())


def _size(tile: Tag) -> tuple[int | None, int | None]:
    """From the tile's text ("1200 x 800"), else from its link's `expw` and `exph`."""
    for element in _near(tile):
        if _classes(element) & SIZED and (found := SIZE.search(_words(element))):
            return _pixels(found)
    try:
        link = parse_qs(urlsplit(str(tile.get("href", ""))).query)
    except ValueError:
        return None, None
    found = SIZE.fullmatch(f"{link.get('expw', [''])[0]}x{link.get('exph', [''])[0]}")
    return _pixels(found) if found else (None, None)


def _near(tile: Tag) -> Iterator[Tag]:
    """The elements of the tile's own box, up to where another tile begins."""
    around = next((up for up in islice(tile.parents, 4) if "imgpt" in _classes(up)), tile)
    for element in islice(around.descendants, NEAR):
        if isinstance(element, Tag):
            if element is not tile and "iusc" in _classes(element):
                return
            yield element


def _classes(element: Tag) -> set[str]:
    return set(element.get_attribute_list("class"))


def _pixels(found: re.Match[str]) -> tuple[int | None, int | None]:
    return int(found[1]) or None, int(found[2]) or None


def _next_url(soup: BeautifulSoup, url: str) -> str | None:
    # The parser makes attribute names lower case: Bing writes data-nextUrl and data-nexturl.
    container = soup.select_one("[data-nexturl]")
    following = address(str(container["data-nexturl"]), url) if container else None
    if following is None:
        return None
    here, there = urlsplit(url), urlsplit(following)
    same_place = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    return following if same_place and there.path.endswith("/images/async") else None
