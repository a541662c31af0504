"""Where images come from: one file a source, behind one protocol.

A source names addresses and fetches what it named. What it fetches, only that source can: an
address that a web search gives never opens a file of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from facegan.core.records import Outcome, SearchResult

if TYPE_CHECKING:
    from pipeline.config import ScrapeConfig
    from pipeline.fetch import Fetched
    from pipeline.http import Transport

SOURCES = ("bing", "commons", "openverse", "met", "urls", "folder", "portraits")


class Source(Protocol):
    """What a stage needs of a source."""

    name: str
    gives: frozenset[str]
    """Fields, beside url, query, source and rank, that a result has while the source answers as
    expected, most results at least; `facegan sources check` looks for them."""

    def search(self, query: str) -> Iterator[SearchResult]:
        """Results in the source's own order, found as they are asked for, page by page.

        Raises:
            SourceError: the source cannot be reached or does not answer as it should.
        """
        ...

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """The bytes of one result, or why there are none. Called in many threads at once."""
        ...


def open_source(
    config: ScrapeConfig, transport: Transport, answers: Path, *, most_objects: int | None = None
) -> Source:
    """The source that `config` names.

    Args:
        config: a valid one.
        transport: open connections, for the sources that need them.
        answers: folder in which a page that nobody understands is kept.
        most_objects: as many the Met is asked for, usable or not; None is all that it finds.
    """
    if config.source == "folder":
        from pipeline.sources.folder import FolderSource

        return FolderSource(config)
    if config.source == "portraits":
        from pipeline.sources.portraits import PortraitSource

        return PortraitSource(config)
    if config.source == "urls":
        from pipeline.sources.urls import UrlsSource

        return UrlsSource(config, transport)
    if config.source == "commons":
        from pipeline.sources.commons import CommonsSource

        return CommonsSource(config, transport, answers)
    if config.source == "openverse":
        from pipeline.sources.openverse import OpenverseSource

        return OpenverseSource(config, transport, answers)
    if config.source == "met":
        from pipeline.sources.met import MetSource

        return MetSource(config, transport, answers, most_objects=most_objects)
    from pipeline.sources.bing import BingSource

    return BingSource(config, transport, answers)
