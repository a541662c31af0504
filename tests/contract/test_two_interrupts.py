"""Ctrl-C reaches every process of the terminal: only the parent may say anything of it."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.portraits import portraits
from tests.crop_helpers import as_jpeg, fill

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of the fork server")

PROGRAM = """
    import signal
    from tests.contract.work import double
    from pipeline.executors import Processes

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, lambda *_: None)
        print(sum(result for _, result in Processes(2, ("slow",)).run(double, range(9))))
"""


def started(program, folder, *args):
    return subprocess.Popen(
        [sys.executable, *program, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def test_the_fork_server_leaves_ctrl_c_to_the_parent_while_it_starts(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(1)\n")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    with started([tmp_path / "program.py"], tmp_path) as process:
        assert process.stdout.readline() == "here\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "72\n", "")


def test_workers_get_the_signals_that_were_kept_from_them_while_they_started(tmp_path):
    (tmp_path / "probe.py").write_text(
        "import signal\ndef work(n):\n    return len(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    program = PROGRAM.replace("tests.contract.work import double", "probe import work as double")
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    with started([tmp_path / "program.py"], tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "0\n", "")


@pytest.mark.slow
def test_two_or_three_interrupts_at_any_moment_of_crop_show_no_traceback_and_end_it(tmp_path):
    images = [as_jpeg(portrait.image) for portrait in portraits(40, seed=43, size_px=256)]
    workspace = fill(tmp_path / "data", images)
    moments = random.Random(6)
    codes = set()
    for number in range(10):
        line = ("crop", "--detector", "haar", "--size", "32", "--margin", f"0.{number}")
        with started(["-m", "cli"], tmp_path, *line, "--workspace", workspace.root) as process:
            said = process.stderr.readline()
            time.sleep(moments.choice((0.5, 1.5)) * moments.random())
            for _ in range(moments.choice((2, 3))):
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
                time.sleep(moments.choice((0, 0.02, 0.05, 0.2)))
            _, err = process.communicate(timeout=60)
        assert "Traceback" not in said + err, said + err
        codes.add(process.returncode)
    assert 130 in codes
    assert codes <= {0, 130, -signal.SIGINT}  # the last: it came when Python had ended
