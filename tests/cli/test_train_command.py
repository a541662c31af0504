"""`facegan train` as a process: interrupted, taken up again, refused."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegan.core.shards import Entry, write_shards
from facegan.images import encode_png

from .conftest import Run

SMALL = ("--width", "0.25", "--batch", "4", "--checkpoint-every", "1k", "--sample-every", "1k")


@pytest.fixture(autouse=True)
def shards(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    entries = [Entry(f"{i:04d}", encode_png(picture), {}) for i, picture in enumerate(pictures)]
    folder = tmp_path / "data/shards"
    write_shards(folder, entries, image_size=32, config={"source": "folder"})
    return folder


def interrupt(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Start training, send Ctrl-C once it has begun, wait for its end."""
    command = [sys.executable, "-m", "cli", "train", *SMALL, *args]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        begun = []
        for line in process.stderr:
            begun.append(line)
            if line.startswith("train: from iteration"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, "".join(begun) + err)


def test_ctrl_c_saves_and_names_the_command_that_goes_on(facegan: Run, tmp_path: Path) -> None:
    stopped = interrupt(tmp_path, "--iters", "100k")
    assert stopped.returncode == 130, stopped.stderr
    assert "go on: facegan train --resume 00001-32px" in stopped.stdout
    reached = json.loads(facegan("status", "--json").stdout)["result"]["runs"][0]["iteration"]
    assert 0 < reached < 100_000

    line = stopped.stdout.rpartition("go on: ")[2]
    words = shlex.split(line)[1:]
    more = facegan(*words, "--iters", str(reached + 2), "--json")
    assert more.returncode == 0, more.stderr
    result = json.loads(more.stdout)["result"]
    assert result["run"] == "00001-32px"
    assert result["iteration"] == reached + 2
    assert result["settings"]["model"]["width"] == 0.25


@pytest.mark.slow
def test_resume_refuses_a_changed_setting_by_name(facegan: Run) -> None:
    assert facegan("train", *SMALL, "--iters", "2").returncode == 0
    refused = facegan("train", "--resume", "1", "--iters", "4", "--batch", "8")
    assert refused.returncode == 2
    assert "--batch is 8: the run 00001-32px has 4" in refused.stderr
    allowed = facegan("train", "--resume", "1", "--iters", "4", "--batch", "8", "--override")
    assert allowed.returncode == 0, allowed.stderr


def test_a_finished_run_is_left_alone_when_asked(facegan: Run) -> None:
    first = facegan("train", *SMALL, "--iters", "2")
    assert "iteration 2 of 2" in first.stdout
    again = facegan("train", *SMALL, "--iters", "2", "--unless-finished")
    assert "nothing to do" in again.stdout
    plan = facegan("train", *SMALL, "--iters", "2", "--dry-run").stdout
    assert "begin a new run" in plan
    assert f"next: {shlex.join(('facegan', 'train', *SMALL, '--iters', '2'))}" in plan


@pytest.mark.slow
def test_faces_that_changed_since_they_were_packed_are_not_trained_on(
    facegan: Run, shards: Path
) -> None:
    home = shards.parent
    for args in (
        ("scrape", "x", "--source", "portraits", "--limit", "4"),
        ("crop", "--detector", "haar", "--size", "32"),
    ):
        assert facegan(*args).returncode == 0
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as db, db:
        db.execute("UPDATE faces SET status = 'rejected' WHERE id = (SELECT min(id) FROM faces)")
    done = facegan("train", *SMALL, "--iters", "1")
    assert done.returncode == 3
    assert "hint: facegan crop --size 32 --detector haar" in done.stderr
    assert facegan("shard").returncode == 0
    assert facegan("train", *SMALL, "--iters", "1").returncode == 0


def test_a_corrupt_shard_ends_training_before_it_begins(facegan: Run, shards: Path) -> None:
    tar = next(shards.glob("*.tar"))
    data = bytearray(tar.read_bytes())
    data[700] ^= 0xFF
    tar.write_bytes(data)
    done = facegan("train", *SMALL, "--iters", "2")
    assert done.returncode == 3
    assert "corrupt" in done.stderr
    assert not (shards.parent / "runs").exists()


@pytest.mark.slow
def test_a_corrupt_checkpoint_is_passed_over_with_a_warning(facegan: Run, tmp_path: Path) -> None:
    short = ("--width", "0.25", "--batch", "4", "--checkpoint-every", "1")
    assert facegan("train", *short, "--iters", "3").returncode == 0
    newest = tmp_path / "data/runs/00001-32px/checkpoints/iter-00000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    done = facegan("train", *short, "--iters", "4")
    assert done.returncode == 0, done.stderr
    assert "warning" in done.stderr
    assert "iteration 4 of 4" in done.stdout


@pytest.mark.slow
def test_the_best_checkpoint_is_named_and_sampled(facegan: Run, tmp_path: Path) -> None:
    env = {"FACEGAN_CACHE": str(tmp_path / "cache")}
    every = ("--iters", "4", "--every", "2", "--keep-checkpoints", "1")
    done = facegan("train", *SMALL, *every, env=env)
    assert done.returncode == 0, done.stderr
    assert "sliced Wasserstein distance of 8 images" in done.stderr
    assert "best: iteration " in done.stdout
    assert "facegan sample 00001-32px --best" in done.stdout
    again = facegan("train", "--resume", "1", "--score-samples", "4", "--json", env=env)
    best = json.loads(again.stdout)["result"]["best"]
    assert best["measure"] == "swd"
    # Another number of images is another yardstick: the last checkpoint was measured by it alone.
    assert (best["iteration"], best["samples"]) == (4, 4)
    drawn = facegan("sample", "--best", "--count", "2")
    assert drawn.returncode == 0, drawn.stderr
    assert "iter-00000004-seed-0" in drawn.stdout
    (tmp_path / "data/runs/00001-32px/checkpoints/best.json").unlink()
    refused = facegan("sample", "--best")
    assert refused.returncode == 3
    assert "hint: facegan train --resume 00001-32px --score-every 500" in refused.stderr
