"""A picture that was taken out by hand, in SQL, stays out."""

import sqlite3

import pytest

from facegan.core.catalog import Catalog
from facegan.core.records import FaceRecord, ImageRecord, Outcome, Reason, SearchResult, Status

BY_HAND = """
    UPDATE images SET status = 'rejected', reason = 'opted_out' WHERE sha256 = 'a';
    UPDATE faces SET status = 'rejected', reason = 'opted_out' WHERE image_sha256 = 'a';
"""
KEPT = Outcome(Status.KEPT)
FACE = FaceRecord("a", None, None, None, "haar", Status.KEPT, path="faces/c.png", sha256="c")


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path / "catalog.db") as opened:
        for sha in "ab":
            opened.add_results([SearchResult(sha, "artist", "bing", 0)])
            image = ImageRecord(sha, f"images/{sha}.jpg", 4, 3, 9, "jpeg")
            opened.record_fetch(sha, KEPT, "s", image)
        opened.record_faces("a", [FACE], KEPT, "c1")
        yield opened


def take_out(tmp_path):
    db = sqlite3.connect(tmp_path / "catalog.db")
    db.executescript(BY_HAND)
    db.close()


def test_the_picture_and_its_faces_are_out(tmp_path, catalog):
    take_out(tmp_path)
    assert catalog.is_opted_out("a")
    assert not catalog.is_opted_out("b")
    assert not catalog.is_opted_out("unknown")
    assert catalog.kept_crops() == set()
    assert catalog.tally("faces").rejected == {"opted_out": 1}


def test_another_configuration_does_not_look_at_it_again(tmp_path, catalog):
    take_out(tmp_path)
    for config in ("c1", "c2", ""):
        assert [image.sha256 for image in catalog.pending_images("crop", config)] == ["b"]


def test_a_crop_that_was_in_flight_keeps_nothing(tmp_path, catalog):
    take_out(tmp_path)
    catalog.record_faces("a", [FACE], KEPT, "c2")
    assert catalog.kept_crops() == set()
    assert catalog.is_opted_out("a")


def test_other_rejected_images_are_looked_at_again(catalog):
    catalog.record_faces("b", [], Outcome(Status.REJECTED, Reason.NO_FACE), "c1")
    assert not catalog.is_opted_out("b")
    assert len(catalog.pending_images("crop", "c2")) == 2
