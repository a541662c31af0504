import hashlib
import os
import subprocess
import sys
import tracemalloc

import pytest

from facegan.core import image_tables
from facegan.core.catalog import Catalog
from facegan.core.events import Note
from facegan.core.files import Workspace
from pipeline import gather, store
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.scrape import scrape
from tests import servers
from tests.scrape_helpers import GONE, check_consistent, fetched, fetches, lists, rows, settings


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def test_second_call_fetches_what_is_missing_alone(workspace):
    passing = servers.first(servers.status(500), servers.serve(servers.picture(500)))
    faults = {"gone.jpg": servers.status(404), "later.jpg": passing}
    with Gallery(servers.pictures(20), faults=faults) as gallery:
        first = scrape(settings(gallery), workspace)
        assert first.tally.as_dict() == {
            "kept": 20,
            "rejected": {"http_404": 1},
            "failed": {"http_5xx": 1},
        }
        gallery.requests.clear()
        second = scrape(settings(gallery), workspace)
        assert fetches(gallery) == {"later.jpg": 1}
        assert (second.images, second.tally.kept) == (21, 1)
    check_consistent(workspace)


def test_stop_ends_after_the_downloads_in_flight(workspace):
    with Gallery(servers.pictures(60)) as gallery:
        report = scrape(
            settings(gallery, workers=2),
            workspace,
            should_stop=lambda: len(fetches(gallery)) >= 5,
        )
        assert report.stopped
        assert "facegan scrape" in report.next_step
        assert report.images == len(fetches(gallery)) <= 5 + 2 + 2 * 2
        check_consistent(workspace)
        assert scrape(settings(gallery), workspace).images == 60
        assert set(fetches(gallery).values()) == {1}


def test_leftovers_of_a_kill_go(workspace):
    left = workspace.images / ".arriving" / ".3.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with Gallery(servers.pictures(1)) as gallery:
        scrape(settings(gallery), workspace)
    assert not left.exists()
    assert len([path for path in workspace.images.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("content", [servers.picture(0), b"", b"damaged" * 99])
def test_file_without_a_row_is_taken_up_or_replaced(workspace, content):
    data = servers.picture(0)
    sha256 = hashlib.sha256(data).hexdigest()
    path = workspace.images / sha256[:2] / f"{sha256}.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with Gallery({"a.jpg": data}) as gallery:
        assert scrape(settings(gallery), workspace).images == 1
    assert path.read_bytes() == data
    assert stored(workspace) == [path]


# files that are lost


def stored(workspace):
    """The kept images' paths."""
    return sorted(path for path in workspace.images.rglob("*") if path.is_file())


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [os.unlink, empty])
def test_image_whose_file_is_gone_or_short_is_fetched_again(workspace, damage):
    events = []
    with Gallery(servers.pictures(5)) as gallery:
        scrape(settings(gallery, limit=4), workspace)
        gallery.requests.clear()
        damage(stored(workspace)[0])
        report = scrape(settings(gallery, limit=4), workspace, listener=events.append)
        assert len(fetches(gallery)) == 1
    text = "1 images are gone or damaged: they are fetched again where they can be"
    assert Note("scrape", text, warning=True) in events
    assert (report.images, report.tally.as_dict()["kept"]) == (4, 1)
    check_consistent(workspace)


def test_lost_image_that_its_server_no_longer_has_is_no_image(workspace):
    with Gallery(servers.pictures(3)) as gallery:
        scrape(settings(gallery), workspace)
        lost = stored(workspace)[0]
        lost.unlink()
        gallery.faults = dict.fromkeys(gallery.pictures, servers.status(404))
        assert scrape(settings(gallery), workspace).images == 2
    assert rows(workspace, "SELECT count(*) FROM images") == [(2,)]
    assert not lost.exists()


def test_images_of_a_call_that_was_cut_off_are_read_again_once(workspace):
    with Gallery(servers.pictures(4)) as gallery:
        scrape(settings(gallery), workspace)
        with Catalog(workspace.catalog) as catalog, catalog._db.transaction() as db:
            db.execute("UPDATE scrapes SET ended_at = NULL")
        damaged = stored(workspace)[2]
        damaged.write_bytes(bytes(damaged.stat().st_size))
        gallery.requests.clear()
        assert scrape(settings(gallery), workspace).images == 4
        assert len(fetches(gallery)) == 1
    check_consistent(workspace)
    assert rows(workspace, "SELECT count(*) FROM scrapes WHERE ended_at IS NULL") == [(0,)]


def test_images_of_a_call_that_ended_are_not_read(workspace, monkeypatch):
    with Gallery(servers.pictures(3)) as gallery:
        scrape(settings(gallery, limit=3), workspace)
        monkeypatch.setattr(store, "sha256_of_file", None)
        assert scrape(settings(gallery, limit=3), workspace).images == 3


# memory


def peak(tmp_path, monkeypatch, count):
    """Bytes of Python's that a scrape of `count` results needs at most."""
    workspace = Workspace(tmp_path / str(count))
    urls = (f"https://{n % 50}.example/{n}" for n in range(count))
    lists(monkeypatch, urls, lambda n: fetched(0) if n == 7 else GONE)
    tracemalloc.start()
    report = scrape(ScrapeConfig("artist", limit=10**6), workspace)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.tally.total == count
    return highest


def test_memory_does_not_grow_with_the_results(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "BATCH", 100)
    monkeypatch.setattr(image_tables, "PAGE", 100)
    peak(tmp_path, monkeypatch, 300)  # modules and caches
    few, many = (peak(tmp_path, monkeypatch, count) for count in (1_000, 4_000))
    # The address alone, remembered once, would be more.
    assert (many - few) / 3_000 < 40


MANY = """
import resource, sys
from pathlib import Path
import pipeline.scrape
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from tests.scrape_helpers import GONE, Listed, fetched

def urls():
    for n in range(101_000):
        if n % 1000 == 0:
            sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        yield f"https://{n % 500}.example/{n}"

sizes = []
source = Listed(urls(), lambda result: fetched(0) if result.rank == 7 else GONE)
pipeline.scrape.open_source = lambda *_: source
config = ScrapeConfig("artist", limit=10**7)
report = pipeline.scrape.scrape(config, Workspace(Path(sys.argv[1])))
print(report.tally.total, sizes[20], sizes[-1])
"""


@pytest.mark.slow
def test_a_hundred_thousand_results_take_no_more_memory_than_twenty_thousand(workspace):
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(workspace.root)], stdout=subprocess.PIPE, check=True
    )
    total, early_kib, late_kib = map(int, done.stdout.split())
    assert total >= 100_000
    # A set of the addresses would be 150 bytes each. SQLite's cache is full by the first measure.
    assert late_kib - early_kib < 40 * (total - 20_000) / 1024
