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
        list(pool.map(lambda face: desk.review(face.id, REJECTED), faces))
        assert desk.changes().rejected == total == 10
    with Catalog(workspace.catalog) as catalog:
        assert catalog.faces() == []


def test_changes_compare_the_end_with_the_beginning(workspace):
    with Catalog(workspace.catalog) as catalog:
        (earlier, *_) = catalog.page_of_faces(status=KEPT, descending=True)
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
                desk.review(face_id, verdict)
        changes = desk.changes()
    assert changes == Changes(kept=2, rescued=1, rejected=1, taken_back=1)
    assert changes.total == 5


def test_same_decision_again_is_no_change(workspace):
    with Catalog(workspace.catalog) as catalog:
        (earlier, *_) = catalog.page_of_faces(status=KEPT)
        catalog.review_face(earlier.id, REJECTED)
    with Desk(workspace) as desk:
        desk.faces(0, 100)
        desk.review(earlier.id, REJECTED)
        assert desk.changes() == Changes()


def test_face_that_was_never_shown_cannot_be_decided_on(workspace):
    with Desk(workspace) as desk, pytest.raises(CatalogError, match="no face 1 "):
        desk.review(1, KEPT)
