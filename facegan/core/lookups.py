"""What the catalog knows of an address, a host, a hash or a query that somebody has typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from facegan.core.addresses import host_of, is_below, plain_address
from facegan.core.database import Database
from facegan.core.forget_tables import ForgetTables

PAGE = 2000
"""Rows read at a time."""


class Lookups:
    """Questions to a catalog.

    Args:
        database: the open file.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def hashes(self, prefix: str) -> list[str]:
        """Hashes of images and faces that begin so, three at most."""
        rows = self._db.all(
            "SELECT sha256 FROM images WHERE sha256 >= :low AND sha256 < :high"
            " UNION SELECT sha256 FROM faces WHERE sha256 >= :low AND sha256 < :high"
            " UNION SELECT face_sha256 FROM selections"
            "  WHERE face_sha256 >= :low AND face_sha256 < :high LIMIT 3",
            {"low": prefix, "high": f"{prefix}g"},
        )
        return [row["sha256"] for row in rows]

    def has_query(self, query: str) -> bool:
        """Whether it was searched for."""
        return bool(self._db.all("SELECT 1 FROM search_results WHERE query = ? LIMIT 1", (query,)))

    def queries(self) -> list[str]:
        """All that was searched for."""
        return [row[0] for row in self._db.all("SELECT DISTINCT query FROM search_results")]

    def has_host(self, host: str, *, below: bool = True) -> bool:
        """Whether a result or its page is of the host; with `below`, or of one below it."""

        def is_it(url: str) -> bool:
            return is_below(host_of(url), host) if below else host_of(url) == host

        return any(self.pages("1", lambda urls: any(map(is_it, urls))))

    def has_address(self, url: str) -> bool:
        """Whether it is the address of a result, in just this spelling."""
        return bool(self._db.all("SELECT 1 FROM search_results WHERE url = ? LIMIT 1", (url,)))

    def known_address(self, url: str) -> str | None:
        """How the catalog spells an address of a result or of its page; None if it has none."""
        wanted = plain_address(url)
        return next((one for one in self._addresses() if plain_address(one) == wanted), None)

    def addresses_of(self, host: str, most: int) -> list[str]:
        """So many addresses of a host, of pictures and of pages."""
        return list(islice((url for url in self._addresses() if host_of(url) == host), most))

    def hosts(self) -> set[str]:
        """The hosts of all addresses."""
        return {host_of(url) for url in self._addresses()} - {""}

    def is_barred(self, kind: str, value: str) -> bool:
        """Whether just this was taken out before."""
        return ForgetTables(self._db).is_forgotten(kind, value)

    def pages(
        self, condition: str, choose: Callable[[list[str]], bool]
    ) -> Iterator[list[tuple[int]]]:
        """Ids of the results whose addresses, their own and their page's, are chosen."""
        for rows in self._rows(condition):
            yield [(number,) for number, urls in rows if choose(urls)]

    def _addresses(self) -> Iterator[str]:
        for rows in self._rows("1"):
            yield from (url for _, urls in rows for url in urls)

    def _rows(self, condition: str) -> Iterator[list[tuple[int, list[str]]]]:
        """Results with their addresses, by id."""
        after = 0
        while rows := self._db.all(
            f"SELECT id, url, page_url FROM search_results WHERE id > ? AND {condition}"  # noqa: S608
            f" ORDER BY id LIMIT {PAGE}",
            (after,),
        ):
            yield [(row[0], [url for url in row[1:] if url]) for row in rows]
            after = rows[-1]["id"]
