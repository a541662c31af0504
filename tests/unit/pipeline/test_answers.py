"""Transport.json and post_json, and what of an API's answers is kept."""

import json
import time
from email.utils import formatdate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from pipeline.answer_cache import AnswerCache
from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from tests import servers

FORM = {"client_id": "me", "client_secret": "ü&="}


def transport_for(cache=None, naps=None, **options):
    options = {"allow_hosts": ("127.0.0.1", "127.0.0.2")} | options
    sleep = (lambda _: None) if naps is None else naps.append
    return Transport(ScrapeConfig("a", **options), cache=cache, sleep=sleep)


def api(value, headers=None, seen=None):
    """An answer with headers; a server that knows the ETag "1" or the date of the request's."""

    def fault(handler):
        if seen is not None:
            seen.append(dict(handler.headers))
        known = {handler.headers["If-None-Match"], handler.headers["If-Modified-Since"]} - {None}
        if known & {(headers or {}).get("ETag"), (headers or {}).get("Last-Modified")}:
            handler.answer(304, b"", headers=headers)
        else:
            handler.answer(200, json.dumps(value).encode(), "application/json", headers)

    return fault


def ask(fault, times=2, cache=None, **options):
    """Answers to the same question, and how often the server was asked."""
    with servers.Site({"/api": fault}) as site, transport_for(cache) as transport:
        found = [transport.json(site.url("/api?q=a"), **options) for _ in range(times)]
        return found, site.requests.total()


def test_json_is_parsed_and_asked_for_by_name():
    seen = []
    found, _ = ask(api({"a": ["ä", None]}, seen=seen), 1, headers={"Authorization": "Bearer x"})
    assert found == [{"a": ["ä", None]}]
    assert seen[0]["Accept"] == "application/json"
    assert seen[0]["Authorization"] == "Bearer x"
    assert seen[0]["User-Agent"].startswith("facegan/")


def test_form_is_posted_and_never_kept(tmp_path):
    with servers.Site({"/token": api({"t": 1}, {"ETag": "1"})}) as site:
        with transport_for(tmp_path) as transport:
            assert transport.post_json(site.url("/token"), FORM) == {"t": 1}
            assert transport.post_json(site.url("/token"), FORM) == {"t": 1}
        assert site.seen[0].body == b"client_id=me&client_secret=%C3%BC%26%3D"
        assert site.requests.total() == 2
    assert list(tmp_path.iterdir()) == []


def test_form_does_not_follow_a_redirect():
    with servers.Site({"/token": servers.redirect("/other", 307)}) as site:
        with transport_for() as transport, pytest.raises(SourceError) as caught:
            transport.post_json(site.url("/token"), FORM)
        assert caught.value.status == 307
        assert site.requests["/other"] == 0


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b"{'a': 1}"]
)
def test_answer_that_is_no_json_is_told_with_what_came(body):
    with pytest.raises(SourceError, match="something else than JSON") as caught:
        ask(servers.serve(body))
    assert (caught.value.status, caught.value.answer) == (200, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, SourceError), (400, SourceError), (401, BlockedError), (403, BlockedError)],
)
def test_error_tells_its_status_and_is_not_asked_again(status, kind):
    with servers.Site({"/api": servers.status(status)}) as site, transport_for() as transport:
        with pytest.raises(kind) as caught:
            transport.json(site.url("/api"))
        assert caught.value.status == status
        assert site.requests.total() == 1


def test_rate_limit_without_a_wish_is_tried_again_then_told():
    naps = []
    with servers.Site({"/api": servers.status(429)}) as site, transport_for(naps=naps) as transport:
        with pytest.raises(RateLimitedError, match="HTTP 429") as caught:
            transport.json(site.url("/api"))
        assert (caught.value.status, caught.value.retry_after_s) == (429, None)
        assert caught.value.answer == b"no"
        assert site.requests.total() == 3
    assert 0.3 < naps[0] < naps[1] < 1.5


def test_host_that_asked_for_a_long_pause_is_not_asked_again():
    fault = servers.status(429, {"Retry-After": "600"})
    with servers.Site({"/api": fault}) as site, transport_for() as transport:
        for _ in range(2):
            with pytest.raises(RateLimitedError) as caught:
                transport.json(site.url("/api"))
            assert caught.value.retry_after_s == pytest.approx(600, abs=2)
        assert site.requests.total() == 1


def test_redirects_are_followed_and_credentials_stay_behind():
    seen = []
    with servers.Site({"/b": api(7, seen=seen)}, host="127.0.0.2") as there:
        faults = {"/api": servers.redirect("/a"), "/a": servers.redirect(there.url("/b"))}
        with servers.Site(faults) as here, transport_for() as transport:
            found = transport.json(here.url("/api"), headers={"Authorization": "secret"})
            assert here.seen[1].headers["Authorization"] == "secret"
    assert found == 7
    assert "Authorization" not in seen[0]


@pytest.mark.parametrize("hops", [0, 2])
def test_redirects_are_followed_as_often_as_the_setting_allows(hops):
    with servers.Site({"/api": servers.redirect("/api")}) as site:
        transport = transport_for(max_redirects=hops, retries=0)
        with transport, pytest.raises(SourceError, match=f"more than {hops} times"):
            transport.json(site.url("/api"))
        assert site.requests.total() == hops + 1


def test_body_of_a_redirect_is_not_read():
    def endless(handler):
        handler.send_response(302)
        handler.send_header("Location", "/ok")
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(bytes(200_000))

    site, transport = servers.Site({"/api": endless, "/ok": api(1)}), transport_for(deadline_s=2)
    with site, transport:
        assert transport.json(site.url("/api")) == 1


def test_cookie_of_a_page_is_sent_to_the_next_one():
    pages = {"/1": servers.status(200, {"Set-Cookie": "a=b; Path=/"}), "/2": servers.html()}
    with servers.Site(pages) as site, transport_for() as transport:
        transport.page(site.url("/1"))
        transport.page(site.url("/2"))
        assert site.seen[1].headers["Cookie"] == "a=b"


def test_answer_is_kept_as_long_as_its_server_says(tmp_path, monkeypatch):
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    headers = {"Cache-Control": "max-age=60"}
    with servers.Site({"/api": api(1, headers)}) as site, transport_for(tmp_path) as transport:
        for later_s, asked in ((0, 1), (50, 1), (20, 2)):
            now[0] += later_s
            assert transport.json(site.url("/api")) == 1
            assert site.requests.total() == asked


@pytest.mark.parametrize(
    ("headers", "fresh_s", "asked"),
    [
        ({}, 0, 2),
        ({}, 60, 1),
        ({"Cache-Control": "no-store"}, 60, 2),
        ({"Cache-Control": "no-cache, max-age=60"}, 60, 2),
        ({"Cache-Control": "max-age=0"}, 60, 2),
        ({"Cache-Control": "public"}, 60, 1),
        ({"Expires": "0"}, 60, 2),
        ({"Expires": formatdate(time.time() + 3600, usegmt=True)}, 0, 1),
        ({"Vary": "*"}, 60, 2),
        ({"Vary": "Accept-Language"}, 60, 1),
    ],
)
def test_own_freshness_counts_where_the_server_says_nothing(tmp_path, headers, fresh_s, asked):
    assert ask(api(1, headers), cache=tmp_path, fresh_s=fresh_s) == ([1, 1], asked)


@pytest.mark.parametrize(
    "mark", [{"ETag": '"1"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}]
)
@pytest.mark.parametrize(
    "said", [{}, {"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}]
)
def test_stale_answer_is_asked_about_not_for(tmp_path, mark, said):
    seen = []
    found, asked = ask(api({"a": 1}, mark | said, seen), 3, cache=tmp_path)
    assert (found, asked) == ([{"a": 1}] * 3, 3)
    names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    ((name, value),) = mark.items()
    assert [one.get(names[name]) for one in seen] == [None, value, value]


def test_confirmed_answer_is_fresh_again(tmp_path):
    fault = api(1, {"ETag": '"1"'})
    with servers.Site({"/api": fault}) as site, transport_for(tmp_path) as transport:
        transport.json(site.url("/api"))
        for _ in range(3):
            assert transport.json(site.url("/api"), fresh_s=60) == 1
        assert site.requests.total() == 2


def test_answers_differ_by_the_headers_they_vary_with(tmp_path):
    varying = {"Vary": "Authorization", "Cache-Control": "max-age=60"}
    with servers.Site({"/api": api(1, varying)}) as site, transport_for(tmp_path) as transport:
        for token in ("secret-1", "secret-1", "secret-2"):
            transport.json(site.url("/api"), headers={"Authorization": token})
        assert site.requests.total() == 2
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert kept
    assert b"secret" not in kept


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda _: b"", lambda data: data[:40] + b"x" + data[41:]]
)
def test_damaged_file_is_as_good_as_none(tmp_path, damage):
    headers = {"Cache-Control": "max-age=60", "ETag": '"1"'}
    with servers.Site({"/api": api([1, 2], headers)}) as site, transport_for(tmp_path) as transport:
        transport.json(site.url("/api"))
        (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
        path.write_bytes(damage(path.read_bytes()))
        assert transport.json(site.url("/api")) == [1, 2]
        assert site.seen[1].headers["If-None-Match"] is None
        assert transport.json(site.url("/api")) == [1, 2]
        assert site.requests.total() == 2


def test_file_that_goes_while_the_server_confirms_it_is_asked_for_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(AnswerCache, "confirm", lambda *_: None)
    seen = []
    found, asked = ask(api(1, {"ETag": '"1"'}, seen), cache=tmp_path)
    assert (found, asked) == ([1, 1], 3)
    assert ["If-None-Match" in one for one in seen] == [False, True, False]


def test_server_that_says_not_modified_unasked_is_told():
    with pytest.raises(SourceError, match="HTTP 304"):
        ask(servers.status(304, body=b""))


def test_disk_that_refuses_costs_another_question(tmp_path):
    (tmp_path / "file").write_text("in the way")
    fault = api(1, {"Cache-Control": "max-age=60"})
    assert ask(fault, cache=tmp_path / "file") == ([1, 1], 2)


@pytest.mark.parametrize("url", ["", "nowhere", "file:///etc/passwd", "http://[", "http://a b/"])
def test_address_that_is_none_is_told(tmp_path, url):
    with transport_for(tmp_path, retries=0) as transport, pytest.raises(SourceError):
        transport.json(url)


VALUES = st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from(
    ["max-age=\u00b2", "max-age=99999999999999999999", "Wed, 99 Xxx 99999 99:99:99 GMT", '"\x00"']
)
NAMES = st.sampled_from(
    ["Date", "Expires", "Cache-Control", "ETag", "Last-Modified", "Vary", "Age"]
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=st.dictionaries(NAMES, VALUES), again=st.dictionaries(NAMES, VALUES))
def test_any_header_at_all_can_be_kept_and_asked_about(tmp_path, headers, again):
    cache, url, asked = AnswerCache(tmp_path), "http://a.example/", {"Accept": "x"}
    cache.store(url, asked, headers, b"body", 5)
    assert cache.fresh(url, asked) in {None, b"body"}
    conditions = cache.conditions(url, asked)
    assert all(value.isprintable() for value in conditions.values())
    if conditions:
        assert cache.confirm(url, asked, again, 5) in {None, b"body"}
