from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from facegan import engine, train
from facegan.core.errors import (
    ConfigError,
    MissingDependencyError,
    ShardError,
    TrainingDivergedError,
    WorkspaceError,
)
from facegan.core.events import Advanced, Finished, Note, Started
from facegan.history import read_history
from facegan.images import decode_png
from facegan.runs import checkpoint_iterations, read_run
from facegan.train import fit
from facegan.trained import load_generator
from tests.train_helpers import StopAfter, result_of


def test_a_run_leaves_its_record(tiny, shards, runs):
    events = []
    result = fit(tiny, shards, runs, listener=events.append)
    assert result.run_dir == runs / "00001-32px"
    assert (result.iteration, result.finished, result.interrupted) == (12, True, False)
    assert result.seconds > 0
    assert read_run(result.run_dir).config == replace(tiny, engine="eager")
    assert read_history(result.run_dir / "history.csv")["iteration"].tolist() == list(range(1, 13))
    assert checkpoint_iterations(result.run_dir / "checkpoints") == [10, 12]
    grids = sorted(path.name for path in (result.run_dir / "samples").iterdir())
    assert grids == [f"iter-{iteration:08d}.png" for iteration in (0, 4, 8, 12)]
    generator, iteration, model = load_generator(result.run_dir)
    assert (iteration, model) == (12, tiny.model)
    assert generator(torch.zeros(2, 8)).shape == (2, 3, 32, 32)


def test_progress_is_told(tiny, shards, runs):
    events = []
    fit(tiny, shards, runs, listener=events.append)
    assert Started("train", 12, "iteration", 0) in events
    assert events[-1] == Finished("train")
    advanced = [event for event in events if isinstance(event, Advanced)]
    assert advanced[-1].done == 12
    assert max(b.done - a.done for a, b in pairwise(advanced)) <= 3
    assert advanced[0].figures.keys() == {"d_loss", "g_loss"}
    texts = [event.text for event in events if isinstance(event, Note)]
    assert texts == [
        "10 images of 32 px, 0.03 MB decoded: on the cpu",
        "run 00001-32px begins, on cpu, eager, fp32",
    ]


def test_seeds_give_different_runs(tiny, shards, runs):
    first, second = (fit(replace(tiny, seed=seed), shards, runs).run_dir for seed in (0, 1))
    assert first != second
    assert result_of(first, 12)[0] != result_of(second, 12)[0]


def test_time_is_up_saves_and_ends_without_an_interruption(tiny, shards, runs):
    result = fit(tiny, shards, runs, max_time_s=1e-9)
    assert (result.iteration, result.finished, result.interrupted) == (1, False, False)
    assert checkpoint_iterations(result.run_dir / "checkpoints") == [1]


def test_a_stop_at_the_last_iteration_is_no_interruption(tiny, shards, runs):
    result = fit(tiny, shards, runs, should_stop=StopAfter(12))
    assert (result.finished, result.interrupted) == (True, False)


def test_grids_leave_the_training_state_alone(tiny, shards, runs, tmp_path):
    often = fit(replace(tiny, sample_every=1), shards, runs)
    never = fit(replace(tiny, sample_every=1000), shards, tmp_path / "never")
    assert result_of(often.run_dir, 12)[0] == result_of(never.run_dir, 12)[0]


def test_reading_the_history_leaves_the_training_state_alone(tiny, shards, runs, tmp_path):
    often = fit(replace(tiny, log_every=1), shards, runs)
    never = fit(replace(tiny, log_every=100), shards, tmp_path / "never")
    assert result_of(often.run_dir, 12) == result_of(never.run_dir, 12)


@pytest.mark.parametrize(("size", "columns"), [(128, 8), (256, 4)])
def test_grids_are_8x8_up_to_128_px_and_4x4_above(tiny, make_shards, runs, size, columns):
    config = replace(tiny, model=replace(tiny.model, image_size=size), iters=1)
    result = fit(config, make_shards(count=2, size_px=size).folder, runs)
    picture = decode_png((result.run_dir / "samples" / "iter-00000000.png").read_bytes())
    assert picture.shape == (columns * (size + 2) - 2,) * 2 + (3,)


def test_losses_that_are_not_finite_stop_with_the_last_good_checkpoint(
    tiny, shards, runs, monkeypatch
):
    calls = iter(range(1, 100))
    honest = engine.train_step

    def step(*arguments):
        figures = honest(*arguments)
        return figures * float("nan") if next(calls) == 10 else figures

    monkeypatch.setattr(engine, "train_step", step)
    with pytest.raises(TrainingDivergedError, match="at iteration 10"):
        fit(tiny, shards, runs)
    assert checkpoint_iterations(runs / "00001-32px" / "checkpoints") == [5]


def test_weights_that_are_not_finite_are_not_saved(tiny, shards, runs, monkeypatch):
    honest = engine.train_step
    calls = iter(range(1, 100))

    def step(networks, real, latents):
        figures = honest(networks, real, latents)
        if next(calls) == 10:
            with torch.no_grad():
                networks.discriminator.layers[0].bias[0] = float("nan")
        return figures

    monkeypatch.setattr(engine, "train_step", step)
    with pytest.raises(TrainingDivergedError, match=r"discriminator\.layers\.0\.bias"):
        fit(tiny, shards, runs)
    assert checkpoint_iterations(runs / "00001-32px" / "checkpoints") == [5]


def test_a_full_disk_is_noticed_before_the_start(tiny, shards, runs, monkeypatch):
    small = shutil.disk_usage(shards)._replace(free=10**5)
    monkeypatch.setattr(train.shutil, "disk_usage", lambda _: small)
    with pytest.raises(WorkspaceError, match="the checkpoints take") as caught:
        fit(tiny, shards, runs)
    assert "--keep-checkpoints" in caught.value.hint
    assert not runs.exists()


def test_bad_settings_stop_before_anything_is_made(tiny, shards, runs, tmp_path):
    with pytest.raises(ConfigError, match="--batch is 0"):
        fit(replace(tiny, batch=0), shards, runs)
    with pytest.raises(ConfigError, match="--size is 64"):
        fit(replace(tiny, model=replace(tiny.model, image_size=64)), shards, runs)
    with pytest.raises(ShardError):
        fit(tiny, tmp_path / "nothing", runs)
    assert not runs.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_named(tiny, shards, runs):
    with pytest.raises(MissingDependencyError, match="device cuda is not here") as caught:
        fit(replace(tiny, device="cuda"), shards, runs)
    assert caught.value.exit_code == 5
    assert "--device auto" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_too_little_memory_names_what_to_lower(tiny, shards, runs, monkeypatch, error):
    def step(*_):
        raise error

    monkeypatch.setattr(engine, "train_step", step)
    with pytest.raises(ConfigError, match=r"--batch 4, --size 32 and --width 0\.0625") as caught:
        fit(tiny, shards, runs)
    assert "lower --batch" in caught.value.hint


def test_other_runtime_errors_stay_what_they_are(tiny, shards, runs, monkeypatch):
    def step(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(engine, "train_step", step)
    with pytest.raises(RuntimeError, match="a bug"):
        fit(tiny, shards, runs)


def test_a_corrupt_shard_leaves_no_run_behind(tiny, shards, runs):
    (tar,) = shards.glob("*.tar")
    data = bytearray(tar.read_bytes())
    data[600] ^= 255
    tar.write_bytes(data)
    with pytest.raises(ShardError, match="corrupt"):
        fit(tiny, shards, runs)
    assert not runs.exists()


def test_a_batch_may_be_larger_than_the_set(tiny, make_shards, runs):
    result = fit(replace(tiny, batch=7, iters=2), make_shards(count=2).folder, runs)
    assert result.finished
