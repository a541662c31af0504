import pytest

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.core.funnel import funnel, is_stale
from facegan.core.records import FaceRecord, ImageRecord, Outcome, SearchResult, Status
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
