import pytest

from facegan.core.catalog import Catalog
from facegan.core.left_out_tables import LeftOut
from facegan.core.records import FaceRecord, ImageRecord, Outcome, Reason, SearchResult, Status

KEPT = Outcome(Status.KEPT)
PAGE = "https://me:secret@example.org/a%20b.jpg"


def rejected(reason, detail=None):
    return Outcome(Status.REJECTED, reason, detail)


def image(sha256):
    return ImageRecord(sha256, f"images/{sha256}.jpg", 4, 3, 99, "jpeg")


def face(image_sha256, reason=None, detail=None, path=None):
    status = Status.REJECTED if reason else Status.KEPT
    return FaceRecord(
        image_sha256, None, None, None, "haar", status, reason, detail, path, path and "c",
        auto_reason=reason, auto_detail=detail,
    )  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path / "catalog.db") as catalog:
        urls = (PAGE, "file:///mine/b%20%C3%A9.jpg", "c", "d", "e", "f")
        catalog.add_results([SearchResult(url, "q", "bing", at) for at, url in enumerate(urls)])
        catalog.record_fetch(urls[0], KEPT, "s", image("a"))
        catalog.record_fetch(urls[1], KEPT, "s", image("b"))
        catalog.record_fetch("c", rejected(Reason.NOT_AN_IMAGE, "the file is empty"), "s")
        catalog.record_fetch("d", Outcome(Status.FAILED, Reason.TIMEOUT), "s")
        catalog.record_fetch("e", Outcome(Status.FAILED, Reason.STOPPED), "s")
        catalog.record_fetch("f", rejected(Reason.FORGOTTEN), "s")
        cut = face("a", Reason.BLURRED, "sharpness 0.1, at least 0.2", "faces/c.png")
        small = face("a", Reason.TOO_SMALL, "9 px, at least 50")
        catalog.record_faces("a", [cut, small, face("a", path="faces/k.png")], KEPT, "c")
        catalog.record_faces("b", [], rejected(Reason.NO_FACE), "c")
        yield catalog


def test_all_that_was_left_out_is_listed_with_its_file_and_where_it_came_from(catalog):
    plain = "https://example.org/a%20b.jpg"
    blurred = LeftOut(
        "face", "rejected", "blurred", "sharpness 0.1, at least 0.2", "faces/c.png", plain
    )
    assert list(catalog.left_out()) == [
        LeftOut("result", "rejected", "not_an_image", "the file is empty", None, "c"),
        LeftOut("result", "failed", "timeout", None, None, "d"),
        LeftOut("image", "rejected", "no_face", None, "images/b.jpg", "/mine/b é.jpg"),
        blurred,
        LeftOut("face", "rejected", "too_small", "9 px, at least 50", "images/a.jpg", plain),
    ]
    assert list(catalog.left_out(Reason.BLURRED)) == [blurred]
    assert list(catalog.left_out(Reason.TILTED)) == []


def test_an_image_that_two_addresses_led_to_is_listed_once_with_the_one_that_has_a_licence(catalog):
    catalog.add_results([SearchResult("g", "q", "met", 9, license="CC0")])
    catalog.record_fetch("g", KEPT, "s", image("b"))
    assert [one.origin for one in catalog.left_out(Reason.NO_FACE)] == ["g"]


def test_what_was_taken_out_later_is_not_listed(catalog):
    catalog.lose_image("b")
    assert [one.file for one in catalog.left_out(Reason.NO_FACE)] == []
