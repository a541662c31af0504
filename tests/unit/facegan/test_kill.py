"""Training that is killed without warning goes on as if nothing had been."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from facegan.runs import checkpoint_path
from facegan.train import fit

SCRIPT = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from facegan.config import TrainConfig
from facegan.core.events import Started
from facegan.train import fit
config, shards, runs = sys.argv[1:]
def listener(event):
    if isinstance(event, Started):
        print("begun", flush=True)
fit(TrainConfig.from_dict(json.loads(config)), Path(shards), Path(runs), listener=listener)
"""


def train_and_kill(config, shards, runs, delay_s):
    """Kill -9 this long after training has begun; whether it was still alive."""
    arguments = [json.dumps(config.to_dict()), str(shards), str(runs)]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "begun\n"
        try:
            assert process.wait(delay_s) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tiny, shards, runs, tmp_path):
    config = replace(tiny, iters=42, checkpoint_every=7, sample_every=5, log_every=4)
    whole = fit(config, shards, tmp_path / "whole")
    seed = random.randrange(10**6)
    delays = random.Random(seed)
    for _ in range(2):
        # Early enough that two of them cannot reach the end: a run that has ended stays so, and
        # the next call would begin another one.
        delay_s = delays.uniform(0.0, whole.seconds / 8)
        assert train_and_kill(config, shards, runs, delay_s=delay_s), f"delays of seed {seed}"
    assert train_and_kill(config, shards, runs, delay_s=240) is False
    (run_dir,) = runs.iterdir()
    expected = checkpoint_path(whole.run_dir / "checkpoints", 42).read_bytes()
    found = checkpoint_path(run_dir / "checkpoints", 42).read_bytes()
    assert found == expected, f"delays of seed {seed}"
    assert not list(run_dir.rglob(".*.tmp"))
