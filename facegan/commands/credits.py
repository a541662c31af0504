"""`facegan credits`: who made the pictures, as Markdown and CSV."""

from __future__ import annotations

from pathlib import Path

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command


@facegan_command(
    "credits",
    examples=("facegan credits", "facegan credits --all --out .", "facegan credits --shards mine"),
)
@option(
    "--shards", type=click.Path(path_type=Path, file_okay=False, exists=True), default=None,
    help="Tell of the pictures in these shards instead.",
)  # fmt: skip
@option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None,
    help="Folder for both files.  [default: the workspace, or that of the shards]",
)  # fmt: skip
@option("--all", "every", is_flag=True, help="Also pictures without a kept face.")
def command(session: Session, shards: Path | None, out: Path | None, every: bool) -> Result:
    """Write CREDITS.md and credits.csv: titles, creators and licences, by licence.

    It tells of the pictures whose faces are kept, as far as their sources told anything; those
    whose licence nobody told, or of which several were told, are named first.
    """
    from pipeline.credits import write_credits

    if shards is not None and every:
        raise click.UsageError("--all is for a workspace: of shards all pictures are told of")
    report = write_credits(session.workspace, shards=shards, out=out, every=every)
    names = " and ".join(Path(name).name for name in report.as_dict()["files"])
    lines = [f"{report.images:,} pictures in {names}, in {report.folder}"]
    if report.unknown:
        lines.append(f"  {report.unknown:,} whose licence nobody told")
    if report.disagreeing:
        lines.append(f"  {report.disagreeing:,} whose sources disagree")
    lines += [f"  {count:,} {licence}" for licence, count in report.licences]
    return Result(report.as_dict(), tuple(lines))
