"""The catalog's memory of what was taken out, and of which faces were packed for training."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from facegan.core.addresses import host_of, hosts_above, plain_address
from facegan.core.database import Database, now
from facegan.core.records import Reason, Status

TAKEN_OUT = (
    f"(images.status = '{Status.REJECTED}'"
    f" AND coalesce(images.reason, '') IN ('{Reason.OPTED_OUT}', '{Reason.FORGOTTEN}'))"
)
"""SQL: the image was taken out by hand or by `facegan forget`, which stands above every outcome."""

URL, HOST, SHA256, QUERY = "url", "host", "sha256", "query"
"""Kinds of what can be forgotten; all but a query are remembered."""

_FORGET_RESULT = (
    f"UPDATE search_results SET status = '{Status.REJECTED}',"  # noqa: S608
    f" reason = '{Reason.FORGOTTEN}', image_sha256 = NULL, page_url = NULL,"
    " title = NULL, creator = NULL, attribution = NULL WHERE "
)
"""SQL: what a result that was taken out keeps is where it was found and under which licence."""
_FORGET_OUTCOME = (
    "INSERT OR REPLACE INTO outcomes SELECT DISTINCT 'scrape', url, '',"  # noqa: S608
    f" '{Status.REJECTED}', '{Reason.FORGOTTEN}', NULL, 0.0 FROM search_results"
    " WHERE NOT EXISTS (SELECT 1 FROM search_results AS other WHERE other.url = search_results.url"
    f"  AND other.reason IS NOT '{Reason.FORGOTTEN}') AND "
)


class ForgetTables:
    """What the catalog knows of things that are gone.

    Args:
        database: the open file.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def remember_forgotten(self, kind: str, values: Iterable[str]) -> None:
        """Never fetch or keep these again.

        Args:
            kind: URL, HOST or SHA256.
            values: addresses of images or pages, host names in small letters (what is below them
                counts too), or hashes of originals.
        """
        with self._db.transaction() as db:
            remember(db, kind, values)

    def is_forgotten(self, kind: str, value: str) -> bool:
        """Whether this was taken out; of an address, whether all of its host was."""
        with self._db.transaction() as db:
            return is_remembered(db, value) if kind == URL else _is_there(db, kind, value)

    def is_forgotten_address(self, url: str) -> bool:
        """Whether the address, in whatever spelling, or all of its host was taken out."""
        return self.is_forgotten(URL, url)

    def record_selection(self, selection: str, members: Iterable[tuple[str, str, str]]) -> None:
        """Remember which faces a training set holds: (face, image, split) each, by hashes.

        The image is empty where the face was cut from none that the catalog knows. Of a set that
        was split anew, a face that was ever in training stays on record as such.
        """
        with self._db.transaction() as db:
            db.executemany(
                "INSERT INTO selections VALUES (?, ?, ?, ?)"
                " ON CONFLICT (selection, face_sha256, image_sha256) DO UPDATE"
                " SET split = excluded.split WHERE excluded.split = 'train'",
                [(selection, *member) for member in members],
            )

    def knows_selection(self, selection: str) -> bool:
        """Whether it is on record which faces a training set held."""
        return bool(
            self._db.all("SELECT 1 FROM selections WHERE selection = ? LIMIT 1", (selection,))
        )

    @staticmethod
    def _reject_forgotten(db: sqlite3.Connection, newest: int) -> None:
        """Set aside what came after a result of that id and is of something taken out before.

        Where the address has brought an image for another result, only the new one goes.
        """
        if db.execute("SELECT 1 FROM forgotten LIMIT 1").fetchone() is None:
            return
        sql = "SELECT id, url, page_url FROM search_results WHERE id > ?"
        for number, *urls in db.execute(sql, (newest,)).fetchall():
            if is_remembered(db, *urls):
                which = "url = ? AND (image_sha256 IS NULL OR id = ?)"
                set_aside(db, which, (urls[0], number))


def set_aside(db: sqlite3.Connection, which: str, values: Sequence[str | int] = ()) -> None:
    """Within a transaction: results are forgotten, and so is an address all of whose results are.

    Args:
        db: in that transaction.
        which: SQL, a condition that names results, also once they are set aside.
        values: for its places.
    """
    for sql in (_FORGET_RESULT, _FORGET_OUTCOME):
        db.execute(sql + which, values)


def remember(db: sqlite3.Connection, kind: str, values: Iterable[str]) -> None:
    """Within a transaction: never fetch or keep these again."""
    time = now()
    plain = plain_address if kind == URL else str
    db.executemany(
        "INSERT OR IGNORE INTO forgotten VALUES (?, ?, ?)",
        ((kind, plain(value), time) for value in values),
    )


def is_remembered(db: sqlite3.Connection, *urls: str | None) -> bool:
    """Whether one of the addresses, or the host of one, was taken out."""
    return any(
        _is_there(db, URL, plain_address(url))
        or any(_is_there(db, HOST, host) for host in hosts_above(host_of(url)))
        for url in urls
        if url
    )


def _is_there(db: sqlite3.Connection, kind: str, value: str) -> bool:
    sql = "SELECT 1 FROM forgotten WHERE kind = ? AND value = ?"
    return db.execute(sql, (kind, value)).fetchone() is not None
