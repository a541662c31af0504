"""The loops that `benchmarks/train.py` compares, each behind the same three calls."""

from __future__ import annotations

import gc
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from benchmarks import counting, textbook
from benchmarks.counting import Counter
from benchmarks.peaks import synchronise
from facegan.config import ModelConfig, TrainConfig
from facegan.core.events import Event, Note
from facegan.device import kernels_for
from facegan.engine import Engine
from facegan.feed import ResidentFeed
from facegan.images import to_float
from facegan.step import build
from facegan.tuning import choose_precision

TEXTBOOK = "textbook"
FACEGAN = ""
"""Name of what `facegan train` does by itself: its figures carry no name."""
TEXTBOOK_TURN = {"cpu": 1, "cuda": 10}
FACEGAN_TURN = {"cpu": 1, "cuda": TrainConfig().log_every}
"""Iterations between two looks at the clock; ours also draws and reads once a turn."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What is run; small enough to be sent to another process."""

    name: str
    device: str
    size: int
    batch: int
    width: float = 1.0
    engine: str = "auto"
    precision: str = "auto"

    @property
    def model(self) -> ModelConfig:
        """Which networks."""
        return ModelConfig(image_size=self.size, width=self.width)


class Contender(Protocol):
    """A loop at work."""

    @property
    def turn(self) -> int:
        """Iterations of one `run`."""

    @property
    def precision(self) -> str:
        """fp32 or bf16."""

    @property
    def engine(self) -> str:
        """The way an iteration is run."""

    @property
    def waited_s(self) -> float:
        """Host time in which inputs were drawn or waited for so far."""

    def run(self) -> None:
        """One turn, from the data to the figures on the host."""


class TextbookLoop:
    """`benchmarks/textbook.py`; its images are floats on the device, so that it never waits."""

    precision, engine, waited_s = "fp32", "eager", 0.0

    def __init__(self, spec: Spec, images: Tensor) -> None:
        """Args: images: (N, 3, H, W) uint8, on the device."""
        self.turn = TEXTBOOK_TURN[spec.device]
        self._images, self._batch = to_float(images), spec.batch
        self._book = textbook.build(spec.size, spec.width, images.device)

    def run(self) -> None:
        """See `Contender`."""
        for _ in range(self.turn):
            textbook.iteration(self._book, self._images, self._batch)


class FaceganLoop:
    """What `facegan train` does between two reports."""

    def __init__(self, spec: Spec, images: Tensor) -> None:
        """Args: images: (N, 3, H, W) uint8, on the device."""
        self.turn = FACEGAN_TURN[spec.device]
        feed = ResidentFeed(images)
        config = TrainConfig(
            model=spec.model,
            iters=1_000_000,
            batch=spec.batch,
            device=spec.device,
            engine=spec.engine,
            precision=spec.precision,
            log_every=self.turn,
        )
        self.precision = choose_precision(config, images.device)
        self._config = config = replace(config, precision=self.precision)
        self._feed, self._iteration, self._drawing_s = feed, 0, 0.0
        with kernels_for(config, images.device):
            networks = build(config, images.device)
            self._engine = Engine(config, networks, feed, listener=_say)
        self.engine = self._engine.name

    @property
    def waited_s(self) -> float:
        """See `Contender`; on CUDA nothing is under way meanwhile, for the figures were read."""
        return self._drawing_s + self._feed.waited_s

    def run(self) -> None:
        """See `Contender`."""
        with kernels_for(self._config, self._engine.device):
            self._run()

    def _run(self) -> None:
        begun = time.perf_counter()
        self._engine.fill(self._iteration)
        self._drawing_s += time.perf_counter() - begun
        for _ in range(self.turn):
            self._engine.advance()
        self._iteration += self.turn
        self._engine.read()


@dataclass(frozen=True, slots=True)
class Begun:
    """A contender after its first turn, and what that took."""

    contender: Contender
    first_s: float
    """From nothing but images on the device to the figures of the first turn: networks, trials of
    precisions, compilation and capture included; the loading of PyTorch and cuDNN is not."""
    memory_bytes: int
    """The most that was held: of the device's memory by this contender, or by this process."""


def begin(spec: Spec) -> Begun:
    """Set a contender up and run one turn."""
    device = torch.device(spec.device)
    images = random_images(spec, device)
    _load_libraries(device)
    gc.collect()
    before = _reset_memory(device)
    synchronise(device)
    begun = time.perf_counter()
    contender: Contender = (
        TextbookLoop(spec, images) if spec.name == TEXTBOOK else FaceganLoop(spec, images)
    )
    contender.run()
    synchronise(device)
    return Begun(contender, time.perf_counter() - begun, _most_memory(device) - before)


def probe(spec: Spec) -> tuple[float, int]:
    """`begin` in a process of its own, where the memory is this contender's alone."""
    done = begin(spec)
    return done.first_s, done.memory_bytes


def random_images(spec: Spec, device: torch.device) -> Tensor:
    """(N, 3, S, S) uint8: noise, for products of zeros are faster than others on a GPU."""
    shape = (max(64, spec.batch), 3, spec.size, spec.size)
    drawn = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return drawn.to(device)


def counter(spec: Spec, precision: str) -> Counter:
    """What the contender has to compute and to move."""
    if spec.name == TEXTBOOK:
        return counting.textbook(spec.model, spec.batch)
    return Counter(spec.model, spec.batch, precision)


def _load_libraries(device: torch.device) -> None:
    """One iteration of a small network, so that no contender pays for being the first."""
    book = textbook.build(32, 0.0625, device)
    textbook.iteration(book, torch.zeros(4, 3, 32, 32, device=device), 4)


def _say(event: Event) -> None:
    """Print what the engine has to tell, such as why it could not be captured."""
    if isinstance(event, Note):
        print(f"  {event.text}", flush=True)


def _reset_memory(device: torch.device) -> int:
    """What is held now, which is not the contender's."""
    if device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _most_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux lets a child inherit its parent's ru_maxrss; VmHWM is its own.
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
