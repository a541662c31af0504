"""`facegan animate`: a run's sample grids -> a GIF."""

from __future__ import annotations

from pathlib import Path

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command


@facegan_command("animate", examples=("facegan animate", "facegan animate 1 --frame-ms 60"))
@click.argument("run", required=False)
@option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=None,
    help="The GIF.  [default: plots/training.gif in the run]",
)  # fmt: skip
@option("--max-frames", type=click.IntRange(min=2), default=60, help="Of more grids, so many.")
@option("--frame-ms", type=click.IntRange(min=20), default=120, help="Time of a frame.")
def command(
    session: Session, run: str | None, out: Path | None, max_frames: int, frame_ms: int
) -> Result:
    """Show how the fixed latents' images change through training, as a GIF."""
    from facegan.commands._table import bytes_text
    from facegan.outputs import animate_run, run_folder

    folder = run_folder(session.workspace.runs, run)
    done = animate_run(
        folder, out, max_frames=max_frames, frame_ms=frame_ms, listener=session.listener
    )
    line = f"{done.path}: {done.frames} frames, {done.width} x {done.height}"
    data = {"path": str(done.path), "frames": done.frames, "bytes": done.bytes}
    return Result(data, (f"{line}, {bytes_text(done.bytes)}",))
