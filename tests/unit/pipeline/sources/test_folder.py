"""The source folder's own ways; what it shares with the others stands in tests/contract."""

import errno
import inspect
import os
import sys

import pytest

from facegan.core.errors import SourceError
from facegan.core.records import SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched
from pipeline.http import Transport
from pipeline.sources import open_source
from tests import servers


def folder_source(folder, **options):
    config = ScrapeConfig("a", source="folder", folder=folder, **options)
    return open_source(config, Transport(config), folder)


def test_folder_takes_files_by_content_and_leaves_hidden_ones_and_links_to_folders(tmp_path):
    folder, outside = tmp_path / "faces", tmp_path / "secret.jpg"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".git").mkdir()
    outside.write_bytes(servers.picture(9))
    for name in ("no suffix", "ä ö%41.txt", "deep/er/x.jpg", ".hidden.jpg", ".git/y.jpg"):
        (folder / name).write_bytes(servers.picture(len(name)))
    (folder / "text.jpg").write_text("no picture")
    (folder / "link.jpg").symlink_to(outside)
    (folder / "links").symlink_to(tmp_path)
    source = folder_source(folder)
    found = {result.title: source.fetch(result) for result in source.search("a")}
    assert list(found) == ["x", "link", "no suffix", "text", "ä ö%41"]
    assert found["text"].reason == "not_an_image"
    assert sum(isinstance(fetched, Fetched) for fetched in found.values()) == 4
    assert found["link"].data == outside.read_bytes()


def test_links_that_lead_nowhere_or_to_what_is_no_file_are_rejected(tmp_path):
    os.mkfifo(tmp_path / ".pipe")
    for name, target in (
        ("broken", "gone.jpg"),
        ("itself", "itself"),
        ("pipe", ".pipe"),
        ("zero", "/dev/zero"),
    ):
        (tmp_path / name).symlink_to(target)
    source = folder_source(tmp_path)
    outcomes = {result.title: source.fetch(result) for result in source.search("a")}
    assert list(outcomes) == ["broken", "itself", "pipe", "zero"]
    for outcome in outcomes.values():
        assert (outcome.status, outcome.reason) == (Status.REJECTED, "unreadable")
    assert outcomes["broken"].detail == "a link that leads nowhere"


def test_file_outside_of_the_folder_is_not_read(tmp_path):
    folder, outside = tmp_path / "faces", tmp_path / "a.jpg"
    folder.mkdir()
    outside.write_bytes(servers.picture())
    (folder / "links").symlink_to(tmp_path)
    source = folder_source(folder)
    for url in (
        outside.as_uri(),
        f"{folder.as_uri()}/../a.jpg",
        f"{folder.as_uri()}/%2e%2e/a.jpg",
        f"{folder.as_uri()}/links/a.jpg",
    ):
        assert source.fetch(SearchResult(url, "a", "folder", 0)).reason == "blocked_address"


def test_file_that_is_gone_too_large_or_no_file(tmp_path):
    (tmp_path / "large.jpg").write_bytes(servers.picture(side=500))
    os.mkfifo(tmp_path / "pipe.jpg")
    source = folder_source(tmp_path, max_bytes=100)
    for name, status, reason in (
        ("large.jpg", "rejected", "too_large"),
        ("gone.jpg", "failed", "unreadable"),
        ("pipe.jpg", "rejected", "unreadable"),
        ("", "rejected", "unreadable"),
    ):
        outcome = source.fetch(SearchResult((tmp_path / name).as_uri(), "a", "folder", 0))
        assert (outcome.status, outcome.reason) == (status, reason)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_file_that_cannot_be_read_now_is_left_for_the_next_call(tmp_path, monkeypatch, number):
    (tmp_path / "a.jpg").write_bytes(servers.picture())
    source = folder_source(tmp_path)
    (result,) = source.search("a")
    with monkeypatch.context() as patch:

        def refuse(*_, **__):
            raise OSError(number, os.strerror(number))

        patch.setattr(os, "open", refuse)
        outcome = source.fetch(result)
    assert (outcome.status, outcome.reason) == (Status.FAILED, "unreadable")
    assert outcome.detail == os.strerror(number)
    assert isinstance(source.fetch(result), Fetched)


def test_name_that_is_no_utf_8_is_text_and_its_file_is_found(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xe9p\xf4t")
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(servers.picture())
    source = folder_source(tmp_path)
    (result,) = source.search("a")
    assert result.title == "caf\ufffd"
    assert result.url.encode().endswith(b"/d%E9p%F4t/caf%E9.jpg")
    assert isinstance(source.fetch(result), Fetched)
    inner = folder_source(folder)
    outcome = inner.fetch(SearchResult("file:///etc/passwd", "a", "folder", 0))
    assert outcome.detail.endswith("/d\ufffdp\ufffdt")
    (folder / os.fsdecode(b"caf\xe9.jpg")).unlink()
    folder.rmdir()
    with pytest.raises(SourceError, match="/d\ufffdp\ufffdt: No such file"):
        next(inner.search("a"))


def test_folder_that_went_away(tmp_path):
    source = folder_source(tmp_path / "gone")
    with pytest.raises(SourceError, match="No such file"):
        next(source.search("a"))


def test_name_that_a_terminal_would_obey_is_a_plain_title_and_its_file_is_found(tmp_path):
    for name in ("red\x1b[31m\nline  two.jpg", "\x01.jpg"):
        (tmp_path / name).write_bytes(servers.picture(len(name)))
    source = folder_source(tmp_path)
    results = list(source.search("a"))
    assert [result.title for result in results] == ["unnamed", "red[31m line two"]
    assert all(isinstance(source.fetch(result), Fetched) for result in results)


def test_folder_has_more_levels_than_python_calls(tmp_path):
    depth = tmp_path.joinpath(*["a"] * 200)
    depth.mkdir(parents=True)
    (depth / "b.jpg").write_bytes(servers.picture())
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        (result,) = folder_source(tmp_path).search("a")
    finally:
        sys.setrecursionlimit(limit)
    assert result.title == "b"
