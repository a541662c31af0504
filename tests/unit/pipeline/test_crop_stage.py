import errno
import itertools
import json
from dataclasses import replace

import cv2
import pytest

from facegan.core import files
from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, NothingProducedError, WorkspaceError
from facegan.core.events import Advanced, Note, Started
from facegan.core.files import Workspace, sha256_of
from facegan.core.records import Status
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import open_index, read_member
from pipeline import crop_stage
from pipeline.config import CropConfig, ShardConfig
from pipeline.crop_stage import crop
from pipeline.executors import Processes, Serial, WorkerDied
from pipeline.images import encode_png
from pipeline.pack import pack
from pipeline.portraits import portraits
from tests.crop_helpers import Unused, as_jpeg, drawn, faces_of, fill, rows_of
from tests.unit.pipeline.test_images import giant_png

CONFIG = CropConfig(detector="haar", size=64)
BLANK = as_jpeg([[[90, 120, 90]] * 80] * 80)


def run(workspace, config=CONFIG, **more):
    return crop(config, workspace, executor=more.pop("executor", Serial()), **more)


def outcomes(workspace):
    with Catalog(workspace.catalog) as catalog:
        return catalog.tally("images")


def test_faces_rows_and_shards_come_of_images(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5), license="CC0", creator="A. Painter")
    events = []
    report = run(workspace, listener=events.append)
    assert report.images.kept == report.faces.kept == report.shards.count == 5
    assert (report.detector, report.pending) == ("haar", 0)
    with Catalog(workspace.catalog) as catalog:
        faces = catalog.faces()
    for face in faces:
        data = (workspace.root / face.path).read_bytes()
        assert face.path == f"faces/{face.sha256[:2]}/{face.sha256}.png"
        assert sha256_of(data) == face.sha256
    index = open_index(workspace.shards)
    assert [member.key for member in index.members] == [face.sha256 for face in faces]
    assert sha256_of(read_member(index, index.members[0])) == faces[0].sha256
    assert isinstance(events[0], Note)
    assert "Haar" in events[0].text
    assert Started("crop", 5, "image", 0) in events
    assert Advanced("crop", 5, {"kept": 5}) in events


def test_metadata_stand_beside_each_face(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:1], license="CC0", creator="A. Painter")
    report = run(workspace)
    data = (workspace.shards / report.shards.shards[0].file).read_bytes()
    start = data.index(b'{"box"')
    facts = json.loads(data[start : data.index(b"\0", start)])
    assert facts["image_sha256"] == sha256_of(drawn(5)[0])
    assert facts["detector"] == "haar"
    assert facts["origin"] == {
        "url": "https://example.org/0.jpg",
        "source": "bing",
        "license": "CC0",
        "creator": "A. Painter",
    }


def test_each_bad_image_costs_itself_and_has_its_reason(tmp_path):
    bad = [b"", b"text named .jpg", drawn(5)[1][:900], giant_png(), BLANK]
    workspace = fill(tmp_path / "data", [drawn(5)[0], *bad])
    report = run(workspace)
    assert report.images.kept == 1
    assert report.images.rejected == {
        "not_an_image": 2,
        "decode_failed": 1,
        "too_many_pixels": 1,
        "no_face": 1,
    }


def test_running_again_does_nothing_and_leaves_the_same_bytes(tmp_path):
    workspace = fill(tmp_path / "data", [*drawn(5), b"bad"])
    run(workspace)
    before = rows_of(workspace)
    times = {path: path.stat().st_mtime_ns for path in workspace.shards.iterdir()}
    report = run(workspace)
    assert report.images.total == 0
    assert report.faces.kept == 5
    assert rows_of(workspace) == before
    assert {path: path.stat().st_mtime_ns for path in workspace.shards.iterdir()} == times


def test_a_file_that_is_gone_is_tried_again_by_the_next_call(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:2])
    (path,) = workspace.images.glob(f"*/{sha256_of(drawn(5)[0])}.jpg")
    path.unlink()
    assert run(workspace).images.failed == {"unreadable": 1}
    path.write_bytes(drawn(5)[0])
    report = run(workspace)
    assert report.images.kept == 1
    assert report.shards.count == 2


def test_a_crashed_decoder_costs_one_image_and_is_tried_again(tmp_path):
    class Crashing:
        def run(self, work, items):
            for number, item in enumerate(items):
                yield item, WorkerDied() if number == 1 else work(item)

    workspace = fill(tmp_path / "data", drawn(5))
    report = run(workspace, executor=Crashing())
    assert report.images.kept == 4
    assert report.images.failed == {"decoder_crashed": 1}
    assert run(workspace).images.kept == 1


def test_another_configuration_replaces_the_faces_and_removes_their_files(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    old = set(workspace.faces.glob("*/*.png"))
    report = run(workspace, CropConfig(detector="haar", size=32))
    new = set(workspace.faces.glob("*/*.png"))
    assert report.faces.kept == report.shards.count == len(new) == 5
    assert report.shards.image_size == 32
    assert not new & old
    assert len(list(workspace.shards.glob("*.tar"))) == 1


def test_deleted_crops_are_cut_again(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    before = run(workspace)
    next(workspace.faces.glob("*/*.png")).unlink()
    report = run(workspace)
    assert report.images.kept == 1
    assert report.shards == before.shards


def test_stopping_keeps_what_is_done_and_the_next_call_goes_on(tmp_path):
    whole = fill(tmp_path / "whole", [*drawn(5), b"bad"])
    run(whole)
    workspace = fill(tmp_path / "data", [*drawn(5), b"bad"])
    asked = itertools.count()
    report = run(workspace, should_stop=lambda: next(asked) == 2)
    assert (report.images.total, report.pending, report.shards) == (2, 4, None)
    assert not workspace.shards.exists()
    events = []
    report = run(workspace, listener=events.append)
    assert Started("crop", 6, "image", 2) in events
    assert report.images.total == 4
    assert rows_of(workspace) == rows_of(whole)


@pytest.mark.parametrize("made", [False, True])
def test_without_images_the_error_names_the_command(tmp_path, made):
    workspace = fill(tmp_path / "data", []) if made else Workspace(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match="no images in") as caught:
        run(workspace)
    assert caught.value.hint == 'facegan scrape "artist"'
    assert made or not workspace.root.exists()


def test_without_faces_the_error_tallies_the_reasons(tmp_path):
    workspace = fill(tmp_path / "data", [BLANK, b"bad"])
    with pytest.raises(NothingProducedError, match="no face in 2 images: 1 n") as caught:
        run(workspace)
    assert "1 no_face" in caught.value.message
    assert caught.value.exit_code == 7
    assert outcomes(workspace).total == 2


def test_a_full_disk_stops_the_stage_and_loses_nothing(tmp_path, monkeypatch):
    workspace = fill(tmp_path / "data", drawn(5))
    write, written = files.write_bytes, []

    def fails_at_third(path, data):
        if len(written) == 2:
            raise files.write_error(path, OSError(errno.ENOSPC, "No space left on device"))
        written.append(path)
        write(path, data)

    monkeypatch.setattr(files, "write_bytes", fails_at_third)
    with pytest.raises(WorkspaceError, match="the disk is full"):
        run(workspace, executor=Processes(2))
    assert outcomes(workspace).kept == 2
    monkeypatch.setattr(files, "write_bytes", write)
    assert run(workspace).faces.kept == 5


def test_a_file_in_the_way_of_the_faces_is_named(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:1])
    workspace.faces.write_text("in the way")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        run(workspace)


def test_of_two_images_with_the_same_crop_one_is_a_duplicate(tmp_path):
    image = next(portraits(1, seed=22, size_px=160)).image
    png = encode_png(image)
    workspace = fill(tmp_path / "data", [png, png + b"\0"])
    report = run(workspace)
    assert (report.faces.kept, report.faces.rejected) == (1, {"duplicate": 1})
    assert report.clusters == report.shards.count == 1
    assert run(workspace).shards == report.shards


# judging


def test_faces_are_measured_and_images_hashed(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        faces, images = catalog.faces(), catalog.hashed_images()
    assert len(faces) == len(images) == 5
    for face in faces:
        assert None not in {face.size_px, face.sharpness, face.exposure, face.upscale, face.phash}
        assert face.padding is not None


def test_another_threshold_judges_again_without_cutting_again(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    before = run(workspace)
    values = sorted(face.sharpness for face in faces_of(workspace))
    strict = replace(CONFIG, min_sharpness=(values[1] + values[2]) / 2)
    report = run(workspace, strict, executor=Unused())
    assert (report.faces.kept, report.faces.rejected) == (3, {"blurred": 2})
    assert report.shards.count == 3
    assert len(list(workspace.faces.glob("*/*.png"))) == 5
    assert run(workspace, executor=Unused()).shards == before.shards


def test_copies_are_found_over_several_calls_and_the_best_is_kept(tmp_path):
    image = next(portraits(1, seed=22, size_px=320)).image
    enlarged = as_jpeg(cv2.resize(image[::2, ::2], None, fx=4, fy=4))
    workspace = fill(tmp_path / "data", [enlarged, *drawn(5)[:2]])
    assert run(workspace).faces.kept == 3
    fill(tmp_path / "data", [as_jpeg(image)])
    report = run(workspace)
    assert (report.faces.kept, report.faces.rejected, report.clusters) == (3, {"duplicate": 1}, 1)
    (copy,) = faces_of(workspace, Status.REJECTED)
    assert copy.image_sha256 == sha256_of(enlarged)
    assert copy.cluster in {face.sha256 for face in faces_of(workspace)}


def test_decisions_by_hand_outlive_another_cut(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        thrown = catalog.review_face(catalog.faces()[0].id, Status.REJECTED)
    report = run(workspace, replace(CONFIG, size=32))
    assert (report.faces.kept, report.faces.rejected) == (4, {"reviewed": 1})
    (face,) = faces_of(workspace, Status.REJECTED)
    assert face.image_sha256 == thrown.image_sha256
    assert face.sha256 not in {member.sha256 for member in report.shards.members}


def test_held_out_faces_are_told_and_stand_in_the_index(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    report = run(workspace, hold_out=0.5)
    held_out = {face.sha256 for face in faces_of(workspace) if face.split == HELD_OUT}
    assert {member.sha256 for member in report.shards.split(HELD_OUT)} == held_out
    assert 0 < report.held_out == len(held_out) < 5
    assert run(workspace, hold_out=0.0).held_out == 0
    with pytest.raises(ConfigError, match="--hold-out is 1"):
        run(workspace, hold_out=1.0)


def test_faces_that_no_call_has_judged_yet_are_not_packed(tmp_path, monkeypatch):
    workspace = fill(tmp_path / "data", drawn(5))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(crop_stage, "select", killed)
        with pytest.raises(KeyboardInterrupt):
            run(workspace)
    with pytest.raises(WorkspaceError, match="stopped: 5 faces not judged yet"):
        pack(workspace, ShardConfig())
    report = run(workspace, executor=Unused())
    assert report.shards.count == 5
