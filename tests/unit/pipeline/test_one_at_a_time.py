"""Stages that change a workspace do not mix: each of them takes the lock."""

import threading

import pytest

from facegan.core.errors import WorkspaceError
from facegan.core.lock import exclusive
from pipeline.config import CropConfig, ScrapeConfig, ShardConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial
from pipeline.pack import pack
from pipeline.portraits import portraits
from pipeline.scrape import scrape, scrape_all
from tests.crop_helpers import as_jpeg, fill

DRAWN = ScrapeConfig("drawn", source="portraits", limit=1, size_px=64)
STAGES = {
    "scrape": lambda workspace: scrape(DRAWN, workspace),
    "scrape_all": lambda workspace: scrape_all([DRAWN], workspace),
    "crop": lambda workspace: crop(CropConfig(detector="haar", size=64), workspace),
    "pack": lambda workspace: pack(workspace, ShardConfig()),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    (portrait,) = portraits(1, seed=3, size_px=160)
    made = fill(tmp_path_factory.mktemp("work") / "data", [as_jpeg(portrait.image)])
    crop(CropConfig(detector="haar", size=64), made, executor=Serial())
    return made


@pytest.fixture
def elsewhere(workspace):
    """Another thread holds the lock."""
    held, enough = threading.Event(), threading.Event()

    def hold():
        with exclusive(workspace):
            held.set()
            enough.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    yield
    enough.set()
    thread.join()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("stage", STAGES)
def test_stage_leaves_a_workspace_alone_in_which_another_works(workspace, stage):
    before = {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*")}
    with pytest.raises(WorkspaceError, match=r"another facegan .* is working in"):
        STAGES[stage](workspace)
    assert {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*")} == before
