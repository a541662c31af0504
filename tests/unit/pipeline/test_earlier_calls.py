"""A filter that differs from that of an earlier call is told of, and never silently ignored."""

import pytest

from facegan.core.events import Note
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.earlier_calls import ASKED_OF, FILTERS, other_filters
from pipeline.scrape import scrape
from pipeline.sources import SOURCES
from tests.scrape_helpers import fetched, lists


def warnings(workspace, **settings):
    told = []
    scrape(ScrapeConfig("artist", **settings), workspace, listener=told.append)
    return [event.text for event in told if isinstance(event, Note) and event.warning]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """With three images, found with the usual filters."""
    lists(monkeypatch, [f"https://a.example/{n}" for n in range(9)], fetched)
    made = Workspace(tmp_path / "data")
    assert warnings(made, limit=3) == []
    return made


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"license": "public"}, "--license any, now --license public"),
        ({"face": False}, "--face, now --any-pictures"),
        ({"portrait": True}, "no --portrait, now --portrait"),
        ({"photo": False}, "--photo, now --any-kind"),
        ({"safe_search": "off"}, "--safe-search moderate, now --safe-search off"),
        ({"min_size_px": 400}, "--min-size 32, now --min-size 400"),
    ],
)
def test_changed_filter_of_a_query_that_has_its_images_is_told(workspace, changed, told):
    (warning,) = warnings(workspace, limit=3, **changed)
    assert warning == (
        f"images of 'artist' were gathered with {told}: all 3 that are here count, and a higher"
        " --limit adds to them; for a set of its own choose another --workspace"
    )


def test_same_filters_and_other_settings_are_no_reason_for_a_warning(workspace):
    assert warnings(workspace, limit=3) == []
    assert warnings(workspace, limit=4, workers=2, market="de-DE") == []


def test_a_mixture_is_told_of_ever_after(workspace):
    assert len(warnings(workspace, limit=6, license="public", face=False)) == 1
    (warning,) = warnings(workspace, limit=6, license="public", face=False)
    assert "--license any, now --license public; --face, now --any-pictures: all 6" in warning
    (warning,) = warnings(workspace, limit=6)
    assert "--license public, now --license any" in warning


def test_another_query_is_another_set(workspace):
    told = []
    scrape(ScrapeConfig("poet", limit=3, license="public"), workspace, listener=told.append)
    assert not any(isinstance(event, Note) and event.warning for event in told)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_measured_by_the_filters_that_it_knows(source):
    config = ScrapeConfig("artist", source=source, license="public", min_size_px=99)
    earlier = [ScrapeConfig("artist", source=source).to_dict()]
    told = other_filters(config, 3, earlier)
    assert "--min-size 32, now --min-size 99" in told
    assert ("--license" in told) is (source in ASKED_OF)


def test_settings_of_an_earlier_facegan_may_lack_some():
    assert other_filters(ScrapeConfig("artist"), 3, [{"query": "artist"}]) is None
    assert other_filters(ScrapeConfig("artist", license="public"), 0, [{"license": "any"}]) is None
    assert ScrapeConfig("artist").to_dict().keys() >= FILTERS.keys()
