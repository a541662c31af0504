import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facegan.core.records import Outcome, Reason, Status
from pipeline import host_files
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from tests import servers
from tests.clock import Time

PICTURE = servers.picture(1)
ROBOTS = "/robots.txt"
OWN = ("127.0.0.1", "127.0.0.2")


def transport_for(naps=None, **options):
    config = ScrapeConfig("a", allow_hosts=OWN, opt_outs=False, **options)
    return Transport(config, sleep=(lambda _: None) if naps is None else naps.append)


def site_with(robots, **others):
    faults = {"/p.jpg": servers.serve(PICTURE), "/private/p.jpg": servers.serve(PICTURE)}
    return servers.Site(faults | {ROBOTS: robots} | others)


def fetch(site, path="/p.jpg", **options):
    with transport_for(**options) as transport:
        return fetch_image(site.url(path), transport)


RULES = """
User-agent: *
Disallow: /

User-agent: facegan
Disallow: /private/
Allow: /private/*.png$
"""


def test_what_robots_txt_forbids_us_is_rejected_without_being_asked_for():
    with site_with(servers.text(RULES)) as site:
        outcome = fetch(site, "/private/p.jpg")
        assert isinstance(outcome, Outcome)
        assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.ROBOTS_TXT)
        assert "127.0.0.1" in outcome.detail
        assert site.requests["/private/p.jpg"] == 0
        assert isinstance(fetch(site), Fetched)


@pytest.mark.parametrize(
    ("robots", "allowed"),
    [
        ("User-agent: *\nDisallow: /", False),
        ("user-agent: *\nDISALLOW: /*.jpg$", False),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("User-agent: otherbot\nDisallow: /", True),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /\nAllow: /p", True),
        ("", True),
        ("<html>not found</html>", True),
        ("\0\xff\x01 Disallow /", True),
    ],
)
def test_rules_are_read_as_the_protocol_has_them(robots, allowed):
    with site_with(servers.text(robots)) as site:
        assert isinstance(fetch(site), Fetched) is allowed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 204])
def test_host_without_a_robots_txt_allows_everything(status):
    with site_with(servers.status(status)) as site:
        assert isinstance(fetch(site), Fetched)


@pytest.mark.parametrize(
    ("fault", "reason", "says"),
    [
        (servers.status(500), Reason.HTTP_5XX, "HTTP 500"),
        (servers.status(503, {"Retry-After": "99"}), Reason.HTTP_5XX, "HTTP 503"),
        (servers.status(429), Reason.HTTP_429, "HTTP 429"),
        (servers.never(), Reason.TIMEOUT, "no answer in time"),
        (servers.redirect("http://127.0.0.3:1/robots.txt"), Reason.BLOCKED_ADDRESS, "127.0.0.3"),
        (servers.redirect("http://["), Reason.BAD_ADDRESS, "Invalid"),
        (
            servers.serve(b"\x1f\x8bno", headers={"Content-Encoding": "gzip"}),
            Reason.DECODE_FAILED,
            "transfer",
        ),
    ],
)
def test_host_whose_robots_txt_cannot_be_read_is_tried_by_the_next_call(fault, reason, says):
    with site_with(fault) as site:
        outcome = fetch(site, timeout_s=0.2, retries=1)
        assert (outcome.status, outcome.reason) == (Status.FAILED, reason)
        assert outcome.detail.startswith("robots.txt: ")
        assert says in outcome.detail
        assert site.requests["/p.jpg"] == 0


def test_robots_txt_is_tried_again_as_an_image_is():
    fault = servers.first(servers.status(500), servers.text("User-agent: *\nDisallow: /"))
    naps = []
    with site_with(fault) as site:
        assert fetch(site, naps=naps).reason is Reason.ROBOTS_TXT
    assert len(naps) == 1


def test_redirects_to_robots_txt_are_followed_five_times():
    chain = {f"/{n}": servers.redirect(f"/{n + 1}") for n in range(1, 5)}
    forbid = servers.text("User-agent: *\nDisallow: /")
    with site_with(servers.redirect("/1"), **chain, **{"/5": forbid}) as site:
        assert fetch(site).reason is Reason.ROBOTS_TXT
    with site_with(servers.redirect("/0"), **{"/0": servers.redirect("/1")}, **chain) as site:
        site.faults |= {"/5": servers.redirect("/6"), "/6": forbid}
        assert isinstance(fetch(site), Fetched)


def test_huge_robots_txt_is_read_at_its_beginning_only():
    body = "User-agent: *\nDisallow: /private\n#" + "x" * host_files.MAX_BYTES + "\nDisallow: /\n"
    with site_with(servers.text(body)) as site:
        assert isinstance(fetch(site), Fetched)
        assert fetch(site, "/private/p.jpg").reason is Reason.ROBOTS_TXT


def test_robots_txt_is_asked_for_once_however_many_need_it():
    began = threading.Event()

    def slow(handler):
        began.set()
        time.sleep(0.1)
        handler.answer(200, b"", "text/plain")

    with site_with(slow) as site, transport_for() as transport, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fetch_image(site.url("/p.jpg"), transport), range(16)))
        assert site.requests[ROBOTS] == 1
    assert all(isinstance(one, Fetched) for one in found)


def test_each_port_has_a_robots_txt_of_its_own():
    with (
        site_with(servers.text("User-agent: *\nDisallow: /")) as one,
        site_with(servers.text("")) as other,
        transport_for() as transport,
    ):
        assert fetch_image(one.url("/p.jpg"), transport).reason is Reason.ROBOTS_TXT
        assert isinstance(fetch_image(other.url("/p.jpg"), transport), Fetched)


def test_robots_txt_of_every_hop_counts():
    with (
        servers.Site(
            {"/q.jpg": servers.serve(PICTURE), ROBOTS: servers.text("User-agent: *\nDisallow: /q")},
            host="127.0.0.2",
        ) as there,
        servers.Site({"/p.jpg": servers.redirect(there.url("/q.jpg"))}) as here,
    ):
        assert fetch(here).reason is Reason.ROBOTS_TXT
        assert there.requests["/q.jpg"] == 0


def test_waiting_for_robots_txt_does_not_use_up_an_images_time():
    def slow(handler):
        time.sleep(0.4)
        handler.answer(200, b"", "text/plain")

    def image(handler):
        time.sleep(0.15)
        handler.answer(200, PICTURE)

    with site_with(slow) as site:
        site.faults["/p.jpg"] = image
        assert isinstance(fetch(site, deadline_s=0.5), Fetched)


def test_unreadable_robots_txt_is_asked_for_again_after_a_minute():
    now = [1000.0]
    config = ScrapeConfig("a", allow_hosts=OWN, opt_outs=False, retries=0)
    fault = servers.first(servers.status(500), servers.text(""))
    with site_with(fault) as site, Transport(config, clock=lambda: now[0]) as transport:
        url = site.url("/p.jpg")
        for _ in range(3):
            assert fetch_image(url, transport).reason is Reason.HTTP_5XX
        assert site.requests[ROBOTS] == 1
        now[0] += host_files.TRIED_AGAIN_S
        assert isinstance(fetch_image(url, transport), Fetched)
        assert site.requests[ROBOTS] == 2


def test_crawl_delay_becomes_the_hosts_budget():
    clock = Time()
    robots = servers.text("User-agent: *\nCrawl-delay: 3\n")
    with site_with(robots) as site:
        # Reached by name, so that it is no server of one's own.
        config = ScrapeConfig("a", opt_outs=False, host_rate=0)
        port = int(site.host.rpartition(":")[2])
        with Transport(config, clock=clock.clock, sleep=clock.sleep) as transport:
            transport._guard._allowed = frozenset({("127.0.0.1", port)})
            for _ in range(3):
                assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
    assert clock.naps == pytest.approx([3.0, 3.0], abs=1e-3)


def test_hosts_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(host_files, "HOSTS_REMEMBERED", 1)
    with site_with(servers.text("")) as one, site_with(servers.text("")) as other:
        with transport_for() as transport:
            for site in (one, other, other, one):
                fetch_image(site.url("/p.jpg"), transport)
        assert (one.requests[ROBOTS], other.requests[ROBOTS]) == (2, 1)


def test_address_of_odd_characters_is_matched_as_it_is_sent():
    robots = servers.text("User-agent: *\nDisallow: /%C3%A4\n")
    with site_with(robots) as site:
        assert fetch(site, "/ä.jpg").reason is Reason.ROBOTS_TXT
        assert fetch(site, "/\ud800").reason is Reason.HTTP_404


def test_switch_leaves_robots_txt_aside():
    with site_with(servers.text("User-agent: *\nDisallow: /")) as site:
        assert isinstance(fetch(site, robots_txt=False), Fetched)
        assert site.requests[ROBOTS] == 0
