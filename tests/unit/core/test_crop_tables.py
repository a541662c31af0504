import pytest

from facegan.core.catalog import Catalog
from facegan.core.crop_tables import CutBefore
from facegan.core.database import Database
from facegan.core.records import Outcome, Reason, Status
from facegan.core.schema import MIGRATIONS

from .test_catalog import KEPT, face, fetched

WORDS = ("crop", "--size", "96")


def test_no_call_is_unfinished_in_an_empty_catalog_or_an_older_one(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("facegan.core.database.MIGRATIONS", MIGRATIONS[:4])
        older = Database(tmp_path / "older.db")
        assert older.one("PRAGMA user_version")[0] == 4
        older.close()
    for name in ("older.db", "new.db"):
        with Catalog(tmp_path / name) as catalog:
            assert catalog.last_crop() is None
            assert catalog.begin_crop({}, WORDS, "haar", "h") == 1


def test_the_newest_call_tells_the_words_that_go_on_until_it_has_ended(catalog):
    first = catalog.begin_crop({"size": 96}, WORDS, "haar", "h")
    assert catalog.last_crop() == (WORDS, False)
    second = catalog.begin_crop({"size": 64}, ("crop",), "haar", "g")
    assert catalog.last_crop() == (("crop",), False)
    catalog.end_crop(first)
    assert catalog.last_crop() == (("crop",), False)
    catalog.end_crop(second)
    assert catalog.last_crop() == (("crop",), True)


def test_an_unfinished_call_counts_for_nothing_once_a_later_one_has_ended(catalog):
    catalog.begin_crop({"size": 96}, WORDS, "haar", "h")
    catalog.end_crop(catalog.begin_crop({"size": 64}, ("crop",), "haar", "g"))
    assert catalog.last_crop() == (("crop",), True)


def test_faces_of_other_settings_are_counted_with_what_is_known_of_those(catalog):
    fetched(catalog, *"abcd")
    for sha, settings in zip("abcd", ("old", "old", "new", "unknown"), strict=True):
        rejected = face(sha, f"{sha}2", status=Status.REJECTED, reason=Reason.BLURRED)
        catalog.record_faces(sha, [face(sha, sha), rejected], KEPT, settings)
    catalog.begin_crop({"size": 32}, WORDS, "yunet", "old")
    catalog.begin_crop({"size": 96}, WORDS, "yunet", "old")
    catalog.begin_crop({"size": 64}, WORDS, "yunet", "new")
    assert catalog.cut_before("new") == [
        CutBefore(2, "yunet", {"size": 96}),
        CutBefore(1, "yunet", None),
    ]
    assert catalog.kept_of_other_settings() == 3


def test_detectors_and_images_are_counted_by_their_faces(catalog):
    fetched(catalog, "a", "b")
    rejected = face("b", "3", detector="haar", status=Status.REJECTED, reason=Reason.BLURRED)
    catalog.record_faces("a", [face("a", "1"), face("a", "2")], KEPT, "c")
    catalog.record_faces("b", [rejected], KEPT, "c")
    assert catalog.found_by() == {"yunet": 2, "haar": 1}
    assert catalog.kept_of_images() == {"a": 2}


@pytest.mark.parametrize("verdict", [Status.KEPT, Status.REJECTED])
def test_decisions_without_a_face_are_counted(catalog, verdict):
    fetched(catalog, "a", "b")
    for sha in "ab":
        catalog.record_faces(sha, [face(sha, sha)], KEPT, "c")
        catalog.review_face(catalog.faces(None)[-1].id, verdict)
    assert catalog.strays() == (0, 2)
    catalog.record_faces("a", [], Outcome(Status.REJECTED, Reason.NO_FACE), "d")
    assert catalog.strays() == (1, 2)
    catalog.record_faces("a", [face("a", "a")], KEPT, "e")
    assert catalog.strays() == (0, 2)
