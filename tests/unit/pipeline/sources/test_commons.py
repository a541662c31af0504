"""Wikimedia Commons: its answers as they were recorded, as they might be, and page by page."""

import json
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.sources.commons import CommonsSource, file_result
from tests import servers
from tests.sources_servers.commons import Commons
from tests.sources_servers.scripted import JSON, Answers, refused, spoilt

RECORDED = Path(__file__).parents[5] / "shared/data/web/wikimedia/search_28_files.json"
END = {"batchcomplete": ""}


def source(transport, folder=None, **options):
    return CommonsSource(ScrapeConfig("q", **options), transport, folder)


def found(*answers, folder=None, **options):
    return list(source(Answers(*answers), folder, **options).search("q"))


def page(number=1, *, title="File:Ada (1890).jpg", mime="image/jpeg", says=None, **about):
    """A file as the API tells of it."""
    info = {
        "url": f"https://upload.wikimedia.org/a/{number}.jpg",
        "descriptionurl": f"https://commons.wikimedia.org/wiki/{number}",
        "width": 800,
        "height": 600,
        "mime": mime,
        "extmetadata": {key: {"value": value} for key, value in (says or {}).items()},
    }
    return {"pageid": number, "ns": 6, "title": title, "index": number, "imageinfo": [info | about]}


def answer(*pages, following=None):
    listed = {str(one["pageid"]): one for one in pages}
    return END | {"query": {"pages": listed}} | ({"continue": following} if following else {})


def test_recorded_files():
    if not RECORDED.is_file():
        pytest.skip(f"{RECORDED} is not here")
    results = found(json.loads(RECORDED.read_text(encoding="utf-8")))
    assert [result.rank for result in results] == list(range(28))
    by_title = {result.title: result for result in results}
    for result in results:
        for name in CommonsSource.gives:
            assert getattr(result, name), (result, name)
    house = by_title["2002-04-02 Hauptstraße, Heidelberg IMG 0404"]
    assert house.creator == "Eckhard Henkel"
    assert (house.license, house.license_url) == (
        "CC BY-SA 3.0 de",
        "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en",
    )
    assert house.attribution == "Photo: Eckhard Henkel / Wikimedia Commons / CC BY-SA 3.0 DE"
    night = by_title["Edvard Munch - Night in Nice (1891)"]
    assert night.attribution == (
        "Edvard Munch - Night in Nice (1891) by Edvard Munch,"
        " http://samling.nasjonalmuseet.no/no/object/NG.M.00394 Nasjonalmuseet, Public domain,"
        " via Wikimedia Commons"
    )
    assert (night.width, night.height, night.license_url) == (803, 714, None)
    assert night.page_url.startswith("https://commons.wikimedia.org/wiki/File:Edvard_Munch")


def test_file_is_told_whole():
    says = {
        "Artist": '<a href="//commons.wikimedia.org/wiki/User:A">A. &amp; B.</a>',
        "LicenseShortName": "CC BY 4.0",
        "LicenseUrl": "//creativecommons.org/licenses/by/4.0",
    }
    assert found(answer(page(7, says=says))) == [
        SearchResult(
            url="https://upload.wikimedia.org/a/7.jpg",
            query="q",
            source="commons",
            rank=0,
            page_url="https://commons.wikimedia.org/wiki/7",
            title="Ada (1890)",
            creator="A. & B.",
            license="CC BY 4.0",
            license_url="https://creativecommons.org/licenses/by/4.0",
            attribution="Ada (1890) by A. & B., CC BY 4.0, via Wikimedia Commons",
            filters="filetype:bitmap",
            width=800,
            height=600,
        )
    ]


@pytest.mark.parametrize(
    ("width", "height", "min_size", "is_thumb"),
    [
        (961, 900, 32, True),
        (960, 4000, 32, False),
        (640, 480, 32, False),
        (4000, 3000, 720, True),
        (4000, 3000, 721, False),  # the small one's height is 720
    ],
)
def test_original_is_taken_where_the_standard_width_is_none_or_too_small(
    width, height, min_size, is_thumb
):
    thumb = {"thumburl": "https://upload.wikimedia.org/t/960px-1.jpg", "thumbwidth": 960}
    thumb["thumbheight"] = 960 * height // width
    (result,) = found(answer(page(width=width, height=height, **thumb)), min_size_px=min_size)
    if is_thumb:
        assert result.url == thumb["thumburl"]
        assert (result.width, result.height) == (960, thumb["thumbheight"])
    else:
        assert result.url == "https://upload.wikimedia.org/a/1.jpg"
        assert (result.width, result.height) == (width, height)


@pytest.mark.parametrize(("min_size", "asked"), [(32, 960), (960, 960), (1000, 1280), (9999, 3840)])
def test_widths_that_are_asked_for_are_standard_ones(min_size, asked):
    transport = Answers(END)
    list(source(transport, min_size_px=min_size).search("q"))
    assert f"&iiurlwidth={asked}&" in transport.asked[0]


@pytest.mark.parametrize(
    ("mime", "title", "is_taken"),
    [
        ("image/png", "File:a.png", True),
        ("image/tiff", "File:a.tif", True),
        ("image/svg+xml", "File:a.svg", False),
        ("image/vnd.djvu", "File:a.djvu", False),
        ("application/pdf", "File:a.pdf", False),
        ("video/webm", "File:a.webm", False),
        (None, "File:a.JPG", True),
        (None, "File:a.svg", False),
    ],
)
def test_files_that_are_no_bitmaps_are_left_out(mime, title, is_taken):
    assert bool(found(answer(page(mime=mime, title=title)))) is is_taken


@pytest.mark.parametrize(
    ("options", "filters"),
    [
        ({}, "filetype:bitmap"),
        ({"min_size_px": 256}, "filetype:bitmap fileres:>256"),
        ({"license": "public"}, "filetype:bitmap haslicense:unrestricted"),
        (
            {"license": "modify-commercially"},
            "filetype:bitmap haslicense:unrestricted|attribution|attribution-same-license",
        ),
    ],
)
def test_filters_are_asked_for_and_told(options, filters):
    with Commons(servers.pictures(1)) as service, transport_to(service, **options) as transport:
        (result,) = CommonsSource(transport.config, transport, None).search("an artist")
        assert result.filters == filters
        assert service.asked[0].values["gsrsearch"] == f"{filters} an artist"
        assert service.asked[0].values["maxlag"] == "5"


def transport_to(service, **options):
    settings = {"retries": 0} | options
    return Transport(
        ScrapeConfig(
            "q",
            source="commons",
            base_url=service.base_url,
            allow_hosts=(service.host,),
            **settings,
        ).validate()
    )


@pytest.mark.parametrize("options", [{}, {"version": 2}, {"halves": True}])
def test_continue_is_followed_whole_in_the_searchs_order(options):
    pictures = servers.pictures(8)
    with Commons(pictures, batch=3, **options) as service, transport_to(service) as transport:
        results = list(CommonsSource(transport.config, transport, None).search("q"))
        assert [f"{result.title}.jpg" for result in results] == list(pictures)
        assert [result.rank for result in results] == list(range(8))
        steps = [asked.values for asked in service.asked]
    assert [step.get("gsroffset") for step in steps if "iicontinue" not in step] == [None, "3", "6"]
    assert len(steps) == (6 if options.get("halves") else 3)
    for step in steps[1:]:
        assert {"continue", "gsrsearch", "iiprop", "maxlag"} <= step.keys()


def test_answers_are_asked_for_when_the_last_one_is_used_up():
    with Commons(servers.pictures(9), batch=3) as service, transport_to(service) as transport:
        search = CommonsSource(transport.config, transport, None).search("q")
        list(islice(search, 3))
        assert len(service.asked) == 1
        assert next(search).rank == 3
        assert len(service.asked) == 2


def test_continue_that_leads_back_ends():
    around = [{"gsroffset": 50}, {"gsroffset": 100}]
    answers = [answer(page(1), following=around[step % 2]) for step in range(9)]
    transport = Answers(*answers)
    assert len(list(source(transport).search("q"))) == 1
    assert len(transport.asked) == 3


def test_batch_that_never_ends_is_not_gathered_for_ever():
    answers = [
        {"query": {"pages": [page(30 * step + k) for k in range(30)]}, "continue": {"c": step}}
        for step in range(5)
    ]
    transport = Answers(*answers)
    assert next(source(transport).search("q")).rank == 0
    assert len(transport.asked) == 2


def test_continue_changes_nothing_else_of_the_request():
    transport = Answers(answer(page(1), following={"action": "x", "gsroffset": 5, "c": [1]}), END)
    list(source(transport).search("q"))
    first, second = (dict(parse_qsl(urlsplit(url).query)) for url in transport.asked)
    assert second == first | {"gsroffset": "5"}


def test_no_files_are_an_empty_search():
    assert found(END) == []
    assert found({"batchcomplete": True, "continue": {"gsroffset": 50}}) == []


@pytest.mark.parametrize("code", ["maxlag", "ratelimited"])
def test_busy_servers_are_asked_again_some_times(code):
    busy = {"error": {"code": code, "info": "Waiting for a server: 7 seconds lagged"}}
    transport = Answers(*[busy] * 4, answer(page(1)))
    assert len(list(source(transport, retries=4).search("q"))) == 1
    host = "commons.wikimedia.org"
    assert transport.manners.pauses == [(host, 5), (host, 10), (host, 20), (host, 30)]
    assert len(set(transport.asked)) == 1
    with pytest.raises(RateLimitedError, match=f"busy \\({code}\\), also at try 3"):
        found(busy, retries=2)


def test_other_errors_are_told_and_kept(tmp_path):
    error = {"error": {"code": "badvalue", "info": "Unrecognized\0 value", "*": "see"}}
    with pytest.raises(SourceError, match=r"badvalue, Unrecognized value.*commons\.json") as caught:
        found(error, folder=tmp_path)
    assert not isinstance(caught.value, RateLimitedError)
    assert json.loads((tmp_path / "commons.json").read_text()) == error


@pytest.mark.parametrize(
    "odd",
    [
        None,
        3,
        "text",
        [],
        {},
        {"query": 3},
        {"query": {"pages": "x"}} | END,
        {"query": {"pages": [3]}} | END,
        {"query": {"pages": {"1": {"title": "File:a.jpg"}}}} | END,
        answer(page(url="file:///etc/passwd")),
        {"error": 3},
        {"error": {}},
    ],
)
def test_answer_of_another_shape_is_kept(tmp_path, odd):
    with pytest.raises(SourceError, match=r"kept in .*commons\.json"):
        found(odd, folder=tmp_path)
    assert (tmp_path / "commons.json").stat().st_size


@pytest.mark.parametrize("status", [403, 429])
def test_refusal_names_the_contact_that_wikimedia_wants(status):
    kind = BlockedError if status == 403 else RateLimitedError
    with pytest.raises(kind) as caught:
        found(refused(status))
    assert "FACEGAN_CONTACT" in caught.value.hint
    with pytest.raises(kind) as caught:
        found(refused(status), contact="me@example.org")
    assert "FACEGAN_CONTACT" not in (caught.value.hint or "")


@pytest.mark.parametrize(("contact", "is_named"), [(None, True), ("me@example.org", False)])
def test_refused_picture_names_it_too(contact, is_named):
    gallery = Gallery({}, faults={"a.jpg": servers.status(403)})
    with gallery, transport_to(gallery, contact=contact) as transport:
        commons = CommonsSource(transport.config, transport, None)
        outcome = commons.fetch(SearchResult(gallery.address("a.jpg"), "q", "commons", 0))
    assert outcome.reason == "http_403"
    assert ("FACEGAN_CONTACT" in outcome.detail) is is_named


def test_wikimedias_hosts_are_asked_gently():
    transport = Answers(END)
    source(transport)
    assert transport.manners.limits == {
        "commons.wikimedia.org": (1, None),
        "upload.wikimedia.org": (2, None),
    }


@settings(max_examples=60, deadline=None)
@given(spoilt(answer(page(1, says={"Artist": "a"}), page(2), following={"gsroffset": 50})))
def test_spoilt_answer_gives_results_or_a_source_error(tmp_path_factory, spoilt_answer):
    transport = Answers(spoilt_answer, END)
    folder = tmp_path_factory.getbasetemp() / "answers"
    try:
        results = list(source(transport, folder).search("q"))
    except SourceError:
        return
    assert [later.rank - earlier.rank for earlier, later in pairwise(results)] in ([], [1])
    for result in results:
        assert result.url.startswith(("http://", "https://"))
        f"{result.title} {result.attribution}".encode()


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_file_of_any_shape_is_read_or_left_out(value):
    config = ScrapeConfig("q")
    assert file_result({"imageinfo": value, "title": value}, "q", config) is None
    about = {"title": value, "imageinfo": [{"url": "https://a.example/b", "extmetadata": value}]}
    file_result(about | {"mime": "image/png"}, "q", config)
