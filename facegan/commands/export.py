"""`facegan export`: a run -> a generator that can be passed on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command


@facegan_command(
    "export",
    examples=("facegan export", "facegan export 1 --out my-faces", "facegan export --no-onnx"),
    dry_run=True,
)
@click.argument("run", required=False)
@option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, group="Export",
    help="Folder for the files.  [default: in the run's export/]",
)  # fmt: skip
@option(
    "--raw", is_flag=True, group="Export",
    help="The generator of the last iteration instead of its average.",
)  # fmt: skip
@option(
    "--best", is_flag=True, group="Export",
    help="The checkpoint that scored best in training (train --score-every).",
)  # fmt: skip
@option("--no-onnx", is_flag=True, group="Export", help="Leave the ONNX file out.")
def command(
    session: Session, run: str | None, out: Path | None, raw: bool, best: bool, no_onnx: bool
) -> Result:
    """Write the generator of RUN (a name or a number; by default the last one) to be passed on.

    The folder gets generator.safetensors, generator.onnx (checked against PyTorch), config.json, a
    grid of samples, and README.md: a model card with the data funnel, the settings, the scores and
    the licences of the training images. Read it before you publish anything.
    """
    from facegan.export import export_run, plan
    from facegan.outputs import run_folder

    folder = run_folder(session.workspace.runs, run)
    planned = plan(folder, out, raw=raw, best=best, onnx=not no_onnx)
    if session.dry_run:
        names = ", ".join(planned.names)
        line = f"would export iteration {planned.iteration} of {folder.name} to {planned.folder}"
        data = {"run": folder.name, "iteration": planned.iteration, "folder": str(planned.folder)}
        again = session.again.replace(" --dry-run", "")
        return Result(data | {"files": list(planned.names)}, (f"{line}: {names}",), again)
    return _result(export_run(planned, session.workspace, listener=session.listener))


def _result(done: Any) -> Result:
    from dataclasses import asdict

    from facegan.commands._table import bytes_text

    files = ", ".join(f"{name} ({bytes_text(size)})" for name, size in done.files.items())
    kind = "its average" if done.average else "its last weights"
    lines = [
        f"run {done.run}, iteration {done.iteration}: {done.parameters:,} parameters, {kind}",
        f"in {done.folder}: {files}",
    ]
    if done.onnx_max_difference is not None:
        lines.append(f"ONNX differs from PyTorch by at most {done.onnx_max_difference:.1g}")
    data = asdict(done) | {"folder": str(done.folder)}
    again = shlex.join(("facegan", "sample", str(done.folder)))
    return Result(data, tuple(lines), again)
