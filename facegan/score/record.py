"""`scores.json`: what was measured of a run, a checkpoint or a folder, oldest first."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """What may stand under a key."""

    kind: type
    """`float` takes whole numbers too; none takes those beyond 64 bits."""
    needed: bool = False
    null: bool = False
    of: type | None = None
    """Kind of the parts of a list, or of the values of a mapping."""

    def fits(self, value: Any) -> bool:
        """Whether a value is so."""
        if value is None:
            return self.null
        if not _is(value, self.kind):
            return False
        if self.of is None:
            return True
        parts = value.values() if isinstance(value, dict) else value
        return all(_is(part, self.of) for part in parts)


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return kind in (int, float) and abs(value) < 2**63
    return isinstance(value, kind)


_RECORD = {
    "created_at": _Shape(str, needed=True),
    "iteration": _Shape(int, null=True),
    "raw": _Shape(bool),
    "samples": _Shape(int, needed=True),
    "sets": _Shape(dict),
    "features": _Shape(str, null=True),
    "measures": _Shape(list, needed=True, of=dict),
    "protocols": _Shape(dict, of=dict),
    "verdict": _Shape(str, null=True),
    "diagnosis": _Shape(dict, null=True),
    "warnings": _Shape(list, of=str),
}
_MEASURE = {
    "name": _Shape(str, needed=True),
    "label": _Shape(str, needed=True),
    "value": _Shape(float, needed=True),
    "low": _Shape(float, null=True),
    "high": _Shape(float, null=True),
    "real": _Shape(float, null=True),
    "features": _Shape(str),
    "details": _Shape(dict),
}
_SIDE = {
    "name": _Shape(str, needed=True),
    "images": _Shape(int, needed=True),
    "content": _Shape(str, needed=True),
}
_VERSION_1 = {"protocol": _Shape(dict, null=True)}


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
        ScoreError: it is damaged, of a later version, or a record has another shape than this
            program writes. Keys that it doesn't know are left as they are.
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
    try:
        return [_checked(record, data["version"]) for record in records]
    except _OddError as error:
        raise ScoreError(f"a record of {path} has an odd {error}", hint=_ASIDE) from None


def comparable(
    report: Report, records: Iterable[Mapping[str, Any]], features: str
) -> list[Mapping[str, Any]]:
    """The records whose measures of these features compare with the report's.

    They are of the same protocol, of averaged weights or of raw ones as the report's, of as many
    samples, and measured beside the same real images.

    Args:
        report: what was measured.
        records: by `read_scores`.
        features: name of the protocol; measures of other features are left out of the records.
    """
    protocols = {one.name: one.as_dict() for one in report.protocols}
    raw, real = bool(report.samples.about.get("raw")), report.real.content if report.real else None
    here = protocols.get(features), raw, report.samples.images, real
    found: list[Mapping[str, Any]] = []
    for record in records:
        beside = (record.get("sets", {}).get("real") or {}).get("content")
        protocol = record.get("protocols", {}).get(features)
        if (protocol, bool(record.get("raw")), record.get("samples"), beside) == here:
            measures = [one for one in record["measures"] if one.get("features") == features]
            found.append({**record, "measures": measures})
    return found


class _OddError(ValueError):
    """The key, and the value that stands there."""


def _checked(record: dict[str, Any], version: int) -> dict[str, Any]:
    """A record in the layout of today, of the shape that `Report.as_dict` gives."""
    if version == 1:
        _check(record, _VERSION_1)
        _check(record.get("protocol") or {}, {"name": _Shape(str)}, "protocol.")
        record = _from_version_1(record)
    _check(record, _RECORD)
    for measure in record["measures"]:
        _check(measure, _MEASURE, "measures.")
    for name, side in record.get("sets", {}).items():
        if side is not None:
            if not isinstance(side, dict):
                raise _OddError(f"sets.{name}: {reprlib.repr(side)}")
            _check(side, _SIDE, f"sets.{name}.")
    _check(record.get("diagnosis") or {}, {"sentences": _Shape(list, of=str)}, "diagnosis.")
    return record


def _check(values: Mapping[str, Any], shapes: Mapping[str, _Shape], where: str = "") -> None:
    for key, shape in shapes.items():
        if key not in values:
            if shape.needed:
                raise _OddError(f"{where}{key}: it is missing")
        elif not shape.fits(values[key]):
            raise _OddError(f"{where}{key}: {reprlib.repr(values[key])}")


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
        "created_at": "",
        **{key: value for key, value in record.items() if key not in taken},
        "measures": [measure],
        "verdict": None,
        "protocols": {protocol.get("name", ""): protocol},
    }
