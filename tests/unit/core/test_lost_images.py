"""What led to an image is known as long as something of the image is here."""

import pytest

from facegan.core.catalog import Catalog
from facegan.core.forget_tables import HOST, QUERY, SHA256, URL
from facegan.core.provenance import provenance
from facegan.core.records import FaceRecord, Outcome, Reason, SearchResult, Status
from facegan.core.scrape_tables import Added
from facegan.core.taking_out import Found, TakingOut

from .conftest import image

KEPT = Outcome(Status.KEPT)
GONE = Outcome(Status.REJECTED, Reason.HTTP_404)
FAILED = Outcome(Status.FAILED, Reason.CONNECTION)
URLS = {name: f"https://{name}.example/1.jpg" for name in "ab"}


def result(name, query="artist", **facts):
    return SearchResult(URLS[name], query, "bing", 0, **facts)


@pytest.fixture
def catalog(tmp_path):
    """Of image s, which a led to, a face is here; its file is lost."""
    with Catalog(tmp_path / "c.db") as opened:
        opened.add_results([result("a", license="CC0")])
        opened.record_fetch(URLS["a"], KEPT, "c", image("s"))
        face = FaceRecord("s", None, None, None, "haar", Status.KEPT, path="f/c.png", sha256="f")
        opened.record_faces("s", [face], KEPT, "crop")
        assert opened.lose_image("s")
        yield opened


def found(catalog, kind, value):
    with TakingOut(catalog._db.path) as taking:
        return taking.find(kind, value)


def take_out(catalog, kind, value):
    with TakingOut(catalog._db.path) as taking:
        taking.find(kind, value)
        taking.take_out(kind, value)
        taking.finish()


@pytest.mark.parametrize("then", [None, FAILED, GONE])
@pytest.mark.parametrize(
    ("kind", "value"),
    [(URL, URLS["a"]), (HOST, "a.example"), (QUERY, "artist"), (SHA256, "s"), (SHA256, "f")],
)
def test_its_faces_are_found_by_whatever_led_to_it(catalog, then, kind, value):
    if then:
        catalog.record_fetch(URLS["a"], then, "c")
    assert found(catalog, kind, value) == Found(1, 1, 1, 0)
    take_out(catalog, kind, value)
    assert catalog.faces(None) == []
    assert catalog.is_opted_out("s")
    assert catalog.is_forgotten_address(URLS["a"])
    assert catalog.rows("lost_images") == 0


def test_it_is_no_image_of_the_query_and_is_fetched_again(catalog):
    assert catalog.count_images("artist", "bing") == 0
    assert list(catalog.stored_images("artist", "bing")) == []
    (standing,) = catalog.standings(["s"], "artist", "bing").values()
    assert not standing.known
    assert [one.url for one in catalog.pending_results("artist", "bing", "c")] == [URLS["a"]]
    assert catalog.add_results([result("a", "poet")]) == Added(1, 0)
    assert not catalog.lose_image("s")


@pytest.mark.parametrize("then", [FAILED, GONE, KEPT])
def test_its_licence_stays_known(catalog, then):
    catalog.record_fetch(URLS["a"], then, "c", image("t") if then is KEPT else None)
    assert catalog.origins()["s"].license == "CC0"
    told = dict(provenance(catalog._db.path))
    assert [origin.result.license for origin in told["s"]] == ["CC0"]


def test_what_led_to_it_is_told_once_when_it_is_back(catalog):
    catalog.record_fetch(URLS["a"], KEPT, "c", image("s"))
    told = dict(provenance(catalog._db.path))
    assert len(told["s"]) == 1
    assert found(catalog, QUERY, "artist") == Found(1, 1, 1, 0)
    assert catalog.pending_images("crop", "crop") == []


def test_an_address_takes_out_all_that_it_has_led_to(catalog):
    catalog.record_fetch(URLS["a"], KEPT, "c", image("t"))
    assert found(catalog, URL, URLS["a"]) == Found(2, 1, 1, 0)
    take_out(catalog, URL, URLS["a"])
    assert catalog.is_opted_out("s")
    assert catalog.is_opted_out("t")


def test_other_bytes_at_its_address_stay_with_their_own_origin(catalog):
    catalog.record_fetch(URLS["a"], KEPT, "c", image("t"))
    take_out(catalog, SHA256, "s")
    assert not catalog.is_opted_out("t")
    assert catalog.origins()["t"].license == "CC0"
    assert found(catalog, URL, URLS["a"]) == Found(1, 0, 1, 0)


def test_and_the_other_way_round(catalog):
    catalog.record_fetch(URLS["a"], KEPT, "c", image("t"))
    take_out(catalog, SHA256, "t")
    assert catalog.kept_crops() == {"f"}
    assert catalog.origins()["s"].license == "CC0"
    assert found(catalog, HOST, "a.example") == Found(1, 1, 1, 0)


def test_one_that_another_query_led_to_stays(catalog):
    catalog.add_results([result("b", "poet")])
    catalog.record_fetch(URLS["b"], KEPT, "c", image("s"))
    assert found(catalog, QUERY, "artist") == Found(0, 0, 0, 1)
    assert catalog.lose_image("s")
    assert found(catalog, QUERY, "artist") == Found(0, 0, 0, 1)


def test_one_of_which_only_shards_hold_a_face_is_still_known(catalog):
    catalog.record_selection("sel", [("f", "s", "train")])
    catalog.record_fetch(URLS["a"], KEPT, "c", image("s"))
    catalog.record_faces("s", [], Outcome(Status.REJECTED, Reason.NO_FACE), "other")
    catalog.lose_image("s")
    with TakingOut(catalog._db.path) as taking:
        assert taking.find(URL, URLS["a"]) == Found(1, 0, 1, 0)
        assert taking.trained_on() == {"sel"}
        taking.take_out(URL, URLS["a"])
        assert taking.gone_crops() == {"f"}


def test_one_of_which_nothing_came_leaves_nothing(catalog):
    catalog.record_fetch(URLS["a"], KEPT, "c", image("s"))
    catalog.record_faces("s", [], Outcome(Status.REJECTED, Reason.NO_FACE), "other")
    assert catalog.lose_image("s")
    assert catalog.rows("images") == catalog.rows("lost_images") == 0
    assert catalog._db.all("SELECT 1 FROM outcomes WHERE stage = 'crop'") == []
