"""A trained generator from wherever it lies: a run, a checkpoint or a snapshot."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from facegan import snapshot
from facegan.best import best_checkpoint
from facegan.checkpoint import Checkpoint, load, newest_valid
from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError
from facegan.core.events import Listener, silent
from facegan.models import Generator


def load_generator(
    path: Path,
    *,
    device: torch.device | str = "cpu",
    raw: bool = False,
    best: bool = False,
    listener: Listener = silent,
) -> tuple[Generator, int, ModelConfig]:
    """A trained generator, in evaluation mode: its weights' average, where one was kept.

    Args:
        path: a run's folder (its newest whole checkpoint), one checkpoint's file, or a snapshot:
            its file or folder.
        device: where it shall compute.
        raw: take the weights of the last iteration instead of their average.
        best: of a run, take the checkpoint that scored best while it was trained.
        listener: gets a warning for each corrupt checkpoint that is passed over.

    Returns:
        The generator, the iteration it comes from, and its model's settings.

    Raises:
        CheckpointError: there is no checkpoint, none that is whole, a snapshot of the average
            where the raw weights are wanted, or `best` is wanted of what has none.
    """
    if best:
        path = best_checkpoint(path)
    if snapshot.is_snapshot(path):
        kept = snapshot.load(path)
        if raw and kept.average:
            raise CheckpointError(
                f"{kept.path} holds the average of the weights and not those of the last iteration",
                hint="leave --raw out, or make a snapshot with facegan export --raw",
            )
        return kept.generator(device), kept.iteration, kept.model
    if path.suffix in (".safetensors", ".json"):
        found: Checkpoint | None = load(path)
    else:
        found = newest_valid(path / "checkpoints", listener)
    if found is None:
        raise CheckpointError(f"no checkpoint in {path}", hint="facegan train")
    weights = _under(found.tensors, "generator.")
    if not raw:
        weights |= _under(found.tensors, "average.")
    generator = Generator(found.model)
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{found.path} does not fit its model: {error}") from error
    return generator.to(device).eval(), found.iteration, found.model


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
