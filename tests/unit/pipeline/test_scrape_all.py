import pytest

import pipeline.scrape
from facegan.core.errors import ConfigError, NothingProducedError, SourceError
from facegan.core.events import Note
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.scrape import scrape_all
from tests import servers
from tests.scrape_helpers import check_consistent, falling_over, fetches, rows, settings
from tests.sources_servers import Service


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def two(gallery, **options):
    """A search at the gallery, and one for another term at a source of drawings."""
    drawn = settings(gallery, source="portraits", limit=2, size_px=64)
    return [settings(gallery, **options), drawn]


def unreachable():
    """The same search at a server that is not there."""
    return ScrapeConfig(
        "poet", base_url="http://127.0.0.1:9", allow_hosts=("127.0.0.1:9",), retries=0
    )


def test_several_searches_fill_one_workspace_and_share_what_they_find(workspace):
    with Gallery(servers.pictures(6)) as gallery:
        configs = [settings(gallery, query=query) for query in ("artist", "poet", "singer")]
        reports = scrape_all(configs, workspace)
        assert set(fetches(gallery).values()) == {1}
    assert [(report.query, report.images, report.error) for report in reports] == [
        ("artist", 6, None),
        ("poet", 6, None),
        ("singer", 6, None),
    ]
    assert [report.tally.kept for report in reports] == [6, 0, 0]
    sql = "SELECT image_sha256, count(*) FROM search_results GROUP BY 1"
    assert [count for _, count in rows(workspace, sql)] == [3] * 6
    check_consistent(workspace)


def test_several_sources_fill_one_workspace(workspace):
    with Gallery(servers.pictures(3)) as gallery:
        reports = scrape_all(two(gallery), workspace)
    assert [(report.source, report.images) for report in reports] == [("bing", 3), ("portraits", 2)]
    assert rows(workspace, "SELECT source, ended_at IS NULL FROM scrapes ORDER BY id") == [
        ("bing", 0),
        ("portraits", 0),
    ]


def test_search_that_fails_does_not_stop_the_others_and_is_told(workspace):
    events = []
    with Gallery(servers.pictures(3)) as gallery:
        configs = [unreachable(), *two(gallery)]
        first, *others = scrape_all(configs, workspace, listener=events.append)
    assert [report.images for report in others] == [3, 2]
    assert "cannot reach 127.0.0.1:9" in first.error
    assert first.as_dict()["error"] == first.error
    assert (first.trouble, first.failed) == ("unreachable", True)
    assert [(report.trouble, report.failed) for report in others] == [(None, False)] * 2
    assert Note("scrape", f"'poet' from bing: {first.error}", warning=True) in events


def test_address_in_the_warning_of_a_failed_search_is_short(workspace):
    events = []
    with Gallery(servers.pictures(1)) as gallery, Service({}) as service:
        service.say(b"gone", 404)
        host = (service.host,)
        failing = ScrapeConfig("poet", base_url=service.base_url, allow_hosts=host, retries=0)
        reports = scrape_all([failing, *two(gallery)], workspace, listener=events.append)
    (warning,) = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert "?…" in warning
    assert "q=poet" in reports[0].error
    assert "q=poet" not in warning
    assert reports[0].trouble == "HTTP 404"


def test_search_that_finds_nothing_does_not_stop_the_others(workspace):
    with Gallery({}) as gallery:
        nothing, drawn = scrape_all(two(gallery), workspace)
    assert nothing.error == "bing has no image for 'artist'"
    assert (nothing.trouble, nothing.failed) == ("nothing found", False)
    assert (drawn.images, drawn.error) == (2, None)


def test_searches_that_all_fail_raise_the_sources_trouble(workspace):
    with Gallery({}) as gallery:
        configs = [settings(gallery), unreachable()]
        with pytest.raises(SourceError, match="cannot reach"):
            scrape_all(configs, workspace)
        with pytest.raises(NothingProducedError, match="no image for 'artist'"):
            scrape_all(configs[:1], workspace)


def test_one_search_that_breaks_off_tells_of_the_images_it_kept_and_raises(workspace):
    events = []
    with (
        Gallery(servers.pictures(40)) as gallery,
        falling_over(gallery, after=35),
        pytest.raises(SourceError, match="cannot reach") as caught,
    ):
        scrape_all([settings(gallery)], workspace, listener=events.append)
    text = f"'artist' from bing: {caught.value}; 35 images are kept"
    assert Note("scrape", text, warning=True) in events


def test_stop_begins_no_further_search(workspace):
    with Gallery(servers.pictures(30)) as gallery:
        reports = scrape_all(
            two(gallery, workers=1), workspace, should_stop=lambda: len(fetches(gallery)) >= 3
        )
    assert [(report.source, report.stopped) for report in reports] == [("bing", True)]


def test_wrong_settings_of_the_last_search_touch_nothing(workspace):
    with pytest.raises(ConfigError):
        scrape_all([ScrapeConfig("artist"), ScrapeConfig("poet", limit=0)], workspace)
    assert not workspace.root.exists()


def test_searches_share_connections_where_their_settings_agree(workspace, monkeypatch):
    opened = []

    class Counted(Transport):
        def __init__(self, config, **options):
            opened.append((config.contact, options))
            super().__init__(config, **options)

    monkeypatch.setattr(pipeline.scrape, "Transport", Counted)
    with Gallery(servers.pictures(2)) as gallery:
        alike = [*two(gallery), settings(gallery, query="poet", face=False)]
        scrape_all([*alike, settings(gallery, contact="me@example.org")], workspace)
    cache = {"cache": workspace.root / "cache" / "answers"}
    assert opened == [(None, cache), ("me@example.org", cache)]
