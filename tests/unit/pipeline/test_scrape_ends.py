"""How a search ended, as its report tells it."""

import dataclasses

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, SourceError
from facegan.core.files import Workspace
from pipeline.gallery import Gallery
from pipeline.scrape import scrape, scrape_all
from tests import servers
from tests.scrape_helpers import fetches, settings


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def test_source_that_has_no_more_is_told_and_a_full_search_is_not(workspace):
    with Gallery(servers.pictures(6)) as gallery:
        full = scrape(settings(gallery, limit=3), workspace)
        more = scrape(settings(gallery, limit=9), workspace)
        exact = scrape(settings(gallery, limit=6), workspace)
    assert [(full.ended, full.images), (more.ended, more.images)] == [(False, 3), (True, 6)]
    assert not exact.ended


def test_stopped_search_has_not_come_to_its_sources_end(workspace):
    with Gallery(servers.pictures(30)) as gallery:
        config = settings(gallery, workers=1)
        report = scrape(config, workspace, should_stop=lambda: len(fetches(gallery)) >= 3)
    assert (report.stopped, report.ended) == (True, False)


def test_search_that_breaks_off_has_not_come_to_its_sources_end(workspace):
    with Gallery(servers.pictures(3)) as gallery:
        elsewhere = {"base_url": "http://127.0.0.1:9", "allow_hosts": ("127.0.0.1:9",)}
        broken = dataclasses.replace(settings(gallery, query="poet"), **elsewhere)
        failed, drawn = scrape_all([broken, settings(gallery)], workspace)
    assert [(failed.failed, failed.ended), (drawn.failed, drawn.ended)] == [
        (True, False),
        (False, True),
    ]


def test_results_that_were_forgotten_are_counted_and_named_where_nothing_else_is(workspace):
    with Gallery(servers.pictures(4)) as gallery:
        workspace.create()
        names = [gallery.address(name) for name in servers.pictures(4)]
        with Catalog(workspace.catalog) as catalog:
            catalog.remember_forgotten("url", names[:3])
        assert scrape(settings(gallery, query="poet"), workspace).forgotten == 3
        with Catalog(workspace.catalog) as catalog:
            catalog.remember_forgotten("url", names)
        with pytest.raises(NothingProducedError) as caught:
            scrape(settings(gallery), workspace)
    assert str(caught.value) == "all 4 results of 'artist' were taken out with `facegan forget`"
    assert not isinstance(caught.value, SourceError)
