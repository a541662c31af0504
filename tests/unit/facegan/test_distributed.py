"""Real processes that meet over loopback: torchrun starts them, gloo joins them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.checkpoint import load
from facegan.distributed import ALONE, World, joined
from facegan.history import read_history
from facegan.runs import checkpoint_iterations, checkpoint_path
from facegan.train import fit

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")
PLAIN = """
# fit() with networks without normalisation, in float64
import json, os, sys
from pathlib import Path
import torch
from torch import nn
torch.set_num_threads(1)
from facegan import engine, train
from facegan.config import TrainConfig

build = train.build

def plain(config, device):
    networks = build(config, device)
    for _, network, adam in networks.pairs():
        network.double()
        for number, layer in enumerate(network.layers):
            if isinstance(layer, nn.BatchNorm2d):
                network.layers[number] = nn.Identity()
        kept = list(network.parameters())
        adam.param_groups[0]["params"] = kept
        adam.state = {p: {k: v.double() if k != "step" else v for k, v in adam.state[p].items()}
                      for p in kept}
    for number, layer in enumerate(networks.average.layers):
        if isinstance(layer, nn.BatchNorm2d):
            networks.average.layers[number] = nn.Identity()
    networks.average.double()
    return networks

step = engine.train_step
engine.train_step = lambda n, real, z: step(n, real.double(), z.double())
train.build = plain
generate = train.train_loop.__globals__["generate"]
train.train_loop.__globals__["generate"] = lambda g, z: generate(g, z.double())
config, shards, runs = sys.argv[1:4]
fit = train.fit(TrainConfig.from_dict(json.loads(config)), Path(shards), Path(runs))
"""
COMMAND = """
import json, os, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from facegan import engine, train
from facegan.config import TrainConfig
from facegan.core.errors import FaceganError
from facegan.core.events import Started

config, shards, runs, what = sys.argv[1:5]
step, calls = engine.train_step, []

def watched(*arguments):
    calls.append(1)
    figures = step(*arguments)
    rank = os.environ["RANK"]
    if what == "nan" and rank == "1" and len(calls) == 8:
        figures = figures * float("nan")
    if what == "lose" and rank == "1" and len(calls) == 8:
        os._exit(9)
    return figures

engine.train_step = watched
stop = lambda: what == "stop" and os.environ["RANK"] == "1" and len(calls) == 7
try:
    train.fit(TrainConfig.from_dict(json.loads(config)), Path(shards), Path(runs), should_stop=stop)
except FaceganError as error:
    print(f"rank {os.environ['RANK']}: {error.code}: {error.message}", file=sys.stderr, flush=True)
    sys.exit(error.exit_code)
"""


def launch(processes, script, *arguments, timeout=240):
    """Run a script under torchrun, on loopback; a finished process."""
    environment = dict(os.environ) | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    words = [*TORCHRUN, "--nproc-per-node", str(processes), script, *map(str, arguments)]
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "trained.py"
        path.write_text(text)
        return path

    return write


def as_json(config):
    return json.dumps(config.to_dict())


def tensors(run_dir, iteration):
    return load(checkpoint_path(run_dir / "checkpoints", iteration)).tensors


def only_run(runs):
    (run_dir,) = runs.iterdir()
    return run_dir


def test_one_process_is_a_world_of_its_own():
    with joined(torch.device("cpu")) as world:
        assert world is ALONE
    assert world.leads
    assert world.part(5) == slice(0, 5)
    assert world.any(True, False) == (True, False)
    assert world.decided(lambda: 7) == 7
    figures = torch.ones(3)
    assert world.mean(figures) is figures
    network = torch.nn.Linear(1, 1)
    assert world.wrapped(network) is network


def test_each_cuda_process_has_a_device_of_its_own():
    assert World(5, 8, 1).device(torch.device("cuda")) == torch.device("cuda", 1)
    assert World(5, 8, 1).device(torch.device("cpu")) == torch.device("cpu")
    assert ALONE.device(torch.device("cuda")) == torch.device("cuda")


@pytest.mark.slow
def test_two_processes_equal_one_without_normalisation(tiny, shards, tmp_path, script):
    config = replace(tiny, iters=6, learning_rate=1e-3)
    path = script(PLAIN)
    for processes in (1, 2):
        runs = tmp_path / f"runs-{processes}"
        done = launch(processes, path, as_json(config), shards, runs)
        assert done.returncode == 0, done.stderr
    one, two = (tensors(only_run(tmp_path / f"runs-{n}"), 6) for n in (1, 2))
    assert one.keys() == two.keys()
    moved = 0
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-10, atol=1e-14, msg=name)
        moved += tensor.dtype == torch.float64
    assert moved > 10
    histories = [read_history(only_run(tmp_path / f"runs-{n}") / "history.csv") for n in (1, 2)]
    np.testing.assert_allclose(histories[1]["g_loss"], histories[0]["g_loss"], rtol=1e-6)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(tiny, shards, runs, script):
    path = script(COMMAND)
    done = launch(2, path, as_json(tiny), shards, runs, "stop")
    assert done.returncode == 0, done.stderr
    run_dir = only_run(runs)
    assert checkpoint_iterations(run_dir / "checkpoints") == [5, 7]
    rest = fit(tiny, shards, runs)
    assert (rest.run_dir, rest.iteration, rest.finished) == (run_dir, 12, True)
    assert read_history(run_dir / "history.csv")["iteration"].tolist() == list(range(1, 13))


@pytest.mark.slow
def test_two_interrupted_processes_end_as_two_that_were_not(tiny, shards, runs, tmp_path, script):
    path = script(COMMAND)
    for folder, whats in ((runs, ("stop", "")), (tmp_path / "whole", ("",))):
        for what in whats:
            done = launch(2, path, as_json(tiny), shards, folder, what)
            assert done.returncode == 0, done.stderr
    part, whole = tensors(only_run(runs), 12), tensors(only_run(tmp_path / "whole"), 12)
    # Process 0 keeps its BatchNorm statistics alone; they enter no loss.
    for name, tensor in whole.items():
        assert torch.equal(part[name], tensor), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code", "words"),
    [("nan", 6, "TrainingDivergedError: training diverged at iteration 8"),
     ("lose", 9, "PeerLostError: another of the 2 processes")],
)  # fmt: skip
def test_a_failure_of_one_process_ends_all(tiny, shards, runs, script, what, code, words):
    began = time.monotonic()
    done = launch(2, script(COMMAND), as_json(tiny), shards, runs, what)
    assert time.monotonic() - began < 120
    assert done.returncode == 1
    assert f"exitcode  : {code}" in done.stderr
    assert f"rank 0: {words}" in done.stderr
    assert checkpoint_iterations(only_run(runs) / "checkpoints") == [5]


@pytest.mark.slow
def test_the_command_speaks_with_one_voice(shards, tmp_path):
    words = [
        *(*TORCHRUN, "--nproc-per-node", "2", "-m", "cli", "train", "--shards", str(shards)),
        *("--size", "32", "--width", "0.0625", "--iters", "4", "--batch", "4"),
        *("--precision", "fp32", "--device", "cpu", "--workspace", str(tmp_path / "data")),
    ]
    environment = dict(os.environ) | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[3]
    run = {"env": environment, "cwd": root, "capture_output": True, "text": True, "timeout": 240}
    done = subprocess.run(words, check=False, **run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("iteration 4 of 4") == 1
    assert done.stderr.count("2 processes") == 1
    words[words.index("--batch") + 1] = "5"
    done = subprocess.run(words, check=False, **run)
    assert done.stderr.count("error: --batch is 5: 2 processes need a multiple of 2") == 1


DIVERGES = """
# `facegan train` whose second process looks at its figures at once and whose first never does
import os, sys
import torch
torch.set_num_threads(1)
import cli
from facegan import engine, loop

loop._REPORT_EVERY_S = 0.0 if os.environ["RANK"] == "1" else 1e9
step, calls = engine.train_step, []

def diverging(*arguments):
    calls.append(1)
    figures = step(*arguments)
    return figures * float("nan") if len(calls) == 8 else figures

engine.train_step = diverging
cli.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_divergence_is_said_once_whoever_sees_it_first(shards, tmp_path, script):
    words = ["train", "--shards", shards, "--workspace", tmp_path / "data", "--device", "cpu"]
    words += ["--size", "32", "--width", "0.0625", "--iters", "40", "--batch", "4"]
    done = launch(2, script(DIVERGES), *words, "--precision", "fp32")
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "error: training diverged at iteration 8" in done.stderr
    assert done.stderr.count("hint: ") == 1


@pytest.mark.slow
def test_a_signal_to_torchrun_saves_and_ends_all(shards, tmp_path):
    words = [
        *(*TORCHRUN, "--nproc-per-node", "2", "-m", "cli", "train", "--shards", str(shards)),
        *("--size", "32", "--width", "0.0625", "--iters", "1m", "--batch", "4"),
        *("--precision", "fp32", "--device", "cpu", "--workspace", str(tmp_path / "data")),
    ]
    environment = dict(os.environ) | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[3]
    history = tmp_path / "data/runs/00001-32px/history.csv"
    with subprocess.Popen(
        words, env=environment, cwd=root, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not history.exists() or history.stat().st_size < 500:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()
    (iteration,) = checkpoint_iterations(history.parent / "checkpoints")[-1:]
    assert iteration > 0
