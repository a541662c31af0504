"""Training: set-up, the loop, and what it leaves in the run's folder.

Every draw is a function of (seed, iteration), and checkpoints, grids and the end are decided by the
iteration, so a run that was interrupted ends as one that was not: bit for bit on the CPU.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facegan import checkpoint
from facegan.augment import DRAWS, augment
from facegan.config import TrainConfig
from facegan.core.errors import WorkspaceError
from facegan.core.events import Advanced, Finished, Listener, Note, Started, silent
from facegan.core.files import write_bytes
from facegan.core.shards import open_index
from facegan.dataset import batch_indices, check_size, load_images, take_batch
from facegan.device import memory_named, resolve_device
from facegan.history import FIGURES, History
from facegan.images import encode_png, grid
from facegan.randomness import generator_for
from facegan.resume import find
from facegan.runs import Run, create, data_identity
from facegan.sample import generate
from facegan.step import Networks, build, train_step

STAGE = "train"
_REPORT_EVERY_S = 1.0
"""The history is read off the device at least this often: one wait a second costs nothing."""


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


@dataclass(slots=True)
class _Session:
    """A run while it is trained."""

    run: Run
    networks: Networks
    images: Tensor
    """(N, 3, H, W) uint8, on the device."""
    history: History
    listener: Listener
    iteration: int
    seconds_before: float
    """Training time of earlier calls."""
    began: float
    reported: float
    """When the history was last read, by the clock of `began`."""

    @property
    def seconds(self) -> float:
        """Training time of the run, over all calls."""
        return self.seconds_before + time.monotonic() - self.began


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
) -> FitResult:
    """Train until `config.iters`; the newest unfinished run of the same settings goes on.

    Args:
        config: the settings; with `resume`, those that the run shall have from now on.
        shards: the folder with `index.json`.
        runs: the folder of all runs.
        listener: gets progress at most once a second or every `log_every` iterations.
        should_stop: asked after each iteration; true saves a checkpoint and returns.
        resume: name, number or path of the run that shall go on.
        restart: begin a new run whatever is there.
        override: let `resume` go on although its settings or faces have changed.
        max_time_s: save and return after this time, loading included.

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
    """
    began = time.monotonic()
    device = resolve_device(config.validate().device)
    index = open_index(shards)
    check_size(index, config.model.image_size)
    data = data_identity(index)
    run = find(runs, config, data, resume=resume, restart=restart, override=override)
    if run is not None:
        device = resolve_device(run.config.device, run=run.folder.name)
    with memory_named(config):
        images = load_images(index, config.model.image_size).to(device)
        networks = build(config, device)
        _check_disk(runs, run, checkpoint.planned_bytes(networks) * (config.keep_checkpoints + 1))
        if run is None:
            run = create(runs, config, data, auto_device=device.type)
        with run.locked():
            run.store()
            session = _open(run, networks, images, listener)
            interrupted = _train(session, should_stop, began + (max_time_s or math.inf))
    return FitResult(
        run_dir=run.folder,
        iteration=session.iteration,
        finished=session.iteration >= config.iters,
        seconds=time.monotonic() - began,
        interrupted=interrupted,
    )


def _open(run: Run, networks: Networks, images: Tensor, listener: Listener) -> _Session:
    """The run as its newest whole checkpoint left it, or at its beginning."""
    found = checkpoint.newest_valid(run.checkpoints, listener)
    iteration = found.iteration if found else 0
    if found:
        checkpoint.restore(networks, found)
    checkpoint.discard_after(run.checkpoints, iteration)
    history = History(
        run.history,
        iteration=iteration,
        batch=run.config.batch,
        capacity=run.config.log_every,
        device=images.device,
        listener=listener,
    )
    verb = f"goes on from iteration {iteration}" if iteration else "begins"
    listener(Note(STAGE, f"run {run.folder.name} {verb}, on {images.device.type}"))
    now = time.monotonic()
    return _Session(
        run=run,
        networks=networks,
        images=images,
        history=history,
        listener=listener,
        iteration=iteration,
        seconds_before=found.seconds if found else 0.0,
        began=now,
        reported=now,
    )


def _train(session: _Session, should_stop: Callable[[], bool], deadline: float) -> bool:
    """The loop; whether `should_stop` ended it."""
    config, listener = session.run.config, session.listener
    listener(Started(STAGE, config.iters, "iteration", session.iteration))
    if session.iteration == 0:
        _write_grid(session)
    session.reported = time.monotonic()
    interrupted = stopping = False
    try:
        while session.iteration < config.iters and not stopping:
            real, latents = draw(config, session.images, session.iteration)
            figures = train_step(session.networks, real, latents)
            session.iteration += 1
            session.history.record(figures, session.seconds)

            last = session.iteration == config.iters
            interrupted = should_stop() and not last
            stopping = interrupted or time.monotonic() >= deadline
            grid_due = last or session.iteration % config.sample_every == 0
            checkpoint_due = last or stopping or session.iteration % config.checkpoint_every == 0
            report_due = time.monotonic() - session.reported >= _REPORT_EVERY_S
            if report_due or grid_due or checkpoint_due or session.history.is_full:
                _report(session)
            if grid_due:
                _write_grid(session)
            if checkpoint_due:
                _save(session)
    finally:
        listener(Finished(STAGE))
    return interrupted


def draw(config: TrainConfig, images: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
    """What an iteration learns from: a function of the seed and the iteration alone.

    Args:
        config: batch, seed, augmentation and latent size.
        images: (N, 3, H, W) uint8 in [0, 255], on the device.
        iteration: from 0.

    Returns:
        Real images (B, 3, H, W) float32 in [-1, 1], augmented, and latents (B, Z) float32, drawn
        from N(0, 1), both on the images' device.
    """
    device, seed, batch = images.device, config.seed, config.batch
    real = take_batch(images, batch_indices(len(images), batch, seed, iteration))
    uniforms = torch.rand(
        batch,
        DRAWS,
        generator=generator_for(seed, "augmentation", iteration, device),
        device=device,
    )
    latents = torch.randn(
        batch,
        config.model.latent_size,
        generator=generator_for(seed, "latents", iteration, device),
        device=device,
    )
    return augment(real, uniforms, flip=config.flip, jitter=config.jitter), latents


def _report(session: _Session) -> None:
    """Read the history off the device and tell how far training is."""
    rows = session.history.flush()
    now = time.monotonic()
    means = dict(zip(FIGURES, rows.mean(axis=0).tolist(), strict=True))
    figures = {
        "d_loss": means["d_loss_real"] + means["d_loss_fake"],
        "g_loss": means["g_loss"],
    }
    session.reported = now
    session.listener(Advanced(STAGE, session.iteration, figures))


def _write_grid(session: _Session) -> None:
    """The fixed latents' images, 8x8 up to 128 px and 4x4 above."""
    config = session.run.config
    columns = 8 if config.model.image_size <= 128 else 4
    latents = torch.randn(
        columns**2,
        config.model.latent_size,
        generator=generator_for(config.seed, "fixed latents", 0),
    )
    pictures = np.concatenate(list(generate(session.networks.generator, latents)))
    path = session.run.samples / f"iter-{session.iteration:08d}.png"
    write_bytes(path, encode_png(grid(pictures, columns)))


def _save(session: _Session) -> None:
    config = session.run.config
    checkpoint.save(
        session.run.checkpoints,
        session.networks,
        iteration=session.iteration,
        nimg=session.iteration * config.batch,
        seconds=session.seconds,
        model=config.model,
        keep=config.keep_checkpoints,
    )


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
            hint="free some space, or keep fewer with --keep-checkpoints 1",
        )
