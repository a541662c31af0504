"""Which precision a run computes in: measured when it begins, on the machine that it begins on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch

from facegan.config import TrainConfig
from facegan.core.events import Listener, Note, silent
from facegan.draws import draw
from facegan.step import build, train_step

_TIMED = 3
"""Iterations that are timed at most, after one that is not."""
_GAIN = 1.1
"""How much faster bf16 must be: less is within the noise, and fp32 is the reference."""
_HOPELESS = 2.0
"""Where bf16's first iteration takes this many times fp32's fastest, it is not tried further."""
_ENOUGH_S = 10.0
"""Nor is anything timed again after this long."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds an iteration took in each precision, the fastest of a few."""

    fp32_s: float
    bf16_s: float

    @property
    def chosen(self) -> str:
        """The faster one; fp32 unless bf16 clearly is."""
        return "bf16" if self.bf16_s * _GAIN < self.fp32_s else "fp32"


def choose_precision(config: TrainConfig, device: torch.device, listener: Listener = silent) -> str:
    """What `--precision auto` stands for here.

    On CPUs bf16 convolutions have been fast in one release of PyTorch and slow in the next, and
    without instructions of its own they are emulated: so both are tried. On CUDA bf16 is taken
    where the device computes in it natively; MPS stays at fp32.

    Args:
        config: the run's settings.
        device: where the run will compute.
        listener: told what was measured.

    Returns:
        fp32 or bf16; what the config says, where it says one.
    """
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if native else "fp32"
    if device.type != "cpu" or config.iters <= _TIMED:
        return "fp32"
    timing = time_precisions(config, device)
    text = (
        f"precision {timing.chosen}: an iteration took {timing.fp32_s:.3g} s in fp32 and "
        f"{timing.bf16_s:.3g} s in bf16"
    )
    listener(Note("train", text))
    return timing.chosen


def time_precisions(config: TrainConfig, device: torch.device) -> Timing:
    """Time a few iterations in each precision, on networks and images that are then thrown away."""
    fp32_s = _seconds(replace(config, precision="fp32"), device, math.inf)
    bf16_s = _seconds(replace(config, precision="bf16"), device, _HOPELESS * fp32_s)
    return Timing(fp32_s, bf16_s)


def _seconds(config: TrainConfig, device: torch.device, hopeless_s: float) -> float:
    """The fastest iteration; the first one counts only where it is hopeless."""
    networks = build(config, device)
    inputs = draw(config, 1, 0, 1)
    size = config.model.image_size
    real = torch.zeros(config.batch, 3, size, size, device=device)
    latents = inputs.latents[0].to(device)

    def iteration_s() -> float:
        began = time.perf_counter()
        train_step(networks, real, latents)[0].item()
        return time.perf_counter() - began

    first_s = iteration_s()
    if first_s > hopeless_s:
        return first_s
    taken: list[float] = []
    while len(taken) < _TIMED and sum(taken) < _ENOUGH_S:
        taken.append(iteration_s())
    return min(taken)
