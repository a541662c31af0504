"""The full training state on disk: `iter-00000500.safetensors` beside `iter-00000500.json`.

The tensors are written first, and the description, which holds their hash, makes them a checkpoint:
what a kill leaves behind is never taken for one. Nothing in either file can run code.

    generator.layers.0.weight                parameters and BatchNorm's statistics
    generator_adam.exp_avg.layers.0.weight   Adam's moments and step count, by parameter
    average.layers.0.weight                  the generator's averaged parameters, where kept

Nothing else is needed to go on: all that is drawn follows from the seed and the iteration.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError, ConfigError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import sha256_of, write_bytes, write_json
from facegan.history import diverged
from facegan.runs import checkpoint_iterations, checkpoint_path, remove_file
from facegan.step import Networks

FORMAT_VERSION = 2
"""2: with `average`. Files of version 1 are read as those of a run that keeps none."""
READABLE = (1, 2)
Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and found whole."""

    path: Path
    iteration: int
    seconds: float
    """Training time of the run up to here."""
    model: ModelConfig
    tensors: Tensors
    """On the CPU, contiguous."""


def collect(networks: Networks, iteration: int) -> Tensors:
    """A copy of the training state by name; waits for the device.

    Args:
        networks: what is stored; not changed.
        iteration: iterations behind it.

    Returns:
        On the CPU, contiguous, with memory of its own: training may go on meanwhile.

    Raises:
        TrainingDivergedError: a tensor is not finite.
    """
    tensors: Tensors = {}
    for name, tensor in networks.tensors():
        if not torch.isfinite(tensor).all():
            raise diverged(f"{name} is not finite", iteration)
        tensors[name] = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    return tensors


def write(
    folder: Path,
    tensors: Tensors,
    *,
    iteration: int,
    nimg: int,
    seconds: float,
    model: ModelConfig,
    keep: int,
    keep_every: int = 0,
    spared: Collection[int] = (),
) -> Path:
    """Write a checkpoint, then remove old ones as `remove_old` does.

    Args:
        folder: the run's checkpoints.
        tensors: of `collect`.
        iteration: iterations behind it.
        nimg: real images seen.
        seconds: training time of the run.
        model: lets the generator be rebuilt from the checkpoint alone.
        keep: how many of the newest stay, at least 1.
        keep_every: those at its multiples stay as well; 0 is none.
        spared: iterations whose checkpoints stay as well.

    Returns:
        The file of tensors.

    Raises:
        WorkspaceError: it cannot be written.
    """
    data = safetensors.torch.save(tensors)
    path = checkpoint_path(folder, iteration)
    remove_file(path.with_suffix(".json"))
    write_bytes(path, data)
    description = {
        "format_version": FORMAT_VERSION,
        "iteration": iteration,
        "nimg": nimg,
        "seconds": round(seconds, 3),
        "model": model.to_dict(),
        "sha256": sha256_of(data),
        "bytes": len(data),
        "torch": str(torch.__version__),
    }
    write_json(path.with_suffix(".json"), description)
    remove_old(folder, keep=keep, keep_every=keep_every, spared=spared)
    return path


def remove_old(
    folder: Path, *, keep: int, keep_every: int = 0, spared: Collection[int] = ()
) -> None:
    """Remove checkpoints but for the newest, those at multiples, and those in `spared`.

    Args:
        folder: the run's checkpoints.
        keep: how many of the newest stay, at least 1.
        keep_every: those at its multiples stay as well; 0 is none.
        spared: iterations whose checkpoints stay as well.
    """
    for old in checkpoint_iterations(folder)[:-keep]:
        if old not in spared and (not keep_every or old % keep_every):
            _remove(folder, old)


def load(path: Path) -> Checkpoint:
    """Read one checkpoint and check it against its description.

    Args:
        path: either of its two files.

    Raises:
        CheckpointError: a file is missing, cut short, altered or of a later format.
        WorkspaceError: the disk does not give it.
    """
    path, description = path.with_suffix(".safetensors"), path.with_suffix(".json")
    try:
        about = json.loads(description.read_bytes())
        version = about["format_version"]
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"no checkpoint {path}: {Path(error.filename).name} is missing", hint="facegan train"
        ) from None
    except OSError as error:
        # A disk that fails for a moment says nothing about the checkpoint.
        raise WorkspaceError(
            f"cannot read {error.filename or path}: {error.strerror or error}",
            hint="the same command, once the disk answers again",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _corrupt(description, str(error)) from error
    if version not in READABLE:
        raise CheckpointError(
            f"{path} has format version {version}, this facegan reads up to {FORMAT_VERSION}",
            hint="read it with the facegan that wrote it, or begin anew with --restart",
        )
    if len(data) != about.get("bytes"):
        raise _corrupt(path, f"it has {len(data)} bytes, not {about.get('bytes')}")
    if sha256_of(data) != about.get("sha256"):
        raise _corrupt(path, "its bytes are not those that were written")
    try:
        model = ModelConfig.from_dict(about["model"])
        tensors = safetensors.torch.load(data)
        return Checkpoint(path, int(about["iteration"]), float(about["seconds"]), model, tensors)
    except (KeyError, TypeError, ValueError, ConfigError, SafetensorError) as error:
        raise _corrupt(path, str(error)) from error


def newest_valid(folder: Path, listener: Listener = silent) -> Checkpoint | None:
    """The newest checkpoint that is whole; None where there has been none.

    Args:
        folder: a run's checkpoints.
        listener: gets a warning for each one that is not.

    Raises:
        CheckpointError: there are checkpoints and none is whole, or the newest is of a later
            format.
    """
    passed_over: list[str] = []
    for description in sorted(folder.glob("iter-*.json"), key=_iteration_of, reverse=True):
        try:
            found = load(description)
        except CheckpointError as error:
            if _version(description) not in (None, *READABLE):
                raise
            passed_over.append(error.message)
            continue
        for message in passed_over:
            text = f"{message}; going on from iteration {found.iteration}"
            listener(Note("train", text, warning=True))
        return found
    if passed_over:
        raise CheckpointError(
            f"no checkpoint in {folder} is whole: {passed_over[0]}",
            hint="facegan train --restart begins a new run",
        )
    return None


@torch.no_grad()
def restore(networks: Networks, checkpoint: Checkpoint) -> None:
    """Put networks, optimizers and average into a checkpoint's state.

    Files hold contiguous tensors. Every value is copied into the tensor that is there, whose
    strides are its parameter's: moments of another memory format than the weights would be read
    in the wrong order by a fused Adam, without an error.

    Args:
        networks: of the checkpoint's model; changed in place. An average that the checkpoint
            lacks begins with its generator.
        checkpoint: where the values come from.

    Raises:
        CheckpointError: it holds other tensors than these networks have.
    """
    stored = dict(checkpoint.tensors)
    if networks.average is None:
        stored = {name: value for name, value in stored.items() if not _is_average(name)}
    elif not any(map(_is_average, stored)):
        weights = dict(networks.generator.named_parameters())
        stored |= {f"average.{key}": stored[f"generator.{key}"] for key in weights}
    there = dict(networks.tensors())
    if unlike := [
        name
        for name in there.keys() | stored.keys()
        if name not in there or name not in stored or there[name].shape != stored[name].shape
    ]:
        raise CheckpointError(f"{checkpoint.path} does not fit the networks: {min(unlike)} differs")
    for name, tensor in there.items():
        tensor.copy_(stored[name])


def discard_after(folder: Path, iteration: int) -> None:
    """Remove what lies past `iteration`, whole or not: a run goes on there and writes it again."""
    for path in folder.glob("iter-*"):
        if _iteration_of(path) > iteration:
            _remove(folder, _iteration_of(path))


def planned_bytes(networks: Networks) -> int:
    """Size of one checkpoint: weights, statistics, two moments a weight, and the average."""
    return sum(tensor.nbytes for _, tensor in networks.tensors())


def _is_average(name: str) -> bool:
    return name.startswith("average.")


def _iteration_of(path: Path) -> int:
    digits = path.stem.removeprefix("iter-")
    return int(digits) if digits.isdecimal() else 0


def _version(description: Path) -> Any:
    """A description's format version; None when it cannot be read."""
    try:
        return json.loads(description.read_bytes())["format_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _remove(folder: Path, iteration: int) -> None:
    """The description first: without it the tensors are no checkpoint."""
    path = checkpoint_path(folder, iteration)
    with contextlib.suppress(OSError):
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _corrupt(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {path} is corrupt: {why}", hint="facegan train goes on from the one before"
    )
