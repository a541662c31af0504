from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import ShardError
from facegan.core.files import Workspace
from facegan.core.funnel import funnel, is_stale, refuse_stale, stopped_crop
from facegan.core.records import FaceRecord, ImageRecord, Outcome, SearchResult, Status
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import Entry, selection_hash, write_shards

KEPT = Outcome(Status.KEPT)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def packed(workspace, source):
    entries = [Entry("c", b"png", {})]
    return write_shards(workspace.shards, entries, image_size=64, config={"source": source})


def cropped(workspace, *crops):
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([SearchResult("u", "q", "bing", 0)])
        catalog.record_fetch("u", KEPT, "s", ImageRecord("a", "images/a.jpg", 4, 3, 9, "jpeg"))
        faces = [
            FaceRecord("a", None, None, None, "haar", Status.KEPT, path=f"{c}.png", sha256=c)
            for c in crops
        ]
        catalog.record_faces("a", faces, KEPT, "c")


def test_an_empty_workspace_begins_with_scrape(workspace):
    assert funnel(workspace).next_step == 'facegan scrape "artist"'
    assert not is_stale(workspace)


def test_a_packed_folder_without_images_is_trained_on(workspace):
    packed(workspace, "folder")
    assert funnel(workspace).next_step == "facegan train"
    Catalog(workspace.catalog).close()
    assert funnel(workspace).next_step == "facegan train"
    assert not is_stale(workspace)


def test_a_trained_folder_without_images_is_scored(workspace):
    packed(workspace, "folder")
    with Catalog(workspace.catalog) as catalog:
        catalog.record_run(
            "00001-x", iteration=5, iterations=5, seconds=1, selection="", status="finished"
        )
    assert funnel(workspace).next_step == "facegan sample"


def test_images_without_faces_are_cropped(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([SearchResult("u", "q", "bing", 0)])
        catalog.record_fetch("u", KEPT, "s", ImageRecord("a", "images/a.jpg", 4, 3, 9, "jpeg"))
    assert funnel(workspace).next_step == "facegan crop"


def test_a_crop_that_was_stopped_goes_on_with_its_own_settings(workspace):
    cropped(workspace, "c")
    words = ("crop", "--size", "96", "--model", "my models/yunet.onnx")
    with Catalog(workspace.catalog) as catalog:
        call = catalog.begin_crop({}, words, "yunet", "c")
    line = "facegan crop --size 96 --model 'my models/yunet.onnx'"
    assert (funnel(workspace).unfinished, funnel(workspace).next_step) == (line, line)
    with Catalog(workspace.catalog) as catalog:
        catalog.end_crop(call)
    assert (funnel(workspace).unfinished, funnel(workspace).next_step) == (None, line)


def test_images_that_came_later_are_cut_with_the_settings_of_the_last_crop(workspace):
    cropped(workspace, "c")
    with Catalog(workspace.catalog) as catalog:
        catalog.end_crop(catalog.begin_crop({}, ("crop", "--size", "96"), "yunet", "c"))
        catalog.add_results([SearchResult("v", "q", "bing", 1)])
        catalog.record_fetch("v", KEPT, "s", ImageRecord("b", "images/b.jpg", 4, 3, 9, "jpeg"))
    assert funnel(workspace).next_step == "facegan crop --size 96"


def test_where_all_faces_were_rejected_a_person_looks_at_them(workspace):
    cropped(workspace, "c")
    with Catalog(workspace.catalog) as catalog:
        catalog.review_face(catalog.faces()[0].id, Status.REJECTED)
    assert funnel(workspace).next_step == "facegan review"
    packed(workspace, "folder")
    assert funnel(workspace).next_step == "facegan train"


def test_where_no_image_shows_a_face_others_are_gathered(workspace):
    cropped(workspace)
    assert funnel(workspace).next_step == 'facegan scrape "artist"'


def test_what_is_packed_is_told_with_what_is_held_out_and_whose_it_is(workspace):
    entries = [Entry("c", b"png", {}), Entry("d", b"other", {}, HELD_OUT)]
    settings = {"source": "folder", "folder": "mix/faces"}
    write_shards(workspace.shards, entries, image_size=64, config=settings)
    for _ in range(2):
        state = funnel(workspace)
        assert (state.shards, state.held_out, state.folder) == (2, 1, "mix/faces")
        Catalog(workspace.catalog).close()
    packed(workspace, "catalog")
    assert (funnel(workspace).held_out, funnel(workspace).folder) == (0, None)


@pytest.mark.parametrize("reason", ["forgotten", "opted_out"])
def test_images_that_were_taken_out_wait_for_nothing(workspace, reason):
    cropped(workspace)
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE images SET status = 'rejected', reason = ?", (reason,))
    assert funnel(workspace).next_step == 'facegan scrape "artist"'
    with Catalog(workspace.catalog) as catalog:
        catalog.add_results([SearchResult("v", "q", "bing", 1)])
        catalog.record_fetch("v", KEPT, "s", ImageRecord("b", "images/b.jpg", 4, 3, 9, "jpeg"))
    assert funnel(workspace).next_step == "facegan crop"


def test_shards_are_stale_when_the_faces_change(workspace):
    index = packed(workspace, "catalog")
    (sha256,) = {member.sha256 for member in index.members}
    assert index.selection == selection_hash([sha256])
    cropped(workspace, sha256)
    assert not is_stale(workspace)
    assert funnel(workspace).next_step == "facegan train"
    cropped(workspace, sha256, "other")
    assert is_stale(workspace)
    assert funnel(workspace).next_step == "facegan shard"
    with pytest.raises(ShardError, match="have changed since") as caught:
        refuse_stale(workspace)
    assert caught.value.hint == "facegan shard"


def test_where_a_crop_was_stopped_stale_shards_lead_to_it_as_the_status_does(workspace):
    packed(workspace, "catalog")
    cropped(workspace, "other")
    with Catalog(workspace.catalog) as catalog:
        catalog.begin_crop({}, ("crop", "--margin", "0.4"), "haar", "d")
    with pytest.raises(ShardError) as caught:
        refuse_stale(workspace)
    assert caught.value.hint == funnel(workspace).next_step == "facegan crop --margin 0.4"


def test_what_a_stopped_crop_leaves_amiss_is_told_until_one_has_ended(workspace):
    cropped(workspace, "c", "d")
    with Catalog(workspace.catalog) as catalog:
        assert stopped_crop(catalog) is None
        call = catalog.begin_crop({}, ("crop",), "haar", "c")
        assert stopped_crop(catalog) == "the last `facegan crop` was stopped"
        waiting = [replace(catalog.faces()[0], status=Status.PENDING)]
        catalog.update_faces(waiting)
        call = catalog.begin_crop({}, ("crop",), "haar", "d")
        assert stopped_crop(catalog) == (
            "the last `facegan crop` was stopped:"
            " 1 face not judged yet, 1 kept face still of other settings"
        )
        catalog.end_crop(call)
        assert stopped_crop(catalog) is None
    state = funnel(workspace)
    assert (state.faces_pending, state.faces_tally.total) == (1, 1)
