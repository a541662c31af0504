"""The catalog as many threads use it, and the account of a sitting."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import CatalogError, NothingProducedError, WorkspaceError
from facegan.core.files import Workspace
from facegan.core.records import Status
from pipeline.review.desk import Changes, Desk

KEPT, REJECTED = Status.KEPT, Status.REJECTED


def test_desk_without_a_catalog_says_what_makes_one(tmp_path):
    with pytest.raises(WorkspaceError, match="no faces") as caught:
        Desk(Workspace(tmp_path))
    assert caught.value.hint == "facegan crop"
    assert list(tmp_path.iterdir()) == []


def test_desk_without_faces_is_refused(tmp_path):
    workspace = Workspace(tmp_path)
    Catalog(workspace.catalog).close()
    with pytest.raises(NothingProducedError, match="no faces"):
        Desk(workspace)


def test_many_threads_decide_at_once(workspace):
    with Desk(workspace) as desk, ThreadPoolExecutor(4) as pool:
        faces, total = desk.faces(0, 100)
        list(pool.map(lambda face: desk.review({face.id: REJECTED}), faces))
        assert desk.changes().rejected == total == 10
    with Catalog(workspace.catalog) as catalog:
        assert catalog.faces() == []


def test_changes_compare_the_end_with_the_beginning(workspace):
    with Catalog(workspace.catalog) as catalog:
        earlier = catalog.faces(KEPT)[-1]
        catalog.review_face(earlier.id, REJECTED)
    with Desk(workspace) as desk:
        faces, _ = desk.faces(0, 100)
        kept = [face.id for face in faces if face.status is KEPT]
        rescued = next(face.id for face in faces if face.auto_reason and face.path)
        for face_id, *verdicts in (
            (kept[0], REJECTED),
            (kept[1], REJECTED, KEPT),
            (kept[2], REJECTED, None),
            (kept[3], KEPT),
            (rescued, KEPT),
            (earlier.id, None),
        ):
            for verdict in verdicts:
                desk.review({face_id: verdict})
        changes = desk.changes()
    assert changes == Changes(kept=2, rescued=1, rejected=1, taken_back=1)
    assert changes.total == 5


def test_same_decision_again_is_no_change(workspace):
    with Catalog(workspace.catalog) as catalog:
        earlier = catalog.faces(KEPT)[0]
        catalog.review_face(earlier.id, REJECTED)
    with Desk(workspace) as desk:
        desk.faces(0, 100)
        desk.review({earlier.id: REJECTED})
        assert desk.steps == 0
        assert desk.changes() == Changes()


def test_face_that_was_never_shown_cannot_be_decided_on(workspace):
    with Desk(workspace) as desk, pytest.raises(CatalogError, match="no face 1 "):
        desk.review({1: KEPT})


def test_step_of_many_faces_is_taken_back_as_a_whole(workspace):
    with Desk(workspace) as desk:
        faces, _ = desk.faces(0, 100)
        first, second, *_ = (face.id for face in faces if face.status is KEPT)
        desk.review({first: KEPT})
        desk.review({face.id: REJECTED for face in faces})
        desk.review({second: None})
        assert desk.steps == 3
        assert [(face.id, face.review) for face in desk.undo()] == [(second, REJECTED)]
        undone = {face.id: face for face in desk.undo()}
        assert len(undone) == 10
        assert (undone[first].review, undone[second].review) == (KEPT, None)
        assert [face.review for face in desk.undo()] == [None]
        assert (desk.undo(), desk.steps, desk.changes()) == ([], 0, Changes())


def test_one_impossible_decision_stops_all_of_its_step(workspace):
    with Desk(workspace) as desk:
        faces, _ = desk.faces(0, 100)
        with pytest.raises(CatalogError, match="no face 99 "):
            desk.review({faces[0].id: REJECTED, 99: REJECTED})
        assert (desk.steps, desk.changes()) == (0, Changes())
    with Catalog(workspace.catalog) as catalog:
        assert {face.review for face in catalog.faces(None)} == {None}


def test_failed_undo_can_be_tried_again(workspace, monkeypatch):
    def fails(*_):
        raise CatalogError("the disk is full")

    with Desk(workspace) as desk:
        faces, _ = desk.faces(0, 100)
        desk.review({faces[0].id: REJECTED})
        with monkeypatch.context() as patched:
            patched.setattr(Catalog, "review_faces", fails)
            with pytest.raises(CatalogError, match="full"):
                desk.undo()
        assert [face.id for face in desk.undo()] == [faces[0].id]
