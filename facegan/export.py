"""A run's generator as a folder that can be passed on.

    export/iter-00000500/   generator.safetensors, generator.onnx, config.json, grid.png, README.md

`config.json` is written first, as not complete, and last, as complete: what a kill leaves behind is
known for what it is, and the same command makes it whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from facegan import card, images, onnx_file, snapshot
from facegan.best import best_checkpoint, best_iteration
from facegan.core.errors import CheckpointError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace, sha256_of, write_bytes, write_json
from facegan.models import Generator, parameter_count
from facegan.runs import Run, checkpoint_path, read_run, remove_file
from facegan.sample import GRID_NAME, generate, latents
from facegan.score.record import read_scores
from facegan.trained import load_generator
from facegan.training_data import training_data

STAGE = "export"
CONFIG_NAME = "config.json"
GRID_COUNT, GRID_COLUMNS, GRID_SEED = 64, 8, 0
NAMES = (snapshot.FILE_NAME, onnx_file.FILE_NAME, CONFIG_NAME, GRID_NAME, card.FILE_NAME)
_PACKAGES = ("facegan", "torch", "safetensors", *onnx_file.PACKAGES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be exported to where."""

    run: Run
    iteration: int
    """Of the newest checkpoint, as far as can be seen without reading it, or of the best."""
    out: Path | None
    """The folder that was asked for."""
    raw: bool
    """The weights of the last iteration, not their average."""
    onnx: bool
    best: bool = False
    """The checkpoint that scored best while the run was trained."""

    def folder_at(self, iteration: int) -> Path:
        """Where the files of a checkpoint go."""
        name = f"iter-{iteration:08d}{'-raw' if self.raw else ''}"
        return self.out or self.run.folder / "export" / name

    @property
    def folder(self) -> Path:
        """Where the files go, if the newest checkpoint is whole."""
        return self.folder_at(self.iteration)

    @property
    def names(self) -> tuple[str, ...]:
        """The files that there will be."""
        return tuple(name for name in NAMES if self.onnx or name != onnx_file.FILE_NAME)


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    folder: Path
    run: str
    files: Mapping[str, int]
    """Name -> bytes."""
    iteration: int
    average: bool
    parameters: int
    sha256: str
    """Of `generator.safetensors`."""
    onnx_max_difference: float | None
    """From PyTorch's images; None without an ONNX file."""


def plan(
    run: Path,
    folder: Path | None = None,
    *,
    raw: bool = False,
    best: bool = False,
    onnx: bool = True,
) -> Plan:
    """Look whether a run can be exported; changes nothing.

    Args:
        run: its folder.
        folder: where the files go; by default in the run, under `export/`.
        raw: take the weights of the last iteration instead of their average.
        best: take the checkpoint that scored best while the run was trained.
        onnx: with an ONNX file.

    Raises:
        CheckpointError: there is no run, none of its checkpoints is whole, or the best is wanted
            and there is none.
        MissingDependencyError: ONNX is wanted and its packages are not here.
        WorkspaceError: the folder holds files of these names that are no export.
    """
    if onnx:
        onnx_file.require_packages()
    found = read_run(run)
    if not found.reached:
        raise CheckpointError(f"the run {run} has no checkpoint to export", hint="facegan train")
    iteration = found.reached
    if best:
        best_checkpoint(run)  # says what is missing
        iteration = best_iteration(found.checkpoints) or iteration
    planned = Plan(found, iteration, folder, raw, onnx, best)
    _refuse_foreign(planned.folder)
    return planned


def export_run(planned: Plan, workspace: Workspace, *, listener: Listener = silent) -> Export:
    """Write a run's generator, its settings, a grid of samples and the model card.

    Running it again is safe: the generator's file has the same bytes each time.

    Args:
        planned: by `plan`.
        workspace: whose catalog is asked where the faces came from.
        listener: gets a note before what takes long.

    Raises:
        CheckpointError: no checkpoint is whole, or the ONNX file's images are not PyTorch's.
        ConfigError: the generator is too large for an ONNX file.
        ScoreError, CatalogError: the run's scores or the catalog cannot be read.
        WorkspaceError: a file cannot be written.
    """
    run = planned.run
    generator, iteration, model = load_generator(
        run.folder, raw=planned.raw, best=planned.best, listener=listener
    )
    if planned.onnx:
        onnx_file.refuse_too_large(generator)
    average = not planned.raw and _has_average(run, iteration)
    data = snapshot.encode(generator, iteration=iteration, average=average, model=model)
    about = _about(run, iteration, average, generator, data)
    told, facts = _told(about), _facts(planned, workspace, iteration)
    folder = planned.folder_at(iteration)
    write_json(folder / CONFIG_NAME, about | {"complete": False})
    write_bytes(folder / snapshot.FILE_NAME, data)
    write_bytes(folder / GRID_NAME, _grid(generator))
    if planned.onnx:
        listener(Note(STAGE, "writing the ONNX file and comparing it with PyTorch"))
    difference = _onnx(folder, planned.onnx, generator, about)
    page = card.render(card.Card(run, onnx_max_difference=difference, **facts, **told))
    write_bytes(folder / card.FILE_NAME, page.encode())
    checked = {"onnx_max_difference": difference, "onnx_tolerance": onnx_file.TOLERANCE}
    write_json(folder / CONFIG_NAME, about | checked | {"complete": True})
    files = {name: (folder / name).stat().st_size for name in planned.names}
    return Export(folder, run.folder.name, files, onnx_max_difference=difference, **told)


def _about(
    run: Run, iteration: int, average: bool, generator: Generator, data: bytes
) -> dict[str, Any]:
    """What config.json says from the beginning; `data` is the snapshot."""
    return {
        "format": snapshot.FORMAT,
        "version": snapshot.VERSION,
        "model": run.config.model.to_dict(),
        "parameters": parameter_count(generator),
        "sha256": sha256_of(data),
        "bytes": len(data),
        "iteration": iteration,
        "average": average,
        "run": run.folder.name,
        "train": run.config.to_dict(),
        "data": dict(run.data),
        "overrides": [dict(change) for change in run.overrides],
        "latents": "float32, (N, latent_size), N(0, 1)",
        "images": "float32, (N, 3, image_size, image_size), RGB in [-1, 1]",
        "versions": _versions(),
    }


def _told(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the card and the caller hear of it."""
    return {key: about[key] for key in ("iteration", "average", "parameters", "sha256")}


def _facts(planned: Plan, workspace: Workspace, iteration: int) -> dict[str, Any]:
    """What the card tells beside the generator itself."""
    run = planned.run
    return {
        "nimg": _nimg(run, iteration),
        "versions": _versions(),
        "data": training_data(workspace, run),
        "scores": _newest_scores(run, iteration, planned.raw),
    }


def _newest_scores(run: Run, iteration: int, raw: bool) -> list[dict[str, Any]]:
    """This generator's records, of each measurement (network, real images, numbers) the newest."""
    found: dict[str, dict[str, Any]] = {}
    for record in read_scores(run.folder / "scores.json"):
        if record.get("iteration") == iteration and bool(record.get("raw", False)) == raw:
            real = dict(record.get("sets") or {}).get("real") or {}
            key = [record.get("features"), record["samples"], real.get("content")]
            found[str(key)] = record
    return list(found.values())


def _onnx(
    folder: Path, wanted: bool, generator: Generator, about: Mapping[str, Any]
) -> float | None:
    """Write the ONNX file, where it is wanted; how far its images are from PyTorch's."""
    remove_file(folder / onnx_file.FILE_NAME)  # an earlier export's may be of other weights
    if not wanted:
        return None
    keys = ("format", "version", "iteration", "average", "run", "latents", "images")
    metadata = {key: about[key] for key in keys} | {"latent_size": generator.latent_size}
    data, difference = onnx_file.encode(generator, metadata)
    write_bytes(folder / onnx_file.FILE_NAME, data)
    return difference


def _grid(generator: Generator) -> bytes:
    """A PNG of the samples that `facegan sample` draws first."""
    z = latents(GRID_COUNT, generator.latent_size, GRID_SEED)
    return images.encode_png(
        images.grid(np.concatenate(list(generate(generator, z))), GRID_COLUMNS)
    )


def _has_average(run: Run, iteration: int) -> bool:
    """Whether a checkpoint holds the average of the generator's weights."""
    path = checkpoint_path(run.checkpoints, iteration)
    try:
        with safe_open(path, framework="pt") as file:
            return any(name.startswith("average.") for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        raise CheckpointError(
            f"the checkpoint {path} went away: the run is still being trained",
            hint="facegan export",
        ) from None


def _nimg(run: Run, iteration: int) -> int | None:
    """Real images that training had seen at a checkpoint."""
    path = checkpoint_path(run.checkpoints, iteration).with_suffix(".json")
    try:
        return int(json.loads(path.read_bytes())["nimg"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_foreign(folder: Path) -> None:
    """Keep off files that no export has written: a README.md is soon overwritten."""
    there = [name for name in NAMES if (folder / name).exists()]
    if not there:
        return
    try:
        ours = json.loads((folder / CONFIG_NAME).read_bytes())["format"] == snapshot.FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise WorkspaceError(
            f"{folder} holds a {there[0]} that facegan export has not written; it stays as it is",
            hint="choose another folder with --out DIR",
        )


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
