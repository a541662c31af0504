import errno
import gc
import json
import random
import subprocess
import sys
import tarfile
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from facegan.core import files
from facegan.core.errors import ShardError, WorkspaceError
from facegan.core.shards import (
    INDEX_NAME,
    Entry,
    open_index,
    read_member,
    read_members,
    selection_hash,
    write_shards,
)

ROOT = Path(__file__).parents[3]


def entries(count, salt=0, size=700):
    rng = random.Random(salt)
    for number in range(count):
        split = "holdout" if number % 4 == 3 else "train"
        yield Entry(f"face_{number:03d}", rng.randbytes(size + number), {"n": number}, split)


def write(folder, items, **more):
    return write_shards(folder, items, image_size=64, config={"size": 64}, **more)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pngs(index):
    return list(read_members(index, index.members))


def test_what_is_written_is_read(tmp_path):
    index = write(tmp_path, entries(9))
    assert open_index(tmp_path) == index
    assert (index.count, index.image_size, index.config) == (9, 64, {"size": 64})
    assert pngs(index) == [entry.png for entry in entries(9)]
    assert read_member(index, index.members[5]) == list(entries(9))[5].png
    assert [len(index.split(name)) for name in ("train", "holdout", "none")] == [7, 2, 0]
    assert index.selection == selection_hash(files.sha256_of(e.png) for e in entries(9))


def test_a_shard_is_a_plain_tar_of_pairs_without_times_and_owners(tmp_path):
    index = write(tmp_path, entries(3))
    with tarfile.open(tmp_path / index.shards[0].file) as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        facts = json.loads(tar.extractfile("face_001.json").read())
    assert names[:4] == ["face_000.png", "face_000.json", "face_001.png", "face_001.json"]
    assert facts == {"n": 1}
    assert {(m.mtime, m.uid, m.uname, m.mode) for m in members} == {(0, 0, "", 0o644)}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_webdataset_reader_opens_a_shard(tmp_path):
    wds = pytest.importorskip("webdataset")
    index = write(tmp_path, entries(5))
    samples = list(wds.WebDataset(str(tmp_path / index.shards[0].file), shardshuffle=False))
    gc.collect()  # webdataset leaves the file open
    assert [sample["__key__"] for sample in samples] == [entry.key for entry in entries(5)]
    assert [sample["png"] for sample in samples] == [entry.png for entry in entries(5)]
    assert json.loads(samples[4]["json"]) == {"n": 4}


def test_the_same_entries_give_the_same_bytes(tmp_path):
    write(tmp_path / "a", entries(20), max_bytes=5000)
    write(tmp_path / "b", entries(20), max_bytes=5000)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    before = contents(tmp_path / "a")
    write(tmp_path / "a", entries(20), max_bytes=5000)
    assert contents(tmp_path / "a") == before


def test_shards_are_cut_at_the_limit_and_numbered(tmp_path):
    index = write(tmp_path, entries(20), max_bytes=5000)
    assert len(index.shards) > 3
    for number, shard in enumerate(index.shards):
        path = tmp_path / shard.file
        assert shard.file == f"faces-{number:06d}-{shard.sha256[:8]}.tar"
        assert path.stat().st_size == shard.bytes <= 5000 + tarfile.RECORDSIZE
        assert files.sha256_of_file(path) == shard.sha256
    assert sum(shard.count for shard in index.shards) == index.count == 20
    assert pngs(index) == [entry.png for entry in entries(20)]


def test_an_entry_above_the_limit_has_a_shard_of_its_own(tmp_path):
    assert len(write(tmp_path, entries(3), max_bytes=1).shards) == 3


def test_no_entries_and_equal_keys_are_refused_and_old_shards_stay(tmp_path):
    before = write(tmp_path, entries(3))
    with pytest.raises(ShardError, match="no faces to pack") as caught:
        write(tmp_path, [])
    assert caught.value.hint == "facegan crop"
    with pytest.raises(ShardError, match="share the key face_000"):
        write(tmp_path, [*entries(2, salt=1), *entries(1)])
    assert open_index(tmp_path) == before
    assert pngs(before)


@pytest.mark.parametrize("key", ["a.b", "a/b", "", "é", "../x", "a b"])
def test_keys_that_readers_would_cut_are_refused(tmp_path, key):
    with pytest.raises(ValueError, match="is no key"):
        write(tmp_path, [Entry(key, b"x", {})])


def test_new_shards_replace_old_ones_and_scratch_is_removed(tmp_path):
    write(tmp_path, entries(20), max_bytes=3000)
    for name in (".faces-000000.tar.part.abcd.tmp", "faces-000003.tar.part", ".index.json.9.tmp"):
        (tmp_path / name).write_bytes(b"left by a kill")
    index = write(tmp_path, entries(4, salt=1))
    assert sorted(contents(tmp_path)) == sorted([INDEX_NAME, index.shards[0].file])


# what is broken


def test_missing_shards_name_the_command(tmp_path):
    with pytest.raises(ShardError, match="no shards in") as caught:
        open_index(tmp_path)
    assert (caught.value.hint, caught.value.exit_code) == ("facegan crop", 3)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "3", '{"version": 99}', '{"version": 1, "shards": 3}', "\0\0", "null"],
)
def test_an_index_that_is_none_says_so(tmp_path, text):
    write(tmp_path, entries(2))
    (tmp_path / INDEX_NAME).write_text(text)
    with pytest.raises(ShardError) as caught:
        open_index(tmp_path)
    assert caught.value.hint == "facegan shard"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "faces-000000.tar", "x"])
def test_an_index_cannot_point_elsewhere(tmp_path, name):
    write(tmp_path, entries(2))
    value = json.loads((tmp_path / INDEX_NAME).read_text())
    value["shards"][0]["file"] = name
    for member in value["members"]:
        member["shard"] = name
    (tmp_path / INDEX_NAME).write_text(json.dumps(value))
    with pytest.raises(ShardError, match="is not an index"):
        open_index(tmp_path)


def test_a_member_of_no_shard_is_refused(tmp_path):
    write(tmp_path, entries(2))
    value = json.loads((tmp_path / INDEX_NAME).read_text())
    value["members"][0]["shard"] = "faces-000009-00000000.tar"
    (tmp_path / INDEX_NAME).write_text(json.dumps(value))
    with pytest.raises(ShardError, match="is not an index"):
        open_index(tmp_path)


def test_a_truncated_and_a_missing_tar_are_named(tmp_path):
    index = write(tmp_path, entries(3))
    path = tmp_path / index.shards[0].file
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(ShardError, match="bytes, not") as caught:
        open_index(tmp_path)
    assert str(path) in caught.value.message
    assert caught.value.hint == "facegan shard"
    path.unlink()
    with pytest.raises(ShardError, match="is missing"):
        open_index(tmp_path)
    with pytest.raises(ShardError, match="cannot read"):
        pngs(index)


def test_an_altered_byte_is_found_when_its_face_is_read(tmp_path):
    index = write(tmp_path, entries(3))
    path, victim = tmp_path / index.shards[0].file, index.members[1]
    data = bytearray(path.read_bytes())
    data[victim.offset + 5] ^= 1
    path.write_bytes(data)
    open_index(tmp_path)
    assert read_member(index, index.members[0]) == next(entries(3)).png
    with pytest.raises(ShardError, match="is corrupt at face_001") as caught:
        read_member(index, victim)
    assert caught.value.hint == "facegan shard"


# what is interrupted


def test_an_error_before_the_index_leaves_the_old_set_whole(tmp_path, monkeypatch):
    before = write(tmp_path, entries(6))

    def full(path, _value):
        raise files.write_error(path, OSError(errno.ENOSPC, "No space left on device"))

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_json", full)
        with pytest.raises(WorkspaceError, match="the disk is full"):
            write(tmp_path, entries(6, salt=1))
    assert open_index(tmp_path) == before
    assert pngs(before) == [entry.png for entry in entries(6)]
    after = write(tmp_path, entries(6, salt=1))
    assert sorted(contents(tmp_path)) == sorted([INDEX_NAME, after.shards[0].file])


def test_a_kill_at_any_moment_leaves_a_whole_set(tmp_path):
    program = """
        import sys
        from pathlib import Path
        sys.path[:0] = [sys.argv[2]]
        from tests.unit.core.test_shards import entries, write
        print("go", flush=True)
        salt = int(sys.argv[3])
        while True:
            salt += 1
            write(Path(sys.argv[1]), entries(30, salt % 7), max_bytes=4000)
    """
    write(tmp_path, entries(30), max_bytes=4000)
    sets = [[entry.png for entry in entries(30, salt)] for salt in range(7)]
    for attempt in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), tmp_path, ROOT, str(attempt)],
            stdout=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            time.sleep(random.Random(attempt).uniform(0, 0.15))
            process.kill()
        assert pngs(open_index(tmp_path)) in sets
    write(tmp_path, entries(2), max_bytes=4000)
    assert len(contents(tmp_path)) == 2


def test_index_holds_plain_values(tmp_path):
    index = write(tmp_path, entries(2))
    value = json.loads((tmp_path / INDEX_NAME).read_text())
    assert value["members"][1] == asdict(index.members[1])
    assert (value["count"], value["version"]) == (2, 1)
