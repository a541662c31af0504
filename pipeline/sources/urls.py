"""A list of addresses as a source: text, CSV, TSV, JSON Lines or Parquet, one row at a time.

Text holds one address a line; a line that begins with `#` is a remark. The others name their
columns: one of addresses, and what else they tell of each picture, under the usual names
(`caption` is a title, as img2dataset's lists have it).

An address that names a user or a password is refused as no address: what lies behind it is not for
everybody. No password is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote_from_bytes

from facegan.core.addresses import without_user
from facegan.core.errors import SourceError
from facegan.core.records import Outcome, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.sources.tables import Row, open_table
from pipeline.sources.text import address, clean

NAMES = {
    "page_url": ("page_url", "page"),
    "title": ("title", "caption", "text"),
    "creator": ("creator", "author", "artist"),
    "license": ("license", "licence"),
    "license_url": ("license_url", "licence_url"),
    "attribution": ("attribution", "credit"),
    "width": ("width", "original_width"),
    "height": ("height", "original_height"),
}
"""Names of columns for each field of a result, in small letters; the first that is there counts."""
NOT_TOLD = frozenset({"?", "-", "nan", "none", "null", "unknown"})
"""How lists say that a licence or a creator is not known."""
EXPECTED = "one http or https address a line, or columns that the first line names: url,title,…"
TOLD = 3
"""Rows without an address that are told one by one."""
MOST_NAMED = 20
"""Columns."""
DEFAULT_COLUMN = "url"
"""Text without columns is read where no other one is asked for."""
MOST_PX = 1_000_000
BROKEN_BYTE = re.compile("[\udc80-\udcff]+")
"""Bytes that are no UTF-8, as Python's `surrogateescape` reads them."""


class UrlsSource:
    """Every row of a list is a result; one without a usable address is, too: its fetch tells.

    Args:
        config: `list_file` and `url_column` count.
        transport: open connections.
    """

    name = "urls"
    gives: frozenset[str] = frozenset()

    def __init__(self, config: ScrapeConfig, transport: Transport) -> None:
        self._config = config
        self._path = config.list_file or Path()
        self._column = config.url_column
        self._transport = transport
        self.remarks: list[str] = []
        """What whoever wrote the list should know of it; whoever tells them takes them out."""

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. The query does not choose: it is what the images are gathered under.

        Raises:
            MissingDependencyError: it is Parquet, and pyarrow is not installed.
            SourceError: it cannot be read, has no such column of addresses, or holds no address.
        """
        good = 0
        bad: list[str] = []
        for result, place in self._rows(query):
            if address(result.url):
                good += 1
            elif len(bad) < TOLD:
                bad.append(_wrong(result.url, place))
                self.remarks.append(f"{self._path}: {bad[-1]}")
            yield result
        if not good:
            self.remarks.clear()
            text = f"{self._path} holds no address"
            raise SourceError(": ".join([text, *bad[:1]]), hint=EXPECTED)

    def addresses(self) -> Iterator[str]:
        """All that `search` gives, those without a usable address among them; nothing is remarked.

        Raises:
            MissingDependencyError, SourceError: as `search`; a list without an address is empty.
        """
        silent = UrlsSource(self._config, self._transport)
        return (result.url for result, _ in silent._rows(""))

    def _rows(self, query: str) -> Iterator[tuple[SearchResult, str]]:
        """Each row's result, and its place in the list."""
        table = open_table(self._path, self._column)
        if table.columns is None and self._column == DEFAULT_COLUMN:
            for rank, row in enumerate(table.read(())):
                url = _address(row.values[""], row.place)
                yield SearchResult(url, query, self.name, rank), row.place
            return
        named = _columns(table.columns or (), self._column, self._path)
        if said := _not_understood(table.columns or (), named):
            self.remarks.append(f"{self._path}: {said}")
        for rank, row in enumerate(table.read(set(named.values()))):
            cells = {field: row.values.get(column) for field, column in named.items()}
            yield _result(cells, row, query, rank), row.place

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source."""
        return fetch_image(result.url, self._transport)


def find_column(columns: tuple[str, ...], *names: str) -> str | None:
    """The first of `names` that is a column: spelt just so, else in other letters' case.

    >>> find_column(("id", "URL"), "url", "link")
    'URL'
    """
    folded = {column.casefold(): column for column in reversed(columns)}
    for name in names:
        if name in columns:
            return name
        if name.casefold() in folded:
            return folded[name.casefold()]
    return None


def _columns(columns: tuple[str, ...], wanted: str, path: Path) -> dict[str, str]:
    """Which column each field stands in."""
    found = find_column(columns, wanted)
    if found is None:
        if any(address(column) for column in columns):
            raise SourceError(f"{path}: the first line must name the columns", hint=EXPECTED)
        there = ", ".join(repr(clean(column) or "")[:60] for column in columns[:20])
        raise SourceError(
            f"{path} has no column {wanted!r}; its columns are {there or 'none'}",
            hint="name the one that holds the addresses: --url-column NAME",
        )
    fields = {field: find_column(columns, *names) for field, names in NAMES.items()}
    named = {field: column for field, column in fields.items() if column not in (None, found)}
    return {"url": found} | {field: column for field, column in named.items() if column}


def _not_understood(columns: tuple[str, ...], named: Mapping[str, str]) -> str | None:
    """Which columns are read and which are not, where some are not.

    >>> _not_understood(("url", "Künstler"), {"url": "url"})
    'read: url; not understood: Künstler'
    """
    read = set(named.values())
    others = [(clean(column) or "")[:60] for column in columns if column not in read]
    if not any(others):
        return None
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    names = ", ".join(name for name in others[:MOST_NAMED] if name)
    return f"read: {', '.join(named.values())}; not understood: {names}{more}"


def _wrong(text: str, place: str) -> str:
    """What is wrong with a row that holds no usable address, in a line that names its place."""
    if text.startswith("("):
        return text[1:].removesuffix(")")
    why = "is no http or https address" if "://" in text else "has no http://"
    return f"{place}: {text[:80]} {why}"


def _result(cells: Mapping[str, object], row: Row, query: str, rank: int) -> SearchResult:
    return SearchResult(
        url=_address(row.problem or cells["url"], row.place),
        query=query,
        source=UrlsSource.name,
        rank=rank,
        page_url=_shown(cells.get("page_url")),
        title=clean(cells.get("title")),
        creator=_told(cells.get("creator")),
        license=_told(cells.get("license")),
        license_url=_shown(cells.get("license_url")),
        attribution=clean(cells.get("attribution")),
        width=_pixels(cells.get("width")),
        height=_pixels(cells.get("height")),
    )


def _address(value: object, place: str) -> str:
    """The address in a row, or text that no fetch takes for one: nothing is dropped silently."""
    if isinstance(value, str):
        value = BROKEN_BYTE.sub(_quoted, value.strip())
        if without_user(value) != value:
            return f"({place}: an address with a name or a password is not for everybody)"
    return address(value) or clean(value) or f"({place} holds no address)"


def _shown(value: object) -> str | None:
    """An address to be shown."""
    return without_user(address(value) or "") or None


def _quoted(found: re.Match[str]) -> str:
    """Bytes of another encoding, as a server that uses it expects them."""
    return quote_from_bytes(found[0].encode("ascii", "surrogateescape"))


def _told(value: object) -> str | None:
    text = clean(value)
    return None if text is None or text.casefold() in NOT_TOLD else text


def _pixels(value: object) -> int | None:
    """A length in pixels, as lists write it.

    >>> _pixels("640.0"), _pixels(480), _pixels("wide"), _pixels(True), _pixels(-1)
    (640, 480, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 1 <= number <= MOST_PX else None
