from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.ledger import sync_runs
from facegan.runs import create
from tests.train_helpers import DATA, reach


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def scored(workspace, run):
    sync_runs(workspace)
    with Catalog(workspace.catalog) as catalog:
        catalog.record_score(run.folder.name, 12, "inception_score", 2.5, {})


def counts(workspace):
    with Catalog(workspace.catalog) as catalog:
        return [catalog.rows(table) for table in ("runs", "checkpoints", "scores")]


def test_rows_of_a_deleted_run_go(workspace, tiny):
    kept, gone = (create(workspace.runs, tiny, DATA) for _ in range(2))
    reach(gone, 5)
    scored(workspace, kept)
    scored(workspace, gone)
    assert counts(workspace) == [2, 1, 2]
    shutil.rmtree(gone.folder)
    sync_runs(workspace)
    assert counts(workspace) == [1, 0, 1]


def test_rows_go_when_no_run_is_left(workspace, tiny):
    run = create(workspace.runs, tiny, DATA)
    scored(workspace, run)
    shutil.rmtree(workspace.runs)
    sync_runs(workspace)
    assert counts(workspace) == [0, 0, 0]


def test_a_run_with_the_number_of_a_deleted_one_does_not_take_its_scores(workspace, tiny):
    old = create(workspace.runs, tiny, DATA)
    scored(workspace, old)
    with sqlite3.connect(workspace.catalog) as db:
        db.execute("UPDATE scores SET created_at = '2026-01-01T00:00:00+00:00'")
    db.close()
    shutil.rmtree(old.folder)
    new = create(workspace.runs, replace(tiny, seed=3), DATA)
    assert new.folder == old.folder
    sync_runs(workspace)
    assert counts(workspace) == [1, 0, 0]
    scored(workspace, new)
    sync_runs(workspace)
    assert counts(workspace) == [1, 0, 1]


def test_a_damaged_run_keeps_its_rows(workspace, tiny):
    run = create(workspace.runs, tiny, DATA)
    scored(workspace, run)
    (run.folder / "config.json").write_text("{")
    sync_runs(workspace)
    assert counts(workspace) == [1, 0, 1]


def test_no_catalog_is_made_for_nothing(workspace):
    sync_runs(workspace)
    assert not workspace.catalog.exists()
