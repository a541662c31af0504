"""`facegan sources` and `facegan sources check`."""

from __future__ import annotations

import json
import sys
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


def test_a_named_source_is_shown_alone(facegan: Run) -> None:
    document = json.loads(facegan("sources", "commons", "--json").stdout)
    assert [source["name"] for source in document["result"]["sources"]] == ["commons"]


def test_list_fits_the_terminal_and_is_one_line_each_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cli

    def lines() -> list[str]:
        cli.facegan.main(["sources"], standalone_mode=False, obj={})
        return capsys.readouterr().out.splitlines()

    monkeypatch.setenv("COLUMNS", "60")
    flowing = lines()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    wrapped = lines()
    assert len(flowing) == 1 + 6 * len(SOURCES)
    assert max(map(len, wrapped)) <= 60 < max(map(len, flowing))
    assert " ".join(" ".join(flowing).split()) == " ".join(" ".join(wrapped).split())
    assert {line[: len(line) - len(line.lstrip())] for line in wrapped} == {"", "  ", " " * 12}


@pytest.mark.usefixtures("capsys")
def test_problem_is_wrapped_and_the_kept_files_name_stays_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from facegan.commands.sources import _lines
    from pipeline.sources.check import SourceCheck

    path = "data/answers/" + "a" * 60
    problem = f"it answers with a page that nobody understands. The page is kept in {path}"
    done = SourceCheck("bing", False, 0, 12.0, (), problem, "wait for an hour " * 5, path)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = _lines(done)
    assert sum(path in line for line in lines) == 1
    assert all(len(line) <= 60 for line in lines if path not in line)
    assert all(line.startswith("    ") for line in lines[1:])


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
        (("comons",), "Did you mean 'commons'?"),
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
