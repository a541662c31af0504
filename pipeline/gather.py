"""One search: results -> downloads -> images and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from facegan.core.catalog import Catalog
from facegan.core.errors import FaceganError, SourceError
from facegan.core.events import Advanced, Finished, Listener, Note, Started
from facegan.core.image_tables import Standing
from facegan.core.records import Outcome, Reason, SearchResult, Status
from facegan.core.scrape_tables import Fetch
from pipeline.by_host import HostQueue
from pipeline.config import ScrapeConfig, split_host
from pipeline.earlier_calls import other_filters
from pipeline.executors import Threads
from pipeline.fetch import Fetched
from pipeline.http import Transport
from pipeline.scrape_left import end_of, left_of
from pipeline.scrape_report import ScrapeReport, enough, figures, near_ceiling, nothing, recorded
from pipeline.sources import Source
from pipeline.stage import Ends, Until, as_tally
from pipeline.store import Store, Stored, lose_what_is_gone

STAGE = "scrape"
BATCH = 500
"""Results at most that are taken from a source at a time, and that wait for their host's turn."""
BATCH_S = 0.25
"""A source that is slower than this gives what it has, so that downloads can begin."""
TELL_EVERY_S = 0.1
"""Between two looks at the progress."""
SEEN = Standing(None, known=True, counted=True)
"""How an image stands that the same group of downloads has brought before."""


class Gathering:
    """One search of one call. The catalog is touched by the thread that runs it alone.

    Args:
        config: what to look for.
        catalog: open, of a workspace that this process has locked.
        store: of that workspace.
        source: where to look.
        transport: the connections that `source` uses.
        listener: hears of progress.
        should_stop: true ends it after the downloads in flight.
    """

    def __init__(
        self,
        config: ScrapeConfig,
        catalog: Catalog,
        store: Store,
        source: Source,
        transport: Transport,
        listener: Listener,
        should_stop: Callable[[], bool],
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._store = store
        self._source = source
        self._transport = transport
        self._listener = listener
        self._should_stop = should_stop
        self._hash = config.config_hash()
        self._search = self._searching()
        self._call: int | None = None
        self._known: Iterator[SearchResult] = iter(())
        own = [host for text in config.allow_hosts if (host := split_host(text))]
        self._listed = (source, catalog, config, should_stop)
        self._queue = HostQueue(config.host_connections, [name for name, _ in own])
        self._kept = 0
        self._in_flight = 0
        self._found = 0
        self._results = 0
        self._ended = False
        self._trouble: SourceError | None = None
        self._arrived = 0
        self._new_bytes = 0
        self._ends: Ends = Counter()
        self._began = self._told_at = transport.clock()
        transport.stop_when(should_stop)

    def run(self) -> tuple[ScrapeReport, FaceganError | None]:
        """Fetch until `config.limit` images are kept or the source ends.

        As many downloads are in flight as images are missing: none is begun beyond the limit.

        Returns:
            What was done, and what keeps that from being a success.
        """
        query, source = self._config.query, self._config.source
        if self._catalog.unended_scrapes():
            text = "an earlier call was cut off: its images are looked through"
            self._listener(Note(STAGE, text))
        if lost := lose_what_is_gone(self._catalog, self._store, query, source):
            text = f"{lost} images are gone or damaged: they are fetched again where they can be"
            self._listener(Note(STAGE, text, warning=True))
        self._kept = self._catalog.count_images(query, source)
        earlier = self._catalog.scrape_settings(query, source)
        if warning := other_filters(self._config, self._kept, earlier):
            self._listener(Note(STAGE, warning, warning=True))
        if self._kept >= self._config.limit:
            self._listener(Note(STAGE, enough(self._kept, self._config)))
        else:
            self._fetch_all()
        return self._report()

    def _fetch_all(self) -> None:
        query, source = self._config.query, self._config.source
        settings = recorded(self._config)
        self._call = self._catalog.begin_scrape(query, source, settings, self._transport.agent)
        self._known = self._pending(0)
        self._listener(Started(STAGE, end_of(*self._listed, self._kept), "image", self._kept))
        try:
            items = Until(_Items(self._next), self._should_stop)
            # Closed here, so that workers end before an error of `_save` is reported.
            with closing(Threads(self._config.workers).groups(self._fetch, items)) as groups:
                for group in groups:
                    self._save(group)
                    self._tell()
        finally:
            self._tell(now=True)
            self._listener(Finished(STAGE))
        # Not where an error ended it: what the disk holds is then looked through by the next call.
        self._catalog.end_scrape(self._call)

    # what to fetch

    def _next(self) -> SearchResult | None:
        """The next result to fetch; None while those in flight suffice or keep all hosts busy."""
        if self._room() <= 0:
            return None
        result = self._queue.take()
        if result is None and (not self._queue or self._in_flight < self._config.workers):
            self._look_on()
            result = self._queue.take()
        self._in_flight += result is not None
        return result

    def _look_on(self) -> None:
        """Until further results wait, if there are any."""
        before = len(self._queue)
        while len(self._queue) == before and self._more():
            pass

    def _room(self) -> int:
        """Images that are missing, when all in flight are kept."""
        return self._config.limit - self._kept - self._in_flight

    def _more(self) -> bool:
        """Let further results wait: what is known already, then what the source finds."""
        wanted = min(self._room(), BATCH) - len(self._queue)
        if wanted <= 0:
            return False
        known = list(islice(self._known, wanted))
        self._queue.add(known)
        return bool(known) or self._search_on(wanted)

    def _search_on(self, wanted: int) -> bool:
        """Take some more results from the source; False at its end."""
        if self._ended:
            return False
        batch = self._batch(wanted)
        self._tell_remarks()
        self._found += len(batch)
        self._ended = not batch or self._trouble is not None
        newest = self._catalog.newest_result()
        added = self._catalog.add_results(batch)
        self._results += added.results
        self._kept += added.images  # addresses of other queries bring their images along
        self._known = self._pending(newest)
        return bool(batch)

    def _searching(self) -> Iterator[SearchResult]:
        """The source's results; nothing is asked before the first is taken."""
        yield from self._source.search(self._config.query)

    def _batch(self, wanted: int) -> list[SearchResult]:
        """No more than may be needed, so that no page is asked for in vain."""
        batch: list[SearchResult] = []
        until = self._transport.clock() + BATCH_S
        try:
            for result in islice(self._search, wanted):
                batch.append(result)
                if self._transport.clock() >= until:
                    break
        except SourceError as error:
            if not self._transport.stopping:  # what a stopped search did not ask is no trouble
                self._trouble = error
        return batch

    def _pending(self, after: int) -> Iterator[SearchResult]:
        """Results beyond the id `after` that this call is to try."""
        query, source = self._config.query, self._config.source
        return self._catalog.pending_results(
            query, source, self._hash, after=after, call=self._call
        )

    # what came of it

    def _fetch(self, result: SearchResult) -> Stored | Outcome:
        """In a worker thread: everything but the catalog."""
        fetched = self._source.fetch(result)
        return self._store.put(fetched) if isinstance(fetched, Fetched) else fetched

    def _save(self, group: Sequence[tuple[SearchResult, Stored | Outcome]]) -> None:
        """Files first, then their rows: a kill between the two costs a download, no more."""
        query, source = self._config.query, self._config.source
        sha256s = {got.image.sha256 for _, got in group if isinstance(got, Stored)}
        standings = self._catalog.standings(sha256s, query, source) if sha256s else {}
        fetches = []
        for result, got in group:
            self._in_flight -= 1
            self._queue.done(result)
            if isinstance(got, Stored):
                fetch = self._keep(result, got, standings[got.image.sha256])
                if fetch.image is not None:
                    standings[got.image.sha256] = SEEN
            else:
                fetch = Fetch(result.url, got)
            fetches.append(fetch)
            self._ends[fetch.outcome.status, fetch.outcome.reason or ""] += 1
        self._catalog.record_fetches(fetches, self._hash, self._call)

    def _keep(self, result: SearchResult, stored: Stored, standing: Standing) -> Fetch:
        image = stored.image
        self._arrived += image.bytes
        if standing.taken_out:
            self._store.drop(stored)
            out = Outcome(Status.REJECTED, standing.taken_out, image.sha256, stored.ms)
            return Fetch(result.url, out)
        self._store.keep(stored)
        self._kept += not standing.counted  # of another query, perhaps: here it may be the first
        if standing.known:
            outcome = Outcome(Status.REJECTED, Reason.DUPLICATE, image.sha256, stored.ms)
        else:
            self._new_bytes += image.bytes
            outcome = Outcome(Status.KEPT, ms=stored.ms)
        return Fetch(result.url, outcome, image)

    # what is told

    def _tell(self, *, now: bool = False) -> None:
        """How far it is; at most every TELL_EVERY_S."""
        at = self._transport.clock()
        if now or at - self._told_at >= TELL_EVERY_S:
            self._told_at = at
            values = figures(self._kept, self._ends, self._arrived, at - self._began)
            self._listener(Advanced(STAGE, self._kept, values))

    def _tell_remarks(self) -> None:
        """What the source says of what it reads, where it is one that does."""
        remarks: list[str] = getattr(self._source, "remarks", [])
        while remarks:
            self._listener(Note(STAGE, remarks.pop(0), warning=True))

    def _report(self) -> tuple[ScrapeReport, FaceganError | None]:
        config = self._config
        ended = self._ended and self._trouble is None and not self._transport.stopping
        full = self._kept >= config.limit
        report = ScrapeReport(
            query=config.query,
            source=config.source,
            limit=config.limit,
            images=self._kept,
            results=self._results,
            tally=as_tally(self._ends),
            new_bytes=self._new_bytes,
            seconds=self._transport.clock() - self._began,
            stopped=self._should_stop() and not full,
            ended=ended and not full,
            left=(left_of(*self._listed) or 0) if full else 0,
            forgotten=self._catalog.count_forgotten(config.query, config.source),
        )
        if self._trouble is not None:
            return report, self._trouble
        if ended and (text := near_ceiling(config.source, self._found)):
            self._listener(Note(STAGE, text))
        return report, None if report.images or report.stopped else nothing(report)


class _Items(Iterator[SearchResult]):
    """An end for now: once a download has come to nothing, there are more."""

    def __init__(self, following: Callable[[], SearchResult | None]) -> None:
        self._following = following

    def __next__(self) -> SearchResult:
        result = self._following()
        if result is None:
            raise StopIteration
        return result
