import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Note
from facegan.core.funnel import packed_folder
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import open_index, read_facts, read_members
from pipeline.config import ShardConfig
from pipeline.executors import Processes, Serial
from pipeline.images import ImageLimits, decode, encode_png
from pipeline.pack_folder import centre_square, pack_folder
from pipeline.portraits import portraits
from tests.crop_helpers import as_jpeg

CONFIG = ShardConfig(size=32)


def picture(seed, width=60, height=40):
    noise = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    return np.kron(noise, np.ones((height // 4, width // 4, 1), np.uint8))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "mine"
    (root / "more").mkdir(parents=True)
    (root / "a.jpg").write_bytes(as_jpeg(picture(1)))
    (root / "more" / "b.png").write_bytes(encode_png(picture(2)))
    (root / "c.png").write_bytes(encode_png(picture(3, 40, 80)))
    (root / "twin.png").write_bytes((root / "c.png").read_bytes())
    (root / "notes.txt").write_text("not a picture")
    (root / "cut.png").write_bytes(encode_png(picture(4))[:200])
    (root / ".hidden.png").write_bytes(encode_png(picture(5)))
    return root


def test_every_image_is_packed_and_every_other_file_is_listed(folder, tmp_path):
    notes = []
    report = pack_folder(
        folder, tmp_path / "shards", CONFIG, listener=notes.append, executor=Serial()
    )
    assert report.index.count == 3
    assert report.index.image_size == 32
    assert report.rejected == {
        "decode_failed": ("cut.png",),
        "not_an_image": ("notes.txt",),
        "duplicate": ("twin.png",),
    }
    warned = [note.text for note in notes if isinstance(note, Note)]
    assert sorted(text.partition(":")[0] for text in warned) == ["cut.png", "notes.txt"]
    for png in read_members(report.index, report.index.members):
        assert decode(png, ImageLimits()).shape == (32, 32, 3)


def test_processes_give_the_same_bytes_and_nothing_else_is_left(folder, tmp_path):
    pack_folder(folder, tmp_path / "one", CONFIG, executor=Serial())
    pack_folder(folder, tmp_path / "two", CONFIG, executor=Processes(2))
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == 2


def test_nothing_is_rewritten_while_the_folder_is_the_same(folder, tmp_path):
    shards = tmp_path / "shards"
    first = pack_folder(folder, shards, CONFIG, executor=Serial())
    before = (shards / "index.json").stat().st_mtime_ns
    assert pack_folder(folder, shards, CONFIG, executor=Serial()) == first
    assert (shards / "index.json").stat().st_mtime_ns == before
    (folder / "new.png").write_bytes(encode_png(picture(9)))
    assert pack_folder(folder, shards, CONFIG, executor=Serial()).index.count == 4


def test_the_index_names_the_folder_but_not_where_it_lies(folder, tmp_path, monkeypatch):
    shards = tmp_path / "shards"
    monkeypatch.chdir(tmp_path)
    assert packed_folder(pack_folder(folder, shards, CONFIG, executor=Serial()).index) == "mine"
    report = pack_folder(Path("mine/more"), shards, CONFIG, executor=Serial())
    assert packed_folder(report.index) == "mine/more"
    assert str(tmp_path) not in (shards / "index.json").read_text()


def test_the_middle_square_is_cut():
    image = np.zeros((4, 9, 3), np.uint8)
    image[:, 2:6] = 255
    assert (centre_square(image) == 255).all()
    assert centre_square(image).shape == (4, 4, 3)


def test_without_a_size_images_are_256(folder, tmp_path):
    report = pack_folder(folder, tmp_path / "s", ShardConfig(), executor=Serial())
    assert report.index.image_size == 256


def test_a_folder_without_a_usable_image_is_an_error_and_old_shards_stay(folder, tmp_path):
    shards = tmp_path / "shards"
    before = pack_folder(folder, shards, CONFIG, executor=Serial()).index
    poor = tmp_path / "poor"
    poor.mkdir()
    (poor / "a.txt").write_text("text")
    with pytest.raises(NothingProducedError, match="1 not_an_image"):
        pack_folder(poor, shards, CONFIG, executor=Serial())
    assert open_index(shards) == before


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(WorkspaceError, match="there is no folder"):
        pack_folder(tmp_path / "gone", tmp_path / "shards", CONFIG)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkspaceError, match="there are no files in"):
        pack_folder(tmp_path / "empty", tmp_path / "shards", CONFIG)
    assert not (tmp_path / "shards").exists()


def test_stopping_is_told_and_writes_nothing(folder, tmp_path):
    asked = itertools.count()
    report = pack_folder(
        folder,
        tmp_path / "shards",
        CONFIG,
        executor=Serial(),
        should_stop=lambda: next(asked) == 2,
    )
    assert (report.stopped, report.index) == (True, None)
    assert list((tmp_path / "shards").iterdir()) == []
    assert not pack_folder(folder, tmp_path / "shards", CONFIG, executor=Serial()).stopped


def test_what_a_killed_call_left_is_swept_and_what_a_running_one_holds_is_not(folder, tmp_path):
    shards = tmp_path / "shards"
    old, fresh = shards / ".folder-old", shards / ".folder-fresh"
    for scratch in (old, fresh):
        scratch.mkdir(parents=True)
        (scratch / "a.png").write_bytes(b"half")
    os.utime(old, (0, 0))
    pack_folder(folder, shards, CONFIG, executor=Serial())
    assert not old.exists()
    assert fresh.exists()


def test_names_that_are_no_utf_8_are_packed_and_told_with_marks(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    for name, data in (
        (b"caf\xe9.png", encode_png(picture(1))),
        (b"twin \xe9.png", encode_png(picture(1))),
        (b"note \xe9.txt", b"text"),
    ):
        (root / os.fsdecode(name)).write_bytes(data)
    notes = []
    report = pack_folder(root, tmp_path / "s", CONFIG, listener=notes.append, executor=Serial())
    assert report.index.count == 1
    assert report.rejected == {
        "not_an_image": ("note \ufffd.txt",),
        "duplicate": ("twin \ufffd.png",),
    }
    texts = [note.text for note in notes if isinstance(note, Note)]
    json.dumps([dict(report.rejected), texts], ensure_ascii=False).encode()
    with pytest.raises(WorkspaceError, match=r"there is no folder .*\ufffd"):
        pack_folder(tmp_path / os.fsdecode(b"\xe9"), tmp_path / "s", CONFIG)


def test_a_file_in_the_way_is_named(folder, tmp_path):
    (tmp_path / "shards").write_text("in the way")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        pack_folder(folder, tmp_path / "shards", CONFIG, executor=Serial())


def test_a_share_of_a_folder_is_held_out_and_copies_are_not_parted(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    drawn = list(portraits(12, seed=71, size_px=96))
    for number, portrait in enumerate(drawn):
        (root / f"{number}.png").write_bytes(encode_png(portrait.image))
        (root / f"{number} again.jpg").write_bytes(as_jpeg(portrait.image))
    config = ShardConfig(size=64, hold_out=0.4)
    index = pack_folder(root, tmp_path / "s", config, executor=Serial()).index
    held_out = {facts["file"] for member, facts in read_facts(index) if member.split == HELD_OUT}
    assert index.count == 24
    assert 0 < len(held_out) < 20
    numbers = [name.partition(".")[0].partition(" ")[0] for name in held_out]
    assert all(numbers.count(number) == 2 for number in numbers)
    none = pack_folder(root, tmp_path / "s", replace(config, hold_out=0.0), executor=Serial())
    assert none.index.split(HELD_OUT) == ()
