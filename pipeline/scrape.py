"""From search terms to images in the workspace."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

from facegan.core.catalog import Catalog
from facegan.core.errors import FaceganError, NothingProducedError, SourceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace
from facegan.core.lock import exclusive
from pipeline.config import ScrapeConfig
from pipeline.gather import STAGE, Gathering
from pipeline.http import Transport
from pipeline.scrape_report import ScrapeReport, in_short, with_short_addresses
from pipeline.sources import open_source
from pipeline.store import Store

__all__ = ["STAGE", "ScrapeReport", "scrape", "scrape_all"]

OF_THE_SEARCH = (
    "query",
    "limit",
    "source",
    "base_url",
    "folder",
    "list_file",
    "url_column",
    "seed",
    "size_px",
    "face",
    "portrait",
    "photo",
    "license",
    "safe_search",
)
"""Settings that connections do not depend on."""
DEFAULTS = ScrapeConfig("any").to_dict()


def scrape(
    config: ScrapeConfig,
    workspace: Workspace,
    *,
    listener: Listener = silent,
    should_stop: Callable[[], bool] = lambda: False,
    transport: Transport | None = None,
) -> ScrapeReport:
    """Fetch images for a query until `config.limit` of them are kept or the source ends.

    What an earlier call found or fetched is not fetched again, and what it found is tried before
    the source is searched again. Images whose file is gone or damaged are fetched again.

    Args:
        config: what to look for.
        workspace: where images and catalog lie; made where it is missing.
        listener: hears of progress.
        should_stop: true ends the stage after the downloads in flight.
        transport: connections to use; by default its own.

    Returns:
        What was done.

    Raises:
        ConfigError: settings that cannot be.
        SourceError: the source cannot be reached or read; what was kept before stays.
        NothingProducedError: the query has no image: nothing was found, or nothing was usable.
        WorkspaceError: the workspace cannot be written, or another facegan works in it.
    """
    config.validate()
    with _Searches(workspace, listener, should_stop, transport) as searches:
        report, trouble = searches.run(config)
    if trouble is not None:
        if report.images:
            text = f"{report.images} images are kept for {config.query!r}; the search broke off"
            listener(Note(STAGE, text, warning=True))
        raise trouble
    return report


def scrape_all(
    configs: Sequence[ScrapeConfig],
    workspace: Workspace,
    *,
    listener: Listener = silent,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[ScrapeReport, ...]:
    """Run several searches, one after another, in one workspace.

    One that breaks off or finds nothing does not keep the others from being run: a warning tells
    of it, and its report. Each image remembers every result that led to it.

    Args:
        configs: one search each.
        workspace: where images and catalog lie; made where it is missing.
        listener: hears of progress.
        should_stop: true ends the stage after the downloads in flight; no further search is begun.

    Returns:
        What each search did; fewer than there are configs where it was stopped.

    Raises:
        ConfigError: settings that cannot be, before anything is done.
        SourceError: no search ended well, and none kept an image.
        NothingProducedError: the same, and no source is to blame.
        WorkspaceError: the workspace cannot be written, or another facegan works in it.
    """
    for config in configs:
        config.validate()
    reports: list[ScrapeReport] = []
    troubles: list[FaceganError] = []
    with _Searches(workspace, listener, should_stop) as searches:
        for config in configs:
            report, trouble = searches.run(config)
            if trouble is not None:
                troubles.append(trouble)
                report = _with_trouble(report, trouble)
                if len(configs) > 1 or report.tally.kept:
                    said = with_short_addresses(str(trouble))
                    text = f"{config.query!r} from {config.source}: {said}"
                    text += f"; {report.images} images are kept" if report.images else ""
                    listener(Note(STAGE, text, warning=True))
            reports.append(report)
            if should_stop():
                break
    if troubles and len(troubles) == len(reports) and not _keeps_some(reports):
        # A source's trouble before a search that merely found nothing.
        raise min(troubles, key=lambda error: isinstance(error, NothingProducedError))
    return tuple(reports)


def _with_trouble(report: ScrapeReport, trouble: FaceganError) -> ScrapeReport:
    return dataclasses.replace(
        report,
        error=str(trouble),
        trouble=in_short(trouble),
        failed=isinstance(trouble, SourceError),
    )


def _keeps_some(reports: Sequence[ScrapeReport]) -> bool:
    """Whether one of several made something; one alone that breaks off is an error all the same."""
    return len(reports) > 1 and any(report.tally.kept for report in reports)


class _Searches:
    """What the searches of one call share: the catalog, the store and, where they can, connections.

    Args:
        workspace: where images and catalog lie; locked while the context is open.
        listener: hears of progress.
        should_stop: true ends a search after the downloads in flight.
        transport: connections to use, which stay open; None is one for each kind of settings.
    """

    def __init__(
        self,
        workspace: Workspace,
        listener: Listener,
        should_stop: Callable[[], bool],
        transport: Transport | None = None,
    ) -> None:
        self._workspace = workspace
        self._listener = listener
        self._should_stop = should_stop
        self._given = transport
        self._opened: dict[ScrapeConfig, Transport] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Searches:
        self._workspace.create()
        with self._stack as stack:
            stack.enter_context(exclusive(self._workspace))
            self._catalog = stack.enter_context(Catalog(self._workspace.catalog))
            self._store = Store(self._workspace)
            stack.callback(self._store.close)
            self._store.open()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, config: ScrapeConfig) -> tuple[ScrapeReport, FaceganError | None]:
        """One search; what it did, and what keeps that from being a success."""
        transport = self._given or self._transport(config)
        return Gathering(
            config,
            self._catalog,
            self._store,
            open_source(config, transport, self._workspace.root / "answers"),
            transport,
            self._listener,
            self._should_stop,
        ).run()

    def _transport(self, config: ScrapeConfig) -> Transport:
        """One for all searches whose connections are made alike."""
        alike = dataclasses.replace(config, **{name: DEFAULTS[name] for name in OF_THE_SEARCH})
        if alike not in self._opened:
            cache = self._workspace.root / "cache" / "answers"
            transport = Transport(config, cache=cache)
            self._opened[alike] = self._stack.enter_context(transport)
        return self._opened[alike]
