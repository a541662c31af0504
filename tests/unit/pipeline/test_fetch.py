import gzip
import hashlib
import socket
import time
import tracemalloc
import zlib

import pytest

from facegan.core.records import Outcome, Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.gallery import Gallery
from pipeline.http import Transport
from tests import servers

PICTURE = servers.picture(1)
BIG = servers.picture(2, side=400, kind="BMP")


def fetch(fault, naps=None, **options):
    """What becomes of one address whose server behaves like `fault`."""
    with Gallery({}, faults={"p.jpg": fault}) as gallery:
        outcome = fetch_from(gallery, gallery.address("p.jpg"), naps, **options)
        return outcome, servers.asked(gallery)


def fetch_from(gallery, url, naps=None, **options):
    config = ScrapeConfig("a", allow_hosts=(gallery.host,), **options)
    sleep = [].append if naps is None else naps.append
    with Transport(config, sleep=sleep) as transport:
        return fetch_image(url, transport)


def test_image_is_fetched_as_it_is():
    fetched, requests = fetch(servers.serve(PICTURE, "text/plain"))
    assert isinstance(fetched, Fetched)
    assert fetched.data == PICTURE
    assert fetched.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert (fetched.info.format, fetched.info.width) == ("jpeg", 64)
    assert fetched.ms > 0
    assert requests == 1


def test_image_without_a_length_is_fetched():
    fetched, _ = fetch(servers.chunked(PICTURE))
    assert isinstance(fetched, Fetched)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (servers.status(400), Reason.HTTP_4XX),
        (servers.status(403), Reason.HTTP_403),
        (servers.status(404), Reason.HTTP_404),
        (servers.status(410), Reason.HTTP_410),
        (servers.status(451), Reason.HTTP_4XX),
        (servers.html(), Reason.NOT_AN_IMAGE),
        (servers.serve(b""), Reason.NOT_AN_IMAGE),
        (servers.status(204, body=b""), Reason.NOT_AN_IMAGE),
        (servers.serve(b"this is no picture", "image/jpeg"), Reason.NOT_AN_IMAGE),
        (servers.serve(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Reason.NOT_AN_IMAGE),
        (servers.serve(servers.giant_png(), "image/png"), Reason.TOO_MANY_PIXELS),
        (servers.serve(servers.picture(side=20)), Reason.TOO_SMALL),
        (servers.gzip_bomb(), Reason.TOO_LARGE),
        (servers.serve(b"\x1f\x8bno", headers={"Content-Encoding": "gzip"}), Reason.DECODE_FAILED),
        (servers.redirect("/pictures/p.jpg"), Reason.TOO_MANY_REDIRECTS),
        (servers.redirect("file:///etc/passwd"), Reason.BAD_ADDRESS),
        (servers.redirect("http://["), Reason.BAD_ADDRESS),
        (servers.redirect("http://127.0.0.2:1/x"), Reason.BLOCKED_ADDRESS),
        (servers.redirect("https://127.0.0.2:1/x"), Reason.BLOCKED_ADDRESS),
        (servers.redirect("http://[::ffff:127.0.0.1]:1/x"), Reason.BLOCKED_ADDRESS),
        (servers.redirect("http://2130706434:1/x"), Reason.BLOCKED_ADDRESS),
    ],
)
def test_what_cannot_be_used_is_rejected_for_good(fault, reason):
    naps = []
    outcome, _ = fetch(fault, naps, max_bytes=2_000_000)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.reason) == (Status.REJECTED, reason)
    assert naps == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (servers.status(429), Reason.HTTP_429),
        (servers.status(408), Reason.HTTP_4XX),
        (servers.status(500), Reason.HTTP_5XX),
        (servers.status(507), Reason.HTTP_5XX),
        (servers.truncated(PICTURE), Reason.SHORT_BODY),
        (servers.chunked(PICTURE, end=False), Reason.SHORT_BODY),
        (servers.never(), Reason.TIMEOUT),
    ],
)
def test_what_may_pass_fails_after_some_tries(fault, reason):
    naps = []
    outcome, requests = fetch(fault, naps, retries=2, timeout_s=0.2)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.reason) == (Status.FAILED, reason)
    assert requests == 3
    assert 0.3 < naps[0] < naps[1] < 1.5


def test_server_that_asks_to_wait_is_obeyed():
    naps = []
    fault = servers.first(servers.status(429, {"Retry-After": "9"}), servers.serve(PICTURE))
    fetched, requests = fetch(fault, naps)
    assert isinstance(fetched, Fetched)
    assert requests == 2
    assert naps == pytest.approx([9.0], abs=0.2)


def test_server_that_asks_for_too_long_a_wait_is_left_for_the_next_call():
    naps = []
    outcome, requests = fetch(servers.status(503, {"Retry-After": "3600"}), naps)
    assert (outcome.reason, naps, requests) == (Reason.HTTP_5XX, [], 1)


@pytest.mark.parametrize("in_header", [False, True])
def test_drip_ends_at_the_deadline_though_each_byte_is_in_time(in_header):
    began = time.monotonic()
    outcome, _ = fetch(
        servers.drip(PICTURE, in_header=in_header), deadline_s=0.4, timeout_s=5, retries=0
    )
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.TIMEOUT)
    assert "0.4 s" in (outcome.detail or "")
    assert time.monotonic() - began < 3


def test_body_over_max_bytes_is_not_read_when_its_length_says_so():
    sent = []

    def fault(handler):
        handler.answer(200, b"x", headers={"Content-Length": "900000"})
        sent.append(True)

    outcome, _ = fetch(fault, max_bytes=1000, deadline_s=3)
    assert (outcome.reason, sent) == (Reason.TOO_LARGE, [True])


def test_body_over_max_bytes_is_cut_off_when_its_length_is_not_told():
    outcome, _ = fetch(servers.chunked(BIG), max_bytes=100_000)
    assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.TOO_LARGE)


class UnboundedDecoder:
    """As urllib3 before 2.6 unpacks: whatever comes out of a chunk, at once."""

    has_unconsumed_tail = False

    def __init__(self, *_):
        self._inner = zlib.decompressobj(47)

    def decompress(self, data, max_length=-1):  # noqa: ARG002
        return self._inner.decompress(data)

    def flush(self):
        return self._inner.flush()


@pytest.mark.parametrize("old_urllib3", [False, True])
def test_bomb_is_never_unpacked_beyond_the_limit(monkeypatch, old_urllib3):
    if old_urllib3:
        monkeypatch.setattr("urllib3.response._get_decoder", UnboundedDecoder)
    limit = 2_000_000
    bomb = servers.gzip_bomb(64)
    tracemalloc.start()
    try:
        outcome, _ = fetch(bomb, max_bytes=limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.TOO_LARGE)
    # Besides the body: one chunk packed, one unpacked, the buffers of a connection.
    assert peak < limit + 1_500_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PICTURE)),
        ("X-GZIP", gzip.compress(PICTURE)),
        ("deflate", zlib.compress(PICTURE)),
        ("identity", PICTURE),
        ("utf-8", PICTURE),  # no encoding at all, but servers say so
    ],
)
def test_image_that_comes_encoded_though_it_was_not_asked_for(encoding, body):
    fetched, _ = fetch(servers.serve(body, headers={"Content-Encoding": encoding}))
    assert isinstance(fetched, Fetched)
    assert fetched.data == PICTURE


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"\x0b\x02\x80abc\x03", Reason.NOT_AN_IMAGE),
        ("gzip, gzip", gzip.compress(gzip.compress(PICTURE)), Reason.NOT_AN_IMAGE),
        ("gzip", gzip.compress(PICTURE)[:-9], Reason.DECODE_FAILED),
        ("gzip", b"", Reason.DECODE_FAILED),
        ("gzip", gzip.compress(b"a") + bytes(300_000), Reason.NOT_AN_IMAGE),
    ],
)
def test_encoding_that_is_not_read_or_breaks_off_is_rejected(encoding, body, reason):
    outcome, _ = fetch(servers.serve(body, headers={"Content-Encoding": encoding}))
    assert (outcome.status, outcome.reason) == (Status.REJECTED, reason)


def test_redirects_are_followed_from_host_to_host():
    with Gallery({"ä b.jpg": PICTURE}, host="127.0.0.3") as there:
        fault = servers.redirect(there.address("ä b.jpg"), 308)
        with Gallery({}, faults={"p": fault}) as here:
            config = ScrapeConfig("a", allow_hosts=(here.host, "127.0.0.3"))
            with Transport(config) as transport:
                fetched = fetch_image(here.address("p"), transport)
    assert isinstance(fetched, Fetched)


def test_redirect_to_a_host_that_is_not_allowed_sends_it_nothing():
    with (
        Gallery({"a.jpg": PICTURE}, host="127.0.0.2") as inner,
        Gallery({}, faults={"p": servers.redirect(inner.address("a.jpg"))}) as gallery,
    ):
        outcome = fetch_from(gallery, gallery.address("p"))
        assert outcome.reason is Reason.BLOCKED_ADDRESS
        assert inner.requests.total() == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//host/a.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "ftp://127.0.0.1/a.jpg",
        "portrait:0/1?size=64",
        "http://",
        "http:///a.jpg",
        "http://[/a.jpg",
        "http://a:b/c.jpg",
        "http://127.0.0.1:99999/a.jpg",
        "http://" + "a" * 80 + ".example/a.jpg",
        "http://..example/a.jpg",
        "http://xn--\x00/a.jpg",
        "http://\ud800/a.jpg",
    ],
)
def test_address_that_is_none_is_rejected(url):
    with Transport(ScrapeConfig("a"), sleep=lambda _: None) as transport:
        outcome = fetch_image(url, transport)
    assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.BAD_ADDRESS)


@pytest.mark.parametrize(
    "name", ["a.JPG", "a.jpeg", "none", "ä ö.png", "it's.jpg", "a%20b", "a+b&c.jpg", "x\r\ny"]
)
def test_names_of_all_kinds_are_asked_for_as_they_are(name):
    with Gallery({name: PICTURE}) as gallery:
        assert isinstance(fetch_from(gallery, gallery.address(name)), Fetched)
        raw = f"{gallery.base_url}/pictures/{name}"
        if not {"%", "\r"} & set(name):
            assert isinstance(fetch_from(gallery, raw), Fetched)
        assert isinstance(fetch_from(gallery, gallery.address(name) + "?w=1#top"), Fetched)


def test_closed_port_fails():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with Transport(ScrapeConfig("a", allow_hosts=(host,)), sleep=lambda _: None) as transport:
            outcome = fetch_image(f"http://{host}/a.jpg", transport)
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.CONNECTION)


def test_name_without_an_address_fails_at_once():
    naps = []

    def resolver(*_):
        raise socket.gaierror(-2, "Name or service not known")

    with Transport(ScrapeConfig("a"), resolver=resolver, sleep=naps.append) as transport:
        outcome = fetch_image("http://nowhere.example/a.jpg", transport)
    assert (outcome.status, outcome.reason, naps) == (Status.FAILED, Reason.CONNECTION, [])


def test_tls_on_a_plain_port_fails():
    with Gallery({"a.jpg": PICTURE}) as gallery:
        url = gallery.address("a.jpg").replace("http:", "https:")
        outcome = fetch_from(gallery, url)
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.CONNECTION)


def test_connection_is_used_again_even_after_a_small_error():
    ports = set()
    with Gallery({"a.jpg": PICTURE}, faults={"no": servers.status(404)}) as gallery:
        config = ScrapeConfig("a", allow_hosts=(gallery.host,))
        with Transport(config) as transport:
            for name in ("a.jpg", "no", "a.jpg", "no"):
                fetch_image(gallery.address(name), transport)
                (pool,) = (transport.pools.pools[key] for key in transport.pools.pools.keys())  # noqa: SIM118
                ports.add(pool.num_connections)
    assert ports == {1}


def test_request_says_who_asks_and_sends_no_credentials():
    seen = {}

    def fault(handler):
        seen.update(handler.headers)
        handler.answer(200, PICTURE)

    with Gallery({}, faults={"p": fault}) as gallery:
        url = gallery.address("p").replace("http://", "http://user:secret@")
        fetched = fetch_from(gallery, url, contact="me@example.org")
    assert isinstance(fetched, Fetched)
    assert seen["User-Agent"] == "facegan/0.1 (+me@example.org)"
    assert seen["Accept-Encoding"] == "identity"
    assert "Authorization" not in seen
