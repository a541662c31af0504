"""`facegan plot`: a run's history -> pictures."""

from __future__ import annotations

import click

from facegan.commands._session import Result, Session
from facegan.commands._session import command as facegan_command


@facegan_command("plot", examples=("facegan plot", "facegan plot 1"))
@click.argument("run", required=False)
def command(session: Session, run: str | None) -> Result:
    """Draw RUN's losses, accuracies and mean outputs; by default the last run's."""
    from facegan.outputs import plot_run, run_folder

    paths = [str(path) for path in plot_run(run_folder(session.workspace.runs, run))]
    return Result({"files": paths}, tuple(paths), session.flag("facegan animate"))
