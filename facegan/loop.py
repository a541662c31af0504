"""The training loop, and what it leaves in the run's folder.

Checkpoints, grids, scores and the end are decided by the iteration, so a run that was interrupted
leaves what one leaves that was not. With several processes all run this loop, and the leading one
alone writes and reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facegan import checkpoint
from facegan.best import Best, beats, write_best
from facegan.config import TrainConfig
from facegan.core.events import Advanced, Finished, Listener, Started
from facegan.core.files import write_bytes
from facegan.distributed import World
from facegan.engine import Engine
from facegan.history import FIGURES, History, refuse_diverged
from facegan.images import encode_png, grid
from facegan.randomness import generator_for
from facegan.runs import Run
from facegan.sample import generate
from facegan.score.during import Scoring

STAGE = "train"
_REPORT_EVERY_S = 1.0
"""The figures are read off the device at least this often: one wait a second costs nothing."""
_ASK_EVERY = 16
"""Iterations on CUDA between two questions of several processes whether one of them is to stop:
each makes the host wait for the others."""


@dataclass(slots=True)
class Loop:
    """A run while it is trained."""

    run: Run
    engine: Engine
    world: World
    listener: Listener
    history: History | None
    """None in the processes that do not lead."""
    iteration: int
    seconds_before: float
    """Training time of earlier calls."""
    best: Best | None = None
    """The best checkpoint so far, which stays on the disk."""
    scoring: Scoring | None = None
    """None in the processes that do not lead, and where no scores are taken."""
    began: float = field(default_factory=time.monotonic)
    reported: float = 0.0
    """When the figures were last read, by the clock of `began`."""
    figures: dict[str, float] = field(default_factory=dict)
    """Those of the last report."""
    moments: list[float] = field(default_factory=list)
    """Training time at each iteration whose figures were not read yet."""
    writer: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "facegan-save")
    )
    saving: Future[Path] | None = None
    """The checkpoint that is being written; there is never another one beside it."""

    @property
    def seconds(self) -> float:
        """Training time of the run, over all calls, without what scores took."""
        return self.seconds_before + time.monotonic() - self.began - self.scored_s

    @property
    def scored_s(self) -> float:
        """Time of this call that scores took."""
        return self.scoring.seconds if self.scoring else 0.0


def train_loop(loop: Loop, should_stop: Callable[[], bool], deadline: float) -> bool:
    """Train to the end, a stop or the deadline.

    Args:
        loop: the run; it is advanced.
        should_stop: asked after each iteration; true saves a checkpoint and ends the loop.
        deadline: by `time.monotonic`; likewise.

    Returns:
        Whether `should_stop` ended it.
    """
    config, engine, listener = loop.run.config, loop.engine, loop.listener
    listener(Started(STAGE, config.iters, "iteration", loop.iteration))
    if loop.iteration == 0:
        _write_grid(loop)
    loop.reported = time.monotonic()
    interrupted = stopping = False
    try:
        if _score_due(config, loop.iteration):
            # A call that stopped or was killed here has not measured it.
            _score(loop)
        while loop.iteration < config.iters and not stopping:
            if engine.is_spent:
                engine.fill(loop.iteration)
            engine.advance()
            loop.iteration += 1
            loop.moments.append(loop.seconds)

            last = loop.iteration == config.iters
            if not last:
                interrupted, late = _asked(loop, should_stop, deadline)
                stopping = interrupted or late
            grid_due = last or loop.iteration % config.sample_every == 0
            score_due = _score_due(config, loop.iteration)
            regular = loop.iteration % config.checkpoint_every == 0
            checkpoint_due = last or stopping or score_due or regular
            if _report_due(loop) or grid_due or checkpoint_due or engine.is_spent:
                _report(loop)
            if checkpoint_due:
                _save(loop)
            if grid_due:
                _write_grid(loop)
            if score_due and not stopping:
                _score(loop)
        _finish_saving(loop)
    finally:
        loop.writer.shutdown()
        listener(Finished(STAGE))
    return interrupted


def _score_due(config: TrainConfig, iteration: int) -> bool:
    """Whether the generator is measured after this many iterations."""
    if not config.score_every or not iteration:
        return False
    return iteration == config.iters or iteration % config.score_every == 0


def _report_due(loop: Loop) -> bool:
    """Whether the leading process should report by the clock.

    The others read at the moments that all share: figures that are not finite are then said by the
    one that speaks.
    """
    return loop.world.leads and time.monotonic() - loop.reported >= _REPORT_EVERY_S


def _asked(loop: Loop, should_stop: Callable[[], bool], deadline: float) -> tuple[bool, bool]:
    """Whether some process is to stop, and whether time is up for one."""
    every = _ASK_EVERY if loop.world.size > 1 and loop.engine.device.type == "cuda" else 1
    if loop.iteration % every:
        return False, False
    stop, late = loop.world.any(should_stop(), time.monotonic() >= deadline)
    return stop, late


def _report(loop: Loop) -> None:
    """Read the figures off the device, record them, and tell how far training is."""
    rows = loop.engine.read()
    first, moments = loop.iteration - len(rows), loop.moments
    loop.moments, loop.reported = [], time.monotonic()
    if loop.history is None:
        refuse_diverged(rows, first)
        return
    loop.history.append(rows, moments)
    loop.figures = _told(rows)
    _tell(loop)


def _tell(loop: Loop) -> None:
    scores = loop.scoring.figures(loop.best) if loop.scoring else {}
    loop.listener(Advanced(STAGE, loop.iteration, {**loop.figures, **scores}))


def _told(rows: NDArray[np.float32]) -> dict[str, float]:
    """The figures beside the progress bar, means since the last report."""
    means = dict(zip(FIGURES, rows.mean(axis=0).tolist(), strict=True))
    return {"d_loss": means["d_loss_real"] + means["d_loss_fake"], "g_loss": means["g_loss"]}


def _write_grid(loop: Loop) -> None:
    """The fixed latents' images, 8x8 up to 128 px and 4x4 above."""
    if not loop.world.leads:
        return
    config = loop.run.config
    columns = 8 if config.model.image_size <= 128 else 4
    latents = torch.randn(
        columns**2,
        config.model.latent_size,
        generator=generator_for(config.seed, "fixed latents", 0),
    )
    pictures = np.concatenate(list(generate(loop.engine.networks.shown, latents)))
    path = loop.run.samples / f"iter-{loop.iteration:08d}.png"
    write_bytes(path, encode_png(grid(pictures, columns)))


def _save(loop: Loop) -> None:
    """Copy the state; a thread writes it while training goes on."""
    if not loop.world.leads:
        return
    config = loop.run.config
    _finish_saving(loop)
    loop.saving = loop.writer.submit(
        checkpoint.write,
        loop.run.checkpoints,
        checkpoint.collect(loop.engine.networks, loop.iteration),
        iteration=loop.iteration,
        nimg=loop.iteration * config.batch,
        seconds=loop.seconds,
        model=config.model,
        keep=config.keep_checkpoints,
        keep_every=config.keep_every,
        spared=_spared(loop),
    )


def _spared(loop: Loop) -> tuple[int, ...]:
    return (loop.best.iteration,) if loop.best else ()


def _score(loop: Loop) -> None:
    """Measure the generator, whose checkpoint is there or being written, and name the best one.

    In this order: the checkpoint is whole, `best.json` names it, the former best one goes, the
    record holds the score. A kill in between costs a second measurement at most.
    """
    if loop.scoring is None:
        return
    config = loop.run.config
    score = loop.scoring.take(loop.engine.networks.shown, loop.iteration)
    if beats(score, loop.best):
        _finish_saving(loop)
        loop.best = write_best(loop.run.checkpoints, score, config.seed)
        checkpoint.remove_old(
            loop.run.checkpoints,
            keep=config.keep_checkpoints,
            keep_every=config.keep_every,
            spared=_spared(loop),
        )
    loop.scoring.record.add(score)
    _tell(loop)


def _finish_saving(loop: Loop) -> None:
    """Wait for the checkpoint that is being written; raises what kept it from being."""
    if loop.saving:
        loop.saving.result()
        loop.saving = None
