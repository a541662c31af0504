import json

import pytest

from facegan.core.errors import (
    BlockedError,
    ConfigError,
    NothingProducedError,
    SourceError,
    WorkspaceError,
)
from facegan.core.events import Advanced, Finished, Note, Started
from facegan.core.files import Workspace
from facegan.core.records import Outcome, Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.scrape import scrape
from tests import servers
from tests.scrape_helpers import (
    check_consistent,
    falling_over,
    fetched,
    fetches,
    lists,
    rows,
    settings,
)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def test_all_images_of_all_pages_are_kept(workspace):
    events = []
    with Gallery(servers.pictures(80)) as gallery:
        report = scrape(settings(gallery), workspace, listener=events.append)
    assert (report.images, report.results, report.tally.kept) == (80, 80, 80)
    assert report.new_bytes == sum(map(len, servers.pictures(80).values()))
    assert report.next_step == "facegan crop"
    assert json.loads(json.dumps(report.as_dict()))["tally"]["kept"] == 80
    check_consistent(workspace)
    assert events[0] == Started("scrape", 1000, "image", 0)
    assert events[-1] == Finished("scrape")
    assert events[-2].done == events[-2].figures["kept"] == 80
    assert sum(isinstance(event, Started) for event in events) == 1


@pytest.mark.parametrize("limit", [1, 7, 35, 41])
def test_limit_is_kept_exactly_and_nothing_is_fetched_in_vain(workspace, limit):
    good = servers.pictures(60)
    faults = {f"{number:04}.jpg": servers.status(404) for number in range(0, 60, 7)}
    with Gallery(good, faults=faults) as gallery:
        report = scrape(settings(gallery, limit=limit), workspace)
        asked = fetches(gallery)
    assert report.images == report.tally.kept == limit
    assert len(asked) == report.tally.total
    assert rows(workspace, "SELECT count(*) FROM images") == [(limit,)]
    check_consistent(workspace)


def test_page_that_is_not_needed_is_not_asked_for(workspace):
    with Gallery(servers.pictures(80)) as gallery:
        scrape(settings(gallery, limit=35), workspace)
        assert sum(path.startswith("/images/") for path in gallery.requests) == 1


def test_call_with_enough_images_asks_nobody(workspace):
    events = []
    with Gallery(servers.pictures(10)) as gallery:
        scrape(settings(gallery, limit=5), workspace)
        gallery.requests.clear()
        report = scrape(settings(gallery, limit=5), workspace, listener=events.append)
        assert gallery.requests.total() == 0
    assert report.tally.total == 0
    assert events == [Note("scrape", "5 images of 'artist' from bing are here: nothing to do")]


def test_higher_limit_goes_on(workspace):
    with Gallery(servers.pictures(50)) as gallery:
        scrape(settings(gallery, limit=12), workspace)
        report = scrape(settings(gallery, limit=40), workspace)
        assert report.images == 40
        assert set(fetches(gallery).values()) == {1}


def test_changed_setting_tries_what_it_decides_again(workspace):
    with Gallery({"a.jpg": servers.picture(1, side=40), **servers.pictures(2)}) as gallery:
        first = scrape(settings(gallery, min_size_px=50), workspace)
        assert first.tally.rejected == {"too_small": 1}
        gallery.requests.clear()
        assert scrape(settings(gallery, min_size_px=30), workspace).images == 3
        assert fetches(gallery) == {"a.jpg": 1}


def test_identical_bytes_are_stored_once(workspace):
    same = servers.picture(3)
    with Gallery({"a.jpg": same, "b.png": same, "c": same}) as gallery:
        report = scrape(settings(gallery), workspace)
    assert (report.images, report.tally.rejected) == (1, {"duplicate": 2})
    assert len(list(workspace.images.glob("*/*"))) == 1
    (found,) = rows(workspace, "SELECT count(*), count(DISTINCT image_sha256) FROM search_results")
    assert found == (3, 1)


def test_image_of_another_query_counts_and_is_not_fetched_again(workspace):
    with Gallery(servers.pictures(10)) as gallery:
        scrape(settings(gallery), workspace)
        gallery.requests.clear()
        other = ScrapeConfig(
            "painter", base_url=gallery.base_url, allow_hosts=(gallery.host,), limit=6
        )
        report = scrape(other, workspace)
        assert fetches(gallery) == {}
    assert (report.images, report.tally.total, report.new_bytes) == (6, 0, 0)


def test_empty_search_ends_with_nothing_produced(workspace):
    with Gallery({}) as gallery, pytest.raises(NothingProducedError, match="no image for 'artist'"):
        scrape(settings(gallery), workspace)


def test_search_without_a_usable_image_ends_with_nothing_produced(workspace):
    faults = {"a": servers.html(), "b": servers.html(), "c": servers.status(404)}
    with Gallery({}, faults=faults) as gallery, pytest.raises(NothingProducedError) as caught:
        scrape(settings(gallery), workspace)
    assert "none of 3 addresses for 'artist' gave an image" in str(caught.value)
    assert "not_an_image 2, http_404 1" in str(caught.value)


def test_images_that_all_fail_are_the_networks_fault(workspace):
    with Gallery({}, faults={"a": servers.status(500)}) as gallery:
        with pytest.raises(SourceError, match="http_5xx 1") as caught:
            scrape(settings(gallery), workspace)
        assert caught.value.exit_code == 4


def test_unreachable_source(workspace):
    with Gallery({}) as gallery:
        config = settings(gallery)
    with pytest.raises(SourceError, match="cannot reach"):
        scrape(config, workspace)


def test_search_that_breaks_off_keeps_what_it_had(workspace):
    events = []
    with Gallery(servers.pictures(60)) as gallery:
        with falling_over(gallery, after=35), pytest.raises(SourceError, match="cannot reach"):
            scrape(settings(gallery), workspace, listener=events.append)
        text = "35 images are kept for 'artist'; the search broke off"
        assert Note("scrape", text, warning=True) in events
        check_consistent(workspace)
        assert scrape(settings(gallery), workspace).images == 60
        assert set(fetches(gallery).values()) == {1}


def test_page_that_nobody_understands_is_kept(workspace):
    with Gallery(servers.pictures(1)) as gallery:
        gallery.page = lambda *_, **__: "<html>Please prove that you are no robot</html>"
        with pytest.raises(BlockedError, match=r"kept in .*answers/bing\.html") as caught:
            scrape(settings(gallery), workspace)
    assert caught.value.exit_code == 4
    assert "no robot" in (workspace.root / "answers" / "bing.html").read_text()


def test_wrong_settings_touch_nothing(workspace):
    with pytest.raises(ConfigError):
        scrape(ScrapeConfig("artist", limit=0), workspace)
    assert not workspace.root.exists()


def test_given_transport_is_left_open(workspace):
    with Gallery(servers.pictures(3)) as gallery:
        config = settings(gallery)
        with Transport(config) as transport:
            scrape(config, workspace, transport=transport)
            assert transport.page(gallery.base_url + "/images/search?q=a&count=1")


def test_progress_is_told_by_time_and_at_the_end(workspace, monkeypatch):
    ends = {2: Outcome(Status.FAILED, Reason.TIMEOUT), 3: Outcome(Status.FAILED, Reason.TIMEOUT)}
    ends |= {4: Outcome(Status.REJECTED, Reason.ROBOTS_TXT)}
    lists(
        monkeypatch,
        [f"https://a.example/{n}" for n in range(5)],
        lambda n: ends.get(n) or fetched(0),
    )
    events, config = [], ScrapeConfig("artist", workers=1)
    with Transport(config, clock=lambda: 5.0) as stopped_clock:
        report = scrape(config, workspace, listener=events.append, transport=stopped_clock)
    figures = {"kept": 1, "duplicate": 1, "rejected": 1, "failed": 2, "timeout": 2, "MB/s": 0.0}
    assert events == [
        Started("scrape", 1000, "image", 0),
        Advanced("scrape", 1, figures),
        Finished("scrape"),
    ]
    assert (report.images_per_s, report.as_dict()["images_per_s"]) == (0.0, 0.0)


def test_call_is_written_down_with_its_settings_and_without_a_password(workspace, monkeypatch):
    lists(monkeypatch, ["https://a.example/1"], fetched)
    config = ScrapeConfig(
        "artist",
        proxy="http://me:secret@proxy.example:3128",
        robots_txt=False,
        contact="a@b.example",
    )
    scrape(config, workspace)
    sql = "SELECT query, source, settings, agent, ended_at >= began_at FROM scrapes"
    ((query, source, written, agent, ended),) = rows(workspace, sql)
    assert (query, source, ended) == ("artist", "bing", 1)
    assert "a@b.example" in agent
    assert json.loads(written)["robots_txt"] is False
    assert json.loads(written)["opt_outs"] is True
    assert json.loads(written)["proxy"] == "http://proxy.example:3128"
    assert b"secret" not in workspace.catalog.read_bytes()
    assert rows(workspace, "SELECT scrape, status FROM search_results") == [(1, "kept")]


@pytest.mark.parametrize(("found", "told"), [(899, False), (900, True)])
def test_search_that_comes_near_its_ceiling_says_so(workspace, monkeypatch, found, told):
    urls = [f"https://a.example/{n}" for n in range(found)]
    gone = Outcome(Status.REJECTED, Reason.HTTP_404)
    lists(monkeypatch, urls, lambda n: gone if n else fetched(0))
    events = []
    scrape(ScrapeConfig("artist"), workspace, listener=events.append)
    texts = [event.text for event in events if isinstance(event, Note)]
    assert any("more images take more queries" in text for text in texts) is told


def test_slow_source_does_not_hold_up_what_it_has_found(workspace, monkeypatch):
    now, at_search = [0.0], []

    def search(query):
        for result in found(query):
            now[0] += 0.2
            at_search.append(len(done))
            yield result

    done = []
    source = lists(
        monkeypatch,
        [f"https://a.example/{n}" for n in range(40)],
        lambda n: done.append(n) or fetched(n),
    )
    found, source.search = source.search, search
    config = ScrapeConfig("artist", workers=1, host_connections=100)
    with Transport(config, clock=lambda: now[0]) as transport:
        assert scrape(config, workspace, transport=transport).images == 40
    # With one worker two are in work; the rest was done before the source was asked again.
    assert at_search[-1] >= 30


def test_hosts_take_turns(workspace, monkeypatch):
    urls = [f"https://{host}.example/{n}" for host in "aab" for n in range(3 * (host == "a") + 1)]
    order = []
    source = lists(monkeypatch, dict.fromkeys(urls), fetched)
    source.fetch = lambda result: order.append(result.url[8]) or fetched(result.rank)
    scrape(ScrapeConfig("artist", workers=1), workspace)
    assert "".join(order) == "abaaa"


def test_limit_is_met_within_one_stage_though_many_downloads_come_to_nothing(
    workspace, monkeypatch
):
    gone = Outcome(Status.REJECTED, Reason.HTTP_404)
    urls = [f"https://a.example/{n}" for n in range(90)]
    lists(monkeypatch, urls, lambda n: gone if n % 3 else fetched(n))
    events = []
    report = scrape(ScrapeConfig("artist", limit=25), workspace, listener=events.append)
    assert report.images == report.tally.kept == 25
    assert sum(isinstance(event, Started | Finished) for event in events) == 2


def test_two_scrapes_of_one_workspace_do_not_mix(workspace, monkeypatch):
    refused = []

    def fetch(number):
        with pytest.raises(WorkspaceError, match=r"another facegan .* is working in") as caught:
            scrape(ScrapeConfig("poet"), workspace)
        refused.append(caught.value)
        return fetched(number)

    lists(monkeypatch, ["https://a.example/1"], fetch)
    assert scrape(ScrapeConfig("artist"), workspace).images == 1
    assert len(refused) == 1
