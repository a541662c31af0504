import os
import threading

import pytest

from facegan.core.errors import WorkspaceError
from facegan.core.files import Workspace
from pipeline import store as store_module
from pipeline.store import Store
from tests.scrape_helpers import fetched


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def store(workspace):
    opened = Store(workspace)
    opened.open()
    yield opened
    opened.close()


def files(workspace):
    return {
        path.relative_to(workspace.root) for path in workspace.root.rglob("*") if path.is_file()
    }


def test_file_has_its_name_only_once_it_is_kept(store, workspace):
    got = fetched(1)
    put = store.put(got)
    path = workspace.root / put.image.path
    assert not path.exists()
    store.keep(put)
    assert path.read_bytes() == got.data
    assert files(workspace) == {path.relative_to(workspace.root)}
    assert put.image.path == f"images/{got.sha256[:2]}/{got.sha256}.jpg"
    assert (put.image.bytes, put.image.width, put.image.format) == (len(got.data), 64, "jpeg")


def test_what_is_dropped_leaves_nothing(store, workspace):
    store.drop(store.put(fetched(1)))
    assert files(workspace) == set()


def test_closing_leaves_no_temporary_files_and_no_folder_for_them(store, workspace):
    store.put(fetched(1))
    store.close()
    assert list(workspace.images.iterdir()) == []


def test_same_bytes_may_arrive_in_many_threads_at_once(store, workspace):
    got, puts = fetched(1), []
    threads = [threading.Thread(target=lambda: puts.append(store.put(got))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({put.temporary for put in puts}) == 8
    for put in puts:
        store.keep(put)
    assert len(files(workspace)) == 1


def test_damage_is_seen_by_size_or_by_content(store, workspace):
    put = store.put(fetched(1))
    store.keep(put)
    path, image = workspace.root / put.image.path, put.image
    assert (store.is_there(image), store.is_whole(image)) == (True, True)
    path.write_bytes(bytes(image.bytes))
    assert (store.is_there(image), store.is_whole(image)) == (True, False)
    path.write_bytes(b"short")
    assert (store.is_there(image), store.is_whole(image)) == (False, False)
    store.remove(image)
    store.remove(image)
    assert (store.is_there(image), store.is_whole(image)) == (False, False)


def test_a_write_that_is_cut_short_goes_on(store, workspace, monkeypatch):
    real = os.write
    monkeypatch.setattr(store_module.os, "write", lambda fd, data: real(fd, data[:100]))
    got = fetched(1)
    put = store.put(got)
    store.keep(put)
    assert (workspace.root / put.image.path).read_bytes() == got.data


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_disk_that_is_full_is_said_in_words(store, monkeypatch, name):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, name, full)
    with pytest.raises(WorkspaceError, match=r"cannot write .*images/.*: the disk is full"):
        store.keep(store.put(fetched(1)))


def test_folder_that_cannot_be_made_is_said_in_words(workspace):
    workspace.images.write_text("a file")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        Store(workspace).open()
