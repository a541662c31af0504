"""The full training state on disk: `iter-00000500.safetensors` beside `iter-00000500.json`.

The tensors are written first, and the description, which holds their hash, makes them a checkpoint:
what a kill leaves behind is never taken for one. Nothing in either file can run code.

    generator.layers.0.weight             parameters and BatchNorm's statistics
    generator_adam.exp_avg.layers.0.weight   Adam's moments and step count, by parameter
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Adam

from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError, ConfigError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import sha256_of, write_bytes, write_json
from facegan.history import diverged
from facegan.models import Generator
from facegan.runs import checkpoint_iterations, checkpoint_path, remove_file
from facegan.step import Networks

FORMAT_VERSION = 1
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


def save(
    folder: Path,
    networks: Networks,
    *,
    iteration: int,
    nimg: int,
    seconds: float,
    model: ModelConfig,
    keep: int,
) -> Path:
    """Write a checkpoint, then remove all but the newest `keep`; waits for the device.

    Args:
        folder: the run's checkpoints.
        networks: what is stored; not changed.
        iteration: iterations behind it.
        nimg: real images seen.
        seconds: training time of the run.
        model: lets the generator be rebuilt from the checkpoint alone.
        keep: how many stay, at least 1.

    Returns:
        The file of tensors.

    Raises:
        TrainingDivergedError: a tensor is not finite; nothing is written.
        WorkspaceError: it cannot be written.
    """
    tensors = {name: tensor.cpu().contiguous() for name, tensor in _state(networks).items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise diverged(f"{name} is not finite", iteration)
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
    for old in checkpoint_iterations(folder)[:-keep]:
        _remove(folder, old)
    return path


def load(path: Path) -> Checkpoint:
    """Read one checkpoint and check it against its description.

    Args:
        path: either of its two files.

    Raises:
        CheckpointError: a file is missing, cut short, altered or of a later format.
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
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _corrupt(description, str(error)) from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, this facegan reads {FORMAT_VERSION}",
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
            if _version(description) not in (None, FORMAT_VERSION):
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


def restore(networks: Networks, checkpoint: Checkpoint) -> None:
    """Put networks and optimizers into a checkpoint's state.

    Files hold contiguous tensors. Every value is copied into a tensor with the strides and the
    device of its parameter: moments of another memory format than the weights would be read in the
    wrong order by a fused Adam, without an error.

    Args:
        networks: of the checkpoint's model; changed in place.
        checkpoint: where the values come from.

    Raises:
        CheckpointError: it holds other tensors than these networks have.
    """
    tensors = dict(checkpoint.tensors)
    try:
        for name, network, adam in networks.pairs():
            # Copies into the tensors that are there, so that their strides stay.
            network.load_state_dict(_take(tensors, f"{name}."))
            _restore_adam(network, adam, _take(tensors, f"{name}_adam."))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{checkpoint.path} does not fit the networks: {error}") from error
    if tensors:
        raise CheckpointError(f"{checkpoint.path} holds unknown tensors: {', '.join(tensors)}")


def discard_after(folder: Path, iteration: int) -> None:
    """Remove what lies past `iteration`, whole or not: a run goes on there and writes it again."""
    for path in folder.glob("iter-*"):
        if _iteration_of(path) > iteration:
            _remove(folder, _iteration_of(path))


def load_generator(
    path: Path, *, device: torch.device | str = "cpu", listener: Listener = silent
) -> tuple[Generator, int, ModelConfig]:
    """A trained generator, in evaluation mode.

    Args:
        path: a run's folder (its newest whole checkpoint) or one checkpoint's file.
        device: where it shall compute.
        listener: gets a warning for each corrupt checkpoint that is passed over.

    Returns:
        The generator, the iteration it comes from, and its model's settings.

    Raises:
        CheckpointError: there is no checkpoint, or none that is whole.
    """
    if path.suffix in (".safetensors", ".json"):
        found: Checkpoint | None = load(path)
    else:
        found = newest_valid(path / "checkpoints", listener)
    if found is None:
        raise CheckpointError(f"no checkpoint in {path}", hint="facegan train")
    generator = Generator(found.model)
    try:
        generator.load_state_dict(_take(dict(found.tensors), "generator."))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{found.path} does not fit its model: {error}") from error
    return generator.to(device).eval(), found.iteration, found.model


def planned_bytes(networks: Networks) -> int:
    """Size of one checkpoint: weights, statistics and two moments a weight."""
    return sum(
        sum(tensor.nbytes for tensor in network.state_dict().values())
        + 2 * sum(parameter.nbytes for parameter in network.parameters())
        for _, network, _ in networks.pairs()
    )


def _state(networks: Networks) -> Tensors:
    """Everything by name, on its device."""
    tensors: Tensors = {}
    for name, network, adam in networks.pairs():
        tensors |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
        for key, parameter in network.named_parameters():
            for what, tensor in adam.state[parameter].items():
                tensors[f"{name}_adam.{what}.{key}"] = tensor
    return tensors


def _take(tensors: Tensors, prefix: str) -> Tensors:
    """Remove the tensors of a prefix and give them without it."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}


def _restore_adam(network: nn.Module, adam: Adam, tensors: Tensors) -> None:
    on_device = bool(adam.defaults["fused"] or adam.defaults["capturable"])
    for key, parameter in network.named_parameters():
        state: dict[str, Any] = {
            what: torch.empty_like(parameter).copy_(tensors.pop(f"{what}.{key}"))
            for what in ("exp_avg", "exp_avg_sq")
        }
        step = tensors.pop(f"step.{key}")
        state["step"] = step.to(parameter.device) if on_device else step.clone()
        adam.state[parameter] = state
    if tensors:
        raise KeyError(", ".join(tensors))


def _iteration_of(path: Path) -> int:
    digits = path.stem.removeprefix("iter-")
    return int(digits) if digits.isdecimal() else 0


def _version(description: Path) -> Any:
    """A description's format version; None when it cannot be read."""
    try:
        return json.loads(description.read_bytes())["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
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
