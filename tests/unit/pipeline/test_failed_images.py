"""A failure that may pass says nothing of the faces that were cut before."""

from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError
from facegan.core.events import Note
from facegan.core.files import sha256_of
from facegan.core.records import Outcome, Reason, Status
from pipeline import crop as crop_module
from pipeline.config import CropConfig, ShardConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial, WorkerDied
from pipeline.pack import pack
from tests.crop_helpers import Unused, drawn, faces_of, fill, rows_of

CONFIG = CropConfig(detector="haar", size=64)
FRAMED_WIDER = replace(CONFIG, margin=0.2)


def first():
    return sha256_of(drawn(5)[0])


class Ending:
    """An executor at whose first image a worker ends."""

    def __init__(self, ended):
        self.ended, self.given = ended, []

    def run(self, work, items):
        for item in items:
            self.given.append(item.sha256)
            yield item, self.ended if item.sha256 == first() else work(item)


def run(workspace, config=CONFIG, **more):
    said = []
    report = crop(
        config, workspace, executor=more.pop("executor", Serial()), listener=said.append, **more
    )
    return report, [event.text for event in said if isinstance(event, Note) and event.warning]


def gone(workspace):
    (path,) = workspace.images.glob(f"*/{first()}.jpg")
    path.unlink()
    return path


@pytest.mark.parametrize(
    ("ended", "reason", "detail"),
    [
        (WorkerDied(), "decoder_crashed", "the process that decoded it died"),
        (WorkerDied(60.0), "decode_timeout", "broken off after 60 s"),
    ],
)
def test_a_worker_that_ends_costs_no_face_that_was_cut_before(tmp_path, ended, reason, detail):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    report, said = run(workspace, FRAMED_WIDER, executor=Ending(ended))
    assert report.images.failed == {reason: 1}
    assert (report.faces.kept, report.shards.count) == (5, 5)
    assert said[-1] == f"1 kept face of failed images stays as it was: {reason} 1"
    with Catalog(workspace.catalog) as catalog:
        assert [row["detail"] for row in catalog._db.all(OUTCOME, (first(),))] == [detail]
        assert first() in catalog.hashed_images()


OUTCOME = "SELECT detail FROM outcomes WHERE stage = 'crop' AND item = ?"


@pytest.mark.parametrize("error", [MemoryError(), None])
def test_a_failure_costs_no_face_and_the_next_call_tries_again(tmp_path, monkeypatch, error):
    """There is no memory, or the original is gone; and back."""
    workspace = fill(tmp_path / "data", drawn(5))
    whole = fill(tmp_path / "whole", drawn(5))
    run(workspace)
    run(whole, FRAMED_WIDER)
    with monkeypatch.context() as patch:
        if error is None:
            path = gone(workspace)
        else:
            read = crop_module.read

            def reading(path, limits):
                if first() in path.name:
                    raise error
                return read(path, limits)

            patch.setattr(crop_module, "read", reading)
        report, _ = run(workspace, FRAMED_WIDER)
        assert report.images.failed == {"out_of_memory" if error else "unreadable": 1}
        assert report.faces.kept == 5
        again, said = run(workspace, FRAMED_WIDER)
        assert (again.images.total, again.faces.kept, len(said)) == (1, 5, 2)
        assert again.shards == report.shards
    if error is None:
        path.write_bytes(drawn(5)[0])
    report, said = run(workspace, FRAMED_WIDER)
    assert (report.images.kept, report.faces.kept) == (1, 5)
    assert said == ["cutting 1 face anew: margin default -> 0.2"]
    assert rows_of(workspace)[:3] == rows_of(whole)[:3]


def test_crops_of_another_size_are_set_aside_and_come_back_with_it(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    before, _ = run(workspace)
    gone(workspace)
    report, said = run(workspace, replace(CONFIG, size=32))
    assert (report.faces.kept, report.faces.rejected) == (4, {"unreadable": 1})
    assert report.shards.image_size == 32
    assert said[-1] == "1 kept face of failed images is set aside, of 64 px"
    (aside,) = faces_of(workspace, Status.REJECTED)
    assert aside.detail == "cut at 64 px, and its image cannot be cut anew now"
    assert (workspace.root / aside.path).exists()
    after, _ = run(workspace)
    assert after.shards.selection == before.shards.selection


def test_a_face_set_aside_stays_out_even_if_a_person_kept_it_and_leads_no_copies(tmp_path):
    copy = drawn(5)[0] + b"\0"
    workspace = fill(tmp_path / "data", [*drawn(5), copy])
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        (own,) = (face for face in catalog.faces(None) if face.image_sha256 == first())
        catalog.review_face(own.id, Status.KEPT)
    gone(workspace)
    report, _ = run(workspace, replace(CONFIG, size=32))
    assert (report.faces.kept, report.shards.count) == (5, 5)
    (aside,) = faces_of(workspace, Status.REJECTED)
    assert (aside.image_sha256, aside.reason) == (first(), Reason.UNREADABLE)


def test_a_face_set_aside_can_be_kept_by_hand_only_once_it_is_back(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    gone(workspace)
    run(workspace, replace(CONFIG, size=32))
    (aside,) = faces_of(workspace, Status.REJECTED)
    with Catalog(workspace.catalog) as catalog:
        assert catalog.review_face(aside.id, Status.KEPT).status is Status.REJECTED
    assert pack(workspace, ShardConfig()).count == 4
    report, _ = run(workspace)
    assert (report.faces.kept, report.decisions, report.shards.image_size) == (5, 1, 64)


def test_where_all_originals_are_gone_another_size_costs_no_crop(tmp_path):
    """Nothing could cut them again."""
    workspace = fill(tmp_path / "data", drawn(3))
    before, _ = run(workspace)
    for path in workspace.images.glob("*/*"):
        path.unlink()
    with pytest.raises(NothingProducedError, match="none of 3 faces is kept: 3 unreadable"):
        run(workspace, replace(CONFIG, size=32))
    assert run(workspace)[0].shards == before.shards


def test_a_face_whose_crop_is_gone_as_well_does_not_stay(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    (own,) = (face for face in faces_of(workspace) if face.image_sha256 == first())
    (workspace.root / own.path).unlink()
    gone(workspace)
    report, _ = run(workspace)
    assert report.images.failed == {"unreadable": 1}
    assert (report.faces.kept, report.shards.count) == (4, 4)


def test_what_is_rejected_for_good_still_loses_its_faces(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    gone(workspace).write_bytes(b"text")
    report, said = run(workspace, FRAMED_WIDER)
    assert report.images.rejected == {"not_an_image": 1}
    assert report.faces.kept == 4
    assert said[-1] == "1 kept face is gone: not_an_image 1"


def test_a_failed_image_waits_for_the_next_call_and_not_for_another_setting(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    run(workspace, FRAMED_WIDER, executor=Ending(WorkerDied()))
    with Catalog(workspace.catalog) as catalog:
        assert catalog.tally("images").failed == {"decoder_crashed": 1}
    assert run(workspace, FRAMED_WIDER)[0].images.kept == 1
    assert run(workspace, FRAMED_WIDER, executor=Unused())[0].faces.kept == 5


def test_an_image_that_was_taken_out_while_it_was_in_flight_stays_so(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5))
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        with catalog._db.transaction() as db:
            gone = "UPDATE images SET status = 'rejected', reason = 'forgotten' WHERE sha256 = ?"
            db.execute(gone, (first(),))
        catalog.record_failure(first(), Outcome(Status.FAILED, Reason.UNREADABLE))
        assert catalog.tally("images").rejected == {"forgotten": 1}
        assert catalog._db.all(OUTCOME, (first(),))[0]["detail"] is None
        assert not catalog.tally("images").failed


# again and again

LATE = WorkerDied(60.0)


def test_a_picture_that_takes_too_long_is_tried_twice_and_again_with_other_settings(tmp_path):
    workspace, executor = fill(tmp_path / "data", drawn(5)[:2]), Ending(LATE)
    fates = [run(workspace, executor=executor)[0].images for _ in range(3)]
    assert [(fate.failed, fate.rejected) for fate in fates] == [
        ({"decode_timeout": 1}, {}), ({}, {"decode_timeout": 1}), ({}, {}),
    ]  # fmt: skip
    assert len(executor.given) == 3
    assert run(workspace, replace(CONFIG, size=32), executor=executor)[0].images.failed
    assert len(executor.given) == 5


def test_a_picture_at_which_workers_die_is_tried_at_every_call(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:2])
    for _ in range(3):
        report, _ = run(workspace, executor=Ending(WorkerDied()))
        assert report.images.failed == {"decoder_crashed": 1}


def test_a_picture_that_has_given_a_face_before_is_tried_at_every_call(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:2])
    run(workspace)
    for _ in range(3):
        report, _ = run(workspace, replace(CONFIG, size=32), executor=Ending(LATE))
        assert report.images.failed == {"decode_timeout": 1}
    report, _ = run(workspace, executor=Ending(LATE))
    assert report.images.failed == {"decode_timeout": 1}
    assert run(workspace)[0].faces.kept == 2
