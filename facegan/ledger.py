"""The runs' folders, projected into the catalog. No torch here."""

from __future__ import annotations

import json
from pathlib import Path

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.runs import Run, checkpoint_iterations, checkpoint_path, list_runs


def sync_runs(workspace: Workspace) -> None:
    """Bring the catalog's runs, checkpoints and scores up to what the folders hold.

    The folders decide: a run that was killed before it could write its row gets it here, and one
    whose folder is gone loses its rows, so that none of them passes to a run of the same name.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    runs = list_runs(workspace.runs)
    if not runs and not workspace.catalog.exists():
        return
    folders = {path.name for path in workspace.runs.glob("*")}
    with Catalog(workspace.catalog) as catalog:
        catalog.forget_runs(folders)
        for run in runs:
            _record(catalog, workspace, run)


def _record(catalog: Catalog, workspace: Workspace, run: Run) -> None:
    iterations = checkpoint_iterations(run.checkpoints)
    paths = [checkpoint_path(run.checkpoints, at) for at in iterations]
    catalog.record_run(
        run.folder.name,
        iteration=run.reached,
        iterations=run.config.iters,
        seconds=_seconds(paths[-1]) if paths else 0.0,
        selection=str(run.data.get("selection", "")),
        status="finished" if run.reached >= run.config.iters else "unfinished",
        checkpoints=[
            (at, path.relative_to(workspace.root).as_posix())
            for at, path in zip(iterations, paths, strict=True)
        ],
        began=run.began,
    )


def _seconds(checkpoint: Path) -> float:
    """Training time behind a checkpoint that `checkpoint_iterations` has found whole."""
    about = json.loads(checkpoint.with_suffix(".json").read_bytes())
    return float(about.get("seconds", 0.0))
