"""The catalog's search results, and the calls of `facegan scrape` that fetched them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from facegan.core.database import now
from facegan.core.image_tables import OF_QUERY, ImageTables
from facegan.core.records import ImageRecord, Outcome, Reason, SearchResult, Status
from facegan.core.rows import insert, marks, outcomes, result_of

BATCH = 500
"""Rows at most that one statement adds."""

DUE = {
    Status.PENDING: "1",
    # What this call has tried waits for the next one.
    Status.FAILED: "(:call IS NULL OR scrape IS NOT :call)",
    Status.REJECTED: (
        "coalesce(reason, '') NOT IN"  # noqa: S608
        f" ('{Reason.DUPLICATE}', '{Reason.FORGOTTEN}') AND EXISTS"
        " (SELECT 1 FROM outcomes WHERE stage = 'scrape' AND item = url"
        "  AND config_hash != :config_hash)"
    ),
}
"""SQL: which results of a status are to be fetched; in this order."""

FATE = "FROM search_results AS other WHERE other.url = search_results.url AND status != 'pending'"
ADOPT_FATE = (
    "UPDATE search_results SET (status, reason, image_sha256, fetched_at, scrape) ="  # noqa: S608
    f" (SELECT status, reason, image_sha256, fetched_at, scrape {FATE}"
    f"  ORDER BY reason IS '{Reason.FORGOTTEN}' LIMIT 1)"
    f" WHERE id > :newest AND EXISTS (SELECT 1 {FATE})"
)
"""SQL: give new rows what their address led to for another query."""
NEW_IMAGES = (
    "SELECT count(*) FROM (SELECT DISTINCT query, source, image_sha256"
    " FROM search_results AS new NOT INDEXED"  # the new ids alone, never the whole index
    " WHERE id > :newest AND image_sha256 IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM search_results AS old WHERE old.image_sha256 = new.image_sha256"
    "  AND +old.query = new.query AND +old.source = new.source AND +old.id <= :newest))"
)
"""SQL: images that new rows have brought to their queries."""


@dataclass(frozen=True, slots=True)
class Added:
    """What a batch of results brought."""

    results: int
    """New rows."""
    images: int
    """Images that the query had not led to, and that another query's fetch had brought."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What became of one address."""

    url: str
    outcome: Outcome
    image: ImageRecord | None = None
    """Where there is one, kept or a duplicate."""


class ScrapeTables(ImageTables):
    """What the catalog knows of searches."""

    # calls

    def begin_scrape(self, query: str, source: str, settings: Mapping[str, Any], agent: str) -> int:
        """Write down that a call begins; its id."""
        with self._db.transaction() as db:
            row = db.execute(
                "INSERT INTO scrapes (query, source, settings, agent, began_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (query, source, json.dumps(settings), agent, now()),
            )
        return int(row.lastrowid or 0)

    def end_scrape(self, scrape: int) -> None:
        """Write down that a call has ended: whatever it kept is whole."""
        with self._db.transaction() as db:
            db.execute("UPDATE scrapes SET ended_at = ? WHERE id = ?", (now(), scrape))

    def unended_scrapes(self) -> list[int]:
        """Calls that were killed, or are running."""
        rows = self._db.all("SELECT id FROM scrapes WHERE ended_at IS NULL ORDER BY id")
        return [row["id"] for row in rows]

    def scrape_settings(self, query: str, source: str) -> list[dict[str, Any]]:
        """The different settings of a query's calls, in the order of their beginning."""
        rows = self._db.all(
            "SELECT settings FROM scrapes WHERE query = ? AND source = ?"
            " GROUP BY settings ORDER BY min(id)",
            (query, source),
        )
        return [json.loads(row["settings"]) for row in rows]

    # results

    def add_results(self, results: Iterable[SearchResult]) -> Added:
        """Add what is new, by (url, query, source); an address known already takes up its fate."""
        remaining = iter(results)
        added = images = 0
        with self._db.transaction() as db:
            while batch := list(islice(remaining, BATCH)):
                newest = self.newest_result()
                added += db.execute(*insert("search_results", batch)).rowcount
                db.execute(ADOPT_FATE, {"newest": newest})
                self._reject_forgotten(db, newest)
                images += db.execute(NEW_IMAGES, {"newest": newest}).fetchone()[0]
        return Added(added, images)

    def newest_result(self) -> int:
        """The highest id of a result; 0 where there is none."""
        return int(self._db.one("SELECT coalesce(max(id), 0) FROM search_results")[0])

    def pending_results(
        self,
        query: str,
        source: str,
        config_hash: str,
        *,
        after: int = 0,
        call: int | None = None,
    ) -> Iterator[SearchResult]:
        """Results of a query that are to be fetched, read page by page as they are asked for.

        Those never tried come first, then those that failed, then those that another configuration
        rejected; each in the order in which they were found. Left out: addresses that were kept,
        under whatever configuration, and addresses that this configuration rejected.

        Args:
            query: what was searched for.
            source: where.
            config_hash: of this call's configuration.
            after: results up to this id are left out.
            call: the id of this call; what it tried is left out, also while it goes on.
        """
        values = {"query": query, "source": source, "config_hash": config_hash, "call": call}
        for status, condition in DUE.items():
            for row in self._pages("*", status, f"{OF_QUERY} AND {condition}", values, after):
                yield result_of(row)

    def count_pending(self, query: str, source: str, config_hash: str) -> int:
        """How many results of a query are to be fetched."""
        values = {"query": query, "source": source, "config_hash": config_hash, "call": None}
        return sum(
            self._db.one(
                f"SELECT count(*) FROM search_results WHERE {OF_QUERY}"  # noqa: S608
                f" AND status = '{status}' AND {condition}",
                values,
            )[0]
            for status, condition in DUE.items()
        )

    def count_known(self, urls: Collection[str], query: str, source: str) -> int:
        """How many of these addresses are results of a query, each counted once."""
        row = self._db.one(
            f"SELECT count(*) FROM search_results WHERE {OF_QUERY}"  # noqa: S608
            " AND url IN (SELECT value FROM json_each(:urls))",
            {"query": query, "source": source, "urls": json.dumps(list(urls))},
        )
        return int(row[0])

    def count_forgotten(self, query: str, source: str) -> int:
        """How many results of a query were taken out with `facegan forget`."""
        row = self._db.one(
            f"SELECT count(*) FROM search_results WHERE {OF_QUERY} AND reason = :reason",  # noqa: S608
            {"query": query, "source": source, "reason": Reason.FORGOTTEN},
        )
        return int(row[0])

    def record_fetch(
        self,
        url: str,
        outcome: Outcome,
        config_hash: str,
        image: ImageRecord | None = None,
        *,
        scrape: int | None = None,
    ) -> None:
        """Write down what became of one address; see `record_fetches`."""
        self.record_fetches([Fetch(url, outcome, image)], config_hash, scrape)

    def record_fetches(
        self, fetches: Sequence[Fetch], config_hash: str, scrape: int | None = None
    ) -> None:
        """Write down what became of addresses, at least one, whichever queries led to them.

        Results that are forgotten stay so.

        Args:
            fetches: each address once.
            config_hash: of the configuration that decided.
            scrape: the call.
        """
        images = [fetch.image for fetch in fetches if fetch.image is not None]
        with self._db.transaction() as db:
            if images:
                db.execute(*insert("images", images))
            decided = [(fetch.url, fetch.outcome) for fetch in fetches]
            db.execute(*outcomes("scrape", decided, config_hash))
            db.execute(
                "WITH fetches (url, status, reason, sha256) AS"  # noqa: S608
                f" (VALUES {marks(len(fetches), 4)})"
                " UPDATE search_results SET status = fetches.status, reason = fetches.reason,"
                " image_sha256 = fetches.sha256, fetched_at = ?, scrape = ?"
                " FROM fetches WHERE search_results.url = fetches.url"
                f" AND search_results.reason IS NOT '{Reason.FORGOTTEN}'",
                [*chain.from_iterable(map(_projection, fetches)), now(), scrape],
            )


def _projection(fetch: Fetch) -> tuple[str, Status, Reason | None, str | None]:
    """What the results' own columns show of it."""
    sha256 = fetch.image.sha256 if fetch.image else None
    return fetch.url, fetch.outcome.status, fetch.outcome.reason, sha256
