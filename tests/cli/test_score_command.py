"""`facegan score` on runs, folders and shards, and what it says of what is wrong with them.

In this process: each call would import torch anew, and nothing here depends on that.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli import main
from facegan.config import TrainConfig
from facegan.core.files import Workspace
from facegan.core.shards import Entry, write_shards
from facegan.images import encode_png
from facegan.train import fit
from tests.export_helpers import MODEL

Run = Callable[..., "Done"]
OFFLINE = ("--features", "none")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def facegan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("facegan.score.measure_pixels.PAIRS", 10)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))

    def run(*args: str, env: dict[str, str] | None = None) -> Done:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


def tiles(count: int, seed: int = 0, size: int = 32) -> Any:
    """(N, S, S, 3) uint8: coloured tiles."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return small.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


def write(folder: Path, images: Any) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number:04d}.png").write_bytes(encode_png(image))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with 80 faces to train on, 30 held out, and a run of two iterations."""
    root = tmp_path_factory.mktemp("made") / "data"
    workspace = Workspace(root)
    workspace.create()
    entries = [
        Entry(f"{number:04d}", encode_png(image), {}, "train" if number < 80 else "held_out")
        for number, image in enumerate(tiles(110))
    ]
    write_shards(workspace.shards, entries, image_size=32, config={"source": "catalog"})
    config = TrainConfig(model=MODEL, iters=2, batch=4, device="cpu")
    fit(config, workspace.shards, workspace.runs)
    return root


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "data")


def values(result: dict[str, Any]) -> dict[str, float]:
    return {measure["name"]: measure["value"] for measure in result["measures"]}


def test_a_run_is_judged_without_a_network(facegan: Run, home: Path) -> None:
    done = facegan("score", *OFFLINE, "--samples", "60", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert {"swd", "ms_ssim", "spectrum", "one_face", "precision_k3", "coverage_k5"} <= set(
        values(result)
    )
    assert result["verdict"]
    assert result["sets"]["held_out"]["images"] == 30
    assert [one["what"] for one in result["left_out"]] == ["KID and FID", "Inception Score"]
    assert all("--features none" in one["why"] for one in result["left_out"])
    run = home / "runs/00001-32px"
    stored = json.loads((run / "scores.json").read_bytes())
    assert stored["version"] == 2
    assert stored["scores"] == [result]
    assert (run / "plots/scores.png").stat().st_size > 10_000
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as db:
        rows = db.execute("SELECT measure, value FROM scores WHERE run = '00001-32px'").fetchall()
    assert dict(rows) == values(result)


@pytest.mark.usefixtures("home")
def test_the_table_tells_values_intervals_and_the_verdict(facegan: Run) -> None:
    done = facegan("score", *OFFLINE, "--samples", "60")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "00001-32px, iteration 2: 60 images against 80 of training faces and 30 of held-out faces"
    )
    assert any(line.split()[:3] == ["measure", "value", "95"] for line in lines)
    assert any(line.startswith("verdict: ") for line in lines)
    assert any(line.startswith("left out: KID and FID") for line in lines)
    assert f"written to {Path('data/runs/00001-32px/scores.json')}" in done.stdout


def test_inceptions_measures_stand_beside_the_real_faces(facegan: Run, tmp_path: Path) -> None:
    from facegan.score.inception import random_weights

    write(tmp_path / "a", tiles(34, seed=1))
    write(tmp_path / "b", tiles(32, seed=2))
    file = random_weights(tmp_path / "weights.pth", network="fid2015")
    words = ("score", "a", "--against", "b", "--weights", str(file.path), "--json")
    done = facegan(*words)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert {"inception_score", "kid", "fid", "precision_k3"} <= set(values(result))
    assert result["features"] == "fid2015"
    assert not result["protocols"]["fid2015"]["official"]
    assert "unofficial weights" in result["warnings"][0]
    assert result["measures"][0]["name"] == "kid"
    of_all, of_as_many = (
        one for one in result["measures"] if one["name"].startswith("inception_score")
    )
    assert (of_all["real"], of_as_many["details"]["samples"]) == (None, 32)
    assert of_as_many["real"] >= 1
    assert of_all["low"] <= of_all["value"] <= of_all["high"]

    again = json.loads(facegan(*words).stdout)["result"]
    assert values(again) == values(result)
    assert again["images_per_s"] == 0  # every feature came out of the store


def test_two_folders_are_judged_against_each_other(facegan: Run, tmp_path: Path) -> None:
    write(tmp_path / "a", tiles(70, seed=1))
    write(tmp_path / "b", tiles(60, seed=2))
    done = facegan("score", "a", "--against", "b", *OFFLINE, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert (result["sets"]["samples"]["images"], result["sets"]["real"]["images"]) == (70, 60)
    assert result["verdict"] == "healthy"
    (place,) = (tmp_path / "data/scores").glob("a-*")
    assert (place / "scores.json").is_file()


def test_a_folder_that_copies_the_faces_is_called_memorised(facegan: Run, home: Path) -> None:
    faces = tiles(110)[:80]
    write(home.parent / "copies", np.concatenate([faces, faces[:20]]))
    done = facegan("score", "copies", *OFFLINE)
    assert done.returncode == 0, done.stderr
    assert "verdict: memorised" in done.stdout


def test_mirrored_copies_of_a_folder_are_called_memorised(facegan: Run, tmp_path: Path) -> None:
    write(tmp_path / "a", tiles(70)[:, :, ::-1])
    write(tmp_path / "b", tiles(70))
    done = facegan("score", "a", "--against", "b", *OFFLINE)
    assert "verdict: memorised" in done.stdout


def test_without_real_images_the_rest_is_measured_and_the_gap_said(
    facegan: Run, tmp_path: Path
) -> None:
    write(tmp_path / "a", tiles(20))
    done = facegan("score", "a", *OFFLINE)
    assert done.returncode == 0, done.stderr
    assert "MS-SSIM of pairs" in done.stdout
    assert "left out: " in done.stdout
    assert "no shards in data/shards" in done.stdout
    assert "verdict" not in done.stdout.split("left out")[0]


def test_a_dry_run_tells_the_work_and_writes_nothing(facegan: Run, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = facegan("score", *OFFLINE, "--samples", "60", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would read 60 images: 00001-32px, iteration 2" in done.stdout
    assert "170 to compute" in done.stdout
    assert sorted(home.rglob("*")) == before


def test_unless_scored_measures_once(facegan: Run, home: Path) -> None:
    words = ("score", *OFFLINE, "--samples", "60", "--unless-scored", "--json")
    first, second = (json.loads(facegan(*words).stdout)["result"] for _ in range(2))
    assert second == first
    assert len(json.loads((home / "runs/00001-32px/scores.json").read_bytes())["scores"]) == 1


@pytest.mark.usefixtures("home")
def test_unless_scored_measures_what_is_another_measurement(facegan: Run, tmp_path: Path) -> None:
    write(tmp_path / "b", tiles(60, seed=2))
    first = ("score", *OFFLINE, "--samples", "60", "--unless-scored", "--json")
    facegan(*first)
    for other in (("--against", "b"), ("--seed", "1"), ("--splits", "5"), ("--raw",)):
        again = json.loads(facegan(*first, *other).stdout)["result"]
        known = json.loads(facegan(*first, *other).stdout)["result"]
        assert again == known
    scores = json.loads((tmp_path / "data/runs/00001-32px/scores.json").read_bytes())["scores"]
    assert len(scores) == 5
    assert facegan(*first, "--against", "nowhere").returncode == 3


def test_a_dry_run_fetches_nothing(facegan: Run, home: Path) -> None:
    done = facegan("score", "--samples", "60", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert "would be fetched first (91 MiB)" in json.loads(done.stdout)["result"]["features"]
    assert not (home.parent / "cache").exists()


def test_shards_and_folders_take_samples_and_refuse_what_is_for_generators(
    facegan: Run, home: Path
) -> None:
    done = facegan("score", str(home / "shards"), "--samples", "60", *OFFLINE, "--json")
    assert json.loads(done.stdout)["result"]["samples"] == 60
    refused = facegan("score", str(home / "shards"), "--raw", *OFFLINE)
    assert refused.returncode == 2
    assert "--raw is for generators" in refused.stderr


def test_pictures_from_elsewhere_are_not_called_copies_of_training_faces(
    facegan: Run, home: Path
) -> None:
    write(home.parent / "foreign", tiles(60, seed=9))
    done = facegan("score", "foreign", *OFFLINE)
    assert "verdict: " in done.stdout
    assert "training face" not in done.stdout.split("verdict: ")[1]


@pytest.mark.usefixtures("home")
def test_auto_without_weights_or_a_network_says_what_is_left_out(facegan: Run) -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = facegan("score", "--samples", "60", env=nowhere)
    assert done.returncode == 0, done.stderr
    assert "cannot get the weights" in done.stderr
    assert "verdict: " in done.stdout
    named = facegan("score", "--samples", "60", "--features", "inception2015", env=nowhere)
    assert named.returncode == 4
    assert "--weights FILE" in named.stderr


@pytest.mark.usefixtures("home")
def test_bad_input_is_one_clear_sentence(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    mixed = write(tmp_path / "mixed", tiles(3))
    (mixed / "z.png").write_bytes(encode_png(tiles(1, size=64)[0]))
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 cut short")
    for words, exit_code, sentence in (
        (("empty",), 3, "no pictures in empty"),
        (("mixed",), 3, "z.png 64x64 px"),
        (("nobody",), 3, "no run 'nobody'"),
        (("--against", "nowhere"), 3, "--against is nowhere"),
        (("--features", "resnet"), 2, "--features is 'resnet'"),
        (("--samples", "5"), 2, "--samples is 5"),
        (("--weights", "cut.pth"), 3, "cannot use the weights cut.pth"),
        (("--best",), 3, "best"),
    ):
        network = () if {"--features", "--weights"} & set(words) else OFFLINE
        done = facegan("score", *words, *network)
        assert done.returncode == exit_code, (words, done.stderr)
        assert sentence in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr
