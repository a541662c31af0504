"""What every source keeps to, whatever a server answers."""

import json
from contextlib import ExitStack, suppress
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegan.core.errors import RateLimitedError, SourceError
from facegan.core.records import Outcome, SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.sources import SOURCES, open_source
from tests import servers
from tests.sources_servers import Service
from tests.sources_servers.commons import Commons
from tests.sources_servers.met import Met
from tests.sources_servers.openverse import Openverse
from tests.sources_servers.scripted import spoilt

COUNT = 40
SERVERS = {"bing": Gallery, "commons": Commons, "openverse": Openverse, "met": Met, "urls": Gallery}
"""What stands for the service of each source that has one."""
SERVICES = ("bing", "commons", "openverse", "met")
"""The sources that somebody else may change."""
TEXTS = (
    *("url", "query", "source", "page_url", "title", "creator"),
    *("license", "license_url", "attribution", "filters"),
)


def opened(name, folder, pictures, stack):
    """A source with these pictures behind it."""
    options = {}
    if name in SERVERS:
        server = stack.enter_context(SERVERS[name](pictures))
        options = {"base_url": server.base_url, "allow_hosts": (server.host,)}
    if name == "urls":
        lines = "".join(f"{server.address(picture)}\n" for picture in pictures)
        (folder / "list.txt").write_text(lines)
        options["list_file"] = folder / "list.txt"
    if name == "folder":
        options["folder"] = folder / "faces"
        options["folder"].mkdir()
        for picture, data in pictures.items():
            (options["folder"] / picture).write_bytes(data)
    limit = max(1, len(pictures))
    config = ScrapeConfig("a", source=name, limit=limit, size_px=64, retries=0, **options)
    transport = stack.enter_context(Transport(config.validate()))
    return open_source(config, transport, folder / "answers")


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    """Each source with 40 results."""
    with ExitStack() as stack:
        yield opened(request.param, tmp_path, servers.pictures(COUNT), stack)


def test_results_are_numbered_distinct_and_the_same_each_time(source):
    results = list(source.search("a b"))
    assert len(results) == COUNT
    assert [result.rank for result in results] == list(range(COUNT))
    assert len({result.url for result in results}) == COUNT
    assert {(result.query, result.source) for result in results} == {("a b", source.name)}
    assert list(source.search("a b")) == results


def test_every_result_has_what_its_source_gives(source):
    assert source.gives <= set(SearchResult.__dataclass_fields__)
    for result in source.search("a b"):
        assert all(getattr(result, field) for field in source.gives)


def test_results_come_as_they_are_asked_for(source):
    search = source.search("a")
    assert len(list(islice(search, 3))) == 3
    assert next(search).rank == 3
    search.close()


def test_what_a_source_names_it_fetches(source):
    for result in islice(source.search("a"), 3):
        fetched = source.fetch(result)
        assert isinstance(fetched, Fetched)
        assert fetched.info.width == 64
        assert source.fetch(result).sha256 == fetched.sha256


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "file:///%00",
        "/etc/passwd",
        "../../etc/passwd",
        "http://127.0.0.2:1/a.jpg",
        "http://[",
        "portrait:0",
        "portrait:1/1?size=9999999",
        "portrait:../1?size=64",
        "javascript:alert(1)",
    ],
)
def test_address_of_another_kind_is_rejected_and_opens_nothing(source, url):
    outcome = source.fetch(SearchResult(url, "a", source.name, 0))
    assert isinstance(outcome, Outcome)
    assert outcome.status is Status.REJECTED


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in {"portraits", "urls"}])
def test_source_without_pictures_has_no_results(name, tmp_path):
    with ExitStack() as stack:
        assert list(opened(name, tmp_path, {}, stack).search("a")) == []


def test_list_without_addresses_is_an_error_for_it_may_be_the_wrong_file(tmp_path):
    with ExitStack() as stack, pytest.raises(SourceError, match="holds no address"):
        list(opened("urls", tmp_path, {}, stack).search("a"))


# A service that answers with anything


class Anything(Service):
    """Answers every request alike, and counts them."""

    def __init__(self):
        super().__init__({})
        self.now = (200, b"", {})
        self.requests = 0

    def answer(self, target, form, headers):  # noqa: ARG002
        self.requests += 1
        return self.now


@pytest.fixture(scope="module")
def anything():
    with Anything() as service:
        yield service


@pytest.fixture(params=SERVICES)
def service_source(request, anything, tmp_path):
    """Each source that asks a service, and that service: it answers with `anything.now`."""
    config = ScrapeConfig(
        "a",
        source=request.param,
        base_url=anything.base_url,
        allow_hosts=(anything.host,),
        retries=0,
    )
    with Transport(config) as transport:
        yield open_source(config, transport, tmp_path / "answers")


def check_whatever_comes(source, anything, answer):
    """Sound results or a SourceError, after a bounded number of requests."""
    anything.now, anything.requests = answer, 0
    results = []
    with suppress(SourceError):
        results.extend(islice(source.search("a"), 200))
    for result in results:
        texts = [getattr(result, field) for field in TEXTS]
        assert all(text is None or (text and "\0" not in text) for text in texts)
        assert all(text is None or text.encode() for text in texts)
        assert all(size is None or 0 < size < 2**31 for size in (result.width, result.height))
    assert len({result.url for result in results}) == len(results)
    assert anything.requests < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"[" * 100_000, b"{}", b"[]", b"null", b"\xef\xbb\xbf{}", b"9" * 10_000]),
)
TORN = ("", "\0", "<", ">", '"', "{", "\\ud800", "&#0;", "\ud800", "\u202e", "9" * 30, "/*", "[")
QUICKLY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICKLY
@given(BODIES)
def test_any_answer_gives_sound_results_or_a_source_error(service_source, anything, body):
    check_whatever_comes(service_source, anything, (200, body, {}))


@cache
def sound_answers(name):
    """What the service of a source answers to a search for three pictures."""
    said = []

    def noting(ask):
        return lambda *args, **options: said.append(ask(*args, **options)) or said[-1]

    with (
        SERVERS[name](servers.pictures(3)) as server,
        Transport(config_of(server, name)) as transport,
    ):
        transport.json, transport.page = noting(transport.json), noting(transport.page)
        list(open_source(transport.config, transport, Path("nowhere")).search("a"))
    return said


def config_of(server, name):
    return ScrapeConfig(
        "a", source=name, base_url=server.base_url, allow_hosts=(server.host,), retries=0
    )


@QUICKLY
@given(st.data())
def test_spoilt_answer_gives_sound_results_or_a_source_error(service_source, anything, data):
    said = data.draw(st.sampled_from(sound_answers(service_source.name)))
    body = said if isinstance(said, str) else json.dumps(data.draw(spoilt(said)))
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.sampled_from(TORN)) + body[at + 1 :]
    answer = (200, body.encode("utf-8", "surrogatepass"), {})
    check_whatever_comes(service_source, anything, answer)


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (429, {}, RateLimitedError),
        (429, {"Retry-After": "3600"}, RateLimitedError),
        (500, {}, SourceError),
        (503, {"Retry-After": "soon"}, SourceError),
        (403, {}, SourceError),
        (404, {}, SourceError),
        (302, {"Location": "file:///etc/passwd"}, SourceError),
        (302, {"Location": "http://127.0.0.2:1/"}, SourceError),
        (200, {"Content-Encoding": "gzip"}, SourceError),
    ],
)
def test_refusal_is_told_with_what_to_do(service_source, anything, status, headers, kind):
    anything.now = (status, b"<p>no</p>", headers)
    with pytest.raises(kind) as caught:
        list(service_source.search("a"))
    assert "127.0.0." in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("body", [b"", b"<h1>Welcome</h1>", b"{}", b"[]", b'{"error": 1}'])
def test_answer_that_nobody_understands_is_kept_and_its_file_named(
    service_source, anything, body, tmp_path
):
    anything.now = (200, body, {})
    with pytest.raises(SourceError) as caught:
        list(service_source.search("a"))
    (kept,) = (tmp_path / "answers").iterdir()
    assert kept.stem == service_source.name
    assert str(kept) in caught.value.message
