"""`facegan demo` as a new user runs it: offline, apart from the user's own project, twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEMO = ("demo", "--portraits", "40", "--iters", "6", "--json")


def run(folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *args],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_demo_makes_its_pictures_apart_from_the_users_project_and_again_at_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "facegan.toml").write_text(
        'workspace = "mine"\n[scrape]\nsource = "folder"\n[train]\nbatch = 3\nshards = "mine"\n'
    )
    done = run(tmp_path, *DEMO, FACEGAN_WORKSPACE="mine", FACEGAN_TRAIN_ITERS="77")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)["result"]
    stages = result["stages"]
    assert not (tmp_path / "mine").exists()
    assert stages["scrape"]["tally"]["rejected"] == {"duplicate": 1, "not_an_image": 1}
    assert stages["crop"]["faces"]["kept"] >= 36
    assert stages["train"]["settings"]["batch"] == 16
    assert stages["train"]["settings"]["iters"] == 6
    assert result["features"] == "none"
    whys = {one["what"]: one["why"] for one in stages["score"]["left_out"]}
    assert "images are too few, 50 are the least" in whys["copies, collapse and the verdict"]
    assert {measure["name"] for measure in stages["score"]["measures"]} >= {"swd", "ms_ssim"}
    for made in (stages["sample"]["grid"], stages["animate"]["path"], *stages["plot"]["files"]):
        assert (tmp_path / made).stat().st_size > 1000

    again = run(tmp_path, *DEMO)
    assert again.returncode == 0, again.stderr
    second = json.loads(again.stdout)["result"]["stages"]
    assert second["train"]["run"] == stages["train"]["run"]
    assert second["scrape"]["new_bytes"] == 0


@pytest.mark.slow
def test_demo_judges_its_samples_without_a_network_and_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, *DEMO[:-1], FACEGAN_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "The samples, judged: " in done.stdout
    assert "without a network: Inception's weights are not here" in done.stdout
    assert "Inception Score" not in done.stdout
