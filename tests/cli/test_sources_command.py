"""`facegan sources` and `facegan sources check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.gallery import Gallery
from pipeline.sources import SOURCES
from tests import servers
from tests.sources_servers import Service

from .conftest import Run


def test_sources_are_listed_with_what_they_need_and_allow(facegan: Run, tmp_path: Path) -> None:
    done = facegan("sources")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line in SOURCES] == list(SOURCES)
    assert done.stdout.count("  licences ") == len(SOURCES)
    assert lines[-1] == "next: facegan sources check"
    assert list(tmp_path.iterdir()) == []


def test_check_asks_and_ends_well_where_the_answer_is_as_expected(
    facegan: Run, tmp_path: Path
) -> None:
    with Gallery(servers.pictures(4)) as gallery:
        server = ("--base-url", gallery.base_url, "--allow-host", gallery.host)
        done = facegan("sources", "check", "bing", *server, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    (check,) = document["result"]["checks"]
    assert (check["source"], check["ok"], check["results"]) == ("bing", True, 3)
    assert list(tmp_path.iterdir()) == []


def test_changed_answer_ends_with_code_4_and_is_kept(facegan: Run, tmp_path: Path) -> None:
    with Service({}) as service:
        service.say(b"<h1>Welcome</h1>")
        server = ("--base-url", service.base_url, "--allow-host", service.host)
        done = facegan("sources", "check", "bing", *server)
    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith("--  bing: 127.0.0.1")
    assert done.stdout.endswith("1 of 1 sources do not answer as expected: bing\n")
    assert (tmp_path / "data" / "answers" / "bing.html").read_text() == "<h1>Welcome</h1>"
    assert "data/answers/bing.html" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("chekc",), "Did you mean 'check'?"),
        (("check", "bin"), "Did you mean 'bing'?"),
        (("check", "folder"), "There are bing, commons, openverse, met"),
        (("check", "--base-url", "http://127.0.0.1:1"), "for one SOURCE"),
    ],
)
def test_words_that_are_none(args: tuple[str, ...], said: str) -> None:
    import click

    import cli

    with pytest.raises(click.UsageError, match=said.replace("?", r"\?")):
        cli.facegan.main(["sources", *args], standalone_mode=False, obj={})
