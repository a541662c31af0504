"""What `facegan forget` does to the catalog: find what is to go, set it aside, tell what is left.

Two steps, so that a kill between them loses nothing: `take_out` sets everything aside in one
transaction and keeps the paths of the crops; `finish` removes their rows once the files are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facegan.core.addresses import host_of, is_below, plain_address
from facegan.core.database import Database
from facegan.core.forget_tables import HOST, QUERY, SHA256, URL, remember, set_aside
from facegan.core.lookups import Lookups
from facegan.core.records import Reason, Status

GONE = f"status = '{Status.REJECTED}', reason = '{Reason.FORGOTTEN}'"
_TABLES = (
    "CREATE TEMP TABLE hit (id INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE going_image (sha256 TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE going_url (url TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE copy (sha256 TEXT PRIMARY KEY) WITHOUT ROWID",
)
_WAITS = (
    f"status IN ('{Status.PENDING}', '{Status.FAILED}')"  # noqa: S608
    " AND url NOT IN (SELECT url FROM going_url)"
)
_OF_A_FACE = (
    *("detail", "landmarks", "score", "left", "top", "right", "bottom"),
    *("size_px", "sharpness", "exposure", "yaw", "roll", "padding", "upscale", "phash"),
    *("cluster", "auto_reason", "auto_detail", "review"),
)
"""Columns that tell of a face, not of where it came from."""
_GOING = "(SELECT sha256 FROM going_image)"
_IMAGE_OF_OTHERS = (
    "EXISTS (SELECT 1 FROM led_to AS more JOIN search_results AS other ON other.id = more.result"
    " WHERE more.image_sha256 = led_to.image_sha256 AND other.query != :query)"
)
_URL_OF_OTHERS = (
    "EXISTS (SELECT 1 FROM search_results AS other WHERE other.url = search_results.url"
    " AND other.query != :query)"
)
"""SQL: another query has found it; never, where the query is NULL."""
_SPREAD = (
    "INSERT OR IGNORE INTO going_image SELECT DISTINCT image_sha256 FROM led_to"  # noqa: S608
    f" WHERE result IN (SELECT id FROM hit) AND NOT {_IMAGE_OF_OTHERS}",
    "INSERT INTO going_url SELECT DISTINCT url FROM search_results"  # noqa: S608
    f" WHERE id IN (SELECT id FROM hit) AND NOT {_URL_OF_OTHERS} AND NOT EXISTS"
    f" (SELECT 1 FROM led_to WHERE result = search_results.id"
    f"  AND led_to.image_sha256 NOT IN {_GOING})",
    "INSERT OR IGNORE INTO going_url SELECT url FROM search_results WHERE id IN"  # noqa: S608
    f" (SELECT result FROM led_to WHERE led_to.image_sha256 IN {_GOING})"
    f" AND (image_sha256 IS NULL OR image_sha256 IN {_GOING})",
)
"""SQL: from the hits to images, to the hits' addresses, and to those that led to these images.

A hit's address stays where it led to an image that stays; another one where it leads to other bytes
by now.
"""
_COPIES = (
    "INSERT INTO copy SELECT DISTINCT other.image_sha256 FROM faces AS one"  # noqa: S608
    " JOIN faces AS other ON other.cluster = one.cluster"
    f" WHERE one.image_sha256 IN {_GOING} AND other.image_sha256 NOT IN {_GOING}"
    f" AND one.auto_reason IS NOT '{Reason.NOT_LARGEST}'"
    f" AND other.reason IS NOT '{Reason.FORGOTTEN}'"
)
"""SQL: from images to those others in which the last crop found copies of their faces.

Not by a bystander, smaller than the face that an image is of: other people's pictures show it too.
"""
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
    """Images that stay as another query has found them: of this one's, and copies of what goes."""
    copies: int = 0
    """Of the images: those that go because they show the same as one that was meant."""


class TakingOut(Lookups):
    """A connection of its own, with tables of what is to go; a context manager that closes it.

    Args:
        path: the catalog.

    Raises:
        CatalogError: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Database(path))
        for sql in _TABLES:
            self._db.all(sql)

    def __enter__(self) -> TakingOut:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    # finding

    def find(self, kind: str, value: str, *, every: bool = False) -> Found:
        """Fill the tables of what is to go.

        An image goes where one of its results has the address, the page or the host, and so do its
        copies, as far as their faces are known to be one: the best of those that are left would
        take its place. Of a query only images and addresses go that no other query has found, and
        no copies.

        Args:
            kind: URL, HOST, SHA256 or QUERY.
            value: of that kind; a hash is whole.
            every: of a query, also what others have found, and copies.
        """
        for table in ("hit", "going_image", "going_url", "copy"):
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

    def _find_addresses(self, kind: str, value: str) -> None:
        wanted = plain_address(value)

        def is_it(url: str) -> bool:
            return is_below(host_of(url), value) if kind == HOST else plain_address(url) == wanted

        for ids in self.pages("1", lambda urls: any(map(is_it, urls))):
            with self._db.transaction() as db:
                db.executemany("INSERT INTO hit VALUES (?)", ids)

    def _spread(self, query: str | None) -> None:
        """From the hits to their images, and from these to all addresses that led to them."""
        images, *addresses = _SPREAD
        self._db.all(images, {"query": query})
        self._db.all(_COPIES)
        if query is None:
            self._db.all("INSERT INTO going_image SELECT sha256 FROM copy")
        for sql in addresses:
            self._db.all(sql, {"query": query})
        self._find_spellings()

    def _find_spellings(self) -> None:
        """Results that wait, of the addresses that are to go in another spelling."""
        going = {plain_address(row["url"]) for row in self._db.all("SELECT url FROM going_url")}
        if not going:
            return

        def is_going(urls: list[str]) -> bool:
            return not going.isdisjoint(map(plain_address, urls))

        for ids in self.pages(_WAITS, is_going):
            with self._db.transaction() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO going_url SELECT url FROM search_results WHERE id = ?",
                    ids,
                )

    def _found(self) -> Found:
        row = self._db.one(
            "SELECT (SELECT count(*) FROM going_image JOIN images USING (sha256)"  # noqa: S608
            f"  WHERE reason IS NOT '{Reason.FORGOTTEN}'),"
            f" (SELECT count(*) FROM faces WHERE status = '{Status.KEPT}'"
            "   AND image_sha256 IN (SELECT sha256 FROM going_image)),"
            " (SELECT count(*) FROM going_url),"
            " (SELECT count(*) FROM (SELECT image_sha256 FROM led_to"
            "   WHERE result IN (SELECT id FROM hit) UNION SELECT sha256 FROM copy)"
            f"  WHERE image_sha256 NOT IN {_GOING}),"
            f" (SELECT count(*) FROM copy WHERE sha256 IN {_GOING})"
        )
        return Found(*row)

    def going(self) -> list[tuple[str, str | None]]:
        """The addresses that are to go, each with a title; the first that was found comes first."""
        rows = self._db.all(
            "SELECT url, max(title) AS title FROM search_results"
            " WHERE url IN (SELECT url FROM going_url) GROUP BY url ORDER BY min(id)"
        )
        return [(row["url"], row["title"]) for row in rows]

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
            set_aside(db, "url IN (SELECT url FROM going_url)")
            db.execute(f"DELETE FROM lost_images WHERE image_sha256 IN {_GOING}")  # noqa: S608
            db.execute(
                f"UPDATE outcomes SET {GONE}, detail = NULL"  # noqa: S608
                f" WHERE stage = 'crop' AND item IN {_GOING}"
            )
            db.execute(f"UPDATE images SET {GONE}, phash = NULL WHERE sha256 IN {_GOING}")  # noqa: S608
            # Faces of other images may be duplicates of one that goes: the next crop judges them.
            db.execute(
                "UPDATE faces SET cluster = NULL,"  # noqa: S608
                " auto_detail = CASE WHEN auto_reason = 'duplicate' THEN NULL ELSE auto_detail END,"
                " detail = CASE WHEN reason = 'duplicate' THEN NULL ELSE detail END"
                " WHERE cluster IN (SELECT sha256 FROM faces"
                f"  WHERE image_sha256 IN {_GOING}) AND image_sha256 NOT IN {_GOING}"
            )
            blank = ", ".join(f'"{name}" = NULL' for name in _OF_A_FACE)
            db.execute(f"UPDATE faces SET {GONE}, {blank} WHERE image_sha256 IN {_GOING}")  # noqa: S608
            db.execute(f"DELETE FROM reviews WHERE image_sha256 IN {_GOING}")  # noqa: S608

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
        self._db.all("VACUUM")  # what rows held that an earlier facegan removed
        self._db.all("PRAGMA wal_checkpoint(TRUNCATE)")
