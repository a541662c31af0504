"""`facegan status` and `facegan shard` as somebody types them."""

from __future__ import annotations

import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.core.lock import exclusive
from facegan.core.records import Outcome, Reason, Status
from facegan.core.shards import ShardIndex
from pipeline.config import SIZES, CropConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial
from pipeline.images import encode_png
from pipeline.pack import record
from tests.crop_helpers import as_jpeg, drawn, fill

from .conftest import Typed

COUNT = 60


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    """A workspace with COUNT images without a face."""
    images = [as_jpeg(np.full((8, 8, 3), shade)) for shade in range(COUNT)]
    workspace = fill(tmp_path / "data", images)
    with Catalog(workspace.catalog) as catalog:
        for image in catalog.pending_images("crop", "c"):
            outcome = Outcome(Status.REJECTED, Reason.NO_FACE, "in\x1b[31m vain")
            catalog.record_faces(image.sha256, [], outcome, "c")
    return workspace


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mix" / "faces"
    folder.mkdir(parents=True)
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)
        (folder / f"{number}.png").write_bytes(encode_png(noise))
    (folder / "text.jpg").write_text("text")
    return folder


def test_status_lists_what_was_left_out_page_by_page(typed: Typed, home: Workspace) -> None:
    code, out, _ = typed("status", "--left-out")
    lines = out.splitlines()
    assert (code, lines[0]) == (0, f"{COUNT} images left out as no_face")
    assert re.fullmatch(r"  images/\S+\.jpg  from https://example.org/\d+\.jpg", lines[1])
    assert lines[2] == "    in\ufffd[31m vain"
    assert lines[-2:] == [
        "  and 50 more: facegan status --left-out no_face",
        'next: facegan scrape "artist"',
    ]
    assert len(lines) == 1 + 2 * 10 + 2
    lines = typed("status", "--left-out", "no_face")[1].splitlines()
    assert lines[-2] == "  and 10 more: --json lists all"
    assert len(lines) == 1 + 2 * 50 + 2
    found = json.loads(typed("status", "--left-out", "--json")[1])["result"]["left_out"]
    assert len(found) == len({one["file"] for one in found}) == COUNT
    assert all((home.root / one["file"]).exists() for one in found)
    assert "left_out" not in json.loads(typed("status", "--json")[1])["result"]


@pytest.mark.usefixtures("home")
def test_status_says_so_where_nothing_was_left_out(typed: Typed) -> None:
    assert typed("status", "--left-out", "tilted")[1].startswith("nothing was left out as tilted\n")
    assert typed("status", "--left-out", "--workspace", "new")[1].startswith(
        "nothing was left out\n"
    )
    code, _, err = typed("status", "--left-out", "no_fase")
    assert (code, err.splitlines()[0]) == (
        2, "error: --left-out: no such reason 'no_fase'; did you mean no_face?",
    )  # fmt: skip


@pytest.mark.usefixtures("mine")
def test_status_tells_whose_images_are_packed_and_how_many_are_held_out(typed: Typed) -> None:
    assert typed("shard", "mix/faces", "--size", "32", "--hold-out", "0.5")[0] == 0
    held_out = json.loads(typed("status", "--json")[1])["result"]["held_out"]
    assert 0 < held_out < 4
    line = f"shards         4  images of 32 px, {held_out} held out, from mix/faces"
    assert line in typed("status")[1].splitlines()


@pytest.mark.usefixtures("mine")
def test_a_dry_run_says_what_would_be_packed_and_what_that_replaces(
    typed: Typed, home: Workspace
) -> None:
    line = ("shard", "mix/faces", "--dry-run")
    assert typed(*line)[1].splitlines() == [
        "would pack what is an image of 5 files in mix/faces into data/shards"
    ]
    assert not home.shards.exists() or not list(home.shards.iterdir())
    typed("shard", "mix/faces", "--size", "32")
    before = (home.shards / "index.json").read_bytes()
    assert "would replace the 4 images of 32 px from mix/faces" in typed(*line)[1]
    assert typed("shard", "--dry-run")[1].splitlines() == [
        "would pack 0 kept faces of data/faces into data/shards"
    ]
    assert json.loads(typed(*line, "--json")[1])["result"]["replaces"] == 4
    assert (home.shards / "index.json").read_bytes() == before
    assert typed("shard", "nowhere", "--dry-run")[0] == 3


def test_what_was_packed_before_is_told_when_it_is_replaced(typed: Typed, mine: Path) -> None:
    typed("shard", "mix/faces", "--size", "32")
    (mine / "0.png").unlink()
    _, out, _ = typed("shard", "mix/faces", "--size", "32")
    assert "replaced the 4 images of 32 px from mix/faces" in out.splitlines()


@pytest.mark.usefixtures("mine")
def test_a_folder_is_packed_and_recorded_under_the_workspaces_lock(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def recording(workspace: Workspace, index: ShardIndex) -> None:
        with ThreadPoolExecutor(1) as other:
            taken.append(other.submit(lambda: exclusive(workspace).__enter__()).exception())
        record(workspace, index)

    monkeypatch.setattr("pipeline.pack.record", recording)
    assert typed("shard", "mix/faces", "--size", "32")[0] == 0
    assert "another facegan" in str(taken)


@pytest.fixture
def killed(tmp_path: Path) -> Workspace:
    """A workspace with three kept faces; in one of the images a `facegan crop` found one anew."""
    workspace = fill(tmp_path / "data", drawn(3))
    config = CropConfig(detector="haar", size=32)
    crop(config, workspace, executor=Serial())
    asked = itertools.count()

    def stop() -> bool:
        if next(asked) == 1:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        crop(replace(config, margin=0.2), workspace, executor=Serial(), should_stop=stop)
    return workspace


@pytest.mark.usefixtures("killed")
def test_after_a_killed_crop_status_shard_and_train_lead_to_it(typed: Typed) -> None:
    goes_on = "facegan crop --size 32 --detector haar --margin 0.2"
    amiss = (
        "the last `facegan crop` was stopped:"
        " 1 face not judged yet, 2 kept faces still of other settings"
    )
    lines = typed("status")[1].splitlines()
    assert "faces          3  kept 2, 1 not judged yet" in lines
    assert lines[-1] == f"next: {goes_on}"
    assert typed("train")[2].splitlines()[-1] == f"hint: {goes_on}"
    assert amiss in typed("shard", "--dry-run")[1].splitlines()
    _, out, err = typed("shard")
    assert amiss in err
    assert out.splitlines()[-1] == f"next: {goes_on}"
    assert json.loads(typed("status", "--json")[1])["result"]["faces_pending"] == 1


def test_the_help_of_shard_lists_the_sizes_and_says_whose_they_are(typed: Typed) -> None:
    text = " ".join(typed("shard", "-h")[1].split())
    *most, last = map(str, SIZES)
    assert f"Of FOLDER's images: {', '.join(most)} or {last} px." in text


@pytest.mark.usefixtures("mine")
def test_quiet_prints_warnings_and_the_result_as_the_help_says(typed: Typed) -> None:
    _, out, err = typed("shard", "mix/faces", "--size", "32", "-q")
    assert out.startswith("4 images of 32 px")
    assert "text.jpg" in err
    assert "file 0 of" not in err
    assert "file 0 of" in typed("shard", "mix/faces", "--size", "48")[2]
    assert "only warnings, errors and the result" in " ".join(typed("shard", "-h")[1].split())
