from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan import onnx_file, snapshot
from facegan.best import Score, write_best
from facegan.config import SampleConfig
from facegan.core.errors import (
    CheckpointError,
    ConfigError,
    MissingDependencyError,
    WorkspaceError,
)
from facegan.core.files import Workspace, sha256_of_file
from facegan.export import NAMES, Export, export_run, plan
from facegan.outputs import run_folder, sample_run, source_of
from facegan.sample import latents
from facegan.trained import load_generator
from tests.export_helpers import MODEL, trained

SAMPLES = SampleConfig(count=5, device="cpu", columns=2)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return trained(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def exported(original: Workspace) -> Export:
    """Everything, once: the exporter needs seconds."""
    return export_run(plan(run_folder(original.runs, None)), original)


@pytest.fixture
def workspace(original: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(original.root, tmp_path / "data")
    return Workspace(tmp_path / "data")


@pytest.fixture
def run(workspace: Workspace) -> Path:
    folder = run_folder(workspace.runs, None)
    shutil.rmtree(folder / "export", ignore_errors=True)
    return folder


def export(run: Path, workspace: Workspace, **options: Any) -> Export:
    return export_run(plan(run, **{"onnx": False, **options}), workspace)


def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return found


def test_an_export_holds_all_its_files_and_says_what_they_are(exported: Export) -> None:
    assert exported.folder.name == "iter-00000002"
    assert {path.name for path in exported.folder.iterdir()} == set(NAMES) == set(exported.files)
    told = about(exported.folder)
    assert told["complete"] is True
    assert told["model"] == MODEL.to_dict()
    assert (told["iteration"], told["run"], told["train"]["batch"]) == (2, "00001-32px", 4)
    weights = exported.folder / "generator.safetensors"
    assert told["sha256"] == exported.sha256 == sha256_of_file(weights)
    assert told["bytes"] == weights.stat().st_size
    assert 0 <= told["onnx_max_difference"] <= told["onnx_tolerance"]
    assert "CC BY 4.0" in (exported.folder / "README.md").read_text()


def test_onnx_gives_pytorchs_images_in_any_batch_size(exported: Export) -> None:
    import onnxruntime

    file = exported.folder / "generator.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    generator = snapshot.load(exported.folder).generator()
    for batch in (1, 5, 33):
        z = latents(batch, MODEL.latent_size, seed=batch)
        (images,) = session.run(["images"], {"latents": z.numpy()})
        with torch.inference_mode():
            wanted = generator(z).numpy()
        assert images.dtype == np.float32
        assert images.shape == (batch, 3, 32, 32)
        assert np.abs(images - wanted).max() <= onnx_file.TOLERANCE
    assert session.get_inputs()[0].shape == ["batch", 8]
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["latent_size"], metadata["iteration"]) == ("8", "2")
    assert "[-1, 1]" in metadata["images"]


def test_onnx_names_no_folder_of_this_machine(exported: Export) -> None:
    data = (exported.folder / "generator.onnx").read_bytes()
    assert b".py" not in data
    assert str(Path(snapshot.__file__).parents[1]).encode() not in data


def test_the_python_of_the_card_runs_as_it_stands(
    exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(exported.folder, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    page = Path("README.md").read_text()
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102
    assert len(list(Path().glob("face-*.png"))) == 4


@pytest.mark.parametrize("raw", [False, True])
def test_samples_of_a_snapshot_are_those_of_the_run(
    run: Path, workspace: Workspace, tmp_path: Path, raw: bool
) -> None:
    of_run = sample_run(SAMPLES, run, raw=raw).folder
    assert of_run.name == f"iter-00000002-seed-0{'-raw' if raw else ''}"
    folder = export(run, workspace, raw=raw).folder
    alone = tmp_path / "alone.safetensors"
    shutil.copy(folder / "generator.safetensors", alone)
    of_file, of_folder = sample_run(SAMPLES, alone), sample_run(SAMPLES, folder)
    assert of_file.folder == tmp_path / "alone-samples-seed-0"
    assert of_folder.folder == folder / "samples-seed-0"
    pictures = sorted(of_run.glob("*.png"))
    assert len(pictures) == 6
    for path in pictures:
        for other in (of_file.folder, of_folder.folder):
            assert (other / path.name).read_bytes() == path.read_bytes()


def test_the_weights_that_were_asked_for_are_exported(run: Path, workspace: Workspace) -> None:
    for raw in (False, True):
        done = export(run, workspace, raw=raw)
        found = snapshot.load(done.folder)
        wanted = load_generator(run, raw=raw)[0].state_dict()
        assert all(torch.equal(wanted[name], found.tensors[name]) for name in wanted)
        assert found.average is done.average is not raw


def test_the_best_checkpoint_is_exported(run: Path, workspace: Workspace) -> None:
    with pytest.raises(CheckpointError, match="no best checkpoint"):
        plan(run, best=True)
    for name in ("iter-00000001.json", "iter-00000001.safetensors"):
        shutil.copy(run / "checkpoints" / name.replace("1", "2"), run / "checkpoints" / name)
    about = run / "checkpoints" / "iter-00000001.json"
    about.write_text(about.read_text().replace('"iteration": 2', '"iteration": 1'))
    write_best(run / "checkpoints", Score(1, "swd", 1.0, 5, 0.1, "x"), seed=0)
    assert plan(run, best=True, onnx=False).iteration == 1
    done = export(run, workspace, best=True)
    assert (done.iteration, done.folder.name) == (1, "iter-00000001")


def test_a_snapshot_of_the_average_has_no_raw_weights(run: Path, workspace: Workspace) -> None:
    done = export(run, workspace)
    with pytest.raises(CheckpointError, match="holds the average"):
        sample_run(SAMPLES, done.folder, raw=True)
    raw = export(run, workspace, raw=True)
    assert raw.folder.name == "iter-00000002-raw"
    sample_run(SAMPLES, raw.folder, raw=True)


def test_exporting_again_gives_the_same_weights(run: Path, workspace: Workspace) -> None:
    first = export(run, workspace)
    data = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    assert export(run, workspace) == first
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == data
    assert "generator.onnx" not in data


def test_scores_of_this_very_generator_alone_stand_on_the_card(
    run: Path, workspace: Workspace
) -> None:
    record = {"metric": "inception_score", "mean": 1.5, "samples": 7, "iteration": 2}
    others = [record | {"mean": 8.5, "iteration": 1}, record | {"mean": 9.5, "raw": True}]
    scores = {"version": 1, "scores": [record, *others]}
    (run / "scores.json").write_text(json.dumps(scores))
    page = (export(run, workspace).folder / "README.md").read_text()
    assert "| Inception Score | 1.5 |" in page
    assert "| 8.5 |" not in page
    assert "| 9.5 |" not in page


@pytest.mark.parametrize("difference", [0.5, math.nan])
def test_onnx_that_differs_is_an_error_and_not_left_behind(
    run: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, difference: float
) -> None:
    monkeypatch.setattr(onnx_file, "_translate", lambda *_: b"onnx")
    monkeypatch.setattr(onnx_file, "max_difference", lambda *_: difference)
    folder = plan(run).folder
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"format": "facegan-generator"}')
    (folder / "generator.onnx").write_bytes(b"of an earlier export")
    with pytest.raises(CheckpointError, match=r"differ from PyTorch's by (0.5|nan)") as caught:
        export(run, workspace, onnx=True)
    assert caught.value.hint == "facegan export --no-onnx"
    assert not (folder / "generator.onnx").exists()
    assert about(folder)["complete"] is False


def test_onnx_of_another_generator_is_found_out(exported: Export) -> None:
    generator = snapshot.load(exported.folder).generator()
    data = (exported.folder / "generator.onnx").read_bytes()
    with torch.no_grad():
        next(generator.parameters()).add_(0.1)
    assert onnx_file.max_difference(data, generator) > onnx_file.TOLERANCE


def test_missing_packages_are_named_before_anything_is_done(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "x" in name[-4:] else name
    )
    with pytest.raises(MissingDependencyError, match="ONNX needs onnx, not installed") as caught:
        plan(run)
    hint = caught.value.hint
    assert hint is not None
    assert "pip install 'facegan[onnx]'" in hint
    assert "--no-onnx" in hint
    assert plan(run, onnx=False).names == tuple(name for name in NAMES if name[-4:] != "onnx")
    assert not (run / "export").exists()


def test_a_generator_that_one_onnx_file_cannot_hold_is_refused(
    run: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match="an ONNX file holds") as caught:
        export(run, workspace, onnx=True)
    assert caught.value.hint == "facegan export --no-onnx"
    assert not (run / "export").exists()


def test_a_run_without_a_checkpoint_says_how_to_get_one(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match="has no checkpoint") as caught:
        plan(run, onnx=False)
    assert caught.value.hint == "facegan train"


def test_files_that_are_no_export_stay_as_they_are(run: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(WorkspaceError, match=r"README\.md that facegan export has not written"):
        plan(run, tmp_path, onnx=False)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(WorkspaceError):
        plan(run, tmp_path, onnx=False)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_snapshot_is_a_source_of_samples_and_no_run(run: Path, workspace: Workspace) -> None:
    folder = export(run, workspace).folder
    assert source_of(workspace.runs, str(folder)) == folder
    assert source_of(workspace.runs, "1") == source_of(workspace.runs, None) == run
    with pytest.raises(CheckpointError, match="is a snapshot, and a run is needed"):
        run_folder(workspace.runs, str(folder))
