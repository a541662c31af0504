"""benchmarks/gpu.sh with a python that only notes what it is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks/gpu.sh"
STUB = """#!/usr/bin/env bash
echo "$2" >>"$CALLS"
if [[ "$2 $3" == "cli train" ]]; then
    mkdir -p "$5/runs/00001-full/samples"
    touch "$5/runs/00001-full/samples/iter-00050000.png"
    printf 'iteration,nimg\\n50000,800000\\n' >"$5/runs/00001-full/history.csv"
fi
[[ "$2" == benchmarks.train ]] && echo "given: $*"
[[ "$2" != "$FAILS" ]]
"""


@pytest.fixture
def run(tmp_path: Path):
    stub, shards = tmp_path / "python", tmp_path / "shards"
    stub.write_text(STUB)
    stub.chmod(0o755)
    shards.mkdir()
    (shards / "index.json").write_text("{}")

    def call(*, fails: str = "", **more: str) -> tuple[int, str, list[str], Path]:
        calls, out = tmp_path / "calls", tmp_path / "out"
        calls.touch()
        env = os.environ | {
            "PYTHON": str(stub), "OUT": str(out), "CALLS": str(calls), "FAILS": fails, **more,
        }  # fmt: skip
        words = ["bash", str(SCRIPT), str(shards)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, calls.read_text().split(), out

    return call


PARTS = ["pytest", "benchmarks.roofline", "cli", "cli", "benchmarks.quality", "benchmarks.train"]


def test_every_part_runs_and_the_run_is_kept(run) -> None:
    code, told, calls, out = run()
    assert (code, calls) == (0, PARTS)
    assert "all parts passed" in told
    assert "--full-run" in told
    assert {path.name for path in out.iterdir()} == {"gpu.log", "history.csv", "training-grid.png"}


@pytest.mark.parametrize("part", ["pytest", "benchmarks.roofline", "benchmarks.train"])
def test_a_part_that_fails_stops_no_other(run, part: str) -> None:
    code, told, calls, _ = run(fails=part)
    assert (code, calls) == (1, PARTS)
    assert "exit code 1" in told


def test_nothing_starts_when_time_is_up(run) -> None:
    code, told, calls, out = run(LIMIT_S="0")
    assert (code, calls) == (1, [])
    assert "no time left" in told
    assert (out / "gpu.log").read_text() in told


def test_shards_are_needed() -> None:
    done = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr
