from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from facegan import engine, train
from facegan.checkpoint import load
from facegan.core.errors import (
    CheckpointError,
    ConfigError,
    MissingDependencyError,
    ShardError,
    TrainingDivergedError,
    WorkspaceError,
)
from facegan.core.events import Advanced, Finished, Note, Started
from facegan.history import read_history
from facegan.images import decode_png
from facegan.runs import checkpoint_iterations, checkpoint_path, read_run
from facegan.train import fit
from facegan.trained import load_generator


class StopAfter:
    """`should_stop` that turns true at the n-th question."""

    def __init__(self, iterations):
        self.left = iterations

    def __call__(self):
        self.left -= 1
        return self.left <= 0


def result_of(run_dir, iters):
    """All that a run leaves but the times: tensors, history, pictures."""
    history = read_history(run_dir / "history.csv")
    del history["seconds"]
    return (
        checkpoint_path(run_dir / "checkpoints", iters).read_bytes(),
        {name: column.tolist() for name, column in history.items()},
        {path.name: path.read_bytes() for path in (run_dir / "samples").iterdir()},
    )


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


@pytest.mark.parametrize("stops", [(1,), (4,), (5,), (7,), (11,), (2, 3, 4)], ids=str)
def test_resume_equals_no_interruption_bit_for_bit(tiny, shards, runs, tmp_path, stops):
    whole = fit(tiny, shards, tmp_path / "whole")
    for number, iterations in enumerate(stops):
        events = []
        part = fit(tiny, shards, runs, should_stop=StopAfter(iterations), listener=events.append)
        assert part.interrupted
        assert not part.finished
        assert part.iteration == sum(stops[: number + 1])
    events = []
    rest = fit(tiny, shards, runs, listener=events.append)
    assert rest.finished
    assert rest.run_dir == part.run_dir
    assert Started("train", 12, "iteration", sum(stops)) in events
    texts = [event.text for event in events if isinstance(event, Note)]
    assert f"goes on from iteration {sum(stops)}" in texts[-1]
    assert result_of(rest.run_dir, 12) == result_of(whole.run_dir, 12)


def test_a_longer_run_equals_one_that_was_made_longer(tiny, shards, runs, tmp_path):
    whole = fit(tiny, shards, tmp_path / "whole")
    fit(replace(tiny, iters=8), shards, runs)
    longer = fit(tiny, shards, runs)
    assert longer.run_dir.name == "00001-32px"
    assert read_run(longer.run_dir).config.iters == 12
    assert result_of(longer.run_dir, 12) == result_of(whole.run_dir, 12)


@pytest.mark.parametrize("bytes_lost", [1, 1000])
def test_a_corrupt_checkpoint_costs_only_the_way_from_the_one_before(
    tiny, shards, runs, tmp_path, bytes_lost
):
    whole = fit(tiny, shards, tmp_path / "whole")
    part = fit(tiny, shards, runs, should_stop=StopAfter(7))
    path = checkpoint_path(part.run_dir / "checkpoints", 7)
    path.write_bytes(path.read_bytes()[:-bytes_lost])
    events = []
    rest = fit(tiny, shards, runs, listener=events.append)
    assert [event.warning for event in events if isinstance(event, Note)] == [False, True, False]
    assert Started("train", 12, "iteration", 5) in events
    assert result_of(rest.run_dir, 12) == result_of(whole.run_dir, 12)


def test_a_run_without_a_whole_checkpoint_says_so(tiny, shards, runs):
    part = fit(tiny, shards, runs, should_stop=StopAfter(2))
    checkpoint_path(part.run_dir / "checkpoints", 2).write_bytes(b"")
    with pytest.raises(CheckpointError, match="is whole") as caught:
        fit(tiny, shards, runs)
    assert "--restart" in caught.value.hint


def test_seeds_give_different_runs(tiny, shards, runs):
    first, second = (fit(replace(tiny, seed=seed), shards, runs).run_dir for seed in (0, 1))
    assert first != second
    assert result_of(first, 12)[0] != result_of(second, 12)[0]


def test_a_finished_run_is_not_touched_by_the_next(tiny, shards, runs):
    first = fit(tiny, shards, runs)
    before = result_of(first.run_dir, 12)
    second = fit(tiny, shards, runs)
    assert second.run_dir.name == "00002-32px"
    assert result_of(first.run_dir, 12) == before


def test_resuming_a_finished_run_has_nothing_to_do(tiny, shards, runs):
    first = fit(tiny, shards, runs)
    before = result_of(first.run_dir, 12)
    again = fit(tiny, shards, runs, resume="1")
    assert (again.iteration, again.finished) == (12, True)
    assert result_of(first.run_dir, 12) == before


def test_changed_faces_begin_a_new_run(tiny, make_shards, runs):
    part = fit(tiny, make_shards().folder, runs, should_stop=StopAfter(2))
    changed = make_shards(seed=1).folder
    with pytest.raises(ConfigError, match="other faces"):
        fit(tiny, changed, runs, resume="1")
    assert fit(tiny, changed, runs).run_dir != part.run_dir


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


def test_a_run_of_a_device_that_is_not_here_goes_on_as_the_hint_says(
    tiny, shards, runs, monkeypatch
):
    part = fit(tiny, shards, runs, should_stop=StopAfter(5))
    path = part.run_dir / "config.json"
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "mps"'))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        MissingDependencyError, match="mps, with which the run 00001-32px"
    ) as caught:
        fit(replace(tiny, device="auto"), shards, runs)
    assert caught.value.hint == "facegan train --resume 00001-32px --device cpu --override"
    rest = fit(replace(tiny, device="cpu"), shards, runs, resume="00001-32px", override=True)
    assert (rest.run_dir, rest.iteration) == (part.run_dir, 12)


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


def test_a_damaged_history_is_told_and_training_goes_on(tiny, shards, runs):
    part = fit(tiny, shards, runs, should_stop=StopAfter(5))
    path = part.run_dir / "history.csv"
    path.write_text(path.read_text().replace("\n3,", "\nx,"))
    events = []
    fit(tiny, shards, runs, listener=events.append)
    assert any("damaged" in e.text for e in events if isinstance(e, Note) and e.warning)
    assert read_history(path)["iteration"].tolist() == [1, 2, *range(6, 13)]


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


def test_the_seconds_of_interrupted_runs_add_up(tiny, shards, runs):
    part = fit(tiny, shards, runs, should_stop=StopAfter(6))
    rest = fit(tiny, shards, runs)
    seconds = read_history(rest.run_dir / "history.csv")["seconds"]
    assert np.all(np.diff(seconds) >= 0)
    stored = json.loads(
        checkpoint_path(part.run_dir / "checkpoints", 12).with_suffix(".json").read_bytes()
    )
    assert stored["seconds"] >= seconds[-1]
    assert load(checkpoint_path(part.run_dir / "checkpoints", 12)).seconds == stored["seconds"]
