import contextlib
import errno
import json
import os
from pathlib import Path

import pytest

from facegan.core import files
from facegan.core.errors import WorkspaceError
from facegan.core.files import (
    Workspace,
    atomic_writer,
    content_path,
    keep_damaged,
    sha256_of,
    sha256_of_file,
    write_bytes,
    write_error,
    write_json,
)


def test_a_file_is_written_whole_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "c.bin"
    write_bytes(path, b"data")
    assert path.read_bytes() == b"data"
    assert [p.name for p in path.parent.iterdir()] == ["c.bin"]


def test_an_error_in_the_block_leaves_the_old_file_and_no_scratch(tmp_path):
    path = tmp_path / "c.bin"
    write_bytes(path, b"old")
    with contextlib.suppress(ValueError), atomic_writer(path) as file:
        file.write(b"half of the n")
        raise ValueError
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_old_file_stands_until_the_block_ends(tmp_path):
    path = tmp_path / "c.bin"
    write_bytes(path, b"old")
    with atomic_writer(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_the_file_is_flushed_to_disk_before_it_is_renamed(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(os, "fsync", lambda _fd: steps.append("fsync"))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda *a: (steps.append("rename"), replace(*a))[1])
    write_bytes(tmp_path / "x", b"data")
    assert steps == ["fsync", "rename"]


def test_a_full_disk_is_said_in_words_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "c.bin"
    write_bytes(path, b"old")

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkspaceError, match="the disk is full") as caught:
        write_bytes(path, b"new")
    assert "free some space" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_way_is_said_in_words(tmp_path):
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        write_bytes(tmp_path / "images" / "ab" / "c.jpg", b"")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        Workspace(tmp_path / "images").create()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_workspace_is_said_in_words(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WorkspaceError, match="permission is denied") as caught:
        Workspace(tmp_path).create()
    assert "--workspace" in caught.value.hint
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_every_write_error_names_path_and_reason(number):
    error = write_error(Path("data/x"), OSError(number, "words of the system"))
    assert str(error).startswith("cannot write data/x: ")
    assert error.exit_code == 3


def test_create_makes_the_folder_and_may_be_called_again(tmp_path):
    workspace = Workspace(tmp_path / "a" / "data")
    workspace.create()
    workspace.create()
    assert list(workspace.root.iterdir()) == []


def test_places_of_the_workspace():
    workspace = Workspace(Path("data"))
    places = [workspace.catalog, workspace.images, workspace.faces, workspace.shards]
    assert [path.as_posix() for path in [*places, workspace.runs]] == [
        "data/catalog.db",
        "data/images",
        "data/faces",
        "data/shards",
        "data/runs",
    ]


def test_json_is_readable_and_keeps_other_scripts(tmp_path):
    write_json(tmp_path / "x.json", {"name": "画家", "n": [1, 2]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert "画家" in text
    assert text.endswith("\n")
    assert json.loads(text) == {"name": "画家", "n": [1, 2]}


def test_a_damaged_file_is_kept_under_another_name(tmp_path):
    path = tmp_path / "x.csv"
    for text in ("first", "second"):
        path.write_text(text)
        assert keep_damaged(path) == tmp_path / "x.csv.broken"
        assert [p.name for p in tmp_path.iterdir()] == ["x.csv.broken"]
        assert (tmp_path / "x.csv.broken").read_text() == text
    (tmp_path / "y.csv.broken").mkdir()
    (tmp_path / "y.csv").write_text("third")
    with pytest.raises(WorkspaceError, match=r"cannot write .*y\.csv\.broken"):
        keep_damaged(tmp_path / "y.csv")


def test_hash_of_bytes_is_that_of_their_file(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 99_999)
    assert sha256_of_file(tmp_path / "x") == sha256_of(b"abc" * 99_999)


def test_content_is_spread_over_folders():
    assert content_path("faces", "ab" + "0" * 62, ".png") == f"faces/ab/ab{'0' * 62}.png"


def test_two_writers_of_one_path_do_not_meet(tmp_path):
    path = tmp_path / "x"
    with atomic_writer(path) as one, files.atomic_writer(path) as two:
        one.write(b"1")
        two.write(b"2")
    assert path.read_bytes() == b"1"
