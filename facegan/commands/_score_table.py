"""A report as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from facegan.commands._table import columns, wrapped

if TYPE_CHECKING:
    from facegan.score.report import Measure, Report

_HEAD = ("measure", "value", "95 %", "real", "better", "features")
_LEFT = (0, 4, 5)
"""Columns of words."""


def table(report: Report) -> tuple[str, ...]:
    """What was measured, of what, the verdict, and what was left out."""
    lines = [*wrapped(_title(report)), ""]
    lines += columns([_HEAD, *(_row(measure) for measure in report.measures)], left=_LEFT)
    if report.diagnosis:
        lines += ["", f"verdict: {report.diagnosis.verdict}"]
        lines += _listed(report.diagnosis.sentences, "  ")
        lines += _listed(report.diagnosis.cannot_tell, "  cannot be told: ")
    if report.warnings:
        lines += ["", *_listed(report.warnings, "note: ")]
    if report.left_out:
        lines += ["", *_listed([f"{one.what}: {one.why}" for one in report.left_out], "left out: ")]
    return tuple(lines)


def _listed(texts: Sequence[str], begin: str) -> list[str]:
    return [line for text in texts for line in wrapped(begin + text)]


def summary(record: Mapping[str, Any]) -> str:
    """One line of a record of `scores.json`."""
    from facegan.score.report import shown

    told = [
        f"{measure['label']} {shown(measure['value'])}"
        for measure in record.get("measures", ())
        if measure["name"] in ("kid", "fid", "swd", "inception_score")
    ]
    verdict = record.get("verdict")
    words = [verdict] if verdict else []
    return ", ".join([*words, *told, f"{record.get('samples')} samples"])


def _interval(measure: Measure) -> str:
    from facegan.score.report import shown

    if measure.low is None or measure.high is None:
        return ""
    return f"{shown(measure.low)} to {shown(measure.high)}"


def _title(report: Report) -> str:
    title = f"{report.samples.name}: {report.samples.images:,} images"
    if report.real:
        title += f" against {report.real.images:,} of {report.real.name}"
    if report.held_out:
        title += f" and {report.held_out.images:,} of {report.held_out.name}"
    return title


def _row(measure: Measure) -> tuple[str, ...]:
    from facegan.score.report import shown

    return (
        measure.label,
        shown(measure.value),
        _interval(measure),
        shown(measure.real),
        measure.better,
        measure.features,
    )
