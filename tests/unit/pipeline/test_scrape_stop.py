"""Ctrl-C while a search has found nothing yet, or waits for its host."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facegan.core.files import Workspace
from facegan.core.records import Reason
from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.scrape import scrape
from pipeline.sources.met import MetSource
from tests import servers
from tests.sources_servers.met import Met

SOON_S = 5
"""Much less than any of the waits that are cut short."""


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def museum(closed, free=0):
    """So many objects that are not in the public domain, and then some that are."""
    changes = {1000 + at: {"isPublicDomain": False} for at in range(closed)}
    pictures = {f"{at}.jpg": servers.picture(at) for at in range(closed + free)}
    return Met(pictures, changes=changes)


def config_of(service, **options):
    return ScrapeConfig(
        "q", source="met", base_url=service.base_url, allow_hosts=(service.host,), **options
    )


def test_search_that_finds_nothing_usable_stops_before_the_next_object(workspace):
    with museum(40, free=2) as service:
        config = config_of(service)
        report = scrape(config, workspace, should_stop=lambda: len(service.asked) >= 5)
        assert len(service.asked) == 5
        assert (report.stopped, report.images, report.results) == (True, 0, 0)
        assert scrape(config, workspace).images == 2
        assert len(service.asked) == 5 + 42 - 4  # what was known is not asked for again


def test_what_was_found_before_the_stop_is_kept(workspace):
    with museum(0, free=9) as service:
        report = scrape(config_of(service), workspace, should_stop=lambda: len(service.asked) >= 4)
        assert report.stopped
        assert report.results == 3
        assert set(report.tally.failed) <= {Reason.STOPPED}
        assert scrape(config_of(service), workspace).images == 9


def test_pause_that_a_host_asked_for_is_cut_short():
    stop = threading.Event()
    with museum(1) as service, Transport(config_of(service, retries=9)) as transport:
        service.say(b"no", 403)
        transport.stop_when(stop.is_set)
        search = MetSource(transport.config, transport, None).search("q")
        with ThreadPoolExecutor() as pool:
            began = time.monotonic()
            asking = pool.submit(list, search)
            while not service.asked:
                time.sleep(0.001)
            stop.set()
            assert "stopped" in str(asking.exception(SOON_S))
            assert time.monotonic() - began < SOON_S
        assert len(service.asked) == 1
