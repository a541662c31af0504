import sqlite3
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.errors import CatalogError
from facegan.core.face_tables import SET_ASIDE, HashedImage, judged
from facegan.core.records import (
    Box,
    FaceRecord,
    ImageRecord,
    Outcome,
    Reason,
    SearchResult,
    Status,
)
from facegan.core.schema import MIGRATIONS
from facegan.core.shard_index import HELD_OUT

KEPT = Outcome(Status.KEPT, ms=2.5)
BOX = Box(10, 20, 50, 60)


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path / "catalog.db") as opened:
        for rank, sha in enumerate("abc"):
            opened.add_results([SearchResult(f"http://x/{sha}", "artist", "bing", rank)])
            stored = ImageRecord(sha, f"images/{sha}.jpg", 4, 3, 99, "jpeg")
            opened.record_fetch(f"http://x/{sha}", KEPT, "s", stored)
        yield opened


def face(image="a", crop="c", **changes):
    known = FaceRecord(
        image_sha256=image,
        box=BOX,
        landmarks=tuple((float(n), n + 0.5) for n in range(5)),
        score=0.75,
        detector="yunet",
        status=Status.KEPT,
        path=f"faces/{crop}.png",
        sha256=crop,
        size_px=40.0,
        sharpness=0.3,
        exposure=0.5,
        yaw=-3.5,
        roll=12.25,
        padding=0.0,
        upscale=1.25,
        phash="00ff" * 4,
    )
    return replace(known, **changes)


BLURRED = {
    "status": Status.REJECTED,
    "reason": Reason.BLURRED,
    "detail": "sharpness 0.1, at least 0.2",
    "auto_reason": Reason.BLURRED,
    "auto_detail": "sharpness 0.1, at least 0.2",
}
SMALL = {
    "status": Status.REJECTED,
    "reason": Reason.TOO_SMALL,
    "auto_reason": Reason.TOO_SMALL,
    "path": None,
    "sha256": None,
}


def only(catalog):
    (found,) = catalog.faces(None)
    return found


def verdicts(catalog):
    return [tuple(row) for row in catalog._db.all("SELECT verdict FROM reviews ORDER BY id")]


# recording


@pytest.mark.parametrize(
    "recorded",
    [
        face(),
        face(landmarks=((1.0, 2.0), (3.0, 4.0)), cluster="c", split="held_out"),
        face(**BLURRED, review=None),
        face(box=None, landmarks=None, score=None, phash=None, yaw=None, **SMALL),
    ],
)
def test_every_field_comes_back_as_it_was_recorded(catalog, recorded):
    catalog.record_faces("a", [recorded], KEPT, "c")
    found = only(catalog)
    assert found == replace(recorded, id=found.id)


def test_a_record_has_a_field_for_every_column_of_the_table(tmp_path):
    database = Database(tmp_path / "c.db")
    columns = {row["name"] for row in database.all("PRAGMA table_info(faces)")}
    database.close()
    assert columns == set(FaceRecord.__dataclass_fields__) - {"box"} | {
        "left", "top", "right", "bottom",
    }  # fmt: skip


def test_an_images_own_hash_is_recorded_with_its_faces(catalog):
    catalog.record_faces("a", [face()], KEPT, "c", phash="ff00" * 4)
    catalog.record_faces("b", [], Outcome(Status.REJECTED, Reason.DECODE_FAILED), "c")
    assert catalog.hashed_images() == {"a": HashedImage("ff00" * 4, 4, 3, 99)}


def test_faces_can_be_read_without_their_landmarks(catalog):
    catalog.record_faces("a", [face()], KEPT, "c")
    (lean,) = catalog.faces(None, landmarks=False)
    assert lean == replace(only(catalog), landmarks=None)


# rules


def test_what_the_rules_say_is_written_and_nothing_else(catalog):
    catalog.record_faces("a", [face(), face(crop="d")], KEPT, "c")
    first, second = catalog.faces()
    said = replace(first, **BLURRED, cluster="x", split="held_out")
    catalog.update_faces([replace(said, path=None, score=0.0, landmarks=None)])
    assert catalog.faces(None) == [said, second]


def test_clusters_are_counted_where_a_face_is_out_as_a_duplicate_and_not_of_other_rejected(catalog):
    faces = [face(crop=crop) for crop in "cdef"]
    catalog.record_faces("a", faces, KEPT, "c")
    kept, double, dark, darker = catalog.faces()
    duplicate = {"status": Status.REJECTED, "auto_reason": Reason.DUPLICATE, "cluster": "c"}
    alike = [replace(one, **BLURRED, cluster="e") for one in (dark, darker)]
    catalog.update_faces([replace(kept, cluster="c"), replace(double, **duplicate), *alike])
    assert catalog.count_clusters() == 1


def test_an_update_that_fails_writes_nothing(catalog):
    catalog.record_faces("a", [face(), face(crop="d")], KEPT, "c")
    first, second = catalog.faces()
    with pytest.raises(CatalogError):
        catalog.update_faces([replace(first, cluster="x"), replace(second, cluster=object())])
    assert catalog.faces() == [first, second]


@pytest.mark.parametrize("reason", [Reason.OPTED_OUT, Reason.FORGOTTEN])
def test_faces_that_were_taken_out_stay_so(catalog, reason):
    catalog.record_faces("a", [face(status=Status.REJECTED, reason=reason)], KEPT, "c")
    found = only(catalog)
    catalog.update_faces([replace(found, status=Status.KEPT, reason=None)])
    with pytest.raises(CatalogError, match="was taken out"):
        catalog.review_face(found.id, Status.KEPT)
    assert only(catalog) == found


# review


def test_a_decision_stands_above_the_rules_and_can_be_taken_back(catalog):
    catalog.record_faces("a", [face(**BLURRED)], KEPT, "c")
    before = only(catalog)
    rescued = catalog.review_face(before.id, Status.KEPT)
    assert rescued == only(catalog)
    assert rescued == replace(
        before, status=Status.KEPT, reason=None, detail=None, review=Status.KEPT
    )
    rejected = catalog.review_face(before.id, Status.REJECTED)
    assert (rejected.status, rejected.reason) == (Status.REJECTED, Reason.REVIEWED)
    assert verdicts(catalog) == [("rejected",)]
    assert catalog.review_face(before.id, None) == before
    assert verdicts(catalog) == []


def test_a_face_without_a_crop_cannot_be_kept_until_it_has_one(catalog):
    catalog.record_faces("a", [face(**SMALL)], KEPT, "c1")
    refused = catalog.review_face(only(catalog).id, Status.KEPT)
    assert (refused.status, refused.reason) == (Status.REJECTED, Reason.TOO_SMALL)
    catalog.record_faces("a", [face(**BLURRED)], KEPT, "c2")
    assert only(catalog).status == Status.KEPT


def test_unknown_faces_and_verdicts_are_refused(catalog):
    with pytest.raises(CatalogError, match="there is no face 7"):
        catalog.review_face(7, Status.KEPT)
    with pytest.raises(ValueError, match="failed"):
        catalog.review_face(7, Status.FAILED)


def test_decisions_survive_a_new_cut_where_the_boxes_overlap(catalog):
    catalog.record_faces("a", [face()], KEPT, "c1")
    catalog.review_face(only(catalog).id, Status.REJECTED)
    moved, elsewhere = Box(14, 20, 54, 60), Box(31, 20, 71, 60)
    assert moved.iou(BOX) > 0.5 > elsewhere.iou(BOX)
    catalog.record_faces("a", [face(box=elsewhere)], KEPT, "c2")
    assert only(catalog).review is None
    catalog.record_faces("a", [face(box=moved)], KEPT, "c3")
    assert (only(catalog).review, only(catalog).reason) == (Status.REJECTED, Reason.REVIEWED)
    catalog.record_faces("b", [face("b")], KEPT, "c3")
    assert [found.image_sha256 for found in catalog.faces()] == ["b"]


def test_a_decision_after_a_new_cut_replaces_the_old_one(catalog):
    catalog.record_faces("a", [face()], KEPT, "c1")
    catalog.review_face(only(catalog).id, Status.REJECTED)
    catalog.record_faces("a", [face(box=Box(14, 20, 54, 60))], KEPT, "c2")
    catalog.review_face(only(catalog).id, None)
    catalog.record_faces("a", [face()], KEPT, "c3")
    assert only(catalog).review is None
    assert verdicts(catalog) == []


def test_each_of_two_faces_close_together_keeps_its_own_decision(catalog):
    near = Box(20, 20, 60, 60)
    assert near.iou(BOX) > 0.5
    catalog.record_faces("a", [face(crop="1"), face(crop="2", box=near)], KEPT, "c1")
    first, second = catalog.faces()
    catalog.review_face(first.id, Status.REJECTED)
    catalog.review_face(second.id, Status.KEPT)
    assert sorted(verdicts(catalog)) == [("kept",), ("rejected",)]
    catalog.record_faces("a", [face(crop="2", box=near), face(crop="1")], KEPT, "c2")
    assert [found.review for found in catalog.faces(None)] == [Status.REJECTED, Status.KEPT]


def test_status_follows_from_rules_and_review():
    assert judged(face()).status == Status.KEPT
    assert judged(face(**BLURRED)) == face(**BLURRED)
    assert judged(face(**BLURRED, review=Status.KEPT)).reason is None
    assert judged(face(review=Status.REJECTED)).reason == Reason.REVIEWED
    assert judged(face(status=Status.PENDING)).status == Status.KEPT


@pytest.mark.parametrize("reason", sorted(SET_ASIDE))
def test_no_review_keeps_a_face_that_is_set_aside(catalog, reason):
    aside = face(status=Status.REJECTED, reason=reason, auto_reason=reason)
    catalog.record_faces("a", [aside], KEPT, "c")
    (found,) = catalog.faces(None)
    decided = catalog.review_face(found.id, Status.KEPT)
    assert (decided.status, decided.reason, decided.review) == ("rejected", reason, "kept")
    assert judged(replace(decided, auto_reason=None)).status == Status.KEPT


# pages


def test_pages_are_of_all_faces_by_their_ids(catalog):
    catalog.record_faces("a", [face(crop=str(n)) for n in range(6)], KEPT, "c")
    pages = (catalog.page_of_faces(offset, 4) for offset in (0, 4, 8))
    assert ["".join(one.sha256 for one in page) for page in pages] == ["0123", "45", ""]


def test_faces_are_counted_by_status_and_split(catalog):
    faces = [face(crop="1", split=HELD_OUT), face(crop="2"), face(crop="3", **BLURRED)]
    catalog.record_faces("a", faces, KEPT, "c")
    assert catalog.count_faces() == 3
    assert catalog.count_faces(Status.KEPT) == 2
    assert catalog.count_faces(split=HELD_OUT) == 1
    assert catalog.count_faces(Status.REJECTED, split=HELD_OUT) == 0


# what older versions left


def test_faces_of_an_older_catalog_keep_their_reasons(tmp_path):
    raw = sqlite3.connect(tmp_path / "c.db")
    for migration in MIGRATIONS[:2]:
        raw.executescript(migration)
    raw.executescript(
        "PRAGMA user_version = 2;"
        "INSERT INTO images VALUES ('a', 'images/a.jpg', 4, 3, 9, 'jpeg', NULL, 'kept', NULL);"
        "INSERT INTO faces (image_sha256, detector, status, reason, detail)"
        " VALUES ('a', 'haar', 'rejected', 'too_small', '9 px');"
    )
    raw.close()
    with Catalog(tmp_path / "c.db") as catalog:
        found = only(catalog)
    assert (found.auto_reason, found.auto_detail) == (Reason.TOO_SMALL, "9 px")
    assert (found.review, found.cluster, found.split) == (None, None, "train")


def test_a_face_that_was_ever_trained_on_stays_on_record_as_such(catalog):
    for split in ("held_out", "train", "held_out"):
        catalog.record_selection("s", [("c", "a", split)])
    (row,) = catalog._db.all("SELECT split FROM selections")
    assert row["split"] == "train"


def test_nothing_is_decided_of_a_face_that_no_rule_has_judged(catalog):
    catalog.record_faces("a", [face(status=Status.PENDING)], KEPT, "c")
    (pending,) = catalog.faces(None)
    for verdict in (Status.KEPT, Status.REJECTED, None):
        with pytest.raises(CatalogError, match="not judged yet"):
            catalog.review_faces({pending.id: verdict})
    assert catalog.faces(None) == [pending]
