"""What the tests of `facegan scrape` share."""

import contextlib
import hashlib
import sqlite3

from facegan.core.records import Outcome, Reason, SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import judge
from tests import servers


def settings(gallery, query="artist", **options):
    options = {"workers": 4, "retries": 0} | options
    return ScrapeConfig(query, base_url=gallery.base_url, allow_hosts=(gallery.host,), **options)


def fetches(gallery):
    """Times that each picture was asked for."""
    return {
        path.removeprefix("/pictures/"): times
        for path, times in gallery.requests.items()
        if path.startswith("/pictures/")
    }


@contextlib.contextmanager
def falling_over(gallery, after):
    """Within the block the search breaks off beyond a place."""
    whole = gallery.page

    def page(query, first, count, *, full):
        if first > after:
            raise RuntimeError("the server falls over")
        return whole(query, first, count, full=full)

    gallery.page = page
    yield
    gallery.page = whole


def rows(workspace, sql):
    with sqlite3.connect(workspace.catalog) as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


def check_consistent(workspace):
    """Files and rows agree, each file is whole, and nothing else lies there."""
    assert rows(workspace, "PRAGMA integrity_check") == [("ok",)]
    images = dict(rows(workspace, "SELECT sha256, path FROM images"))
    for sha256, path in images.items():
        data = (workspace.root / path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
    for path in workspace.images.glob("*/[!.]*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    unlike = (
        "SELECT count(*) FROM search_results AS r LEFT JOIN outcomes AS o ON o.item = r.url"
        " WHERE r.status != coalesce(o.status, 'pending')"
        " OR (r.status = 'kept') != (r.image_sha256 IS NOT NULL AND r.reason IS NULL)"
    )
    assert rows(workspace, unlike) == [(0,)]


GONE = Outcome(Status.REJECTED, Reason.HTTP_404)


class Listed:
    """A source that names addresses and fetches by a function."""

    name = "bing"
    gives = frozenset()

    def __init__(self, urls, fetch):
        self.urls, self.fetch = urls, fetch

    def search(self, query):
        for rank, url in enumerate(self.urls):
            yield SearchResult(url, query, self.name, rank)


def fetched(number):
    """A picture as a source gives it."""
    return judge(servers.picture(number), ScrapeConfig("any"))


def lists(monkeypatch, urls, fetch):
    """Let `scrape` find these addresses; `fetch` is called with each number."""
    source = Listed(urls, lambda result: fetch(result.rank))
    monkeypatch.setattr("pipeline.scrape.open_source", lambda *_: source)
    return source
