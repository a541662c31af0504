import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from facegan.core.records import Outcome, Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from pipeline.opt_outs import RESERVING, Rule, _read, reservation
from tests import servers

PICTURE = servers.picture(1)
TDMREP = "/.well-known/tdmrep.json"


def of_lines(*lines, name="X-Robots-Tag"):
    headers = HTTPHeaderDict()
    for line in lines:
        headers.add(name, line)
    return reservation(headers)


@pytest.mark.parametrize(
    ("lines", "directive"),
    [
        (["noai"], "noai"),
        (["noimageai"], "noimageai"),
        (["noindex"], "noindex"),
        (["noimageindex"], "noimageindex"),
        (["noml"], "noml"),
        (["none"], "none"),
        (["  NoAI ,nofollow"], "noai"),
        (["nofollow, noarchive,noindex"], "noindex"),
        (["nofollow", "noai"], "noai"),
        (["*: noai"], "noai"),
        (["facegan: noai"], "noai"),
        (["FaceGAN : nofollow, noai"], "noai"),
        (["otherbot: noindex, facegan: noai"], "noai"),
        (["otherbot: noindex", "noai"], "noai"),
        (["max-snippet: 20, noai"], "noai"),
        (["max-image-preview:large,noimageai"], "noimageai"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "noai"),
        (["unavailable_after: Friday, 25-Jun-10 15:00:00 PST, noai"], "noai"),
        (["unavailable_after: 2010-06-25T15:00:00Z", "noai"], "noai"),
    ],
)
def test_directive_that_reserves_is_found(lines, directive):
    assert of_lines(*lines) == f"X-Robots-Tag: {directive}"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        [",,:,"],
        ["all"],
        ["nofollow, noarchive, nosnippet, notranslate"],
        ["otherbot: noindex"],
        ["otherbot: noindex, noai"],
        ["googlebot: none", "bingbot: noai"],
        ["max-snippet: 0, max-video-preview: -1"],
        ["unavailable_after: Friday, 25-Jun-10 15:00:00 PST"],
        ["noaix, xnoai, no ai"],
    ],
)
def test_directive_that_does_not_concern_us_is_passed_over(lines):
    assert of_lines(*lines) is None


@pytest.mark.parametrize(("value", "reserved"), [("1", True), (" 1 ", True), ("0", False), ("", 0)])
def test_tdm_reservation_in_the_header(value, reserved):
    found = of_lines(value, name="tdm-reservation")
    assert found == ("TDM-Reservation: 1" if reserved else None)


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=5))
def test_any_header_at_all_can_be_read(lines):
    assert of_lines(*lines) in {None} | {f"X-Robots-Tag: {name}" for name in RESERVING}


@pytest.mark.parametrize(
    ("location", "path", "covered"),
    [
        ("/", "/a.jpg", True),
        ("", "/a.jpg", True),
        ("/a", "/a.jpg", True),
        ("/a", "/b/a", False),
        ("/a$", "/a.jpg", False),
        ("/a.jpg$", "/a.jpg", True),
        ("*", "/a.jpg", True),
        ("/*.jpg", "/x/y.jpg?w=1", True),
        ("/*.jpg$", "/x/y.jpg?w=1", False),
        ("/*.jpg$", "/x/y.jpg", True),
        ("/a*a$", "/a", False),
        ("/*/b/*c", "/a/b/x/c", True),
        ("/*/b/*c", "/a/c/b", False),
        ("/%C3%A4", "/ä/1", True),
        ("/a%24b", "/a$b", True),
        ("/A", "/a", False),
    ],
)
def test_location_covers_paths_as_robots_txt_does(location, path, covered):
    assert Rule(location, True).covers(path) is covered


def test_location_of_many_wildcards_takes_no_time():
    assert not Rule("*a" * 5000 + "b", True).covers("a" * 20_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=60))
def test_file_that_is_something_else_holds_no_rules(body):
    assert all(isinstance(rule, Rule) for rule in _read("", body))


def test_file_of_deep_nesting_holds_no_rules():
    assert _read("", b"[" * 200_000) == ()


def fetch(site, path="/p.jpg", **options):
    config = ScrapeConfig("a", allow_hosts=("127.0.0.1",), retries=0, **options)
    with Transport(config, sleep=lambda _: None) as transport:
        return fetch_image(site.url(path), transport)


def reserving(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return servers.serve(PICTURE, headers=named)


def test_image_that_its_header_reserves_is_rejected_for_good_and_its_body_left():
    body = bytes(8_000_000)
    fault = servers.serve(body, headers={"X-Robots-Tag": "noai"})
    with servers.Site({"/p.jpg": fault}) as site:
        tracemalloc.start()
        outcome = fetch(site)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.reason) == (Status.REJECTED, Reason.OPTED_OUT)
    assert outcome.detail == "X-Robots-Tag: noai"
    assert peak < 2_000_000


def test_every_line_of_a_repeated_header_counts():
    def fault(handler):
        handler.send_response(200)
        handler.send_header("X-Robots-Tag", "nofollow")
        handler.send_header("X-Robots-Tag", "noml")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with servers.Site({"/p.jpg": fault}) as site:
        assert fetch(site).detail == "X-Robots-Tag: noml"


def test_header_of_a_redirect_counts_and_the_redirect_is_not_followed():
    fault = servers.status(302, {"Location": "/q.jpg", "TDM-Reservation": "1"})
    with servers.Site({"/p.jpg": fault, "/q.jpg": servers.serve(PICTURE)}) as site:
        outcome = fetch(site)
        assert outcome.reason is Reason.OPTED_OUT
        assert site.requests["/q.jpg"] == 0


def test_header_of_an_error_does_not_hide_the_error():
    fault = servers.status(503, {"X-Robots-Tag": "noindex"})
    with servers.Site({"/p.jpg": fault}) as site:
        outcome = fetch(site)
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.HTTP_5XX)


def test_file_of_the_host_reserves_by_the_first_rule_that_covers_the_path():
    rules = [
        {"location": "/free/*.jpg$", "tdm-reservation": 0},
        {"location": "/free", "tdm-reservation": 1, "tdm-policy": "https://p.example/"},
        {"location": "/strict", "tdm-reservation": "1"},
        {"tdm-reservation": 1},
        "nonsense",
    ]
    paths = ["/free/a.jpg", "/free/a.png", "/strict/a.jpg", "/other.jpg"]
    site = servers.Site(
        {path: servers.serve(PICTURE) for path in paths}
        | {TDMREP: servers.text(json.dumps(rules), "application/json")}
    )
    with site:
        found = [fetch(site, path) for path in paths]
        assert site.requests["/strict/a.jpg"] == site.requests["/free/a.png"] == 0
    assert [isinstance(one, Fetched) for one in found] == [True, False, False, True]
    assert {one.reason for one in found[1:3]} == {Reason.OPTED_OUT}
    assert "tdmrep.json" in found[1].detail


@pytest.mark.parametrize(
    "fault",
    [
        servers.status(404),
        servers.status(500),
        servers.status(429),
        servers.html(),
        servers.text("[{"),
        servers.text("x" * 700_000),
        servers.redirect("/.well-known/tdmrep.json"),
    ],
)
def test_host_without_a_readable_file_reserves_nothing(fault):
    with servers.Site({"/p.jpg": servers.serve(PICTURE), TDMREP: fault}) as site:
        assert isinstance(fetch(site), Fetched)


def test_switch_leaves_opt_outs_aside():
    rules = servers.text('[{"location": "/", "tdm-reservation": 1}]')
    with servers.Site({"/p.jpg": reserving(X_Robots_Tag="noai"), TDMREP: rules}) as site:
        assert isinstance(fetch(site, opt_outs=False), Fetched)
        assert site.requests[TDMREP] == 0
