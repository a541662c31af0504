"""A search term becomes a trained, measured generator: the whole chain, as a user types it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHAIN = (
    "run", "somebody", "--source", "portraits", "--limit", "24", "--size", "32",
    "--detector", "haar", "--width", "0.25", "--iters", "4", "--batch", "4", "--samples", "20",
)  # fmt: skip
Facegan = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception-v3 with random weights: the score then means nothing, the path is what is run."""
    from facegan.score.inception import random_weights

    return random_weights(tmp_path_factory.mktemp("weights") / "inception.safetensors").path


@pytest.fixture
def facegan(tmp_path: Path) -> Facegan:
    """Run a command with `--json` in an empty folder; its document, with the exit code."""

    def run(*args: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *args, "--json"],
            cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document | {"exit": done.returncode, "stderr": done.stderr}

    return run


def test_one_command_makes_a_trained_and_measured_generator(
    facegan: Facegan, weights: Path, tmp_path: Path
) -> None:
    first = facegan(*CHAIN, "--weights", str(weights))
    assert first["exit"] == 0, first
    stages = first["result"]["stages"]
    assert list(stages) == ["scrape", "crop", "train", "sample", "score"]
    assert stages["scrape"]["images"] == 24
    assert stages["crop"]["faces"]["kept"] >= 22
    assert stages["train"]["iteration"] == 4
    assert stages["train"]["finished"]
    assert Path(tmp_path / stages["sample"]["grid"]).is_file()
    measures = {measure["name"]: measure["value"] for measure in stages["score"]["measures"]}
    assert 1 <= measures["inception_score"] <= 1000
    assert not stages["score"]["protocols"]["torchvision"]["official"]

    again = facegan(*CHAIN, "--weights", str(weights))
    assert again["exit"] == 0, again
    assert again["result"]["stages"]["scrape"]["tally"]["kept"] == 0
    assert again["result"]["stages"]["crop"]["images"]["kept"] == 0
    assert again["result"]["stages"]["train"]["run"] == stages["train"]["run"]
    assert again["result"]["stages"]["score"]["measures"] == stages["score"]["measures"]

    state = facegan("status")["result"]
    assert state["images"] == 24
    assert state["runs"][0]["status"] == "finished"
    assert not state["stale"]


def test_chain_ends_with_the_error_and_exit_code_of_its_stage(
    facegan: Facegan, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    done = facegan("run", "somebody", "--source", "folder", "--folder", "pictures")
    assert done["exit"] == 7
    assert done["error"]["at_stage"] == "scrape"

    (tmp_path / "pictures/a.jpg").write_bytes(flat_picture())
    done = facegan(
        "run", "somebody", "--source", "folder", "--folder", "pictures", "--detector", "haar"
    )
    assert done["exit"] == 7
    assert done["error"]["at_stage"] == "crop"
    assert done["error"]["code"] == "NothingProducedError"


@pytest.mark.slow
def test_chain_follows_its_own_run_when_there_is_a_newer_one(facegan: Facegan) -> None:
    chain = (*CHAIN, "--features", "none")
    first = facegan(*chain)["result"]["stages"]["train"]["run"]
    other = facegan("train", "--width", "0.25", "--iters", "1", "--batch", "2")
    assert other["result"]["run"] != first
    again = facegan(*chain)["result"]["stages"]
    assert again["train"]["run"] == first
    assert first in again["sample"]["grid"]
    assert again["score"]["run"] == first


def test_chain_finds_a_bad_option_before_its_first_step(facegan: Facegan, tmp_path: Path) -> None:
    for option in (("--iters", "manny"), ("--iters", "0"), ("--weights", "none"), ("--width", "9")):
        done = facegan("run", "somebody", "--source", "portraits", "--limit", "2", *option)
        assert done["exit"] == 2, done
    assert facegan("run", "x", "--device", "tpu")["exit"] == 2
    assert not (tmp_path / "data").exists()


def test_interrupted_chain_names_the_line_that_goes_on(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "cli"]
    long = [*CHAIN, "--iters", "100000"]
    with subprocess.Popen(
        [*words, *long], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("train: from iteration"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    again = out.rpartition("go on: ")[2].strip()
    assert again == shlex.join(["facegan", *long])
    assert (tmp_path / "data/runs/00001-32px/checkpoints").is_dir()
    assert not list((tmp_path / "data/runs/00001-32px").glob("scores.json"))


def flat_picture() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 120, 150)).save(file, "JPEG")
    return file.getvalue()
