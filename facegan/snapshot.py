"""A generator alone on disk: one safetensors file, which is all that `facegan sample` needs.

The settings of the network stand in the file's own metadata, with a hash of everything in it. There
is nothing in it that could run, and the same generator gives the same bytes.

    {"format": "facegan-generator", "version": "1", "iteration": "500", "average": "true",
     "model": '{"image_size": 64, ...}', "sha256": "..."}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError, ConfigError
from facegan.core.files import sha256_of
from facegan.models import Generator

FILE_NAME = "generator.safetensors"
FORMAT = "facegan-generator"
VERSION = 1
_LONGEST_HEADER = 2**20
"""Bytes of names, shapes and metadata; the largest generator's are some 3,000."""
_METADATA = "__metadata__"
_LENGTH = 8
"""Bytes at a safetensors file's beginning that tell the header's length."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was read and found whole."""

    path: Path
    iteration: int
    average: bool
    """Whether the weights are the average over training, or those of the last iteration."""
    model: ModelConfig
    tensors: dict[str, Tensor]
    """The generator's `state_dict`, on the CPU, contiguous."""

    def generator(self, device: torch.device | str = "cpu") -> Generator:
        """The network of these weights, in evaluation mode.

        Raises:
            CheckpointError: they are not those of a network with these settings.
        """
        with torch.device("meta"):  # shapes alone: a forged size reserves no memory
            wanted = Generator(self.model).state_dict()
        if _shapes(wanted) != _shapes(self.tensors):
            raise _corrupt(self.path, f"its tensors are not those of {self.model}")
        generator = Generator(self.model)
        generator.load_state_dict(self.tensors)
        return generator.to(device).eval()


def encode(generator: Generator, *, iteration: int, average: bool, model: ModelConfig) -> bytes:
    """The bytes of a snapshot; the same arguments give the same bytes.

    Args:
        generator: of the settings `model`, on any device; not changed.
        iteration: iterations behind its weights.
        average: whether they are the average over training.
        model: lets the generator be rebuilt from the file alone.
    """
    state = generator.state_dict()
    plain = safetensors.torch.save({name: state[name].cpu().contiguous() for name in state})
    header, body = _split(plain)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "iteration": str(iteration),
        "average": "true" if average else "false",
        "model": json.dumps(model.to_dict()),
    }
    metadata["sha256"] = _digest(metadata, header, body)
    # The library would write the metadata in another order each time.
    text = json.dumps({_METADATA: metadata, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text + body


def load(path: Path) -> Snapshot:
    """Read a snapshot and check it against its own hash.

    Args:
        path: the file, or a folder with `generator.safetensors`.

    Raises:
        CheckpointError: it is missing, no snapshot, cut short, altered or of a later format.
    """
    path = path / FILE_NAME if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise CheckpointError(f"no snapshot {path}: {why}", hint="facegan export") from None
    try:
        header, body = _split(data)
    except ValueError as error:
        raise _corrupt(path, str(error)) from error
    metadata = header.pop(_METADATA, None)
    _refuse_foreign(path, metadata)
    if metadata.get("sha256") != _digest(metadata, header, body):
        raise _corrupt(path, "its bytes are not those that were written")
    try:
        model = ModelConfig.from_dict(json.loads(metadata["model"]))
        iteration, average = int(metadata["iteration"]), metadata["average"] == "true"
        return Snapshot(path, iteration, average, model, safetensors.torch.load(data))
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError, SafetensorError) as error:
        raise _corrupt(path, str(error)) from error


def is_snapshot(path: Path) -> bool:
    """Whether `path` is to be read as a snapshot: a file, or an exported folder.

    A safetensors file that cannot be read counts unless it is named like a checkpoint's, so that
    the error speaks of what was meant.
    """
    if path.is_dir():
        return (path / FILE_NAME).is_file()
    if path.suffix != ".safetensors":
        return False
    return _format_of(path) == FORMAT or not path.stem.startswith("iter-")


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A safetensors file's header and what follows it.

    Raises:
        ValueError: it is none; says why.
    """
    length = int.from_bytes(data[:_LENGTH], "little")
    if length > _LONGEST_HEADER:
        raise ValueError("it is no safetensors file")
    if len(data) < _LENGTH + length:
        raise ValueError("it is cut short")
    try:
        header = json.loads(data[_LENGTH : _LENGTH + length])
    except (ValueError, RecursionError):
        raise ValueError("it is no safetensors file") from None
    if not isinstance(header, dict):
        raise ValueError("it is no safetensors file")
    return header, data[_LENGTH + length :]


def _digest(metadata: dict[str, Any], header: dict[str, Any], body: bytes) -> str:
    """A hash of everything in the file but the hash."""
    signed = {key: value for key, value in metadata.items() if key != "sha256"}
    about = json.dumps([signed, header], sort_keys=True).encode()
    return sha256_of(about + b"\n" + sha256_of(body).encode())


def _refuse_foreign(path: Path, metadata: Any) -> None:
    """Raise for what facegan did not write, or a later one did."""
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no snapshot: it does not say that it holds a generator of facegan",
            hint="facegan export",
        )
    if metadata.get("version") != str(VERSION):
        raise CheckpointError(
            f"{path} has format version {metadata.get('version')}, this facegan reads {VERSION}",
            hint="read it with the facegan that wrote it, or export the run again",
        )


def _format_of(path: Path) -> Any:
    """What a safetensors file says that it is; None where it says nothing."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            metadata = json.loads(file.read(min(length, _LONGEST_HEADER)))[_METADATA]
        return metadata.get("format")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _corrupt(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"the snapshot {path} cannot be read: {why}", hint="facegan export")
