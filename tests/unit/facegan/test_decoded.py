from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facegan import decoded
from facegan.core.errors import ShardError, WorkspaceError
from facegan.core.shards import Entry, read_member, write_shards
from facegan.dataset import load_images
from facegan.decoded import decoded_path, map_images


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def builds(monkeypatch):
    """One entry for each time that images are decoded."""
    calls = []
    decode_all = decoded.decode_all

    def counted(*args):
        calls.append(args)
        decode_all(*args)

    monkeypatch.setattr(decoded, "decode_all", counted)
    return calls


def visible(cache):
    return sorted(path.suffix for path in cache.iterdir())


def test_the_mapped_images_are_the_decoded_ones_and_cannot_be_changed(make_shards, cache):
    index = make_shards(count=130)
    images = map_images(index, index.members, 16, cache)
    np.testing.assert_array_equal(images, load_images(index, 16).numpy())
    assert not images.flags.writeable
    assert visible(cache) == [".lock", ".u8"]


def test_the_same_faces_are_not_decoded_again(make_shards, cache, builds):
    first = make_shards(folder="one")
    again = make_shards(folder="two")
    map_images(first, first.members, 32, cache)
    images = map_images(again, again.members, 32, cache)
    assert len(builds) == 1
    np.testing.assert_array_equal(images, load_images(first, 32).numpy())


def test_other_faces_order_size_or_split_have_a_file_of_their_own(make_shards, cache, tmp_path):
    index = make_shards()
    pngs = [read_member(index, member) for member in index.members]
    entries = [Entry(f"{n}", png, {}, split="test") for n, png in enumerate(pngs)]
    test = write_shards(tmp_path / "test", entries, image_size=32, config={})
    paths = {
        decoded_path(cache, index.members, 32),
        decoded_path(cache, index.members, 16),
        decoded_path(cache, index.members[::-1], 32),
        decoded_path(cache, index.members[:-1], 32),
        decoded_path(cache, test.members, 32),
    }
    assert len(paths) == 5


@pytest.mark.parametrize("length", [0, 100, 10 * 3 * 32**2 + 1])
def test_a_file_of_another_length_is_built_again(make_shards, cache, builds, length):
    index = make_shards()
    map_images(index, index.members, 32, cache)
    os.truncate(decoded_path(cache, index.members, 32), length)
    images = map_images(index, index.members, 32, cache)
    assert len(builds) == 2
    np.testing.assert_array_equal(images, load_images(index, 32).numpy())


def test_an_error_in_decoding_leaves_no_file(make_shards, cache):
    index = make_shards(count=130)
    tar = index.folder / index.members[0].shard
    whole = tar.read_bytes()
    broken = bytearray(whole)
    broken[index.members[100].offset + 40] ^= 1
    tar.write_bytes(broken)
    with pytest.raises(ShardError, match="corrupt at 000100"):
        map_images(index, index.members, 32, cache)
    assert visible(cache) == [".lock"]
    tar.write_bytes(whole)
    assert len(map_images(index, index.members, 32, cache)) == 130


def test_what_a_kill_left_half_written_goes(make_shards, cache):
    index = make_shards()
    path = decoded_path(cache, index.members, 32)
    cache.mkdir()
    (cache / f".{path.name}.0123abcd.tmp").write_bytes(b"half")
    map_images(index, index.members, 32, cache)
    assert visible(cache) == [".lock", ".u8"]


def test_a_full_disk_is_said_and_leaves_no_file(make_shards, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    index = make_shards()
    monkeypatch.setattr(decoded.os, "pwrite", full)
    with pytest.raises(WorkspaceError, match=r"decoded-.*\.u8: the disk is full"):
        map_images(index, index.members, 32, cache)
    assert visible(cache) == [".lock"]


def test_short_writes_are_continued(make_shards, cache, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(
        decoded.os, "pwrite", lambda file, data, offset: pwrite(file, data[:999], offset)
    )
    index = make_shards()
    images = map_images(index, index.members, 32, cache)
    np.testing.assert_array_equal(images, load_images(index, 32).numpy())


def test_a_cache_that_cannot_be_made_is_an_error(make_shards, cache):
    cache.write_bytes(b"in the way")
    index = make_shards()
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        map_images(index, index.members, 32, cache)


def test_a_lock_that_the_file_system_refuses_is_an_error(make_shards, cache, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    index = make_shards()
    monkeypatch.setattr(decoded.fcntl, "flock", refuse)
    with pytest.raises(WorkspaceError, match="No locks available"):
        map_images(index, index.members, 32, cache)


def test_threads_that_want_one_file_at_once_build_it_once(make_shards, cache, builds):
    index = make_shards(count=130)
    barrier = threading.Barrier(4)

    def want(_):
        barrier.wait()
        return map_images(index, index.members, 32, cache)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(want, range(4)))
    assert len(builds) == 1
    for images in found:
        np.testing.assert_array_equal(images, found[0])


WANT = """
import sys
from pathlib import Path
from facegan import decoded
from facegan.core.shards import open_index

decode_all = decoded.decode_all

def told(*args):
    print("builds")
    decode_all(*args)

decoded.decode_all = told
index = open_index(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(decoded.map_images(index, index.members, 32, Path(sys.argv[2])).sum())
"""


def test_processes_that_want_one_file_at_once_build_it_once(make_shards, cache):
    index = make_shards(count=130)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WANT, index.folder, cache],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    lines = [process.communicate(timeout=100)[0].split() for process in processes]
    total = str(load_images(index, 32).sum().item())
    assert sorted(lines, key=len) == [[total], ["builds", total]]
