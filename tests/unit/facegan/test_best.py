"""The best checkpoint's name and the record of scores, on the disk."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan import checkpoint
from facegan.best import (
    BEST_NAME,
    Record,
    Score,
    beats,
    best_checkpoint,
    best_iteration,
    best_or_none,
    read_best,
    read_record,
    write_best,
)
from facegan.config import ModelConfig, TrainConfig
from facegan.core.errors import CheckpointError
from facegan.runs import checkpoint_iterations, checkpoint_path, create

SCORE = Score(5, "swd", 89.1234567890123, 500, 1.25, "0123456789ab")


def save(folder, iteration, keep=3, keep_every=0, spared=()):
    return checkpoint.write(
        folder,
        {"a": torch.zeros(1)},
        iteration=iteration,
        nimg=iteration,
        seconds=0.0,
        model=ModelConfig(),
        keep=keep,
        keep_every=keep_every,
        spared=spared,
    )


@pytest.fixture
def run(tmp_path):
    """A run with one checkpoint, of iteration 5."""
    found = create(tmp_path / "runs", TrainConfig(), {})
    save(found.checkpoints, 5)
    return found


def test_what_is_written_is_read(run):
    assert read_best(run.checkpoints) is None
    assert best_iteration(run.checkpoints) is None
    best = write_best(run.checkpoints, SCORE, seed=7)
    assert read_best(run.checkpoints) == best
    about = json.loads((run.checkpoints / BEST_NAME).read_bytes())
    wanted = {"version": 1, "iteration": 5, "measure": "swd", "value": SCORE.value}
    assert about == wanted | {"samples": 500, "seed": 7, "yardstick": SCORE.yardstick}
    assert best_checkpoint(run.folder) == checkpoint_path(run.checkpoints, 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda text: text[:-5],
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"iteration": 5', '"iteration": "5"'),
        lambda text: text.replace(str(SCORE.value), "NaN"),
        lambda text: text.replace('"measure"', '"measured"'),
        lambda text: text.replace('"iteration": 5', '"iteration": 6'),
    ],
    ids=["empty", "cut", "list", "deep", "version", "type", "nan", "key", "no such checkpoint"],
)
def test_a_damaged_or_wrong_file_is_an_error_to_ask_for_and_none_to_go_on_with(run, change):
    write_best(run.checkpoints, SCORE, seed=0)
    path = run.checkpoints / BEST_NAME
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=r"best\.json") as caught:
        best_checkpoint(run.folder)
    assert caught.value.hint == f"facegan train --resume {run.folder.name} --score-every 500"
    events = []
    assert best_or_none(run.checkpoints, events.append) is None
    (note,) = events
    assert note.warning
    assert "chosen anew" in note.text
    assert not path.exists()


def test_a_run_without_scores_names_the_command_that_takes_one(run):
    with pytest.raises(CheckpointError, match="no best checkpoint") as caught:
        best_checkpoint(run.folder)
    assert caught.value.hint == f"facegan train --resume {run.folder.name} --score-every 500"


def test_only_a_run_has_a_best_checkpoint(run, tmp_path):
    for source in (checkpoint_path(run.checkpoints, 5), tmp_path):
        with pytest.raises(CheckpointError, match="is no run with checkpoints"):
            best_checkpoint(source)


@given(st.lists(st.floats(), max_size=8))
def test_the_best_is_the_first_of_the_lowest_finite_scores(values):
    best = None
    for iteration, value in enumerate(values):
        score = replace(SCORE, iteration=iteration, value=value)
        if beats(score, best):
            best = score
    finite = [value for value in values if math.isfinite(value)]
    # A score that is not finite never stands first; later ones only lose or are -infinity.
    if finite and -math.inf not in values:
        assert best.iteration == values.index(min(finite))
    elif not finite:
        assert best is None


def test_scores_of_another_yardstick_begin_anew(run):
    best = write_best(run.checkpoints, SCORE, seed=0)
    higher = replace(SCORE, value=SCORE.value + 1)
    assert not beats(higher, best)
    assert beats(replace(higher, yardstick="other"), best)


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(st.integers(0, 9), min_size=1, max_size=7),
    keep=st.integers(1, 3),
    keep_every=st.sampled_from([0, 3]),
)
def test_the_best_is_kept_beside_the_newest_and_nothing_else(
    tmp_path_factory, values, keep, keep_every
):
    folder = tmp_path_factory.mktemp("checkpoints")
    best = None
    for iteration, value in enumerate(values, start=1):
        spared = (best.iteration,) if best else ()
        save(folder, iteration, keep, keep_every, spared)
        score = replace(SCORE, iteration=iteration, value=value)
        if beats(score, best):
            best = write_best(folder, score, seed=0)
            kept = (best.iteration,)
            checkpoint.remove_old(folder, keep=keep, keep_every=keep_every, spared=kept)
        lowest = values.index(min(values[:iteration])) + 1
        assert read_best(folder).iteration == lowest
        newest = range(max(1, iteration - keep + 1), iteration + 1)
        multiples = range(keep_every, iteration + 1, keep_every) if keep_every else ()
        assert checkpoint_iterations(folder) == sorted({lowest, *newest, *multiples})


def test_scores_come_back_exactly_and_later_ones_go(tmp_path):
    path = tmp_path / "scores.csv"
    record = Record(path, iteration=0)
    assert not path.exists()
    scores = [replace(SCORE, iteration=i, value=-1 / (3 + i)) for i in (2, 4, 6)]
    for score in scores:
        record.add(score)
    assert read_record(path) == scores
    assert path.read_text().splitlines()[0] == "iteration,measure,value,samples,seconds,yardstick"
    again = Record(path, iteration=4)
    assert again.scores == scores[:2] == read_record(path)
    again.add(scores[1])
    assert again.scores == scores[:2]
    assert again.find(4, SCORE.yardstick) == scores[1]
    assert again.find(6, SCORE.yardstick) is again.find(4, "other") is None


@pytest.mark.parametrize("damage", ["x,", "5,swd\n", "\xff"])
def test_a_damaged_record_is_told_and_kept(tmp_path, damage):
    path = tmp_path / "scores.csv"
    Record(path, iteration=0).add(SCORE)
    damaged = path.read_bytes() + damage.encode("latin-1")
    path.write_bytes(damaged)
    events = []
    record = Record(path, iteration=9, listener=events.append)
    assert [event.warning for event in events] == [True]
    assert (tmp_path / "scores.csv.broken").read_bytes() == damaged
    assert record.scores == read_record(path)
    record.add(replace(SCORE, iteration=6))
    assert read_record(path)[-1].iteration == 6
