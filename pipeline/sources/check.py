"""One small question to a source: do its answers still have the shape that is expected?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from facegan.core.errors import SourceError
from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.sources import open_source

QUERY = "portrait"
RESULTS = 3
"""As many are looked at."""
OBJECTS = 20
"""As many the Met, which tells of each object alone, is asked for at most."""
CHECKED = ("bing", "commons", "openverse", "met")
"""The sources that somebody else may change."""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What came of one question."""

    source: str
    ok: bool
    results: int
    """Looked at, RESULTS at most."""
    ms: float
    """From the question to the last of them."""
    missing: tuple[str, ...]
    """Fields that results should have and none has."""
    problem: str | None
    """Why it is not as expected, in a sentence."""
    hint: str | None
    kept: str | None
    """The file in which an answer lies that was not understood."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"missing": list(self.missing)}


def check(
    config: ScrapeConfig,
    answers: Path,
    *,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> SourceCheck:
    """Ask `config.source` for a few results of `config.query`, and fetch none of them.

    Args:
        config: a valid one; `QUERY` is a word for which every source has something.
        answers: folder in which an answer that nobody understands is kept.
        transport: connections to use; by default its own, without a cache.
        clock: seconds.
    """
    if transport is None:
        with Transport(config) as transport:
            return check(config, answers, transport=transport, clock=clock)
    before, began = _kept(answers, config.source), clock()
    results: list[SearchResult] = []
    problem = hint = None
    try:
        source = open_source(config, transport, answers, most_objects=OBJECTS)
        results.extend(islice(source.search(config.query), RESULTS))
        missing = _missing(results, source.gives)
        problem = _problem(config, results, missing)
    except SourceError as error:
        missing, problem, hint = (), error.message, error.hint
    ms = 1000 * (clock() - began)
    new = _kept(answers, config.source).items() - before.items()
    kept = min((str(path) for path, _ in new), default=None)
    return SourceCheck(
        config.source, problem is None, len(results), ms, missing, problem, hint, kept
    )


def _missing(results: list[SearchResult], gives: frozenset[str]) -> tuple[str, ...]:
    empty = (None, "")
    return tuple(sorted(f for f in gives if all(getattr(r, f) in empty for r in results)))


def _problem(
    config: ScrapeConfig, results: list[SearchResult], missing: tuple[str, ...]
) -> str | None:
    if not results:
        return f"{config.source} has no result for {config.query!r}, a word that it should know"
    if missing:
        return f"results of {config.source} come without {', '.join(missing)}"
    return None


def _kept(answers: Path, source: str) -> dict[Path, int]:
    """The files of a source's answers, with the times of their last change."""
    return {path: path.stat().st_mtime_ns for path in answers.glob(f"{source}.*")}
