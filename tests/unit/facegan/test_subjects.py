"""What `facegan score` can be pointed at."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.config import ScoreConfig
from facegan.core.errors import CheckpointError, ScoreError, ShardError
from facegan.core.events import Note
from facegan.core.files import Workspace
from facegan.core.shards import Entry, open_index, write_shards
from facegan.export import export_run
from facegan.export import plan as plan_export
from facegan.images import encode_png
from facegan.runs import checkpoint_path
from facegan.subjects import SAMPLES_CPU, find_reference, find_subject, other_faces
from tests.export_helpers import crops, trained

from .conftest import pictures

CPU = torch.device("cpu")
CONFIG = ScoreConfig(samples=20)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("made") / "data")


@pytest.fixture
def workspace(made, tmp_path):
    return Workspace(shutil.copytree(made.root, tmp_path / "data"))


def run_of(workspace):
    return workspace.runs / "00001-32px"


def test_the_last_run_is_meant_where_nothing_is_named(workspace):
    subject = find_subject(None, workspace, CONFIG, CPU)
    assert (subject.run.folder, subject.folder) == (run_of(workspace), run_of(workspace))
    assert (subject.iteration, subject.size_px, len(subject.images)) == (2, 32, 20)
    assert subject.images.name == "00001-32px, iteration 2"


def test_a_run_a_checkpoint_and_a_snapshot_of_it_draw_the_same_images(workspace):
    snapshot = export_run(plan_export(run_of(workspace), onnx=False), workspace).folder
    named = find_subject("1", workspace, CONFIG, CPU)
    file = checkpoint_path(run_of(workspace) / "checkpoints", 2)
    for what in (str(file), str(snapshot), str(snapshot / "generator.safetensors")):
        other = find_subject(what, workspace, CONFIG, CPU)
        assert np.array_equal(other.images.read(0, 20), named.images.read(0, 20))
        assert other.images.content == named.images.content
    assert find_subject(str(file), workspace, CONFIG, CPU).run.folder == run_of(workspace)
    assert find_subject(str(snapshot), workspace, CONFIG, CPU).run is None


def test_raw_weights_and_other_seeds_are_other_images(workspace):
    contents = {
        find_subject(None, workspace, config, CPU, raw=raw).images.content
        for raw in (False, True)
        for config in (CONFIG, ScoreConfig(samples=20, seed=1))
    }
    assert len(contents) == 4


def test_a_cpu_draws_five_thousand_by_default(workspace):
    assert len(find_subject(None, workspace, ScoreConfig(), CPU).images) == SAMPLES_CPU == 5000


def test_a_folder_gets_a_place_of_its_own_for_its_results(workspace, tmp_path):
    (tmp_path / "mine").mkdir()
    for number, image in enumerate(pictures(3, 32)):
        (tmp_path / "mine" / f"{number}.png").write_bytes(encode_png(image))
    subject = find_subject(str(tmp_path / "mine"), workspace, CONFIG, CPU)
    assert subject.folder.parent == workspace.root / "scores"
    assert subject.folder.name.startswith("mine-")
    assert subject.run is None


def test_shards_are_read_as_a_folder_of_images(workspace):
    subject = find_subject(str(workspace.shards), workspace, CONFIG, CPU)
    assert len(subject.images) == 5


def test_real_faces_are_reduced_to_the_generators_size(workspace, tmp_path):
    entries = [
        Entry(f"{number}", encode_png(image), {}, "held_out" if number == 0 else "train")
        for number, image in enumerate(pictures(4, 64))
    ]
    write_shards(tmp_path / "large", entries, image_size=64, config={})
    subject = replace(find_subject(None, workspace, CONFIG, CPU), run=None)
    reference = find_reference(str(tmp_path / "large"), subject, workspace)
    assert reference.real.read(0, 9).shape == (3, 32, 32, 3)
    assert len(reference.held_out) == 1


def test_the_workspaces_shards_stand_beside_by_default(workspace):
    subject = find_subject(None, workspace, CONFIG, CPU)
    assert len(find_reference(None, subject, workspace).real) == 5
    shutil.rmtree(workspace.shards)
    gone = find_reference(None, subject, workspace)
    assert gone.real is None
    assert "no shards" in gone.missing


def test_faces_that_the_run_may_have_seen_do_not_count_as_held_out(workspace):
    subject = find_subject(None, workspace, CONFIG, CPU)
    assert find_reference(None, subject, workspace).trained_on
    names = [member.key for member in open_index(workspace.shards).members]
    entries = [
        Entry(name, png, {}, "held_out" if number < 2 else "train")
        for number, (name, png) in enumerate(zip(names, crops(), strict=True))
    ]
    shutil.rmtree(workspace.shards)
    write_shards(workspace.shards, entries, image_size=32, config={})
    heard: list[Note] = []
    found = find_reference(None, subject, workspace)
    other_faces(subject, found, heard.append)
    assert (len(found.real), found.held_out, found.trained_on) == (3, None, False)
    assert "others of them held out" in heard[0].text
    stranger = replace(subject, run=None)
    assert len(find_reference(None, stranger, workspace).held_out) == 2


def test_what_is_not_there_is_named(workspace, tmp_path):
    with pytest.raises(CheckpointError, match="no run 'nobody'"):
        find_subject("nobody", workspace, CONFIG, CPU)
    subject = find_subject(None, workspace, CONFIG, CPU)
    with pytest.raises(ScoreError, match="--against is"):
        find_reference(str(tmp_path / "nowhere"), subject, workspace)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/index.json").write_text("{}")
    with pytest.raises(ShardError):
        find_reference(str(tmp_path / "damaged"), subject, workspace)
