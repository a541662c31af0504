"""Bad input: one clear sentence, the remedy, and an exit code of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("scrap",), 2, "Did you mean 'scrape'?"),
        (("train", "--itres", "5"), 2, "Did you mean"),
        (("train", "--iters", "many"), 2, "'many' is no count, such as 500 or 10k"),
        (("train", "--iters", "0", "--batch", "0", "--size", "64"), 2, "--batch is 0"),
        (("scrape", "artist", "--source", "gogle"), 2, "--source"),
        (("scrape", "artist", "--limit", "0"), 2, "--limit"),
        (("crop",), 3, "facegan scrape"),
        (("shard",), 3, "facegan crop"),
        (("train",), 3, "no shards in data/shards"),
        (("sample",), 3, "no runs in data/runs"),
        (("score",), 3, "hint: facegan train"),
        (("plot",), 3, "hint: facegan train"),
        (("animate",), 3, "hint: facegan train"),
        (("sample", "nothing.safetensors"), 3, "nothing.safetensors"),
        (("shard", "nowhere"), 3, "nowhere"),
        (("--config", "none.toml", "status"), 2, "no settings file none.toml"),
    ],
)
def test_bad_input_gets_a_sentence_a_remedy_and_a_code(
    facegan: Run, args: tuple[str, ...], code: int, said: str
) -> None:
    done = facegan(*args)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_all_problems_of_a_configuration_are_told_at_once(facegan: Run) -> None:
    done = facegan("train", "--size", "100", "--batch", "0", "--jitter", "7", "--dry-run")
    assert done.returncode == 2
    for option in ("--size", "--batch", "--jitter"):
        assert option in done.stderr


def test_errors_are_json_on_stdout_when_asked_for(facegan: Run) -> None:
    done = facegan("train", "--json")
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "ShardError"
    assert error["exit_code"] == done.returncode == 3
    assert error["hint"] == "facegan crop"


def test_debug_shows_the_traceback(facegan: Run) -> None:
    assert "Traceback" in facegan("train", "--debug").stderr


def test_a_file_in_the_way_of_the_workspace_is_said(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    done = facegan("scrape", "artist", "--source", "portraits", "--limit", "1")
    assert done.returncode == 2
    assert "data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_corrupt_catalog_is_said_with_the_remedy(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/catalog.db").write_bytes(b"no database at all" * 100)
    done = facegan("scrape", "artist", "--source", "portraits", "--limit", "1")
    assert done.returncode == 3
    assert "catalog.db is corrupt" in done.stderr
    assert "hint: move it away" in done.stderr


def test_settings_come_from_flag_before_environment_before_file(
    facegan: Run, tmp_path: Path
) -> None:
    (tmp_path / "facegan.toml").write_text('[train]\niters = "2k"\nbatch = 7\nsize = 64\n')
    done = facegan("config", "train", "--json", env={"FACEGAN_TRAIN_BATCH": "9"})
    found = {row["name"]: row for row in json.loads(done.stdout)["result"]["settings"]}
    assert (found["iters"]["value"], found["iters"]["source"]) == (2000, "file")
    assert (found["batch"]["value"], found["batch"]["source"]) == (9, "environment")
    assert found["width"]["source"] == "default"


def test_an_unknown_setting_of_the_file_is_named(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "facegan.toml").write_text("[train]\nitres = 5\n")
    done = facegan("status")
    assert done.returncode == 2
    assert "did you mean train.iters?" in done.stderr


def test_a_wrong_value_says_where_it_came_from(facegan: Run, tmp_path: Path) -> None:
    done = facegan("train", env={"FACEGAN_TRAIN_BATCH": "x"})
    assert done.returncode == 2
    assert "(from the environment, FACEGAN_TRAIN_BATCH)" in done.stderr
    (tmp_path / "facegan.toml").write_text('[train]\niters = "lots"\n')
    done = facegan("train")
    assert done.returncode == 2
    assert "(from facegan.toml, train.iters)" in done.stderr
    assert "train.iters = 'lots'  (not valid, file facegan.toml)" in facegan("config").stdout


def test_numbers_in_the_file_are_judged_by_their_option(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "facegan.toml").write_text("workspace = 5\n[train]\nwidth = 0.5\nbatch = 3\n")
    assert "no shards in 5/shards" in facegan("train").stderr
    assert "train.width = 0.5" in facegan("config", "train").stdout
