"""Running iterations: one by one, compiled, or captured as one CUDA graph. One meaning, three ways.

    engine = Engine(config, networks, feed)
    engine.fill(0)              # the inputs of the next iterations go to the device
    for _ in range(engine.rows):
        engine.advance()        # one iteration; the host does not wait
    figures = engine.read()     # what they gave; here it does

An iteration takes its inputs from tables at fixed addresses, at a row number that lives on the
device, and writes its figures into another; so nothing but the call differs between the ways.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facegan.augment import augment
from facegan.config import TrainConfig
from facegan.core.errors import ConfigError
from facegan.core.events import Listener, Note, silent
from facegan.device import is_out_of_memory
from facegan.distributed import ALONE, World
from facegan.draws import Draws, draw
from facegan.feed import Feed
from facegan.history import FIGURES
from facegan.images import to_float
from facegan.step import Networks, train_step, update_average

_WARM_UP = 3
"""Iterations before a capture: libraries choose their kernels and take their workspaces."""


class Engine:
    """Advances networks by iterations; knows nothing of files."""

    def __init__(
        self,
        config: TrainConfig,
        networks: Networks,
        feed: Feed,
        *,
        world: World = ALONE,
        listener: Listener = silent,
    ) -> None:
        """Set up the way that `config.engine` names; `auto` takes the fastest that works here.

        Args:
            config: with `log_every` iterations in a block at most.
            networks: as training goes on from them; on the feed's device.
            feed: the training images.
            world: the processes that train together.
            listener: told which engine `auto` took, and why not another.

        Raises:
            ConfigError: the engine asked for does not work here.
        """
        self.networks = _for_processes(networks, world, sync_bn=config.sync_bn)
        self.rows = config.log_every
        self._config, self._feed, self._world = config, feed, world
        self.device = device = next(networks.generator.parameters()).device
        self._draws = draw(config, feed.count, 0, self.rows, world.part(config.batch)).to(device)
        self._real = torch.empty(
            self._draws.indices.shape[1],
            *(3, config.model.image_size, config.model.image_size),
            dtype=torch.uint8,
            device=device,
        )
        self._row = torch.zeros(1, dtype=torch.int64, device=device)
        self._figures = torch.zeros(self.rows, len(FIGURES), device=device)
        self._first = self._filled = self._done = self._seen = 0
        self._next: Draws | None = None
        self._augment = augment
        self._graph: torch.cuda.CUDAGraph | None = None
        self.name = self._choose(listener)

    @property
    def is_spent(self) -> bool:
        """Whether `fill` must come before the next `advance`."""
        return self._done == self._filled

    def fill(self, iteration: int) -> None:
        """Bring the inputs of the next `rows` iterations to the device.

        Args:
            iteration: iterations behind the networks, from 0; below `config.iters`. All figures
                must have been read.
        """
        if self._next is None or self._first + self._filled != iteration:
            self._draw_block(iteration)
        assert self._next is not None  # noqa: S101 - there are iterations left
        self._draws.copy_(self._next)
        self._row.zero_()
        self._first, self._filled = iteration, len(self._next)
        self._done = self._seen = 0
        self._next = None

    def advance(self) -> None:
        """One iteration; on CUDA it is only issued."""
        if self._feed.images is None:
            self._real.copy_(self._feed.batch(), non_blocking=True)
        if self._graph:
            self._graph.replay()
        else:
            self._iterate()
        self._done += 1
        if self.is_spent:
            # While the device still works off what was issued.
            self._draw_block(self._first + self._filled)

    def read(self) -> NDArray[np.float32]:
        """The figures of the iterations since the last reading; waits for the device.

        Returns:
            (k, 7) float32 in the order of `history.FIGURES`; with several processes their means.
        """
        rows: NDArray[np.float32] = self._figures[self._seen : self._done].float().cpu().numpy()
        self._seen = self._done
        return rows.copy()

    def _draw_block(self, iteration: int) -> None:
        """Draw the inputs of the iterations from this one on, where some are left."""
        rows = min(self.rows, self._config.iters - iteration)
        if rows > 0:
            part = self._world.part(self._config.batch)
            self._next = draw(self._config, self._feed.count, iteration, rows, part)
            if self._feed.images is None:
                self._feed.announce(self._next.indices)

    def _iterate(self) -> None:
        """The iteration at the row number, which moves on. No line here waits for the device."""
        uniforms, latents, share = (
            table.index_select(0, self._row)[0]
            for table in (self._draws.uniforms, self._draws.latents, self._draws.shares)
        )
        if self._feed.images is None:
            real = self._real
        else:
            indices = self._draws.indices.index_select(0, self._row)[0]
            real = self._feed.images.index_select(0, indices)
        config = self._config
        seen = self._augment(to_float(real), uniforms, flip=config.flip, jitter=config.jitter)
        figures = train_step(self.networks, seen, latents)
        update_average(self.networks, share)
        figures = self._world.mean(figures).to(self._figures.dtype)
        self._figures.index_copy_(0, self._row, figures[None])
        self._row.add_(1)

    def _choose(self, listener: Listener) -> str:
        """Set up the engine asked for; its name."""
        device, wanted = self.device, self._config.engine
        if wanted == "captured" and not _can_capture(device, self._world):
            raise ConfigError(
                "--engine is captured: one process with a CUDA device is needed, "
                f"this is {self._world.size} with {device.type}",
                hint="--engine eager runs everywhere",
            )
        ways = {"compiled": self._compile, "captured": self._capture}
        name = "captured" if wanted == "auto" and _can_capture(device, self._world) else wanted
        try:
            if name in ways:
                ways[name]()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            text = f"an iteration cannot be {name} here ({str(error).partition(chr(10))[0]})"
            if wanted == "auto":
                listener(Note("train", f"{text}; it runs eagerly", warning=True))
                return "eager"
            raise ConfigError(text, hint="--engine eager runs everywhere") from error
        return "eager" if name == "auto" else name

    def _compile(self) -> None:
        """Compile the networks and the augmentation, and run them once so that they are."""
        networks = self.networks
        self._augment = torch.compile(augment)
        self.networks = dataclasses.replace(
            networks,
            generate=torch.compile(networks.generate),
            judge=torch.compile(networks.judge),
            judge_frozen=torch.compile(networks.judge_frozen),
        )
        with self._unchanged():
            self._iterate()

    def _capture(self) -> None:
        """Record an iteration as a graph.

        References:
            PyTorch's notes on CUDA semantics, "CUDA Graphs": warm-up on a side stream, gradients
            set to None before the capture so that they lie in the graph's own memory.
        """
        device = self.device
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        graph = torch.cuda.CUDAGraph()
        with self._unchanged():
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP):
                    self._row.zero_()
                    self._iterate()
            torch.cuda.current_stream(device).wait_stream(stream)
            self._row.zero_()
            with torch.cuda.graph(graph, stream=stream):
                self._iterate()
        self._graph = graph

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Let iterations run on trial: the training state is afterwards what it was before."""
        state = [tensor for _, tensor in self.networks.tensors()] + [self._figures, self._row]
        before = [tensor.clone() for tensor in state]
        try:
            yield
        finally:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            with torch.no_grad():
                for tensor, value in zip(state, before, strict=True):
                    tensor.copy_(value)


def _can_capture(device: torch.device, world: World) -> bool:
    return device.type == "cuda" and world.size == 1


def _for_processes(networks: Networks, world: World, *, sync_bn: bool) -> Networks:
    """Networks whose gradients are averaged over all processes.

    The frozen discriminator stays bare: a wrapped one would wait for gradients that never come.
    """
    if world.size == 1:
        return networks
    if sync_bn:
        for _, network, _ in networks.pairs():
            # Its layers, in place.
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return dataclasses.replace(
        networks,
        generate=world.wrapped(networks.generator),
        judge=world.wrapped(networks.discriminator),
    )
