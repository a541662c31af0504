"""`scores.json`: what was measured of a run, a checkpoint or a folder, oldest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facegan.core import files
from facegan.core.errors import ScoreError
from facegan.score.report import Report

VERSION = 2
"""Of the layout. Version 1 held Inception Scores alone and is read as well."""
FILE_NAME = "scores.json"
_ASIDE = "rename the file, then run the same command again: a new one is begun"


def write_scores(
    path: Path, report: Report, about: Mapping[str, Any], *, now: datetime | None = None
) -> dict[str, Any]:
    """Append a record, whole or not at all.

    Args:
        path: the file; it is begun where there is none.
        report: what was measured.
        about: what it was measured on: run, iteration, `sample_seed` and the like.
        now: the time of the record.

    Returns:
        The record as written: `about`, the report's fields and `created_at` (UTC).

    Raises:
        ScoreError: the file there is not one of scores; it is left as it is.
        WorkspaceError: it cannot be written.
    """
    created = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    record = {"created_at": created, **about, **report.as_dict()}
    files.write_json(path, {"version": VERSION, "scores": [*read_scores(path), record]})
    return record


def read_scores(path: Path) -> list[dict[str, Any]]:
    """The records of a `scores.json`, oldest first; none where there is no file.

    Raises:
        ScoreError: it is damaged, or of a later version.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise ScoreError(f"cannot read the scores in {path}: {error}", hint=_ASIDE) from error
    if not isinstance(data, dict) or data.get("version") not in (1, VERSION):
        raise ScoreError(f"{path} holds no scores of version {VERSION}", hint=_ASIDE)
    records = data.get("scores")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ScoreError(f"{path} holds no list of scores", hint=_ASIDE)
    return [_from_version_1(record) for record in records] if data["version"] == 1 else records


def _from_version_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """An Inception Score alone, in the layout of today."""
    protocol = dict(record.get("protocol") or {})
    taken = ("metric", "mean", "std", "per_split", "protocol", "seed", "splits")
    details = {key: record[key] for key in ("std", "per_split", "splits", "seed") if key in record}
    measure = {
        "name": "inception_score",
        "label": "Inception Score",
        "value": record.get("mean"),
        "better": "high",
        "features": protocol.get("name", ""),
        "details": details,
    }
    return {
        **{key: value for key, value in record.items() if key not in taken},
        "measures": [measure],
        "verdict": None,
        "protocols": {protocol.get("name", ""): protocol},
    }
