"""`facegan sample`: a run, a checkpoint or a snapshot -> images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT


@facegan_command(
    "sample",
    examples=(
        "facegan sample",
        "facegan sample 1 --count 1k --seed 7",
        "facegan sample generator.safetensors --out faces",
        "facegan sample 1 --best",
    ),
)
@click.argument("run", required=False)
@option("--count", type=COUNT, default=64, group="Sampling", help="How many images.")
@option("--seed", type=int, default=0, group="Sampling", help="Another seed, other images.")
@option("--columns", type=int, default=8, group="Sampling", help="Images in a row of the grid.")
@option("--batch", type=COUNT, default=64, group="Sampling", help="Images computed together.")
@option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, group="Sampling",
    help="Folder for the images.  [default: in the run's samples/, or beside the snapshot]",
)  # fmt: skip
@option(
    "--raw", is_flag=True, group="Sampling",
    help="The generator of the last iteration instead of its average.",
)  # fmt: skip
@option(
    "--best", is_flag=True, group="Sampling",
    help="The checkpoint that scored best in training (train --score-every).",
)  # fmt: skip
@option("--device", default="auto", group="Machine", help="auto, cuda, mps or cpu.")
def command(
    session: Session, run: str | None, out: Path | None, raw: bool, best: bool, **settings: Any
) -> Result:
    """Draw images from RUN; by default from the last one.

    RUN is a name, a number, a checkpoint's file, or a snapshot that `facegan export` has written:
    its generator.safetensors or the whole folder.
    """
    from facegan.best import best_checkpoint
    from facegan.config import SampleConfig
    from facegan.outputs import sample_run, source_of

    config = SampleConfig(**settings)
    source = source_of(session.workspace.runs, run)
    drawn_from = best_checkpoint(source) if best else source
    done = sample_run(config, drawn_from, out, raw=raw, listener=session.listener)
    lines = (f"{done.count} images in {done.folder}", f"grid: {done.grid}")
    data = {"count": done.count, "folder": str(done.folder), "grid": str(done.grid)}
    of_a_run = source.is_dir() and source.parent == session.workspace.runs
    following = "facegan score --best" if best else "facegan score"
    return Result(data, lines, session.flag(following) if of_a_run else None)
