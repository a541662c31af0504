"""fetch_image among others: budgets, pauses, redirects, and an end when it is asked for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from facegan.core.records import Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from tests import servers
from tests.clock import Time

PICTURE = servers.picture(1)
FREE = {"robots_txt": False, "opt_outs": False}


def budgeted(site, time=None, **options):
    """A transport for which a local server is a stranger's, but for its address."""
    config = ScrapeConfig("a", **(FREE | options))
    clocks = {"clock": time.clock, "sleep": time.sleep} if time else {}
    transport = Transport(config, **clocks)
    transport._guard._allowed = frozenset(
        {(site.host.partition(":")[0], None), ("127.0.0.2", None)}
    )
    return transport


def test_requests_to_one_host_begin_evenly_spaced():
    clock = Time()
    with (
        servers.Site({"/p.jpg": servers.serve(PICTURE)}) as site,
        budgeted(site, clock, host_rate=4) as transport,
    ):
        for _ in range(3):
            assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
    assert clock.naps == [0.25, 0.25]


def test_no_more_requests_to_one_host_at_once_than_allowed():
    lock, now, most = threading.Lock(), [0], [0]

    def fault(handler):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        handler.answer(200, PICTURE)

    with servers.Site({"/p.jpg": fault}) as site:
        transport = budgeted(site, host_connections=2, host_rate=0, workers=8)
        with transport, ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: fetch_image(site.url("/p.jpg"), transport), range(12)))
    assert all(isinstance(one, Fetched) for one in found)
    assert most == [2]


def test_redirect_within_a_host_of_one_connection_does_not_wait_for_itself():
    faults = {"/p.jpg": servers.redirect("/q.jpg"), "/q.jpg": servers.serve(PICTURE)}
    with servers.Site(faults) as site:
        transport = budgeted(
            site, host_connections=1, host_rate=0, robots_txt=True, opt_outs=True, deadline_s=5
        )
        with transport, ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: fetch_image(site.url("/p.jpg"), transport), range(8)))
    assert all(isinstance(one, Fetched) for one in found)


def test_hosts_that_redirect_to_each_other_do_not_wait_for_each_other():
    with servers.Site({}) as one, servers.Site({}, host="127.0.0.2") as two:
        for here, there in ((one, two), (two, one)):
            here.faults["/p.jpg"] = servers.redirect(there.url("/q.jpg"))
            here.faults["/q.jpg"] = servers.serve(PICTURE)
        urls = [one.url("/p.jpg"), two.url("/p.jpg")] * 6
        transport = budgeted(one, host_connections=1, host_rate=0, deadline_s=5)
        with transport, ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda url: fetch_image(url, transport), urls))
    assert all(isinstance(one, Fetched) for one in found)


def test_waiting_for_a_turn_does_not_use_up_an_images_time():
    clock = Time()
    with (
        servers.Site({"/p.jpg": servers.serve(PICTURE)}) as site,
        budgeted(site, clock, host_rate=0.05, deadline_s=1) as transport,
    ):
        for _ in range(3):
            assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
    assert clock.naps == [20.0, 20.0]


def test_host_that_asks_to_wait_pauses_for_all_its_images_and_others_go_on():
    clock = Time()
    limited = servers.first(
        servers.status(503, {"Retry-After": "12"}), servers.serve(PICTURE), times=1
    )
    with (
        servers.Site({"/p.jpg": limited}) as site,
        servers.Site({"/p.jpg": servers.serve(PICTURE)}, host="127.0.0.2") as other,
        budgeted(site, clock, retries=0, host_rate=0) as transport,
    ):
        outcome = fetch_image(site.url("/p.jpg"), transport)
        assert (outcome.reason, clock.naps) == (Reason.HTTP_5XX, [])
        assert isinstance(fetch_image(other.url("/p.jpg"), transport), Fetched)
        assert clock.naps == []
        assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
        assert clock.naps == [12.0]


def test_host_that_asks_for_an_hour_is_not_asked_again_by_this_call():
    clock = Time()
    fault = servers.status(429, {"Retry-After": "3600"})
    with servers.Site({"/p.jpg": fault}) as site, budgeted(site, clock) as transport:
        found = [fetch_image(site.url("/p.jpg"), transport) for _ in range(3)]
        assert site.requests.total() == 1
    assert {(one.status, one.reason) for one in found} == {(Status.FAILED, Reason.HTTP_429)}
    assert "3600 s" in found[1].detail
    assert clock.naps == []


def test_wish_to_wait_counts_only_beside_a_trouble_that_passes():
    clock = Time()
    gone = servers.status(404, {"Retry-After": "3600"})
    faults = {"/gone.jpg": gone, "/p.jpg": servers.serve(PICTURE)}
    with servers.Site(faults) as site, budgeted(site, clock, host_rate=0) as transport:
        assert fetch_image(site.url("/gone.jpg"), transport).reason is Reason.HTTP_404
        assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
    assert clock.naps == []


def test_rate_limit_without_a_wish_pauses_the_host_longer_from_try_to_try():
    clock = Time()
    with (
        servers.Site({"/p.jpg": servers.status(429)}) as site,
        budgeted(site, clock, retries=3, host_rate=0) as transport,
    ):
        assert fetch_image(site.url("/p.jpg"), transport).reason is Reason.HTTP_429
        assert site.requests.total() == 4
    assert [round(nap / wish) for nap, wish in zip(clock.naps, (0.5, 1, 2), strict=True)] == [1] * 3


def test_redirects_are_followed_as_often_as_the_setting_allows():
    faults = {f"/{n}": servers.redirect(f"/{n + 1}") for n in range(3)}
    with (
        servers.Site(faults | {"/3": servers.serve(PICTURE)}) as site,
        budgeted(site, max_redirects=2, host_rate=0) as transport,
    ):
        assert fetch_image(site.url("/0"), transport).reason is Reason.TOO_MANY_REDIRECTS
        assert site.requests.total() == 3
        assert isinstance(fetch_image(site.url("/1"), transport), Fetched)


def test_redirect_beyond_ascii_is_read_as_servers_mean_it():
    fault = servers.redirect("/ä b.jpg".encode().decode("latin-1"))
    faults = {"/p.jpg": fault, "/%C3%A4%20b.jpg": servers.serve(PICTURE)}
    with servers.Site(faults) as site, budgeted(site, host_rate=0) as transport:
        assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)


def test_what_a_server_says_is_told_without_its_control_characters():
    fault = servers.redirect("/p.jpg?\x1b[31m\x00\x9b")
    with servers.Site({"/p.jpg": fault}) as site, budgeted(site, host_rate=0) as transport:
        outcome = fetch_image(site.url("/p.jpg"), transport)
    assert outcome.reason is Reason.TOO_MANY_REDIRECTS
    assert outcome.detail.isprintable()


def test_stop_ends_waits_for_turns_and_for_further_tries():
    with servers.Site({"/p.jpg": servers.status(500), "/q.jpg": servers.serve(PICTURE)}) as site:
        with budgeted(site, host_rate=0.001) as transport, ThreadPoolExecutor(4) as pool:
            assert isinstance(fetch_image(site.url("/q.jpg"), transport), Fetched)
            jobs = [pool.submit(fetch_image, site.url("/q.jpg"), transport) for _ in range(3)]
            time.sleep(0.05)
            transport.stop()
            found = [job.result(timeout=5) for job in jobs]
        with budgeted(site, host_rate=0, retries=20) as transport, ThreadPoolExecutor() as pool:
            job = pool.submit(fetch_image, site.url("/p.jpg"), transport)
            time.sleep(0.05)
            transport.stop()
            found.append(job.result(timeout=5))
    assert [one.status for one in found] == [Status.FAILED] * 4
    assert "stopped" in found[0].detail


def test_downloads_that_wait_for_their_turn_when_a_stop_is_asked_for_are_left_as_stopped():
    asked = threading.Event()
    with servers.Site({"/q.jpg": servers.serve(PICTURE)}) as site:
        with budgeted(site, host_rate=0.001) as transport, ThreadPoolExecutor(4) as pool:
            transport.stop_when(asked.is_set)
            assert isinstance(fetch_image(site.url("/q.jpg"), transport), Fetched)
            jobs = [pool.submit(fetch_image, site.url("/q.jpg"), transport) for _ in range(3)]
            time.sleep(0.05)
            asked.set()
            found = [job.result(timeout=5) for job in jobs]
            assert transport.stopping
        assert site.requests.total() == 1
    assert {(one.status, one.reason) for one in found} == {(Status.FAILED, Reason.STOPPED)}
