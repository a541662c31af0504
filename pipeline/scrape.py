"""From a search term to images in the workspace."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from facegan.core.catalog import Catalog
from facegan.core.errors import FaceganError, NothingProducedError, SourceError
from facegan.core.events import Advanced, Event, Finished, Listener, Note, Started, silent
from facegan.core.files import Workspace, content_path, write_bytes
from facegan.core.records import ImageRecord, Outcome, Reason, SearchResult, Status, Tally
from pipeline.config import ScrapeConfig
from pipeline.executors import Threads, WorkerDied
from pipeline.fetch import Fetched
from pipeline.http import Transport
from pipeline.sources import Source, open_source
from pipeline.stage import Ends, as_figures, as_tally, run_stage

STAGE = "scrape"
BATCH = 500
"""Results at most that are taken from a source at a time."""
STALE_S = 3600.0
"""Age from which a temporary file was left behind by a scrape that was killed."""

# The name is ours: a server's would be a stranger's.
SUFFIXES = {"jpeg": ".jpg", "tiff": ".tif"}


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What one call did, and what the workspace now holds for the query."""

    query: str
    source: str
    limit: int
    images: int
    """Distinct images kept for the query, over all calls."""
    results: int
    """New addresses that this call's search brought."""
    tally: Tally
    """How the addresses ended that this call tried."""
    new_bytes: int
    """Written by this call."""
    seconds: float
    stopped: bool
    """Ctrl-C ended it."""

    @property
    def next_step(self) -> str:
        """The command that goes on from here."""
        if self.stopped:
            return f'run the same command again: facegan scrape "{self.query}"'
        return "facegan crop"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        values = asdict(self) | {"tally": self.tally.as_dict()}
        return values | {"next_step": self.next_step}


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
    the source is searched again.

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
        WorkspaceError: the workspace cannot be written.
    """
    config.validate()
    workspace.create()
    _clear_leftovers(workspace.images)
    with contextlib.ExitStack() as stack:
        if transport is None:
            transport = stack.enter_context(Transport(config))
        catalog = stack.enter_context(Catalog(workspace.catalog))
        source = open_source(config, transport, workspace.root / "answers")
        return _Scrape(config, workspace, catalog, source, listener, should_stop).run()


class _Scrape:
    """One call. The catalog is touched by the thread that runs it alone."""

    def __init__(
        self,
        config: ScrapeConfig,
        workspace: Workspace,
        catalog: Catalog,
        source: Source,
        listener: Listener,
        should_stop: Callable[[], bool],
    ) -> None:
        self._config = config
        self._workspace = workspace
        self._catalog = catalog
        self._source = source
        self._listener = listener
        self._should_stop = should_stop
        self._hash = config.config_hash()
        self._kept = self._count()
        self._in_flight = 0
        self._taken: set[str] = set()
        self._search = source.search(config.query)
        self._open = deque(self._pending())
        self._ended = False
        self._trouble: SourceError | None = None
        self._results = 0
        self._new_bytes = 0
        self._ends: Ends = Counter()

    def run(self) -> ScrapeReport:
        """Round after round, as many downloads as images are missing: none beyond the limit."""
        began = time.monotonic()
        if self._kept >= self._config.limit:
            text = f"{self._kept} images of {self._config.query!r} are here: nothing to do"
            self._listener(Note(STAGE, text))
        else:
            self._listener(Started(STAGE, self._config.limit, "image", self._kept))
            try:
                self._rounds()
            finally:
                self._listener(Finished(STAGE))
        report = ScrapeReport(
            query=self._config.query,
            source=self._config.source,
            limit=self._config.limit,
            images=self._kept,
            results=self._results,
            tally=as_tally(self._ends),
            new_bytes=self._new_bytes,
            seconds=time.monotonic() - began,
            stopped=self._should_stop() and self._kept < self._config.limit,
        )
        self._check(report)
        return report

    def _rounds(self) -> None:
        while self._kept < self._config.limit and not self._ended and not self._should_stop():
            run_stage(
                STAGE,
                self._items(),
                self._source.fetch,
                self._save,
                Threads(self._config.workers),
                listener=self._relay,
                should_stop=self._should_stop,
            )

    def _items(self) -> Iterator[SearchResult]:
        """Until those in flight would suffice; if some come to nothing, the next round goes on."""
        while self._room() > 0:
            if self._open:
                self._in_flight += 1
                yield self._open.popleft()
            elif not self._search_on():
                self._ended = True
                return

    def _room(self) -> int:
        """Images that are missing, when all in flight are kept."""
        return self._config.limit - self._kept - self._in_flight

    def _search_on(self) -> bool:
        """Take some more results from the source; False at its end."""
        batch = self._batch()
        self._results += self._catalog.add_results(batch)
        self._kept = self._count()  # addresses of other queries bring their images along
        self._open.extend(self._pending())
        return bool(batch)

    def _batch(self) -> list[SearchResult]:
        """No more than may be needed, so that no page is asked for in vain."""
        batch: list[SearchResult] = []
        try:
            for result in islice(self._search, min(self._room(), BATCH)):
                batch.append(result)  # noqa: PERF402 - what came before an error counts
        except SourceError as error:
            self._trouble = error
        return batch

    def _pending(self) -> list[SearchResult]:
        """Open results that this call has not tried yet."""
        found = self._catalog.pending_results(self._config.query, self._config.source, self._hash)
        fresh = [result for result in found if result.url not in self._taken]
        self._taken.update(result.url for result in fresh)
        return fresh

    def _count(self) -> int:
        return self._catalog.count_images(self._config.query, self._config.source)

    def _save(self, result: SearchResult, fetched: Fetched | Outcome | WorkerDied) -> Outcome:
        self._in_flight -= 1
        if isinstance(fetched, Fetched):
            outcome = self._keep(result, fetched)
        else:
            died = Outcome(Status.FAILED, Reason.WORKER_DIED)
            outcome = died if isinstance(fetched, WorkerDied) else fetched
            self._catalog.record_fetch(result.url, outcome, self._hash)
        self._ends[outcome.status, outcome.reason or ""] += 1
        return outcome

    def _keep(self, result: SearchResult, fetched: Fetched) -> Outcome:
        """The file first, then its row: a kill between the two leaves a file to be taken up."""
        if self._catalog.is_opted_out(fetched.sha256):
            outcome = Outcome(Status.REJECTED, Reason.OPTED_OUT, fetched.sha256, fetched.ms)
            self._catalog.record_fetch(result.url, outcome, self._hash)
            return outcome
        form = fetched.info.format
        suffix = SUFFIXES.get(form, f".{form}")
        image = ImageRecord(
            sha256=fetched.sha256,
            path=content_path("images", fetched.sha256, suffix),
            width=fetched.info.width,
            height=fetched.info.height,
            bytes=len(fetched.data),
            format=form,
        )
        path = self._workspace.root / image.path
        if not path.exists():
            write_bytes(path, fetched.data)
            self._new_bytes += len(fetched.data)
        if not self._catalog.has_image(image.sha256):
            outcome = Outcome(Status.KEPT, ms=fetched.ms)
            self._catalog.record_fetch(result.url, outcome, self._hash, image)
            self._kept += 1
            return outcome
        outcome = Outcome(Status.REJECTED, Reason.DUPLICATE, image.sha256, fetched.ms)
        self._catalog.record_fetch(result.url, outcome, self._hash, image)
        # Of another query, perhaps: for this one it may be the first.
        self._kept = self._count()
        return outcome

    def _relay(self, event: Event) -> None:
        """One bar over all rounds, in images kept."""
        if isinstance(event, Advanced):
            figures = as_figures(self._ends) | {"kept": self._kept}
            self._listener(Advanced(STAGE, self._kept, figures))

    def _check(self, report: ScrapeReport) -> None:
        """Raise what keeps the report from being a success."""
        if self._trouble is not None:
            if report.images:
                text = f"{report.images} images are kept for {report.query!r}; the search broke off"
                self._listener(Note(STAGE, text, warning=True))
            raise self._trouble
        if not report.images and not report.stopped:
            raise _nothing(report)


def _nothing(report: ScrapeReport) -> FaceganError:
    tally, query = report.tally, report.query
    if not tally.total:
        text = f"{report.source} has no image for {query!r}"
        return NothingProducedError(text, hint="try other words, or fewer of them")
    ends = Counter({**tally.rejected, **tally.failed}).most_common(3)
    reasons = ", ".join(f"{reason} {count}" for reason, count in ends)
    text = f"none of {tally.total} addresses for {query!r} gave an image: {reasons}"
    if tally.rejected:
        return NothingProducedError(text, hint="try other words or another --source")
    return SourceError(text, hint="check the network, then run the same command again")


def _clear_leftovers(images: Path) -> None:
    """Remove temporary files of a scrape that was killed."""
    for path in images.glob("*/.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()
