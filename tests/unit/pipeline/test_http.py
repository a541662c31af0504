import math
import socket

import pytest

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import LONGEST_WAIT_S, Transport, retry_after_s
from tests import servers


class Naps(list):
    """Remembers how long was slept instead of sleeping."""

    __call__ = list.append


@pytest.fixture
def naps():
    return Naps()


def transport_to(gallery, naps, **options):
    config = ScrapeConfig("a", allow_hosts=(gallery.host,), **options)
    return Transport(config, sleep=naps)


def page(fault, naps, **options):
    with (
        Gallery({}, faults={"p": fault}) as gallery,
        transport_to(gallery, naps, **options) as transport,
    ):
        return transport.page(gallery.address("p")), gallery


def test_page_says_who_asks_and_in_which_language(naps, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    seen = {}

    def fault(handler):
        seen.update(handler.headers)
        handler.answer(200, "schön".encode())

    text, _ = page(fault, naps, contact="https://example.org/me", market="de-AT")
    assert text == "schön"
    assert seen["User-Agent"] == "facegan/0.1 (+https://example.org/me)"
    assert seen["Accept-Language"] == "de-AT,de;q=0.8"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_page_is_asked_again_after_a_passing_trouble(naps, status):
    fault = servers.first(servers.status(status, {"Retry-After": "7"}), servers.serve(b"ok"))
    text, gallery = page(fault, naps)
    assert text == "ok"
    assert naps == pytest.approx([7.0], abs=0.2)
    assert gallery.requests.total() == 2


def test_waits_grow_from_try_to_try(naps):
    fault = servers.first(servers.status(500), servers.serve(b"ok"), times=3)
    page(fault, naps, retries=3)
    assert [round(nap / wish, 0) for nap, wish in zip(naps, (0.5, 1, 2), strict=True)] == [1, 1, 1]


def test_rate_limit_that_stays_is_told_with_its_wish(naps):
    wish = {"Retry-After": str(int(LONGEST_WAIT_S) + 90)}
    with pytest.raises(RateLimitedError, match="HTTP 429") as caught:
        page(servers.status(429, wish), naps)
    assert caught.value.retry_after_s == LONGEST_WAIT_S + 90
    assert "in 120 s" in (caught.value.hint or "")
    assert naps == []


@pytest.mark.parametrize(
    ("status", "kind"), [(401, BlockedError), (403, BlockedError), (404, SourceError)]
)
def test_refused_page_is_not_asked_again(naps, status, kind):
    with pytest.raises(kind, match=f"HTTP {status}"):
        page(servers.status(status), naps)
    assert naps == []


def test_refusal_leads_to_the_list_of_sources(naps):
    with pytest.raises(BlockedError) as caught:
        page(servers.status(403), naps)
    assert "`facegan sources`" in (caught.value.hint or "")


def test_server_that_fails_to_the_end(naps):
    with pytest.raises(SourceError, match="HTTP 502"):
        page(servers.status(502), naps, retries=2)
    assert len(naps) == 2


def test_private_address_needs_to_be_allowed(naps):
    with Gallery({}) as gallery, Transport(ScrapeConfig("a"), sleep=naps) as transport:
        with pytest.raises(SourceError, match="not a public address") as caught:
            transport.page(gallery.base_url)
        assert "--allow-host 127.0.0.1" in (caught.value.hint or "")
        assert gallery.requests.total() == 0


def test_redirect_to_a_private_address_is_refused(naps):
    with Gallery({}, host="127.0.0.2") as inner:
        with pytest.raises(SourceError, match=r"127\.0\.0\.2 is"):
            page(servers.redirect(inner.base_url), naps)
        assert inner.requests.total() == 0


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://[", "gopher://127.0.0.1/"])
def test_redirect_to_something_else_than_http_is_refused(naps, target):
    with pytest.raises(SourceError, match="cannot reach"):
        page(servers.redirect(target), naps, retries=0)


def test_unreachable_server(naps):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        config = ScrapeConfig("a", allow_hosts=(host,))
        with (
            Transport(config, sleep=naps) as transport,
            pytest.raises(SourceError, match=f"cannot reach {host}"),
        ):
            transport.page(f"http://{host}/")
    assert len(naps) == config.retries


def test_unknown_host(naps):
    def resolver(*_):
        raise socket.gaierror(-2, "Name or service not known")

    with (
        Transport(ScrapeConfig("a", retries=0), resolver=resolver, sleep=naps) as transport,
        pytest.raises(SourceError, match=r"cannot reach nowhere\.example"),
    ):
        transport.page("http://nowhere.example/")


def test_page_that_drips_ends_at_the_deadline(naps):
    with pytest.raises(SourceError, match="cannot reach"):
        page(servers.drip(bytes(500)), naps, deadline_s=0.3)


def test_page_without_end_is_cut_off(naps, monkeypatch):
    monkeypatch.setattr("pipeline.http.MAX_PAGE_BYTES", 100_000)
    with pytest.raises(SourceError, match="larger than 100,000 bytes"):
        page(servers.gzip_bomb(1), naps)


def test_wait_keeps_to_the_deadline():
    naps = Naps()
    url = "http://slow.example/a"
    with Transport(ScrapeConfig("a"), sleep=naps, clock=lambda: 100.0) as transport:
        transport.deadline.at = 100.3
        assert not transport.wait(0, url)
        transport.deadline.at = 103.0
        assert transport.wait(0, url)
        assert not transport.wait(0, url, 503, "3")
        assert transport.wait(0, url, 503, "2")
        transport.deadline.at = math.inf
        assert not transport.wait(0, url, 503, "31")
        assert not transport.wait(0, url, more=False)
    (nap,) = naps
    assert 0.3 < nap < 0.7


def test_retry_after_may_be_a_date():
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_s("Fri, 99 Nonsense") is None
    assert retry_after_s("-3") is None
