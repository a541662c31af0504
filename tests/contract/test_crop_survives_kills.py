"""kill -9 of `crop` at any moment, then the same call: the catalog of an uninterrupted run."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from facegan.core.shards import open_index
from pipeline.config import CropConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial
from pipeline.portraits import portraits
from tests.crop_helpers import as_jpeg, fill, rows_of

ROOT = Path(__file__).parents[2]
CONFIG = CropConfig(detector="haar", size=32, workers=2)
PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from facegan.core.files import Workspace
    from pipeline.config import CropConfig
    from pipeline.crop_stage import crop

    if __name__ == "__main__":
        print("go", flush=True)
        config = CropConfig(detector="haar", size=32, workers=2)
        crop(config, Workspace(Path(sys.argv[1])))
        print("done", flush=True)
    """
)


@pytest.mark.skipif(os.name != "posix", reason="kills process groups")
@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tmp_path):
    images = [as_jpeg(portrait.image) for portrait in portraits(40, seed=41, size_px=256)]
    images += [b"no image", images[0][:3000]]
    whole = fill(tmp_path / "whole", images)
    crop(CONFIG, whole, executor=Serial())
    workspace = fill(tmp_path / "data", images)
    (tmp_path / "program.py").write_text(PROGRAM)
    moments, killed = random.Random(4), 0
    for _ in range(6):
        killed += run_and_kill(tmp_path / "program.py", workspace.root, moments.uniform(0.2, 1.6))
    assert killed
    crop(CONFIG, workspace, executor=Serial())
    assert rows_of(workspace) == rows_of(whole)
    assert open_index(workspace.shards).members == open_index(whole.shards).members
    assert names(workspace.faces) == names(whole.faces)


def run_and_kill(program, root, after_s):
    """Whether the kill came before the end."""
    with subprocess.Popen(
        [sys.executable, program, root],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        process.stdout.readline()
        time.sleep(after_s)
        ended = process.poll() is not None
        os.kill(process.pid, signal.SIGKILL)
    return not ended


def names(folder):
    return sorted(path.name for path in folder.glob("*/*"))
