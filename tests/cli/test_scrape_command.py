"""`facegan scrape` as somebody types it who uses it for the first time."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from facegan.commands._chain import Step
from facegan.commands._session import Result, Session
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from tests import servers

from .conftest import Typed


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own, and no torch."""
    monkeypatch.delenv("FACEGAN_CONTACT", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    # What `facegan run` looks at first needs torch.
    monkeypatch.setattr("facegan.commands.run._check", lambda _: None)


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        (
            ("scrape", "my family", "--list", "a.txt"),
            "--list is for --source urls, not for bing",
            "facegan scrape 'my family' --source urls --list a.txt",
        ),
        (
            ("scrape", "fam", "--source", "bing,met", "--folder", "."),
            "--folder is for --source folder, not for bing, met",
            "facegan scrape fam --source folder --folder .",
        ),
        (
            ("run", "fam", "--folder", "."),
            "--folder is for --source folder, not for bing",
            "facegan scrape fam --source folder --folder .",
        ),
        (
            ("scrape", "ada", "painter"),
            "2 search terms are given: 'ada', 'painter'",
            'put it in quotes: facegan scrape "ada painter"',
        ),
        (
            ("run", "ada", "painter"),
            "2 search terms are given: 'ada', 'painter'",
            'put it in quotes: facegan run "ada painter"\n',
        ),
        (
            ("scrape", "ada", "--source", "bing,", "commons"),
            "the names of sources stand without blanks",
            "write bing,commons",
        ),
        (
            ("scrape", "a", "--source", "bing,commons", "--base-url", "http://127.0.0.1:9"),
            "--base-url is for one source, not for bing, commons",
            "--source bing",
        ),
        (
            ("scrape", "a", "--source", "bing,portraits", "--license", "public"),
            "--license is public: the source portraits cannot be asked for it",
            "leave portraits out of --source",
        ),
        (
            ("scrape", "./my pictures", "--source", "portraits,bing,met"),
            "./my pictures is a folder: bing, met would be asked for its name",
            "hint: facegan scrape --source folder --folder './my pictures'\n",
        ),
        (
            ("scrape", ".."),
            ".. is a folder: bing would be asked for its name",
            "hint: facegan scrape --source folder --folder ..\n",
        ),
        (("scrape", "--source", "folder"), "give a search term or --queries FILE", ""),
        (
            ("scrape", "--source", "folder,bing", "--folder", "my pictures"),
            "give a search term or --queries FILE",
            "",
        ),
        (("scrape", "--queries", "gone.txt"), "--queries is 'gone.txt': there is no such", ""),
    ],
)
def test_line_that_cannot_be_meant_asks_nobody_and_says_what_to_type(
    typed: Typed, tmp_path: Path, line: tuple[str, ...], said: str, hint: str
) -> None:
    (tmp_path / "my pictures").mkdir()
    code, out, err = typed(*line)
    assert (code, out) == (2, "")
    assert said in err
    assert hint in err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("folder", ["my pictures", "my pictures/", "./data/../my pictures", "."])
def test_folder_without_a_search_term_is_gathered_under_its_name(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "my pictures").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "my pictures" if folder == "." else tmp_path)
    line = ("scrape", "--source", "folder", "--folder", folder, "--dry-run", "--json")
    code, out, err = typed(*line)
    assert code == 0, err
    assert json.loads(out)["result"]["settings"]["query"] == "my pictures"


def test_word_that_is_also_a_folder_is_searched_for(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "portraits").mkdir()
    for line in (("portraits",), ("./portraits", "--source", "portraits"), ("AC/DC",)):
        code, _, err = typed("scrape", *line, "--dry-run")
        assert code == 0, err


def test_what_the_limit_leaves_of_a_folder_is_said_with_the_line_that_takes_it(
    typed: Typed, tmp_path: Path
) -> None:
    (tmp_path / "many").mkdir()
    for name, data in servers.pictures(5).items():
        (tmp_path / "many" / name).write_bytes(data)
    line = ("scrape", "--source", "folder", "--folder", "many", "--limit")
    code, out, err = typed(*line, "3")
    assert code == 0
    assert "\nfolder has 2 more: --limit 5 takes them\n" in out
    assert "scrape: from image 0 of 3\n" in err
    assert "\nfolder has 1 more: --limit 5 takes it\n" in typed(*line, "4")[1]
    both = ("scrape", "many", "--source", "folder,portraits", "--folder", "many", "--limit", "4")
    assert typed(*both)[1].splitlines()[1].endswith("  1 more: --limit 5")
    (told,) = json.loads(typed(*line, "4", "--json")[1])["result"]["searches"]
    assert (told["left"], told["next_limit"]) == (1, 5)
    code, out, err = typed(*line, "9")
    assert "scrape: from image 4 of 5\n" in err
    assert "more: --limit" not in out


def test_list_of_the_settings_file_waits_for_its_source(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "facegan.toml").write_text('[scrape]\nlist = "a.txt"\n')
    code, _, err = typed("scrape", "drawn", "--source", "portraits", "--dry-run")
    assert code == 0, err


def test_queries_that_are_no_text_are_said(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "terms").write_bytes(b"\xff\xfe\x00\xd8")
    code, _, err = typed("scrape", "--queries", "terms")
    assert code == 2
    assert "--queries is 'terms': it is no text in UTF-8" in err
    assert "codec" not in err


def test_one_search_tells_that_its_source_has_no_more(typed: Typed) -> None:
    with Gallery(servers.pictures(1)) as gallery:
        own = ("--base-url", gallery.base_url, "--allow-host", gallery.host)
        code, out, _ = typed("scrape", "ada", *own)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("kept 1; 1 new result in ")
    assert lines[1:3] == [
        '1 image for "ada" in data/images',
        "bing has no more: 1 of the 1000 asked for",
    ]


def test_failed_source_beside_another_is_one_word_and_code_4(typed: Typed) -> None:
    line = ("scrape", "ada", "--source", "portraits,bing", "--limit", "1", "--retries", "0")
    own = ("--base-url", "http://127.0.0.1:9", "--allow-host", "127.0.0.1:9")
    code, out, err = typed(*line, *own)
    assert code == 4
    head, drawn, failed = out.splitlines()[:3]
    assert head.endswith("  ended")
    assert drawn.split()[:3] == ["ada", "portraits", "1"]
    assert failed.endswith("  unreachable")
    assert err.count("cannot reach 127.0.0.1:9") == 1
    code, out, _ = typed(*line, *own, "--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (4, False)
    assert [search["trouble"] for search in document["result"]["searches"]] == [
        None,
        "unreachable",
    ]


def test_chain_goes_on_with_what_the_other_sources_gave(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def ran(_session: Session, step: Step, *_: object) -> Result:
        done.append(step.name)
        return Result({"run": "00001"}, (), exit_code=4 if step.name == "scrape" else 0)

    monkeypatch.setattr("facegan.commands._chain._run", ran)
    assert typed("run", "ada", "--source", "portraits,bing")[0] == 0
    assert done == ["scrape", "crop", "train", "sample", "score"]


def test_terms_may_come_out_of_a_pipe(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ScrapeConfig] = []

    def scraped(configs: list[ScrapeConfig], *_: object, **__: object) -> tuple[()]:
        asked.extend(configs)
        return ()

    monkeypatch.setattr("pipeline.scrape.scrape_all", scraped)
    os.mkfifo(tmp_path / "terms")
    writer = threading.Thread(
        target=(tmp_path / "terms").write_text, args=("ada\nbea\n",), daemon=True
    )
    writer.start()
    typed("scrape", "--queries", "terms")
    writer.join(10)
    assert [config.query for config in asked] == ["ada", "bea"]


def test_commons_without_a_contact_is_warned_of_once(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.scrape.scrape_all", lambda *_, **__: ())
    (Path("terms.txt")).write_text("ada\nbea\n")
    line = ("scrape", "--queries", "terms.txt", "--source", "commons,bing")
    assert typed(*line)[2].count("Wikimedia asks programs for a contact") == 1
    assert "Wikimedia" not in typed(*line, "--contact", "me@example.org")[2]
    assert "Wikimedia" not in typed("scrape", "ada")[2]


def test_status_counts_what_waits(typed: Typed, tmp_path: Path) -> None:
    from facegan.core.catalog import Catalog
    from facegan.core.files import Workspace
    from facegan.core.records import Outcome, Reason, SearchResult, Status

    workspace = Workspace(tmp_path / "data")
    workspace.create()
    fates = {"b": Reason.STOPPED, "c": Reason.TIMEOUT}
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([SearchResult(url, "ada", "bing", 0) for url in "abcd"])
        for url, reason in fates.items():
            catalog.record_fetch(url, Outcome(Status.FAILED, reason), "config")
    _, out, _ = typed("status")
    assert out.splitlines()[0] == "results        4  kept 0, failed 1 (timeout 1), 3 waiting"


def test_settings_in_the_file_are_called_as_the_options(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("http://127.0.0.1:9/a.jpg\n")
    (tmp_path / "facegan.toml").write_text(
        '[scrape]\nsource = "urls,portraits"\nlist = "a.txt"\nmin-size = 99\nlimit = 3\n'
    )
    code, out, err = typed("scrape", "mine", "--dry-run", "--json")
    assert code == 0, err
    searches = [search["settings"] for search in json.loads(out)["result"]["searches"]]
    assert [search["source"] for search in searches] == ["urls", "portraits"]
    assert {(s["list_file"], s["min_size_px"], s["limit"]) for s in searches} == {("a.txt", 99, 3)}


def test_next_comes_the_last_crop_with_its_settings(typed: Typed) -> None:
    search = ("scrape", "x", "--source", "portraits", "--limit")
    assert "next: facegan crop\n" in typed(*search, "3")[1]
    assert typed("crop", "--size", "32", "--detector", "haar")[0] == 0
    assert "next: facegan crop --size 32 --detector haar\n" in typed(*search, "4")[1]
    assert "next: facegan crop --size 32 --detector haar\n" in typed("status")[1]
