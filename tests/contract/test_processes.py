"""What a hostile or unlucky item costs: itself, and a bounded time."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facegan.core.errors import FaceganError
from facegan.core.files import sha256_of
from facegan.core.records import Status
from pipeline import processes
from pipeline.config import CropConfig
from pipeline.crop_stage import crop
from pipeline.executors import Processes, WorkerDied
from pipeline.portraits import portraits
from tests.contract.work import (
    a_tenth_of_a_second,
    double,
    endless_at_three,
    killed_at_every_fourth,
    killed_at_three,
    killed_half_way_through_what_it_sends,
    large,
    slow_and_killed_at_three,
    slow_at_three,
)
from tests.crop_helpers import as_jpeg, faces_of, fill

ROOT = Path(__file__).parents[2]
CONFIG = CropConfig(detector="haar", size=64)
of_posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_never_ends_costs_itself_and_no_more_than_its_deadline(workers):
    before = set(multiprocessing.active_children())
    begun = time.monotonic()
    results = list(Processes(workers, deadline_s=1.0).run(endless_at_three, range(30)))
    assert 1 < time.monotonic() - begun < 20
    assert len(results) == 30
    assert dict(results) == {n: WorkerDied(1.0) if n == 3 else n for n in range(30)}
    assert set(multiprocessing.active_children()) == before


def test_the_deadline_is_of_each_item_and_not_of_all_that_a_worker_does():
    results = dict(Processes(1, deadline_s=1.0).run(a_tenth_of_a_second, range(15)))
    assert results == {n: n for n in range(15)}


def test_a_consumer_that_takes_its_time_costs_no_item(monkeypatch):
    monkeypatch.setattr(processes, "TICK_S", 0.2)
    results = {}
    for item, result in Processes(2, deadline_s=0.5).run(double, range(6)):
        time.sleep(0.7)
        results[item] = result
    assert results == {n: 2 * n for n in range(6)}


def test_time_in_which_everything_stood_still_is_not_counted(monkeypatch):
    """As while a machine sleeps: the clock jumps ahead between two looks at it."""
    now = time.monotonic

    class Jumping:
        hours = 0.0

        def monotonic(self):
            self.hours += 3600
            return now() + self.hours

    monkeypatch.setattr(processes, "time", Jumping())
    monkeypatch.setattr(processes, "TICK_S", 0.02)
    results = dict(Processes(1, deadline_s=30.0).run(a_tenth_of_a_second, range(5)))
    assert results == {n: n for n in range(5)}


def test_a_worker_that_dies_takes_no_other_item_with_it():
    """The others are not begun anew: each is seen by exactly one process but for the culprit."""
    seen = [item for item, _ in Processes(2).run(killed_at_three, range(30))]
    assert seen[-1] == 3
    assert sorted(seen) == list(range(30))


def test_a_result_that_is_half_sent_costs_its_item_alone():
    results = dict(Processes(2).run(killed_half_way_through_what_it_sends, range(20)))
    assert results == {n: WorkerDied() if n == 3 else bytes(300_000) for n in range(20)}


def test_workers_that_die_as_they_begin_cost_nothing_where_others_live(monkeypatch):
    started = processes.Team._started
    born = []

    def unlucky(team):
        worker = started(team)
        born.append(worker)
        if len(born) % 3 == 2:
            worker.process.kill()
        return worker

    monkeypatch.setattr(processes.Team, "_started", unlucky)
    # Every fourth item ends its worker, so that there are new ones all along.
    results = dict(Processes(2).run(killed_at_every_fourth, range(40)))
    assert results == {n: n if n % 4 else WorkerDied() for n in range(40)}
    assert len(born) > 15


@pytest.mark.parametrize("fate", [slow_at_three, slow_and_killed_at_three])
def test_while_one_worker_is_at_a_slow_item_no_other_need_live(monkeypatch, fate):
    """Memory is short: whatever is started beside a worker at a large picture is killed at once."""
    started = processes.Team._started
    born = []

    def unlucky(team):
        worker = started(team)
        born.append(worker)
        if 1 < len(born) < 8:
            worker.process.kill()
        return worker

    monkeypatch.setattr(processes.Team, "_started", unlucky)
    results = dict(Processes(2).run(fate, [3, *range(4, 12)]))
    culprit = WorkerDied() if fate is slow_and_killed_at_three else 3
    assert results == {3: culprit} | {n: n for n in range(4, 12)}
    assert len(born) < 15


def test_large_items_and_results_do_not_wait_for_each_other():
    items = [bytes([n]) * 2_000_000 for n in range(12)]
    results = list(Processes(2, deadline_s=30.0).run(large, items))
    assert len(results) == 12
    assert {len(result) for _, result in results} == {3_000_001}


def test_what_cannot_be_sent_back_is_an_error_that_says_so():
    with pytest.raises(FaceganError, match="a worker cannot send"):
        list(Processes(1).run(compile_, ["1"]))


def compile_(text):
    return compile(text, "", "eval")


def test_workers_that_cannot_begin_stop_the_stage(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "from pipeline.executors import Processes\n"
        "class Deadly:\n"
        "    def __call__(self, n): return n\n"
        "    def __reduce__(self): return os._exit, (3,)\n"
        "if __name__ == '__main__': list(Processes(2).run(Deadly(), range(3)))\n"
    )
    ended = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert "worker processes die as they begin" in ended.stderr


def with_a_pipe(folder):
    """A workspace of four portraits, of which one cannot be read to its end."""
    images = [as_jpeg(portrait.image) for portrait in portraits(4, seed=51, size_px=160)]
    workspace = fill(folder, images)
    (path,) = workspace.images.glob(f"*/{sha256_of(images[0])}.jpg")
    path.unlink()
    os.mkfifo(path)
    return workspace, path, images[0]


@of_posix
def test_a_picture_that_takes_too_long_fails_and_is_tried_again(tmp_path):
    workspace, path, data = with_a_pipe(tmp_path / "data")
    report = crop(CONFIG, workspace, executor=Processes(2, ("pipeline.crop",), 1.5))
    assert report.images.failed == {"decode_timeout": 1}
    assert (report.images.kept, report.pending) == (3, 0)
    path.unlink()
    path.write_bytes(data)
    assert crop(CONFIG, workspace, executor=Processes(1)).images.kept == 1
    assert len(faces_of(workspace, Status.KEPT)) == 4


@of_posix
@pytest.mark.slow
def test_ctrl_c_waits_for_what_is_in_flight_and_a_second_one_does_not(tmp_path):
    workspace, _, _ = with_a_pipe(tmp_path / "data")
    line = ("crop", "--detector", "haar", "--size", "64", "--workers", "1", "--workspace")
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *line, workspace.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    ) as process:
        try:
            assert "Haar" in process.stderr.readline()
            time.sleep(3)
            os.killpg(process.pid, signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            begun = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert time.monotonic() - begun < 10
    assert process.returncode == 130
    assert "Traceback" not in err
