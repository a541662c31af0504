"""Where to compute, and what to say when that is not here or too small."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from facegan.config import TrainConfig
from facegan.core.errors import ConfigError, MissingDependencyError

_TOGETHER_CPU, _TOGETHER_MOST = 32, 512
_BYTES_AN_IMAGE = 64 * 2**20
"""What the activations of Inception-v3 take for one image, by far."""
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
"""As the allocators of the CPU, of MPS and of CUDA's libraries say it: plain RuntimeErrors."""


def resolve_device(name: str, *, run: str | None = None) -> torch.device:
    """The device of that name; `auto` is the first of cuda, mps and cpu that is here.

    Args:
        name: auto, cuda, mps or cpu.
        run: the run that was begun on it; the hint is then how to go on with it here.

    Raises:
        MissingDependencyError: the device asked for is not here.
    """
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    best = next(kind for kind, is_here in here.items() if is_here)
    if name == "auto":
        name = best
    if not here.get(name, False):
        whose = f", with which the run {run} began," if run else ""
        raise MissingDependencyError(
            f"the device {name}{whose} is not here: PyTorch {torch.__version__} finds "
            + ", ".join(kind for kind, is_here in here.items() if is_here),
            hint=f"facegan train --resume {run} --device {best} --override"
            if run
            else "--device auto takes the best there is",
        )
    return torch.device(name)


def images_together(device: torch.device) -> int:
    """How many images a feature network takes at a time: 32 on a CPU, else by the free memory."""
    if device.type != "cuda":
        return _TOGETHER_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return max(_TOGETHER_CPU, min(_TOGETHER_MOST, free // 2 // _BYTES_AN_IMAGE))


@contextlib.contextmanager
def kernels_for(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Choose between the fastest kernels and those that give the same bits every time.

    On the CPU every kernel here gives the same bits for the same number of threads. On CUDA the
    fastest are found by trying, and some of them add in an order that changes.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
    )
    if config.deterministic:
        # cuBLAS reads it when the first handle is made; PyTorch refuses to multiply without it.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        torch.use_deterministic_algorithms(config.deterministic or before[0])
        torch.backends.cudnn.benchmark = device.type == "cuda" and not config.deterministic
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


@contextlib.contextmanager
def memory_named(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory into words: the settings are too large for this machine.

    Raises:
        ConfigError: memory ran out, the device's or the host's; names the options to lower.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        model = config.model
        raise ConfigError(
            f"the memory does not suffice for --batch {config.batch}, --size {model.image_size} "
            f"and --width {model.width:g}",
            hint="lower --batch, else --size or --width: a new run begins",
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device's or the host's memory does not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)
