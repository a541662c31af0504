"""`facegan sample`: a run or a checkpoint -> images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT


@facegan_command(
    "sample",
    examples=("facegan sample", "facegan sample 1 --count 1k --seed 7", "facegan sample --out out"),
)
@click.argument("run", required=False)
@option("--count", type=COUNT, default=64, group="Sampling", help="How many images.")
@option("--seed", type=int, default=0, group="Sampling", help="Another seed, other images.")
@option("--columns", type=int, default=8, group="Sampling", help="Images in a row of the grid.")
@option("--batch", type=COUNT, default=64, group="Sampling", help="Images computed together.")
@option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, group="Sampling",
    help="Folder for the images.  [default: in the run's samples/]",
)  # fmt: skip
@option("--device", default="auto", group="Machine", help="auto, cuda, mps or cpu.")
def command(session: Session, run: str | None, out: Path | None, **settings: Any) -> Result:
    """Draw images from RUN: a name, a number or a checkpoint's file; by default the last run."""
    from facegan.config import SampleConfig
    from facegan.outputs import run_folder, sample_run

    config = SampleConfig(**settings)
    is_file = run is not None and run.endswith(".safetensors")
    source = Path(str(run)) if is_file else run_folder(session.workspace.runs, run)
    done = sample_run(config, source, out, listener=session.listener)
    lines = (f"{done.count} images in {done.folder}", f"grid: {done.grid}")
    data = {"count": done.count, "folder": str(done.folder), "grid": str(done.grid)}
    return Result(data, lines, session.flag("facegan score"))
