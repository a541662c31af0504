"""Training that was interrupted, and what the next call makes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.checkpoint import load
from facegan.core.errors import CheckpointError, ConfigError, MissingDependencyError
from facegan.core.events import Note, Started
from facegan.history import read_history
from facegan.runs import checkpoint_path, read_run
from facegan.train import fit
from tests.train_helpers import StopAfter, result_of


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


def test_a_damaged_history_is_told_and_training_goes_on(tiny, shards, runs):
    part = fit(tiny, shards, runs, should_stop=StopAfter(5))
    path = part.run_dir / "history.csv"
    path.write_text(path.read_text().replace("\n3,", "\nx,"))
    events = []
    fit(tiny, shards, runs, listener=events.append)
    assert any("damaged" in e.text for e in events if isinstance(e, Note) and e.warning)
    assert read_history(path)["iteration"].tolist() == [1, 2, *range(6, 13)]


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
