"""Scores taken while a run is trained, and the best checkpoint by them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.best import BEST_NAME, SCORES_NAME, read_best, read_record
from facegan.core.errors import CheckpointError, ConfigError
from facegan.core.events import Advanced, Note
from facegan.runs import checkpoint_iterations, checkpoint_path
from facegan.score.during import Yardstick
from facegan.train import fit, planned_checkpoints
from facegan.trained import load_generator
from tests.feature_blocks import Blocks


@pytest.fixture
def scored(tiny):
    """4 iterations with a score each second one; one checkpoint stays but for the best."""
    return replace(
        tiny, iters=4, score_every=2, checkpoint_every=100, sample_every=100, keep_checkpoints=1
    )


@pytest.fixture
def by_weights(monkeypatch):
    """Scores that cost nothing: a function of the generator alone."""

    def distance(_, generator):
        return float(generator.layers[0].weight.double().abs().sum())

    monkeypatch.setattr(Yardstick, "distance", distance)


@pytest.fixture
def scripted(monkeypatch):
    def script(*values):
        left = iter(values)
        monkeypatch.setattr(Yardstick, "distance", lambda *_: next(left))

    return script


def stop_after(iterations):
    left = iter([False] * (iterations - 1) + [True])
    return lambda: next(left)


def final(run_dir, iteration=4):
    """All that a run leaves of its scores but the times, and its last checkpoint."""
    scores = read_record(run_dir / SCORES_NAME)
    return (
        checkpoint_path(run_dir / "checkpoints", iteration).read_bytes(),
        checkpoint_iterations(run_dir / "checkpoints"),
        (run_dir / "checkpoints" / BEST_NAME).read_bytes(),
        [replace(score, seconds=0.0) for score in scores],
    )


def notes(events, *, warning=False):
    return [e.text for e in events if isinstance(e, Note) and e.warning == warning]


@pytest.mark.parametrize("network", [None, lambda _: Blocks()], ids=["swd", "kid"])
def test_scores_change_nothing_of_the_training(scored, shards, runs, tmp_path, network):
    plain = fit(replace(scored, score_every=0), shards, tmp_path / "plain")
    assert (plain.best, plain.scored_s) == (None, 0.0)
    assert not (plain.run_dir / SCORES_NAME).exists()
    done = fit(scored, shards, runs, network=network)
    path = checkpoint_path(Path("checkpoints"), 4)
    assert (done.run_dir / path).read_bytes() == (plain.run_dir / path).read_bytes()
    scores = read_record(done.run_dir / SCORES_NAME)
    assert [(score.iteration, score.samples) for score in scores] == [(2, 10), (4, 10)]
    assert {score.measure for score in scores} == {"kid" if network else "swd"}
    assert done.best == read_best(done.run_dir / "checkpoints")
    assert done.best.value == min(score.value for score in scores)
    assert 0 < done.scored_s < done.seconds


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.usefixtures("by_weights")
def test_a_run_that_was_stopped_has_the_scores_of_one_that_was_not(
    scored, shards, runs, tmp_path, stop
):
    whole = fit(scored, shards, tmp_path / "whole")
    part = fit(scored, shards, runs, should_stop=stop_after(stop))
    assert part.iteration == stop
    assert final(fit(scored, shards, runs).run_dir) == final(whole.run_dir)


class Killed(BaseException):
    """Ends the process, as far as a test can."""


def killed_at(patch, moment):
    """Die instead of the n-th change of a file of checkpoints or scores; whether it came to that.

    A file changes by being put under its name or by being removed.
    """
    died = []
    left = iter(range(moment - 1, -1, -1))

    def dying(method):
        def call(path, *target):
            name = Path(*target).name if target else path.name
            if name.startswith(("iter-", "best", "scores")) and next(left, 1) == 0:
                died.append(name)
                raise Killed
            return method(path, *target)

        return call

    patch.setattr(Path, "replace", dying(Path.replace))
    remove = dying(Path.unlink)
    patch.setattr(
        Path,
        "unlink",
        lambda path, **_: remove(path) if path.exists() else None,
    )
    return died


@pytest.mark.usefixtures("by_weights")
@pytest.mark.slow
def test_a_kill_at_any_moment_costs_nothing(scored, shards, tmp_path):
    whole = final(fit(scored, shards, tmp_path / "whole").run_dir)
    moment = 0
    while True:
        moment += 1
        runs = tmp_path / f"killed-{moment}"
        with pytest.MonkeyPatch.context() as patch:
            died = killed_at(patch, moment)
            with contextlib.suppress(Killed):
                fit(scored, shards, runs)
        if not died:
            break
        (run_dir,) = runs.glob("0*")
        if best := read_best(run_dir / "checkpoints"):
            assert load_generator(run_dir, best=True)[1] == best.iteration
        events = []
        assert final(fit(scored, shards, runs, listener=events.append).run_dir) == whole, moment
        assert not notes(events, warning=True)
    assert moment > 8


def test_the_best_checkpoint_stays_and_is_loaded(scored, shards, runs, scripted):
    scripted(3.0, 1.0, 2.0, 4.0)
    done = fit(replace(scored, iters=7), shards, runs)
    assert (done.best.iteration, done.best.value) == (4, 1.0)
    assert checkpoint_iterations(done.run_dir / "checkpoints") == [4, 7]
    assert load_generator(done.run_dir, best=True)[1] == 4
    assert load_generator(done.run_dir)[1] == 7
    assert [s.iteration for s in read_record(done.run_dir / SCORES_NAME)] == [2, 4, 6, 7]


def test_a_resumed_run_goes_on_comparing_with_the_best(scored, shards, runs, scripted):
    scripted(1.0, 2.0)
    fit(scored, shards, runs)
    scripted(1.5, 0.5)
    longer = replace(scored, iters=6)
    part = fit(longer, shards, runs, resume="1", should_stop=stop_after(1))
    assert checkpoint_iterations(part.run_dir / "checkpoints") == [2, 5]
    done = fit(replace(longer, iters=8), shards, runs)
    assert (done.best.iteration, done.best.value) == (8, 0.5)
    assert checkpoint_iterations(done.run_dir / "checkpoints") == [8]


def test_the_best_stays_where_a_later_call_takes_no_scores(scored, shards, runs, scripted):
    scripted(1.0, 2.0)
    fit(scored, shards, runs)
    done = fit(replace(scored, iters=6, score_every=0), shards, runs, resume="1")
    assert done.best.iteration == 2
    assert checkpoint_iterations(done.run_dir / "checkpoints") == [2, 6]
    assert load_generator(done.run_dir, best=True)[1] == 2


def test_a_run_that_has_ended_takes_the_score_of_its_last_checkpoint(scored, shards, runs):
    plain = fit(replace(scored, score_every=0), shards, runs)
    with pytest.raises(CheckpointError, match="without --score-every") as caught:
        load_generator(plain.run_dir, best=True)
    assert caught.value.hint == "facegan train --resume 00001-32px --score-every 500"
    done = fit(replace(scored, score_every=500), shards, runs, resume="1")
    assert done.best.iteration == 4
    assert load_generator(done.run_dir, best=True)[1] == 4
    (done.run_dir / "checkpoints" / BEST_NAME).unlink()
    assert fit(replace(scored, score_every=500), shards, runs, resume="1").best == done.best
    assert len(read_record(done.run_dir / SCORES_NAME)) == 1


def test_a_damaged_best_file_is_told_and_training_goes_on(scored, shards, runs, scripted):
    scripted(1.0, 2.0)
    done = fit(scored, shards, runs)
    (done.run_dir / "checkpoints" / BEST_NAME).write_text("{")
    events = []
    scripted(3.0)
    done = fit(replace(scored, iters=6), shards, runs, resume="1", listener=events.append)
    assert len(notes(events, warning=True)) == 1
    # The lower score of iteration 2 has no checkpoint any more that a file could name.
    assert (done.best.iteration, done.best.value) == (4, 2.0)


def test_what_is_measured_and_what_came_of_it_is_told(scored, shards, runs, scripted):
    scripted(3.0, 4.0)
    events = []
    fit(scored, shards, runs, listener=events.append)
    (text,) = (text for text in notes(events) if "every 2" in text)
    assert "sliced Wasserstein distance of 10 images from as many training images" in text
    assert "is not here" in text
    last = [event for event in events if isinstance(event, Advanced)][-1]
    assert last.done == 4
    assert last.figures["swd"] == "4 (best 3 @ 2)"
    assert last.figures["scoring"] == "0 s"
    assert last.figures.keys() >= {"d_loss", "g_loss"}


def test_scores_by_another_measure_are_not_compared(scored, shards, runs):
    events = []
    fit(scored, shards, runs, network=lambda _: Blocks(), listener=events.append)
    assert any("KID of 10 images by blocks" in text for text in notes(events))
    events = []
    done = fit(replace(scored, iters=6), shards, runs, resume="1", listener=events.append)
    (text,) = notes(events, warning=True)
    assert "measured otherwise" in text
    assert (done.best.measure, done.best.iteration >= 4) == ("swd", True)


def test_one_training_image_is_too_few(scored, make_shards, runs):
    with pytest.raises(ConfigError, match="at least 2 training images") as caught:
        fit(scored, make_shards(count=1).folder, runs)
    assert caught.value.hint == "--score-every 0 takes no scores"


def test_settings_that_cannot_be_are_refused(tiny):
    bad = replace(tiny, score_every=-1, score_samples=1)
    text = "\n".join(bad.problems())
    assert "--score-every is -1: 0 to 1,000,000,000 is allowed" in text
    assert "--score-samples is 1: 2 to 10,000 is allowed" in text


def test_the_disk_has_room_for_the_best(scored):
    assert planned_checkpoints(scored) == planned_checkpoints(replace(scored, score_every=0)) + 1


SCRIPT = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from facegan.config import TrainConfig
from facegan.train import fit
from tests.feature_blocks import Blocks
config, shards, runs = sys.argv[1:]
fit(TrainConfig.from_dict(json.loads(config)), Path(shards), Path(runs))
"""


@pytest.mark.slow
def test_of_two_processes_one_measures(scored, shards, runs):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    words = [*torchrun, "--nproc-per-node", "2", "--no-python", sys.executable, "-c", SCRIPT]
    environment = dict(os.environ) | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, json.dumps(scored.to_dict()), str(shards), str(runs)],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run_dir,) = runs.iterdir()
    assert [s.iteration for s in read_record(run_dir / SCORES_NAME)] == [2, 4]
    assert load_generator(run_dir, best=True)[1] in (2, 4)
