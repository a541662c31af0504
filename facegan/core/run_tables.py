"""The catalog's tables of training runs, their checkpoints and their scores."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from facegan.core.database import Database, now


class RunTables:
    """What the catalog knows of runs.

    Args:
        database: the open file.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def record_run(
        self,
        name: str,
        *,
        iteration: int,
        iterations: int,
        seconds: float,
        selection: str,
        status: str,
        checkpoints: Iterable[tuple[int, str]] = (),
        began: str = "",
    ) -> None:
        """Write down how far a run is, and its checkpoints: (iteration, path) each.

        Scores from before the run `began` (as `now` tells it) are those of a deleted run whose
        name it has; they go.
        """
        with self._db.transaction() as db:
            db.execute("DELETE FROM scores WHERE run = ? AND created_at < ?", (name, began))
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                " iteration = excluded.iteration, iterations = excluded.iterations,"
                " seconds = excluded.seconds, selection = excluded.selection,"
                " status = excluded.status, updated_at = excluded.updated_at",
                (name, iteration, iterations, seconds, selection, status, now()),
            )
            db.execute("DELETE FROM checkpoints WHERE run = ?", (name,))
            db.executemany(
                "INSERT INTO checkpoints VALUES (?, ?, ?)",
                [(name, at, path) for at, path in checkpoints],
            )

    def runs(self) -> list[dict[str, Any]]:
        """The rows of all runs, newest first."""
        return [dict(row) for row in self._db.all("SELECT * FROM runs ORDER BY name DESC")]

    def forget_runs(self, keep: Collection[str]) -> None:
        """Remove the rows of all runs but those named: their checkpoints and scores too."""
        sql = "SELECT name FROM runs UNION SELECT run FROM checkpoints UNION SELECT run FROM scores"
        gone = [(row["name"],) for row in self._db.all(sql) if row["name"] not in keep]
        if not gone:
            return
        with self._db.transaction() as db:
            for table, column in (("checkpoints", "run"), ("scores", "run"), ("runs", "name")):
                db.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)  # noqa: S608

    def record_score(
        self, run: str, iteration: int, measure: str, value: float, details: Any
    ) -> None:
        """Add one score; `details` is anything that JSON can hold."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO scores (run, iteration, measure, value, details, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run, iteration, measure, value, json.dumps(details), now()),
            )
