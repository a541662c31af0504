import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import (
    BlockedError,
    CatalogError,
    ConfigError,
    NothingProducedError,
    SourceError,
    WorkspaceError,
)
from facegan.core.events import Advanced, Finished, Note, Started
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.scrape import scrape
from tests import servers


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def settings(gallery, **options):
    options = {"workers": 4, "retries": 0} | options
    return ScrapeConfig("artist", base_url=gallery.base_url, allow_hosts=(gallery.host,), **options)


def fetches(gallery):
    """Times that each picture was asked for."""
    return {
        path.removeprefix("/pictures/"): times
        for path, times in gallery.requests.items()
        if path.startswith("/pictures/")
    }


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


def test_all_images_of_all_pages_are_kept(workspace):
    events = []
    with Gallery(servers.pictures(80)) as gallery:
        report = scrape(settings(gallery), workspace, listener=events.append)
    assert (report.images, report.results, report.tally.kept) == (80, 80, 80)
    assert report.new_bytes == sum(map(len, servers.pictures(80).values()))
    assert report.next_step == "facegan crop"
    assert json.loads(json.dumps(report.as_dict()))["tally"]["kept"] == 80
    check_consistent(workspace)
    assert events[0] == Started("scrape", 1000, "image", 0)
    assert events[-1] == Finished("scrape")
    assert events[-2] == Advanced("scrape", 80, {"kept": 80})
    assert sum(isinstance(event, Started) for event in events) == 1


@pytest.mark.parametrize("limit", [1, 7, 35, 41])
def test_limit_is_kept_exactly_and_nothing_is_fetched_in_vain(workspace, limit):
    good = servers.pictures(60)
    faults = {f"{number:04}.jpg": servers.status(404) for number in range(0, 60, 7)}
    with Gallery(good, faults=faults) as gallery:
        report = scrape(settings(gallery, limit=limit), workspace)
        asked = fetches(gallery)
    assert report.images == report.tally.kept == limit
    assert len(asked) == report.tally.total
    assert rows(workspace, "SELECT count(*) FROM images") == [(limit,)]
    check_consistent(workspace)


def test_page_that_is_not_needed_is_not_asked_for(workspace):
    with Gallery(servers.pictures(80)) as gallery:
        scrape(settings(gallery, limit=35), workspace)
        assert sum(path.startswith("/images/") for path in gallery.requests) == 1


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


def test_call_with_enough_images_asks_nobody(workspace):
    events = []
    with Gallery(servers.pictures(10)) as gallery:
        scrape(settings(gallery, limit=5), workspace)
        gallery.requests.clear()
        report = scrape(settings(gallery, limit=5), workspace, listener=events.append)
        assert gallery.requests.total() == 0
    assert report.tally.total == 0
    assert events == [Note("scrape", "5 images of 'artist' are here: nothing to do")]


def test_higher_limit_goes_on(workspace):
    with Gallery(servers.pictures(50)) as gallery:
        scrape(settings(gallery, limit=12), workspace)
        report = scrape(settings(gallery, limit=40), workspace)
        assert report.images == 40
        assert set(fetches(gallery).values()) == {1}


def test_changed_setting_tries_what_it_decides_again(workspace):
    with Gallery({"a.jpg": servers.picture(1, side=40), **servers.pictures(2)}) as gallery:
        first = scrape(settings(gallery, min_size_px=50), workspace)
        assert first.tally.rejected == {"too_small": 1}
        gallery.requests.clear()
        assert scrape(settings(gallery, min_size_px=30), workspace).images == 3
        assert fetches(gallery) == {"a.jpg": 1}


def test_identical_bytes_are_stored_once(workspace):
    same = servers.picture(3)
    with Gallery({"a.jpg": same, "b.png": same, "c": same}) as gallery:
        report = scrape(settings(gallery), workspace)
    assert (report.images, report.tally.rejected) == (1, {"duplicate": 2})
    assert len(list(workspace.images.glob("*/*"))) == 1
    (found,) = rows(workspace, "SELECT count(*), count(DISTINCT image_sha256) FROM search_results")
    assert found == (3, 1)


def test_image_of_another_query_counts_and_is_not_fetched_again(workspace):
    with Gallery(servers.pictures(10)) as gallery:
        scrape(settings(gallery), workspace)
        gallery.requests.clear()
        other = ScrapeConfig(
            "painter", base_url=gallery.base_url, allow_hosts=(gallery.host,), limit=6
        )
        report = scrape(other, workspace)
        assert fetches(gallery) == {}
    assert (report.images, report.tally.total, report.new_bytes) == (6, 0, 0)


def test_every_bad_answer_is_told_and_nothing_good_is_lost(workspace):
    body = servers.picture(77)
    faults = {
        "gone": servers.status(404),
        "gone for good": servers.status(410),
        "teapot": servers.status(418),
        "busy": servers.status(429),
        "broken": servers.status(500),
        "silent": servers.never(),
        "page": servers.html(),
        "half": servers.truncated(body),
        "empty": servers.serve(b""),
        "text.jpg": servers.serve(b"no picture"),
        "slow": servers.drip(body),
        "circle": servers.redirect("/pictures/circle"),
        "inside": servers.redirect("http://127.0.0.9:1/"),
        "giant": servers.serve(servers.giant_png()),
        "bomb": servers.gzip_bomb(30),
    }
    with Gallery(servers.pictures(30), faults=faults) as gallery:
        config = settings(gallery, workers=16, timeout_s=0.3, deadline_s=0.6, max_bytes=1_000_000)
        report = scrape(config, workspace)
    assert report.images == report.tally.kept == 30
    assert report.tally.rejected == {
        "not_an_image": 3,
        "http_404": 1,
        "http_410": 1,
        "http_4xx": 1,
        "too_many_redirects": 1,
        "blocked_address": 1,
        "too_many_pixels": 1,
        "too_large": 1,
    }
    assert report.tally.failed == {"timeout": 2, "http_429": 1, "http_5xx": 1, "short_body": 1}
    check_consistent(workspace)


HOSTILE = [
    "../../outside.jpg",
    "/etc/outside.jpg",
    "..\\..\\outside.jpg",
    "a/../../../../outside.jpg",
    "nul\0.jpg",
    "-rf.jpg",
    "x" * 300 + ".jpg",
    ".hidden.jpg",
    "evil.php",
    "line\nbreak.jpg",
]


def test_nothing_is_written_outside_the_workspace_whatever_a_server_calls_it(tmp_path):
    workspace = Workspace(tmp_path / "deep" / "data")
    offered = {name: servers.picture(number) for number, name in enumerate(HOSTILE)}
    with Gallery(offered) as gallery:
        assert scrape(settings(gallery), workspace).images == len(HOSTILE)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["data"]
    for path in workspace.images.rglob("*"):
        assert path.is_dir() or (path.suffix, len(path.stem)) == (".jpg", 64)
    assert {path.name for path in workspace.root.iterdir()} <= {"images", "catalog.db"}


def test_empty_search_ends_with_nothing_produced(workspace):
    with Gallery({}) as gallery, pytest.raises(NothingProducedError, match="no image for 'artist'"):
        scrape(settings(gallery), workspace)


def test_search_without_a_usable_image_ends_with_nothing_produced(workspace):
    faults = {"a": servers.html(), "b": servers.html(), "c": servers.status(404)}
    with Gallery({}, faults=faults) as gallery, pytest.raises(NothingProducedError) as caught:
        scrape(settings(gallery), workspace)
    assert "none of 3 addresses for 'artist' gave an image" in str(caught.value)
    assert "not_an_image 2, http_404 1" in str(caught.value)


def test_images_that_all_fail_are_the_networks_fault(workspace):
    with Gallery({}, faults={"a": servers.status(500)}) as gallery:
        with pytest.raises(SourceError, match="http_5xx 1") as caught:
            scrape(settings(gallery), workspace)
        assert caught.value.exit_code == 4


def test_unreachable_source(workspace):
    with Gallery({}) as gallery:
        config = settings(gallery)
    with pytest.raises(SourceError, match="cannot reach"):
        scrape(config, workspace)


def test_search_that_breaks_off_keeps_what_it_had(workspace):
    events = []
    with Gallery(servers.pictures(60)) as gallery:
        whole = gallery.page

        def page(query, first, count, *, full):
            if first > 35:
                raise RuntimeError("the server falls over")
            return whole(query, first, count, full=full)

        gallery.page = page
        with pytest.raises(SourceError, match="cannot reach"):
            scrape(settings(gallery), workspace, listener=events.append)
        text = "35 images are kept for 'artist'; the search broke off"
        assert Note("scrape", text, warning=True) in events
        check_consistent(workspace)
        gallery.page = whole
        assert scrape(settings(gallery), workspace).images == 60
        assert set(fetches(gallery).values()) == {1}


def test_page_that_nobody_understands_is_kept(workspace):
    with Gallery(servers.pictures(1)) as gallery:
        gallery.page = lambda *_, **__: "<html>Please prove that you are no robot</html>"
        with pytest.raises(BlockedError, match=r"kept in .*answers/bing\.html") as caught:
            scrape(settings(gallery), workspace)
    assert caught.value.exit_code == 4
    assert "no robot" in (workspace.root / "answers" / "bing.html").read_text()


def test_stop_ends_after_the_downloads_in_flight(workspace):
    done = []
    with Gallery(servers.pictures(60)) as gallery:
        report = scrape(
            settings(gallery, workers=2),
            workspace,
            listener=lambda event: done.append(event) if isinstance(event, Advanced) else None,
            should_stop=lambda: len(done) >= 5,
        )
        assert report.stopped
        assert "facegan scrape" in report.next_step
        assert 5 <= report.images <= 5 + 2 * 2
        check_consistent(workspace)
        assert scrape(settings(gallery), workspace).images == 60
        assert set(fetches(gallery).values()) == {1}


def test_wrong_settings_touch_nothing(workspace):
    with pytest.raises(ConfigError):
        scrape(ScrapeConfig("artist", limit=0), workspace)
    assert not workspace.root.exists()


def test_workspace_that_cannot_be_made(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        scrape(ScrapeConfig("artist"), Workspace(tmp_path / "data"))


def test_corrupt_catalog_is_named(workspace):
    workspace.create()
    workspace.catalog.write_bytes(b"garbage" * 1000)
    with pytest.raises(CatalogError, match="corrupt"):
        scrape(ScrapeConfig("artist"), workspace)


def test_full_disk_stops_and_loses_nothing(workspace, monkeypatch):
    real, writes = os.fsync, itertools.count()

    def fsync(descriptor):
        if next(writes) >= 6:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with Gallery(servers.pictures(40)) as gallery:
        with monkeypatch.context() as patch:
            patch.setattr("facegan.core.files.os.fsync", fsync)
            with pytest.raises(WorkspaceError, match="the disk is full"):
                scrape(settings(gallery), workspace)
        check_consistent(workspace)
        assert rows(workspace, "SELECT count(*) FROM images") == [(6,)]
        assert list(workspace.images.glob("*/.*")) == []
        assert scrape(settings(gallery), workspace).images == 40


def test_old_leftovers_go_and_young_ones_stay(workspace):
    folder = workspace.images / "ab"
    folder.mkdir(parents=True)
    for name, age_s in ((".old.jpg.1.tmp", 7200), (".young.jpg.2.tmp", 5)):
        (folder / name).touch()
        then = time.time() - age_s
        os.utime(folder / name, (then, then))
    with Gallery(servers.pictures(1)) as gallery:
        scrape(settings(gallery), workspace)
    assert [path.name for path in folder.iterdir()] == [".young.jpg.2.tmp"]


def test_file_without_a_row_is_taken_up(workspace):
    data = servers.picture(0)
    sha256 = hashlib.sha256(data).hexdigest()
    path = workspace.images / sha256[:2] / f"{sha256}.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with Gallery({"a.jpg": data}) as gallery:
        report = scrape(settings(gallery), workspace)
    assert (report.images, report.new_bytes) == (1, 0)


def test_given_transport_is_left_open(workspace):
    with Gallery(servers.pictures(3)) as gallery:
        config = settings(gallery)
        with Transport(config) as transport:
            scrape(config, workspace, transport=transport)
            assert transport.page(gallery.base_url + "/images/search?q=a&count=1")


PROGRAM = """
import sys
from pathlib import Path
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.scrape import scrape
from pathlib import Path
url, host, root = sys.argv[1:]
scrape(ScrapeConfig("artist", base_url=url, allow_hosts=(host,), workers=4), Workspace(Path(root)))
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_it_goes_on_and_fetches_nothing_twice(workspace, seed):
    count, workers = 120, 4
    with Gallery(servers.pictures(count)) as gallery:
        killed_at = random.Random(seed).randrange(1, count)
        arguments = [gallery.base_url, gallery.host, str(workspace.root)]
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
        until = time.monotonic() + 60
        while len(fetches(gallery)) < killed_at and time.monotonic() < until:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)

        check_consistent(workspace)
        with Catalog(workspace.catalog) as catalog:
            assert catalog.count_images("artist", "bing") <= killed_at + 2 * workers
        assert scrape(settings(gallery), workspace).images == count
        check_consistent(workspace)
        again = {name: times for name, times in fetches(gallery).items() if times > 1}
        assert set(again.values()) <= {2}
        assert len(again) <= 2 * workers


def test_files_with_names_that_are_no_utf_8_are_kept_and_unreadable_ones_tried_again(
    workspace, tmp_path, monkeypatch
):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(2):
        (folder / os.fsdecode(b"caf\xe9 %d.jpg" % number)).write_bytes(servers.picture(number))
    config = ScrapeConfig("a", source="folder", folder=folder, workers=1)
    real = os.open

    def broken(path, *rest, **more):
        if "1.jpg" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", broken)
        report = scrape(config, workspace)
    assert (report.images, dict(report.tally.failed)) == (1, {"unreadable": 1})
    assert scrape(config, workspace).images == 2
    titles = rows(workspace, "SELECT title FROM search_results ORDER BY rank")
    assert titles == [("caf\ufffd 0",), ("caf\ufffd 1",)]


def test_bytes_that_were_opted_out_are_not_stored_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    config = ScrapeConfig("drawn", source="portraits", limit=1)
    scrape(config, workspace)
    stored = next(path for path in workspace.images.rglob("*.png"))
    with sqlite3.connect(workspace.catalog) as db:
        db.execute("UPDATE images SET status = 'rejected', reason = 'opted_out'")
    db.close()
    stored.unlink()
    with contextlib.suppress(NothingProducedError):
        scrape(dataclasses.replace(config, query="other"), workspace)
    with contextlib.suppress(NothingProducedError):
        scrape(dataclasses.replace(config, min_size_px=33), workspace)
    assert not stored.exists()
