from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest

from facegan import runs as runs_module
from facegan.core.errors import CheckpointError, WorkspaceError
from facegan.runs import create, data_identity, list_runs, read_run
from tests.train_helpers import DATA, reach


def test_runs_are_numbered_and_named(runs, tiny):
    first = create(runs, tiny, DATA)
    second = create(runs, replace(tiny, name="faces"), DATA)
    assert [first.folder.name, second.folder.name] == ["00001-32px", "00002-faces"]
    assert [run.folder for run in list_runs(runs)] == [first.folder, second.folder]
    assert read_run(second.folder) == second
    assert sorted(path.name for path in runs.iterdir()) == ["00001-32px", "00002-faces"]


def test_numbers_are_not_used_again(runs, tiny):
    create(runs, tiny, DATA)
    (runs / "00007-old").mkdir()
    assert create(runs, tiny, DATA).folder.name == "00008-32px"


def test_a_run_of_version_1_goes_on_as_it_was_trained(runs, tiny):
    run = create(runs, tiny, DATA)
    path = run.folder / "config.json"
    value = json.loads(path.read_bytes()) | {"format_version": 1}
    for later in ("ema_kimg", "engine", "precision", "deterministic", "sync_bn", "keep_every"):
        del value["train"][later]
    path.write_text(json.dumps(value))
    config = read_run(run.folder).config
    assert (config.engine, config.precision, config.ema_kimg) == ("eager", "fp32", 0.0)


def test_a_run_of_a_later_version_is_refused(runs, tiny):
    run = create(runs, tiny, DATA)
    path = run.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"format_version": 99}))
    with pytest.raises(CheckpointError, match="has version 99, this facegan reads up to 2"):
        read_run(run.folder)


def test_settings_of_a_later_facegan_are_named(runs, tiny):
    run = create(runs, tiny, DATA)
    path = run.folder / "config.json"
    value = json.loads(path.read_bytes())
    value["train"]["lazy_r1"] = 1
    path.write_text(json.dumps(value))
    with pytest.raises(CheckpointError, match="unknown setting 'lazy_r1'"):
        read_run(run.folder)


def test_a_run_is_trained_by_one_process_at_a_time(runs, tiny):
    run = create(runs, tiny, DATA)
    with run.locked(), pytest.raises(WorkspaceError, match="being trained by another process"):
        run.locked().__enter__()
    with run.locked():
        pass


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, "made up")

    return fail


def test_a_lock_that_the_file_system_does_not_have_is_no_other_process(runs, tiny, monkeypatch):
    run = create(runs, tiny, DATA)
    monkeypatch.setattr(runs_module.fcntl, "flock", fail_with(errno.ENOLCK))
    with pytest.raises(WorkspaceError, match=r"cannot lock .*lock: made up") as caught:
        run.locked().__enter__()
    assert "--workspace" in caught.value.hint


def test_a_run_in_a_read_only_folder_is_said_in_words(runs, tiny, monkeypatch):
    run = create(runs, tiny, DATA)
    monkeypatch.setattr(runs_module.Path, "open", fail_with(errno.EACCES))
    with pytest.raises(WorkspaceError, match=r"cannot write .*lock: permission is denied"):
        run.locked().__enter__()


def test_half_written_files_that_cannot_go_are_said_in_words(runs, tiny, monkeypatch):
    run = create(runs, tiny, DATA)
    (run.folder / ".x.tmp").write_bytes(b"half")
    monkeypatch.setattr(runs_module.Path, "unlink", fail_with(errno.EACCES))
    with pytest.raises(WorkspaceError, match="permission is denied"):
        run.locked().__enter__()


def test_a_run_written_by_an_earlier_facegan_does_not_know_when_it_began(runs, tiny):
    run = create(runs, tiny, DATA)
    path = run.folder / "config.json"
    value = json.loads(path.read_bytes())
    assert value.pop("began") == run.began > "2020"
    path.write_text(json.dumps(value))
    assert read_run(run.folder) == replace(run, began="")


def test_half_written_files_go_when_a_run_is_taken_up(runs, tiny):
    run = create(runs, tiny, DATA)
    reach(run, 5)
    half = run.checkpoints / ".iter-00000007.safetensors.12345678.tmp"
    half.write_bytes(b"half")
    with run.locked():
        assert not half.exists()
    assert run.reached == 5


def test_identity_follows_the_faces_and_not_their_place(make_shards):
    first, moved = make_shards(folder="a"), make_shards(folder="b")
    other = make_shards(seed=1, folder="c")
    assert data_identity(first) == data_identity(moved)
    assert data_identity(first) != data_identity(other)
    assert json.loads(json.dumps(data_identity(first))) == data_identity(first)
