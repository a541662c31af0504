"""Training from the settings to a run: set-up, then the loop.

Every draw is a function of (seed, iteration), so a run that was interrupted ends as one that was
not: bit for bit on the CPU, and on CUDA with `deterministic`.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegan import checkpoint
from facegan.best import SCORES_NAME, Best, Record, best_or_none
from facegan.config import TrainConfig
from facegan.core.errors import ConfigError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.shards import ShardIndex, open_index
from facegan.dataset import check_size
from facegan.device import kernels_for, memory_named, resolve_device
from facegan.distributed import World, joined
from facegan.engine import Engine
from facegan.feed import open_feed
from facegan.history import History
from facegan.loop import STAGE, Loop, train_loop
from facegan.resume import find
from facegan.runs import Run, create, data_identity
from facegan.score.during import OpenNetwork, open_scoring
from facegan.step import build
from facegan.tuning import choose_precision


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a call of `fit` ended."""

    run_dir: Path
    iteration: int
    """Iterations that the run has behind it."""
    finished: bool
    """Whether these are all that were asked for."""
    seconds: float
    """Training time of this call, set-up included."""
    interrupted: bool
    """Whether `should_stop` ended it; `max_time_s` is no interruption."""
    waited_s: float
    """Time of this call that the loop has waited for images."""
    scored_s: float
    """Time of this call that scores took."""
    best: Best | None
    """The run's best checkpoint; None where no scores were ever taken."""


@dataclass(frozen=True, slots=True)
class _Start:
    """What the leading process has decided before training begins."""

    run: Run | None
    """The run that goes on; None begins one."""
    config: TrainConfig
    """The settings, with device and precision resolved."""
    data: Mapping[str, Any]
    """`data_identity` of the shards."""


def fit(
    config: TrainConfig,
    shards: Path,
    runs: Path,
    *,
    listener: Listener = silent,
    should_stop: Callable[[], bool] = lambda: False,
    resume: str | None = None,
    restart: bool = False,
    override: bool = False,
    max_time_s: float | None = None,
    network: OpenNetwork | None = None,
) -> FitResult:
    """Train until `config.iters`; the newest unfinished run of the same settings goes on.

    Started by torchrun, all its processes train one run together.

    Args:
        config: the settings; with `resume`, those that the run shall have from now on.
        shards: the folder with `index.json`.
        runs: the folder of all runs; decoded images that memory cannot hold go beside it.
        listener: gets progress at most once a second or every `log_every` iterations.
        should_stop: asked after each iteration; true saves a checkpoint and returns.
        resume: name, number or path of the run that shall go on.
        restart: begin a new run whatever is there.
        override: let `resume` go on although its settings or faces have changed.
        max_time_s: save and return after this time, loading included.
        network: opens the feature network by which `score_every` measures; without one it does so
            by the sliced Wasserstein distance.

    Returns:
        What was reached.

    Raises:
        ConfigError: a setting cannot be, is refused (see `resume.find`), or asks for more memory
            than there is.
        MissingDependencyError: the device is not here.
        ShardError: the shards are missing, empty or corrupt.
        CheckpointError: the run to go on with is missing or corrupt.
        WorkspaceError: a file cannot be written, the disk is too small for the checkpoints, or
            another process trains the same run.
        TrainingDivergedError: a figure or a weight is no longer finite; the last good checkpoint
            is kept.
        PeerLostError: another process of this training has ended.
    """
    began = time.monotonic()
    deadline = began + (max_time_s or math.inf)
    device = resolve_device(config.validate().device, run=resume)
    with joined(device) as world, memory_named(config):
        listener = listener if world.leads else silent

        def decide() -> _Start:
            world.part(config.batch)
            index = open_index(shards)
            run = _goes_on(config, index, runs, resume, restart, override)
            return _start(run, config, index, world, listener)

        start = world.decided(decide)
        device = world.device(torch.device(start.config.device))
        with (
            kernels_for(start.config, device),
            open_feed(
                open_index(shards),
                config.model.image_size,
                device,
                cache=runs.parent / "cache",
                listener=listener,
            ) as feed,
        ):
            networks = build(start.config, device)
            engine = Engine(start.config, networks, feed, world=world, listener=listener)
            run = world.decided(lambda: _begin(start, engine, runs))
            with run.locked(hold=world.leads):
                loop = _open(run, engine, world, listener)
                if world.leads:
                    _begin_scores(loop, open_index(shards), network)
                interrupted = train_loop(loop, should_stop, deadline)
            waited_s = feed.waited_s
    return FitResult(
        run_dir=run.folder,
        iteration=loop.iteration,
        finished=loop.iteration >= config.iters,
        seconds=time.monotonic() - began,
        interrupted=interrupted,
        waited_s=waited_s,
        scored_s=loop.scored_s,
        best=loop.best,
    )


def _goes_on(
    config: TrainConfig,
    index: ShardIndex,
    runs: Path,
    resume: str | None,
    restart: bool,
    override: bool,
) -> Run | None:
    """The run that goes on; None begins one."""
    check_size(index, config.model.image_size)
    data = data_identity(index)
    return find(runs, config, data, resume=resume, restart=restart, override=override)


def _start(
    run: Run | None, config: TrainConfig, index: ShardIndex, world: World, listener: Listener
) -> _Start:
    """The settings with which training goes on or begins, device and precision resolved."""
    config = run.config if run else config
    device = resolve_device(config.device, run=run.folder.name if run else None)
    if config.sync_bn and world.size > 1 and device.type != "cuda":
        raise ConfigError(
            f"--sync-bn needs CUDA devices, this is {device.type}",
            hint="--no-sync-bn lets each process's BatchNorm see its part of the batch",
        )
    config = replace(config, device=device.type)
    part = replace(config, batch=config.batch // world.size)
    config = replace(config, precision=choose_precision(part, device, listener))
    return _Start(run, config, data_identity(index))


def _begin(start: _Start, engine: Engine, runs: Path) -> Run:
    """The run's folder, with the settings as they are resolved now."""
    config = replace(start.config, engine=engine.name)
    planned = checkpoint.planned_bytes(engine.networks) * planned_checkpoints(config)
    _check_disk(runs, start.run, planned)
    if start.run is None:
        return create(runs, config, start.data)
    return replace(start.run, config=config)


def _open(run: Run, engine: Engine, world: World, listener: Listener) -> Loop:
    """The run as its newest whole checkpoint left it, or at its beginning."""
    path = world.decided(lambda: _newest(run, listener))
    found = checkpoint.load(path) if path else None
    if found:
        checkpoint.restore(engine.networks, found)
    iteration = found.iteration if found else 0
    history = None
    if world.leads:
        run.store()
        checkpoint.discard_after(run.checkpoints, iteration)
        history = History(
            run.history, iteration=iteration, batch=run.config.batch, listener=listener
        )
    verb = f"goes on from iteration {iteration}" if iteration else "begins"
    processes = f", {world.size} processes" if world.size > 1 else ""
    config = run.config
    where = f"{config.device}, {config.engine}, {config.precision}{processes}"
    listener(Note(STAGE, f"run {run.folder.name} {verb}, on {where}"))
    seconds = found.seconds if found else 0.0
    return Loop(run, engine, world, listener, history, iteration, seconds)


def _begin_scores(loop: Loop, index: ShardIndex, network: OpenNetwork | None) -> None:
    """Take up the best checkpoint, and the scores where some are wanted."""
    run, config, listener = loop.run, loop.run.config, loop.listener
    loop.best = best_or_none(run.checkpoints, listener)
    record = Record(run.folder / SCORES_NAME, iteration=loop.iteration, listener=listener)
    if config.score_every:
        loop.scoring = open_scoring(
            config,
            index,
            record,
            loop.best,
            device=loop.engine.device,
            network=network,
            listener=listener,
        )
    loop.began = time.monotonic()


def _newest(run: Run, listener: Listener) -> Path | None:
    found = checkpoint.newest_valid(run.checkpoints, listener)
    return found.path if found else None


def planned_checkpoints(config: TrainConfig) -> int:
    """How many checkpoints will lie on the disk at once, the one that is being written included.

    With scores the best one is among them.

    >>> planned_checkpoints(TrainConfig(iters=5000, keep_checkpoints=3))
    4
    >>> planned_checkpoints(TrainConfig(iters=5000, keep_checkpoints=3, keep_every=1000))
    9
    >>> planned_checkpoints(TrainConfig(iters=5000, keep_checkpoints=3, score_every=100))
    5
    """
    kept = 0
    if config.keep_every:
        kept = config.iters // math.lcm(config.keep_every, config.checkpoint_every)
        if config.score_every:  # at most: some are checkpoints in any case
            kept += config.iters // math.lcm(config.keep_every, config.score_every)
    return config.keep_checkpoints + 1 + bool(config.score_every) + kept


def _check_disk(runs: Path, run: Run | None, planned: int) -> None:
    """Refuse to begin what the disk cannot hold; what the run has written already counts."""
    there = 0 if run is None else sum(p.stat().st_size for p in run.checkpoints.glob("iter-*"))
    folder = runs.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free + there < planned:
        raise WorkspaceError(
            f"the disk of {folder} has {free / 1e9:.1f} GB left, the checkpoints take "
            f"{planned / 1e9:.1f} GB",
            hint="free some space, or keep fewer with --keep-checkpoints 1 --keep-every 0",
        )
