"""The SQLite file beneath the catalog: opening, migrations, transactions, errors in words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facegan.core.errors import CatalogError
from facegan.core.schema import MIGRATIONS

BUSY_TIMEOUT_S = 30.0


def now() -> str:
    """The time in UTC, as ISO 8601 to the second: as text in the order of time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Database:
    """An open database, brought to the newest version of the schema.

    Args:
        path: the SQLite file; made where it is missing.

    Raises:
        CatalogError: it cannot be opened, is no catalog, or is of a newer facegan.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute("PRAGMA foreign_keys = ON")
                self._db.execute("PRAGMA secure_delete = ON")  # what is removed leaves no bytes
                self._migrate()
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file; further calls raise."""
        self._db.close()

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self) -> None:
        while (version := self._version()) < len(MIGRATIONS):
            try:
                self._db.executescript(
                    f"BEGIN IMMEDIATE; {MIGRATIONS[version]}"
                    f" PRAGMA user_version = {version + 1}; COMMIT;"
                )
            except sqlite3.DatabaseError:
                self._rollback()
                if self._version() == version:  # else another process was faster
                    raise
        if version > len(MIGRATIONS):
            raise CatalogError(
                f"{self.path} is of a newer facegan (catalog version {version}, this one reads"
                f" {len(MIGRATIONS)})",
                hint="update facegan",
            )

    def _rollback(self) -> None:
        """SQLite has rolled back by itself where the disk was full."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _catalog_error(self.path, error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's statements, or none of them."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._rollback()
                raise

    def all(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """Every row of a query."""
        with self._errors():
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Row:
        """The first row of a query that has one."""
        return self.all(sql, values)[0]


def _catalog_error(path: Path, error: sqlite3.DatabaseError) -> CatalogError:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return CatalogError(
            f"{path} is corrupt: {text}",
            hint=f"move it away (mv {path} {path}.broken), then run the same command again",
        )
    if "locked" in text:
        return CatalogError(
            f"{path} is in use by another facegan", hint="wait until that one has ended"
        )
    if "readonly" in text or "unable to open" in text:
        return CatalogError(
            f"cannot write {path}: {text}", hint="choose another folder with --workspace DIR"
        )
    if "full" in text:
        return CatalogError(
            f"cannot write {path}: the disk is full",
            hint="free some space, then run the same command again",
        )
    return CatalogError(f"{path}: {text}")
