"""One contract for every executor; what only processes can do stands below it."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from facegan.core.errors import WorkspaceError
from facegan.core.events import silent
from pipeline.config import CropConfig
from pipeline.crop_stage import crop
from pipeline.executors import Processes, Serial, Threads, WorkerDied
from pipeline.portraits import portraits
from pipeline.stage import run_stage
from tests.contract.work import (
    double,
    exit_at_three,
    interrupted,
    killed_at_odd,
    killed_at_three,
    refuse,
    slow_but_the_first,
)
from tests.crop_helpers import as_jpeg, fill, rows_of

ROOT = Path(__file__).parents[2]
EXECUTORS = [Serial(), Threads(3), Processes(2)]


@pytest.fixture(params=EXECUTORS, ids=lambda e: type(e).__name__)
def executor(request):
    return request.param


def test_every_item_comes_back_with_its_result(executor):
    assert sorted(executor.run(double, range(40))) == [(n, 2 * n) for n in range(40)]


def test_no_items_give_no_results(executor):
    assert list(executor.run(double, [])) == []


def test_an_exception_of_the_work_is_raised_whole(executor):
    with pytest.raises(WorkspaceError, match="no 5") as caught:
        list(executor.run(refuse, [5]))
    assert caught.value.hint == "facegan crop"


def test_items_are_taken_as_needed(executor):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield 1

    results = executor.run(double, endless())
    for _ in range(20):
        next(results)
    results.close()
    assert len(taken) <= 20 + 3 * 3 + 1


def test_all_executors_lead_to_the_same_catalog_and_the_same_shards(tmp_path):
    images = [as_jpeg(portrait.image) for portrait in portraits(6, seed=3, size_px=160)]
    images += [b"no image", images[0][:2000]]
    seen = []
    for number, executor in enumerate(EXECUTORS):
        workspace = fill(tmp_path / str(number), images)
        crop(CropConfig(detector="haar", size=64), workspace, executor=executor)
        tars = {path.name: path.read_bytes() for path in workspace.shards.iterdir()}
        seen.append((rows_of(workspace), tars))
    assert all(seen[0][0])
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("work", [exit_at_three, killed_at_three])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_costs_exactly_one_item(work, workers):
    results = dict(Processes(workers).run(work, range(30)))
    assert results == {n: WorkerDied() if n == 3 else n for n in range(30)}


def test_threads_give_results_while_items_are_slow_to_come():
    given, taken = [], []

    def items():
        for number in range(6):
            time.sleep(0.06)
            taken.append(number)
            yield number

    for item, _ in Threads(4).run(double, items()):
        given.append((item, taken[-1]))
    assert all(last <= item + 2 for item, last in given)


def test_items_may_come_to_an_end_for_now():
    waiting = [1, 2]

    class Items:
        def __iter__(self):
            return self

        def __next__(self):
            if not waiting:
                raise StopIteration
            return waiting.pop()

    seen = []
    for item, _ in Threads(2).run(double, Items()):
        seen.append(item)
        if item == 2:
            waiting.append(3)
    assert sorted(seen) == [1, 2, 3]


def test_many_deaths_cost_their_own_items_only():
    results = dict(Processes(2).run(killed_at_odd, range(8)))
    assert results == {n: WorkerDied() if n % 2 else n for n in range(8)}


def test_workers_leave_ctrl_c_to_the_parent():
    assert sorted(Processes(2).run(interrupted, range(4))) == [(n, n) for n in range(4)]


def test_closing_early_leaves_no_process_behind():
    before = set(multiprocessing.active_children())
    results = Processes(2).run(double, range(1000))
    next(results)
    results.close()
    assert set(multiprocessing.active_children()) == before


def test_ctrl_c_in_the_parent_does_not_wait_for_what_is_in_flight():
    before = set(multiprocessing.active_children())
    results = Processes(2).run(slow_but_the_first, range(9))
    assert next(results) == (0, 0)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt())
    assert time.monotonic() - begun < 20
    assert set(multiprocessing.active_children()) == before


def test_workers_end_when_an_error_of_save_stops_the_stage():
    before = set(multiprocessing.active_children())

    def save(_item, _result):
        raise WorkspaceError("the disk is full")

    with pytest.raises(WorkspaceError):
        run_stage(
            "s", range(9), double, save, Processes(2), listener=silent, should_stop=lambda: False
        )
    assert set(multiprocessing.active_children()) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_workers_end_when_the_parent_is_killed(tmp_path):
    (tmp_path / "slow.py").write_text("import os, time\ndef work(n):\n    return os.getpid()\n")
    program = """
        import time
        import slow
        from pipeline.executors import Processes

        if __name__ == "__main__":
            results = Processes(2).run(slow.work, range(100))
            print(next(results)[1], next(results)[1], flush=True)
            time.sleep(60)
    """
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    with subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        workers = {int(word) for word in process.stdout.readline().split()}
        process.kill()
    assert workers
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)
