"""`facegan credits` and `facegan forget`, as they are typed."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

import cli
from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, write_bytes
from facegan.core.shards import open_index
from pipeline.credits import write_credits
from tests.forget_helpers import began, crop, filled, hash_of, kept, result

from .conftest import Run

URL = result(1).url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace under its usual name, in the current folder."""
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / "data")
    return Workspace(Path("data"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    return int(ended.value.code or 0)


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> Terminal:
    """Someone types `text` on a terminal; what they are shown."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(text))
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


# credits


def test_credits_are_written_and_counted(
    facegan: Run, home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    done = facegan("credits", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {
        "images": 4,
        "unknown": 1,
        "disagreeing": 0,
        "licences": [{"license": "CC0", "images": 3}],
        "files": ["data/CREDITS.md", "data/credits.csv"],
    }
    assert typed("credits", "--shards", "data/shards", "--out", "out") == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "4 pictures in CREDITS.md and credits.csv, in out",
        "  1 whose licence nobody told",
        "  3 CC0",
    ]
    assert Path("out/CREDITS.md").read_text().count("\n- ") == 4 + 2
    assert (home.root / "credits.csv").exists()


def test_credits_leave_a_file_of_ones_own(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("CREDITS.md").write_text("# Thanks to my friends")
    assert typed("credits", "--out", ".") == 3
    assert "hint: name another folder: --out DIR" in capsys.readouterr().err
    assert Path("CREDITS.md").read_text() == "# Thanks to my friends"
    assert typed("credits") == 0
    assert (home.root / "CREDITS.md").exists()


def test_credits_of_nothing_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("credits") == 3
    assert "no images in data" in capsys.readouterr().err
    assert typed("credits", "--shards", ".", "--all") == 2
    assert list(tmp_path.iterdir()) == []


# forget


def test_forget_says_what_went_and_who_has_seen_it(facegan: Run, home: Workspace) -> None:
    began(home, "00001-a", open_index(home.shards).selection)
    write_bytes(home.runs / "00001-a/plots/scores.png", b"x")
    write_credits(home)
    done = facegan("forget", URL, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"forgot url {URL}: 1 image with 1 kept face",
        "removed 1 image, 1 face, figures of scores, CREDITS.md, credits.csv",
        "1 address remembered: no later scrape fetches there",
        "`facegan credits` writes the credits anew",
        "packed the shards anew: 3 images",
        "trained with it, so their models have seen it: 00001-a",
        "to be rid of these models too, delete data/runs/00001-a",
        "next: facegan train",
    ]
    assert kept(home) == [0, 2, 3]


def test_without_a_terminal_only_yes_will_do(
    facegan: Run, home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    done = facegan("forget", URL, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert "1 image and 1 kept face" in error["message"]
    assert "--yes" in error["hint"]
    assert kept(home) == [0, 1, 2, 3]
    assert typed("forget", URL, "--json", "--yes") == 0
    said = json.loads(capsys.readouterr().out)["result"]
    assert (said["images"], said["shards"], said["target"]["kind"]) == (1, "packed", "url")


def test_a_dry_run_shows_and_leaves(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    write_credits(home)
    (home.runs / "00001-a").mkdir(parents=True)
    began(home, "00001-a", open_index(home.shards).selection)
    assert typed("forget", "img.example", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "would forget host img.example: 2 images with 2 kept faces; the host and 3 addresses",
        *(f"  {result(number).url} (Title-{number})" for number in (1, 3, 5)),
        "with it goes what was made of pictures: CREDITS.md, credits.csv",
        "trained with it, so their models have seen it: 00001-a",
        "to be rid of these models too, delete data/runs/00001-a",
    ]
    assert kept(home) == [0, 1, 2, 3]


def test_ten_addresses_are_shown_and_all_are_in_json(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "\x1b[2JTitle"
    private = "https://ada:pa55word@a.example/x.jpg"
    with Catalog(home.catalog) as catalog:
        catalog.add_results([result(number, title=title) for number in range(6, 12)])
        catalog.add_results([replace(result(12), url=private)])
    assert typed("forget", "artist", "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.count("\n  https://") == 10
    assert "  and 3 more: --json names all\n" in said
    assert "\x1b" not in said
    assert typed("forget", "artist", "--dry-run", "--json") == 0
    going = json.loads(capsys.readouterr().out)["result"]["going"]
    assert len(going) == 13
    assert going[0] == {"url": result(0).url, "title": "Title-0"}
    assert going[-1]["url"] == "https://a.example/x.jpg"


def test_ctrl_c_at_the_question_changes_nothing_and_says_so(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> bool:
        raise click.Abort

    answer(monkeypatch, "")
    monkeypatch.setattr(click, "confirm", interrupted)
    assert typed("forget", URL) == 130
    assert capsys.readouterr().out == "nothing was changed\n"
    assert kept(home) == [0, 1, 2, 3]


def test_a_mistyped_address_is_an_error_and_can_be_barred(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    typo = URL.replace("picture", "pictrue")
    assert typed("forget", typo, "--yes") == 3
    said = capsys.readouterr().err
    assert f"nothing here came from {typo}; the nearest is {URL}" in said
    assert "hint: --as url bars it all the same" in said
    assert typed("forget", typo, "--as", "url", "--yes") == 0
    assert "1 address remembered" in capsys.readouterr().out
    assert kept(home) == [0, 1, 2, 3]


@pytest.mark.parametrize(("reply", "left"), [("y\n", [0, 2, 3]), ("n\n", [0, 1, 2, 3])])
def test_on_a_terminal_it_shows_and_asks(
    home: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reply: str,
    left: list[int],
) -> None:
    shown = answer(monkeypatch, reply)
    assert typed("forget", hash_of(1)[:12]) == 0
    assert "will forget sha256" in shown.getvalue()
    assert "go on? [y/N]" in shown.getvalue()
    assert kept(home) == left
    assert ("nothing was changed" in capsys.readouterr().out) == (reply == "n\n")


def test_a_host_that_nothing_came_from_is_barred_only_by_name(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("forget", "ada.jpg", "--yes") == 3
    assert "hint: --as host bars it all the same" in capsys.readouterr().err
    assert typed("forget", "ada.jpg", "--as", "host", "--yes") == 0
    assert kept(home) == [0, 1, 2, 3]


def test_a_word_that_is_no_query_names_the_nearest(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("forget", "artists", "--yes") == 3
    said = capsys.readouterr().err
    assert "the nearest is 'artist'" in said
    assert "hint: searched for here: 'artist'" in said
    assert typed("forget", "artist", "--as", "query", "--yes") == 0
    assert not (home.shards / "index.json").exists()
    assert crop(1) not in b"".join(p.read_bytes() for p in home.root.rglob("*") if p.is_file())
