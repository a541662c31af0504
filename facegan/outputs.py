"""What is made of a run once it has a checkpoint: samples, plots, an animation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facegan import snapshot
from facegan.config import SampleConfig
from facegan.core.errors import CheckpointError
from facegan.core.events import Listener, silent
from facegan.device import resolve_device
from facegan.runs import list_runs, named
from facegan.sample import Samples, generate, latents, write_samples
from facegan.trained import load_generator

if TYPE_CHECKING:
    from facegan.animate import Animation


_RUNS = "facegan status"
"""Names the runs that there are."""


def run_folder(runs: Path, name: str | None) -> Path:
    """The folder of the run `name`, or of the newest one.

    Raises:
        CheckpointError: there is no such run, or none at all.
    """
    if name is not None:
        if Path(name).exists() and snapshot.is_snapshot(Path(name)):
            raise CheckpointError(f"{name} is a snapshot, and a run is needed here", hint=_RUNS)
        return named(runs, name).folder
    found = list_runs(runs)
    if not found:
        raise CheckpointError(f"no runs in {runs}", hint="facegan train")
    return found[-1].folder


def source_of(runs: Path, name: str | None) -> Path:
    """What images are drawn from: a checkpoint's file, a snapshot, or a run's folder.

    Raises:
        CheckpointError: there is no such run, or none at all.
    """
    if name is not None and (name.endswith(".safetensors") or snapshot.is_snapshot(Path(name))):
        return Path(name)
    return run_folder(runs, name)


def sample_run(
    config: SampleConfig,
    source: Path,
    folder: Path | None = None,
    *,
    raw: bool = False,
    listener: Listener = silent,
) -> Samples:
    """Draw images from a run, a checkpoint's file or a snapshot.

    Args:
        config: which images.
        source: a run's folder (its newest whole checkpoint), a checkpoint's file, a snapshot's file
            or an exported folder.
        folder: where they go; by default under the run's `samples/`, or beside the snapshot.
        raw: take the weights of the last iteration instead of their average.
        listener: gets the progress.

    Raises:
        ConfigError, MissingDependencyError, CheckpointError, WorkspaceError: as the parts do.
    """
    device = resolve_device(config.validate().device)
    generator, iteration, model = load_generator(source, device=device, raw=raw, listener=listener)
    folder = folder or _samples_folder(source, iteration, config.seed, raw)
    z = latents(config.count, model.latent_size, config.seed)
    return write_samples(
        generate(generator, z, batch=config.batch, device=device),
        folder,
        columns=config.columns,
        about={
            "checkpoint": str(source),
            "iteration": iteration,
            "raw": raw,
            "seed": config.seed,
        },
        total=config.count,
        listener=listener,
    )


def _samples_folder(source: Path, iteration: int, seed: int, raw: bool) -> Path:
    """Where samples go by default; averaged and raw weights' apart."""
    if snapshot.is_snapshot(source):
        folder, name = (source, "") if source.is_dir() else (source.parent, source.stem)
        prefix = "" if f"{name}.safetensors" in (snapshot.FILE_NAME, ".safetensors") else f"{name}-"
        return folder / f"{prefix}samples-seed-{seed}"
    run = source if source.is_dir() else source.parent.parent
    return run / "samples" / f"iter-{iteration:08d}-seed-{seed}{'-raw' if raw else ''}"


def plot_run(run: Path) -> list[Path]:
    """Draw a run's history into `plots/`; the files written.

    Raises:
        CheckpointError: it has none.
        WorkspaceError: they cannot be written.
    """
    from facegan import plots
    from facegan.history import read_history

    return plots.save_all(read_history(run / "history.csv"), run / "plots")


def animate_run(
    run: Path,
    path: Path | None = None,
    *,
    max_frames: int = 60,
    frame_ms: int = 120,
    listener: Listener = silent,
) -> Animation:
    """Make a GIF of a run's grids of the fixed latents.

    Raises:
        CheckpointError: it has none.
        WorkspaceError: the GIF cannot be written.
    """
    from facegan import animate

    return animate.animate(
        run / "samples",
        path or run / "plots" / "training.gif",
        max_frames=max_frames,
        frame_ms=frame_ms,
        listener=listener,
    )
