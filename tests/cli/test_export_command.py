"""`facegan export` as a process, and samples of what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facegan.core.files import Workspace
from tests.export_helpers import fill, trained

from .conftest import Run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return trained(tmp_path / "data").root


@pytest.mark.slow
def test_export_writes_what_it_says_and_samples_come_from_it(
    facegan: Run, home: Path, tmp_path: Path
) -> None:
    done = facegan("export", "--out", "made", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["command"]) == (1, "export")
    result = document["result"]
    assert (result["folder"], result["run"], result["iteration"]) == ("made", "00001-32px", 2)
    assert result["onnx_max_difference"] <= 1e-4
    made = {path.name: path.stat().st_size for path in (tmp_path / "made").iterdir()}
    assert result["files"] == made
    assert document["next"] == "facegan sample made"

    elsewhere = ("sample", "made/generator.safetensors", "--workspace", "none", "--count", "3")
    sampled = facegan(*elsewhere, "--json")
    assert sampled.returncode == 0, sampled.stderr
    assert json.loads(sampled.stdout)["result"]["folder"] == "made/samples-seed-0"
    assert json.loads(sampled.stdout)["next"] is None
    of_run = facegan("sample", "--count", "3", "--out", "of-run")
    assert of_run.returncode == 0, of_run.stderr
    for name in ("000000.png", "000002.png", "grid.png"):
        pair = [
            (tmp_path / folder / name).read_bytes() for folder in ("of-run", "made/samples-seed-0")
        ]
        assert pair[0] == pair[1]
    assert home.exists()


def test_a_dry_run_changes_nothing(facegan: Run, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = facegan("export", "--dry-run", "--no-onnx")
    assert done.returncode == 0, done.stderr
    assert "would export iteration 2 of 00001-32px to" in done.stdout
    assert "next: facegan export --no-onnx" in done.stdout
    assert sorted(home.rglob("*")) == before


def test_without_a_run_the_error_names_train(facegan: Run, tmp_path: Path) -> None:
    fill(Workspace(tmp_path / "data"))
    done = facegan("export", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["hint"] == "facegan train"


def test_a_damaged_snapshot_is_refused_in_words(facegan: Run, tmp_path: Path) -> None:
    (tmp_path / "generator.safetensors").write_bytes(b"\x80\x04junk of no kind")
    done = facegan("sample", "generator.safetensors")
    assert done.returncode == 3
    assert "no safetensors file" in done.stderr
    assert "hint: facegan export" in done.stderr
