"""What `facegan forget` does to the catalog: find what is to go, set it aside, tell what is left.

Two steps, so that a kill between them loses nothing: `take_out` sets everything aside in one
transaction and keeps the paths of the crops; `finish` removes their rows once the files are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from facegan.core.addresses import host_of, is_below, plain_address
from facegan.core.database import Database
from facegan.core.forget_tables import (
    FORGET_RESULT,
    HOST,
    QUERY,
    SHA256,
    URL,
    is_remembered,
    remember,
)
from facegan.core.records import Reason, Status

PAGE = 2000
"""Rows read at a time."""
GONE = f"status = '{Status.REJECTED}', reason = '{Reason.FORGOTTEN}'"
_TABLES = (
    "CREATE TEMP TABLE hit (id INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE going_image (sha256 TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE going_url (url TEXT PRIMARY KEY) WITHOUT ROWID",
)
_OF_HITS = "SELECT DISTINCT {} FROM search_results WHERE id IN (SELECT id FROM hit)"
_NO_OTHER = (
    "NOT EXISTS (SELECT 1 FROM search_results AS other WHERE other.{0} = search_results.{0}"
    " AND other.query != :query)"
)
"""SQL: no other query has found it."""
_OF_GOING = (
    "(image_sha256 IN (SELECT sha256 FROM going_image) OR image_sha256 IN"  # noqa: S608
    f" (SELECT image_sha256 FROM faces WHERE reason = '{Reason.FORGOTTEN}'))"
)
"""SQL: of an image that is to go, or whose removal was broken off."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is to go."""

    images: int
    kept_faces: int
    """Of these images."""
    addresses: int
    """That are not to be fetched again."""
    staying: int
    """Images that the query led to, and another one too."""


class TakingOut:
    """A connection of its own, with tables of what is to go; a context manager that closes it.

    Args:
        path: the catalog.

    Raises:
        CatalogError: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        for sql in ("PRAGMA secure_delete = ON", *_TABLES):
            self._db.all(sql)

    def __enter__(self) -> TakingOut:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    # finding

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

    def find(self, kind: str, value: str, *, every: bool = False) -> Found:
        """Fill the tables of what is to go.

        An image goes where one of its results has the address, the page or the host. Of a query
        only images and addresses go that no other query has found.

        Args:
            kind: URL, HOST, SHA256 or QUERY.
            value: of that kind; a hash is whole.
            every: of a query, also what others have found.
        """
        for table in ("hit", "going_image", "going_url"):
            self._db.all(f"DELETE FROM {table}")  # noqa: S608
        if kind == SHA256:
            self._find_images(value)
        elif kind == QUERY:
            self._db.all("INSERT INTO hit SELECT id FROM search_results WHERE query = ?", (value,))
        else:
            self._find_addresses(kind, value)
        self._spread(value if kind == QUERY and not every else None)
        return self._found()

    def _find_images(self, sha256: str) -> None:
        self._db.all(
            "INSERT INTO going_image SELECT sha256 FROM images WHERE sha256 = :sha256 OR sha256 IN"
            " (SELECT image_sha256 FROM faces WHERE sha256 = :sha256 UNION"
            "  SELECT image_sha256 FROM selections WHERE face_sha256 = :sha256)",
            {"sha256": sha256},
        )
        self._db.all(
            "INSERT INTO hit SELECT id FROM search_results"
            " WHERE image_sha256 IN (SELECT sha256 FROM going_image)"
        )

    def _find_addresses(self, kind: str, value: str) -> None:
        wanted = plain_address(value)

        def is_it(url: str) -> bool:
            return is_below(host_of(url), value) if kind == HOST else plain_address(url) == wanted

        for ids in self._pages("1", lambda urls: any(map(is_it, urls))):
            with self._db.transaction() as db:
                db.executemany("INSERT INTO hit VALUES (?)", ids)

    def _pages(
        self, condition: str, choose: Callable[[list[str]], bool]
    ) -> Iterator[list[tuple[int]]]:
        """Ids of the results whose addresses, their own and their page's, are chosen."""
        after = 0
        while rows := self._db.all(
            f"SELECT id, url, page_url FROM search_results WHERE id > ? AND {condition}"  # noqa: S608
            f" ORDER BY id LIMIT {PAGE}",
            (after,),
        ):
            yield [(row[0],) for row in rows if choose([url for url in row[1:] if url])]
            after = rows[-1]["id"]

    def _spread(self, query: str | None) -> None:
        """From the hits to their images, and from these to all addresses that led to them."""
        alone = {of: _NO_OTHER.format(of) if query else "1" for of in ("image_sha256", "url")}
        values = {"query": query}
        self._db.all(
            f"INSERT OR IGNORE INTO going_image {_OF_HITS.format('image_sha256')}"
            f" AND image_sha256 IS NOT NULL AND {alone['image_sha256']}",
            values,
        )
        self._db.all(
            f"INSERT INTO going_url {_OF_HITS.format('url')} AND {alone['url']}"  # noqa: S608
            " AND (image_sha256 IS NULL OR image_sha256 IN (SELECT sha256 FROM going_image))",
            values,
        )
        self._db.all(
            "INSERT OR IGNORE INTO going_url SELECT url FROM search_results"
            " WHERE image_sha256 IN (SELECT sha256 FROM going_image)"
        )

    def _found(self) -> Found:
        row = self._db.one(
            "SELECT (SELECT count(*) FROM going_image JOIN images USING (sha256)"  # noqa: S608
            f"  WHERE reason IS NOT '{Reason.FORGOTTEN}'),"
            f" (SELECT count(*) FROM faces WHERE status = '{Status.KEPT}'"
            "   AND image_sha256 IN (SELECT sha256 FROM going_image)),"
            " (SELECT count(*) FROM going_url),"
            " (SELECT count(DISTINCT image_sha256) FROM search_results"
            "   WHERE id IN (SELECT id FROM hit)"
            "   AND image_sha256 NOT IN (SELECT sha256 FROM going_image))"
        )
        return Found(*row)

    def trained_on(self) -> set[str]:
        """The selections that hold a face of what is to go, in the split for training."""
        rows = self._db.all(
            "SELECT DISTINCT selection FROM selections WHERE split = 'train'"  # noqa: S608
            f" AND ({_OF_GOING} OR face_sha256 IN (SELECT sha256 FROM faces WHERE {_OF_GOING}))"
        )
        return {row["selection"] for row in rows}

    # taking out

    def take_out(self, kind: str, value: str) -> None:
        """Set everything that `find` found aside, and remember it; all of it or nothing."""
        with self._db.transaction() as db:
            remember(db, URL, (row[0] for row in db.execute("SELECT url FROM going_url")))
            remember(db, SHA256, (row[0] for row in db.execute("SELECT sha256 FROM going_image")))
            if kind != QUERY:
                remember(db, kind, [value])
            db.execute(f"{FORGET_RESULT} WHERE url IN (SELECT url FROM going_url)")  # noqa: S608
            for stage, items in (("scrape", "url FROM going_url"), ("crop", "* FROM going_image")):
                db.execute(
                    f"UPDATE outcomes SET {GONE}, detail = NULL"  # noqa: S608
                    f" WHERE stage = ? AND item IN (SELECT {items})",
                    (stage,),
                )
            db.execute(
                f"UPDATE images SET {GONE}, phash = NULL"  # noqa: S608
                " WHERE sha256 IN (SELECT sha256 FROM going_image)"
            )
            db.execute(
                f'UPDATE faces SET {GONE}, detail = NULL, landmarks = NULL, score = NULL, "left" ='  # noqa: S608
                ' NULL, top = NULL, "right" = NULL, bottom = NULL'
                " WHERE image_sha256 IN (SELECT sha256 FROM going_image)"
            )
        self._reject_other_spellings()

    def _reject_other_spellings(self) -> None:
        """Results that wait, of addresses and hosts that are remembered now."""
        waits = f"status IN ('{Status.PENDING}', '{Status.FAILED}')"
        with self._db.transaction() as db:
            for ids in self._pages(waits, lambda urls: is_remembered(db, *urls)):
                db.executemany(f"{FORGET_RESULT} WHERE id = ?", ids)

    # what is left

    def gone_images(self) -> set[str]:
        """The hashes of all images that were ever forgotten."""
        sql = f"SELECT sha256 FROM images WHERE reason = '{Reason.FORGOTTEN}'"  # noqa: S608
        return {row["sha256"] for row in self._db.all(sql)}

    def gone_crops(self) -> set[str]:
        """The hashes of all faces that were cut from them, as far as they are on record."""
        rows = self._db.all(
            "SELECT face_sha256 AS sha256 FROM selections JOIN images"  # noqa: S608
            f" ON sha256 = image_sha256 WHERE reason = '{Reason.FORGOTTEN}' UNION"
            f" SELECT sha256 FROM faces WHERE reason = '{Reason.FORGOTTEN}' AND sha256 IS NOT NULL"
        )
        return {row["sha256"] for row in rows}

    def files(self) -> list[str]:
        """Paths of forgotten images and of their crops; crops that another image gave stay."""
        gone = f"reason IS '{Reason.FORGOTTEN}'"
        rows = self._db.all(
            f"SELECT path FROM images WHERE {gone} UNION"  # noqa: S608
            f" SELECT path FROM faces WHERE {gone} AND path IS NOT NULL AND path NOT IN"
            f"  (SELECT path FROM faces WHERE NOT {gone} AND path IS NOT NULL)"
        )
        return [row["path"] for row in rows]

    def finish(self) -> None:
        """Remove the rows of the faces, and from the file what rows have held."""
        with self._db.transaction() as db:
            db.execute(f"DELETE FROM faces WHERE reason = '{Reason.FORGOTTEN}'")  # noqa: S608
        self._db.all("PRAGMA wal_checkpoint(TRUNCATE)")
