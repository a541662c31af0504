import contextlib
import dataclasses
import itertools
import os
import sqlite3

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import CatalogError, NothingProducedError, WorkspaceError
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.scrape import scrape
from tests import servers
from tests.scrape_helpers import check_consistent, fetched, lists, rows, settings


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


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
        config = settings(gallery, workers=16, timeout_s=1, deadline_s=2, max_bytes=1_000_000)
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
    assert {path.name for path in workspace.root.iterdir()} <= {"images", "catalog.db", ".lock"}


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
        assert rows(workspace, "SELECT count(*) <= 6 FROM images") == [(1,)]
        assert list(workspace.images.glob(".*")) == []
        assert scrape(settings(gallery), workspace).images == 40


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


def test_bytes_that_were_opted_out_are_not_stored_again(tmp_path):
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


def test_forgotten_bytes_are_not_kept_under_another_address(workspace, monkeypatch):
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        catalog.remember_forgotten("sha256", [fetched(0).sha256])
    lists(monkeypatch, ["https://a.example/1"], lambda _: fetched(0))
    with pytest.raises(NothingProducedError, match="forgotten 1"):
        scrape(ScrapeConfig("artist"), workspace)
    assert rows(workspace, "SELECT status, reason FROM search_results") == [
        ("rejected", "forgotten")
    ]
    assert [path for path in workspace.images.rglob("*") if path.is_file()] == []


def test_error_of_one_download_loses_none_of_those_that_were_done(workspace, monkeypatch):
    def fetch(number):
        if number == 9:
            raise WorkspaceError("the folder went away")
        return fetched(number)

    lists(monkeypatch, [f"https://a.example/{n}" for n in range(10)], fetch)
    config = ScrapeConfig("artist", workers=1)
    with pytest.raises(WorkspaceError, match="went away"):
        scrape(config, workspace)
    assert rows(workspace, "SELECT count(*) FROM images") == [(9,)]
    assert rows(workspace, "SELECT ended_at FROM scrapes") == [(None,)]
    check_consistent(workspace)
