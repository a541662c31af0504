"""Openverse: its answers as they were recorded and as they might be, its pages and its tokens."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings

from facegan.core.errors import RateLimitedError, SourceError
from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.sources.openverse import OpenverseSource, image_result
from tests import servers
from tests.sources_servers.openverse import CLIENT, Openverse
from tests.sources_servers.scripted import JSON, Answers, refused, spoilt

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "web" / "openverse"
KNOWN = {"OPENVERSE_CLIENT_ID": CLIENT[0], "OPENVERSE_CLIENT_SECRET": CLIENT[1]}


def recorded(name):
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def source(transport, folder=None, environ=None, **options):
    return OpenverseSource(ScrapeConfig("q", **options), transport, folder, environ or {})


def found(*answers, folder=None, **options):
    return list(source(Answers(*answers), folder, **options).search("q"))


def at(service, folder=None, environ=None, **options):
    """The source with real connections to a service; the caller closes nothing: tests are short."""
    config = ScrapeConfig(
        "q",
        source="openverse",
        base_url=service.base_url,
        allow_hosts=(service.host,),
        **({"retries": 0} | options),
    ).validate()
    return OpenverseSource(config, Transport(config), folder, environ or {})


def image(number=1, **about):
    return {
        "title": f"Ada {number}",
        "url": f"https://a.example/{number}.jpg",
        "foreign_landing_url": f"https://a.example/pages/{number}",
        "creator": "A. Painter",
        "license": "by",
        "license_version": "4.0",
    } | about


def page(*images, number=1, pages=1):
    return {"result_count": 9, "page_count": pages, "page": number, "results": list(images)}


def asked(transport, at=0):
    return dict(parse_qsl(urlsplit(transport.asked[at]).query))


def test_recorded_results():
    results = found(recorded("search_galah_first4of20.json") | {"page_count": 1})
    assert [result.rank for result in results] == list(range(4))
    assert results[0] == SearchResult(
        url="https://live.staticflickr.com/894/40593461235_b72593df28_b.jpg",
        query="q",
        source="openverse",
        rank=0,
        page_url="https://www.flickr.com/photos/126953422@N04/40593461235",
        title="Galah in Darwin (Eolophus roseicapilla)",
        creator="Graham Winterflood",
        license="CC BY-SA 2.0",
        license_url="https://creativecommons.org/licenses/by-sa/2.0/",
        attribution=(
            "Galah in Darwin (Eolophus roseicapilla) by Graham Winterflood, CC BY-SA 2.0,"
            " via Openverse"
        ),
        filters="mature=false",
    )
    assert [result.license for result in results[1:]] == ["CC0 1.0", "CC BY 2.0", "CC BY-SA 2.0"]
    assert all(getattr(result, name) for result in results for name in OpenverseSource.gives)


def test_recorded_answer_without_results():
    assert found(recorded("search_no_results.json")) == []


def test_what_openverse_says_itself_comes_first():
    says = {"attribution": "By\n A.", "license_url": "https://a.example/l", "width": 5, "height": 6}
    (result,) = found(page(image(**says)))
    assert (result.attribution, result.license_url) == ("By A.", "https://a.example/l")
    assert (result.width, result.height) == (5, 6)
    (result,) = found(page(image(title=None, creator=None)))
    assert result.title is result.creator is None
    assert result.attribution == "Untitled, CC BY 4.0, via Openverse"
    assert result.license_url == "https://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({}, {"mature": "false"}),
        ({"photo": True, "safe_search": "off"}, {"mature": "true"}),
        ({"license": "public"}, {"license": "cc0,pdm", "mature": "false"}),
        ({"license": "share"}, {"license_type": "all", "mature": "false"}),
        (
            {"license": "modify-commercially", "safe_search": "strict"},
            {"license_type": "commercial,modification", "mature": "false"},
        ),
    ],
)
def test_filters_are_asked_for_and_told(options, values):
    transport = Answers(page(image()))
    (result,) = source(transport, **options).search("a & b")
    assert asked(transport) == values | {"q": "a & b", "page": "1", "page_size": "20"}
    assert dict(parse_qsl(result.filters)) == values


def test_pages_are_asked_for_one_after_another_until_the_last():
    pictures = servers.pictures(45)
    with Openverse(pictures) as service:
        search = at(service).search("q")
        results = [next(search)]
        assert len(service.asked) == 1
        results += search
        assert [f"{result.title}.jpg" for result in results] == list(pictures)
        assert [result.rank for result in results] == list(range(45))
        assert [one.values["page"] for one in service.asked] == ["1", "2", "3"]


def test_who_has_no_account_asks_for_no_more_than_240():
    transport = Answers(
        *(page(*(image(20 * n + k) for k in range(20)), pages=99) for n in range(13))
    )
    assert len(list(source(transport).search("q"))) == 240
    assert len(transport.asked) == 12


@pytest.mark.parametrize("status", [400, 401, 404])
def test_page_that_is_too_deep_ends_the_search(status):
    first = page(image(1), pages=9)
    assert len(found(first, refused(status))) == 1
    with pytest.raises(SourceError):
        found(refused(status))
    with pytest.raises(SourceError):
        found(first, refused(500))


def test_page_that_brings_nothing_new_ends_the_search():
    transport = Answers(page(image(1), image(1), image(2), pages=9))
    assert len(list(source(transport).search("q"))) == 2
    assert len(transport.asked) == 2
    transport = Answers(page(image(1), pages=None), page(pages=None))
    assert len(list(source(transport).search("q"))) == 1
    assert len(transport.asked) == 2


def test_client_credentials_bring_larger_pages_and_are_asked_for_once():
    with Openverse(servers.pictures(120, side=33)) as service:
        openverse = at(service, environ=KNOWN)
        assert len(list(openverse.search("q"))) == 120
        assert len(list(openverse.search("r"))) == 120
        paths = [one.path for one in service.asked]
        assert paths.count("/v1/auth_tokens/token/") == 1
        assert {one.values.get("page_size") for one in service.asked[1:]} == {"50"}
        assert {one.headers["authorization"] for one in service.asked[1:]} == {"Bearer token-0"}


def test_token_that_has_run_out_is_renewed():
    with Openverse(servers.pictures(70, side=33)) as service:
        search = at(service, environ=KNOWN).search("q")
        next(search)
        service.tokens["token-0"] = False
        assert len(list(search)) == 69
        assert list(service.tokens) == ["token-0", "token-1"]


def test_wrong_credentials_are_told_without_the_secret():
    with Openverse(servers.pictures(1)) as service, pytest.raises(SourceError) as caught:
        list(at(service, environ=KNOWN | {"OPENVERSE_CLIENT_SECRET": "wrong"}).search("q"))
    assert "does not know the client credentials of OPENVERSE_CLIENT_ID" in str(caught.value)
    assert "wrong" not in f"{caught.value} {caught.value.hint}"
    assert not service.tokens


@pytest.mark.parametrize("name", KNOWN)
def test_half_of_the_credentials_is_an_error_that_asks_nobody(name):
    transport = Answers(page(image()))
    with pytest.raises(SourceError, match="one half is missing") as caught:
        list(source(transport, environ={name: "x"}).search("q"))
    assert all(part in caught.value.hint for part in KNOWN)
    assert not transport.asked


@pytest.mark.parametrize(
    ("base_url", "allowed", "is_told"),
    [
        (None, (), True),
        ("https://mirror.example", (), False),
        ("http://mirror.example", (), False),
        ("http://mirror.example", ("Mirror.example",), True),
        ("https://mirror.example", ("other.example", "mirror.example:443"), True),
        ("http://mirror.example", ("mirror.example:443",), False),
        ("http://api.openverse.org", (), False),
        ("https://mirror.example/?api.openverse.org", ("api.openverse.org",), False),
    ],
)
def test_credentials_go_to_openverse_and_to_ones_own_servers_alone(base_url, allowed, is_told):
    transport = Answers({"access_token": "t", "results": [image()]})
    options = {"base_url": base_url, "allow_hosts": allowed}
    list(source(transport, environ=KNOWN, **options).search("q"))
    assert ("/auth_tokens/" in transport.asked[0]) is is_told
    assert asked(transport, -1)["page_size"] == ("50" if is_told else "20")
    assert all((headers is not None) is is_told for headers in transport.headers)


@pytest.mark.parametrize("answer", [None, [], {}, {"access_token": 3}, {"access_token": "a\u00e4"}])
def test_token_that_is_none_is_an_error(answer):
    with pytest.raises(SourceError, match="gives no token"):
        list(source(Answers(answer), environ=KNOWN).search("q"))


def test_openverse_is_asked_at_its_pace():
    for environ, rate in (({}, 20 / 60), (KNOWN, 100 / 60)):
        transport = Answers(page())
        source(transport, environ=environ)
        assert transport.manners.limits == {"api.openverse.org": (1, rate)}


def test_wait_that_the_answers_text_tells_is_told():
    body = {"detail": "Request was throttled. Expected available in 3600 seconds."}
    with Openverse(servers.pictures(1)) as service:
        service.say(body, 429)
        with pytest.raises(RateLimitedError) as caught:
            list(at(service).search("q"))
    assert caught.value.retry_after_s == 3600
    assert "3600 s" in caught.value.hint
    assert recorded("error_429.json") == body


@pytest.mark.parametrize(
    "odd",
    [
        None,
        3,
        "text",
        [],
        {},
        {"detail": "x"},
        {"results": None},
        {"results": {}},
        page(3, "x", None),
        page(image(url="javascript:alert(1)")),
    ],
)
def test_answer_of_another_shape_is_kept(tmp_path, odd):
    with pytest.raises(SourceError, match=r"kept in .*openverse\.json"):
        found(odd, folder=tmp_path)
    assert json.loads((tmp_path / "openverse.json").read_text()) == odd


def test_one_odd_result_is_left_out():
    assert len(found(page(3, image(1), image(2, url=None), image(3, url="http://[")))) == 1


@settings(max_examples=60, deadline=None)
@given(spoilt(page(image(1), image(2), pages=2)))
def test_spoilt_answer_gives_results_or_a_source_error(tmp_path_factory, spoilt_answer):
    transport = Answers(spoilt_answer, page())
    folder = tmp_path_factory.getbasetemp() / "answers"
    try:
        results = list(source(transport, folder).search("q"))
    except SourceError:
        return
    assert [result.rank for result in results] == list(range(len(results)))
    assert all(result.url.startswith(("http://", "https://")) for result in results)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_result_of_any_shape_is_read_or_left_out(value):
    assert image_result(value, "q") is None
    result = image_result(dict.fromkeys(image(), value) | {"url": "https://a.example/b"}, "q")
    (result.attribution + (result.title or "")).encode()
