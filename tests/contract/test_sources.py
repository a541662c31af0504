"""What every source keeps to, and Bing's pages as they are, were and might be."""

import errno
import html
import json
import os
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.core.errors import BlockedError, SourceError
from facegan.core.records import Outcome, SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched
from pipeline.gallery import Gallery, tile
from pipeline.http import Transport
from pipeline.images import ImageInfo
from pipeline.portraits import portraits
from pipeline.sources import SOURCES, open_source
from pipeline.sources.bing import BingSource, parse_page
from tests import servers

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "web" / "bing"
COUNT = 40


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    """Each source with 40 results."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name, data in servers.pictures(COUNT).items():
        (folder / name).write_bytes(data)
    with Gallery(servers.pictures(COUNT)) as gallery:
        config = ScrapeConfig(
            "artist",
            source=request.param,
            base_url=gallery.base_url,
            allow_hosts=(gallery.host,),
            folder=folder,
            limit=COUNT,
            size_px=64,
            retries=0,
        ).validate()
        with Transport(config) as transport:
            yield open_source(config, transport, tmp_path / "answers")


def test_results_are_numbered_distinct_and_the_same_each_time(source):
    results = list(source.search("a b"))
    assert len(results) == COUNT
    assert [result.rank for result in results] == list(range(COUNT))
    assert len({result.url for result in results}) == COUNT
    assert {(result.query, result.source) for result in results} == {("a b", source.name)}
    assert all(result.title for result in results)
    assert list(source.search("a b")) == results


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


# folder


def folder_source(folder, **options):
    config = ScrapeConfig("a", source="folder", folder=folder, **options)
    return open_source(config, Transport(config), folder)


def test_folder_takes_files_by_content_and_leaves_hidden_ones_and_links(tmp_path):
    folder, outside = tmp_path / "faces", tmp_path / "secret.jpg"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".git").mkdir()
    outside.write_bytes(servers.picture(9))
    for name in ("no suffix", "ä ö%41.txt", "deep/er/x.jpg", ".hidden.jpg", ".git/y.jpg"):
        (folder / name).write_bytes(servers.picture(len(name)))
    (folder / "text.jpg").write_text("no picture")
    (folder / "link.jpg").symlink_to(outside)
    (folder / "links").symlink_to(tmp_path)
    source = folder_source(folder)
    found = {result.title: source.fetch(result) for result in source.search("a")}
    assert list(found) == ["x", "no suffix", "text", "ä ö%41"]
    assert found["text"].reason == "not_an_image"
    assert sum(isinstance(fetched, Fetched) for fetched in found.values()) == 3


def test_file_outside_of_the_folder_is_not_read(tmp_path):
    folder, outside = tmp_path / "faces", tmp_path / "a.jpg"
    folder.mkdir()
    outside.write_bytes(servers.picture())
    (folder / "link.jpg").symlink_to(outside)
    source = folder_source(folder)
    for url in (
        outside.as_uri(),
        f"{folder.as_uri()}/../a.jpg",
        f"{folder.as_uri()}/%2e%2e/a.jpg",
        f"{folder.as_uri()}/link.jpg",
    ):
        assert source.fetch(SearchResult(url, "a", "folder", 0)).reason == "blocked_address"


def test_file_that_is_gone_too_large_or_no_file(tmp_path):
    (tmp_path / "large.jpg").write_bytes(servers.picture(side=500))
    os.mkfifo(tmp_path / "pipe.jpg")
    source = folder_source(tmp_path, max_bytes=100)
    for name, status, reason in (
        ("large.jpg", "rejected", "too_large"),
        ("gone.jpg", "failed", "unreadable"),
        ("pipe.jpg", "rejected", "unreadable"),
        ("", "rejected", "unreadable"),
    ):
        outcome = source.fetch(SearchResult((tmp_path / name).as_uri(), "a", "folder", 0))
        assert (outcome.status, outcome.reason) == (status, reason)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_file_that_cannot_be_read_now_is_left_for_the_next_call(tmp_path, monkeypatch, number):
    (tmp_path / "a.jpg").write_bytes(servers.picture())
    source = folder_source(tmp_path)
    (result,) = source.search("a")
    with monkeypatch.context() as patch:

        def refuse(*_, **__):
            raise OSError(number, os.strerror(number))

        patch.setattr(os, "open", refuse)
        outcome = source.fetch(result)
    assert (outcome.status, outcome.reason) == (Status.FAILED, "unreadable")
    assert outcome.detail == os.strerror(number)
    assert isinstance(source.fetch(result), Fetched)


def test_name_that_is_no_utf_8_is_text_and_its_file_is_found(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xe9p\xf4t")
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(servers.picture())
    source = folder_source(tmp_path)
    (result,) = source.search("a")
    assert result.title == "caf\ufffd"
    assert result.url.encode().endswith(b"/d%E9p%F4t/caf%E9.jpg")
    assert isinstance(source.fetch(result), Fetched)
    inner = folder_source(folder)
    outcome = inner.fetch(SearchResult("file:///etc/passwd", "a", "folder", 0))
    assert outcome.detail.endswith("/d\ufffdp\ufffdt")
    (folder / os.fsdecode(b"caf\xe9.jpg")).unlink()
    folder.rmdir()
    with pytest.raises(SourceError, match="/d\ufffdp\ufffdt: No such file"):
        next(inner.search("a"))


def test_folder_that_went_away(tmp_path):
    source = folder_source(tmp_path / "gone")
    with pytest.raises(SourceError, match="No such file"):
        next(source.search("a"))


# portraits


def test_portraits_are_those_of_the_painter_and_their_titles_tell_what_they_show(tmp_path):
    config = ScrapeConfig("a", source="portraits", seed=7, limit=2, size_px=64)
    source = open_source(config, Transport(config), tmp_path)
    results = list(source.search("a"))
    assert [result.url for result in results] == [f"portrait:7/{n}?size=64" for n in range(2)]
    for result, portrait in zip(results, portraits(2, 7), strict=True):
        about = json.loads(result.title)
        truth = {name: about.pop(name) for name in ("box", "eyes", "landmarks")}
        assert about == json.loads(json.dumps(portrait.attributes.as_dict()))
        size, box = portrait.image.shape[0] / 64, portrait.box
        assert truth["box"] == pytest.approx(
            [side / size for side in (box.left, box.top, box.right, box.bottom)], abs=0.01
        )
        for name in ("eyes", "landmarks"):
            points = [x / size for point in getattr(portrait, name) for x in point]
            assert [x for point in truth[name] for x in point] == pytest.approx(points, abs=0.01)


# Bing: tiles as they were recorded


def recorded(name):
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_text(encoding="utf-8")


def test_recorded_tile_of_2020():
    page = parse_page(
        recorded("async_tile_2020.html"), "折线图", "https://www.bing.com/images/async"
    )
    (result,) = page.results
    assert result == SearchResult(
        url=(
            "https://pic.wenwen.soso.com/pqpic/wenwenpic/0/"
            "20200905072601-1377158880_png_3442_2972_201696/0"
        ),
        query="折线图",
        source="bing",
        rank=0,
        page_url="https://wenwen.sogou.com/z/q825286701.htm",
        title="用wps怎么画这样的折线图",
        width=3442,
        height=2972,
    )
    assert page.next_url is not None
    assert page.next_url.startswith("https://www.bing.com/images/async?q=%e6%8a%98%e7%ba%bf")
    assert "&first=2&count=35&" in page.next_url


def test_recorded_tile_of_2018():
    (result,) = parse_page(recorded("search_tile_2018.html"), "q").results
    assert result.url.endswith("/s10/2018/0408/20180408075500850.jpg")
    assert (result.width, result.height) == (585, 407)
    assert result.title == "铁路、民航保障游客正常出游"


def test_recorded_container_of_2023():
    page = parse_page(recorded("grid_container_2023.txt"), "narendra modi")
    assert page.next_url is not None
    assert page.next_url.startswith("https://www.bing.com/images/async?q=narendra+modi&first=45&")
    assert page.results == ()


# Bing: made-up tiles


def made_up(about, size="<span class='nowrap'>1200 &#215; 800 &#183; jpeg</span>", link=""):
    attribute = html.escape(json.dumps(about))
    return (
        f"<div class='imgpt'><a class='iusc' m=\"{attribute}\" href=\"{link}\"></a>"
        f"<div class='img_info'>{size}</div></div>"
    )


ADDRESSES = [
    "https://a.example/b.JPG",
    "https://a.example/b.jpeg",
    "https://a.example/b.png",
    "https://a.example/b.webp",
    "https://a.example/b",
    "https://a.example/b/0",
    "https://a.example/b.jpg?width=3&height=4",
    "https://a.example/b.jpg/more",
    "https://a.example/ä ö/漢.jpg",
    'https://a.example/it\'s "quoted" <b>.jpg',
    "https://a.example/b.jpg?x=&amp;y",
    "https://a.example/b%20c.jpg#d",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_address_of_every_kind_is_read_whole(url):
    (result,) = parse_page(made_up({"murl": url}), "q").results
    assert result.url == url
    assert (result.width, result.height) == (1200, 800)


def test_json_escapes_in_an_address_are_read():
    text = '{"murl": "https://a.example/b.jpg?c=1\\u0026d=\\u0027e\\u0027\\/f"}'
    (result,) = parse_page(f"<a class=iusc m='{html.escape(text)}'></a>", "q").results
    assert result.url == "https://a.example/b.jpg?c=1&d='e'/f"


@pytest.mark.parametrize(
    ("size", "link", "expected"),
    [
        ("<span class='nowrap'>640 x 480 · png</span>", "", (640, 480)),
        ("<span class='nowrap'>640×480</span>", "", (640, 480)),
        ("", "/images/search?exph=480&amp;expw=640", (640, 480)),
        ("", "/images/search?exph=48a&amp;expw=640", (None, None)),
        ("", "/images/search?expw=" + "9" * 40 + "&amp;exph=1", (None, None)),
        ("", "http://[", (None, None)),
        ("<span class='nowrap'>large</span>", "", (None, None)),
    ],
)
def test_size_of_a_tile(size, link, expected):
    (result,) = parse_page(made_up({"murl": "https://a.example/b"}, size, link), "q").results
    assert (result.width, result.height) == expected


def test_size_is_not_taken_from_another_tile():
    bare = "<a class='iusc' m='{\"murl\": \"https://a.example/1\"}'></a>"
    page = f"<div>{bare}{made_up({'murl': 'https://a.example/2'})}</div>"
    assert [result.width for result in parse_page(page, "q").results] == [None, 1200]


def test_marks_of_the_words_that_were_found_are_no_part_of_the_title():
    about = {"murl": "https://a.example/b", "t": "An \ue000artist\ue001 at work"}
    assert parse_page(made_up(about), "q").results[0].title == "An artist at work"


@pytest.mark.parametrize(
    "attribute",
    ["", "no json", "[]", "3", "null", "{}", '{"murl": 5}', '{"murl": " "}', "[" * 100_000],
)
def test_broken_tile_is_left_out_and_counted(attribute):
    broken = f'<a class="iusc" m="{html.escape(attribute)}"></a>'
    page = parse_page(broken + made_up({"murl": "https://a.example/b"}), "q")
    assert (len(page.results), page.tiles) == (1, 2)
    assert page.results[0].rank == 1


def test_next_page_elsewhere_is_not_followed():
    for following in (
        "https://evil.example/images/async?q=a",
        "http://www.bing.com/images/async?q=a",
        "//evil.example/images/async",
        "/account/delete",
        "javascript:alert(1)",
        "http://[",
    ):
        page = parse_page(f'<div data-nextUrl="{following}"></div>', "q")
        assert page.next_url is None


def test_no_results_are_told_apart_from_a_page_that_says_nothing():
    assert parse_page("<p>There are <b>no</b> results for <b>xyzzy</b></p>", "xyzzy").no_results
    assert not parse_page("<h1>One last step</h1>", "xyzzy").no_results
    assert not parse_page("", "xyzzy").no_results
    assert not parse_page("picture.jpg", "xyzzy").no_results
    assert not parse_page("<?xml version='1.0'?><a/>", "xyzzy").no_results


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
WORDS = TEXT.map(str.strip).filter(bool)


@given(
    st.lists(WORDS, min_size=1, max_size=5, unique=True),
    WORDS,
    st.integers(1, 99_999),
    st.integers(1, 99_999),
)
def test_tile_and_parser_agree(urls, query, width, height):
    info = ImageInfo("png", width, height)
    tiles = [tile(url, query=query, page_url=url, title="t", info=info) for url in urls]
    page = parse_page("".join(tiles), query, first_rank=10)
    assert [result.url for result in page.results] == urls
    assert [result.rank for result in page.results] == list(range(10, 10 + len(urls)))
    for result in page.results:
        assert (result.page_url, result.query, result.title) == (result.url, query, "t")
        assert (result.width, result.height) == (width, height)


@given(st.text())
def test_parser_stands_any_text(text):
    assert parse_page(text, "q").tiles == 0 or "iusc" in text


# Bing: pages in a row


class Pages:
    """A transport that gives pages from a list and notes what it was asked for."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def page(self, url):
        self.asked.append(url)
        return self.pages.pop(0)


def bing(transport, folder=None, **options):
    return BingSource(ScrapeConfig("q", **options), transport, folder)


def tiles(*numbers):
    return "".join(tile(f"https://a.example/{number}") for number in numbers)


def urls(transport, **options):
    return [result.url[-1] for result in bing(transport, **options).search("q")]


def test_first_goes_forward_by_the_tiles_that_were_found():
    broken = '<a class="iusc" m="{}"></a>'
    transport = Pages(tiles(1, 2) + broken, tiles(3), "")
    assert urls(transport) == ["1", "2", "3"]
    starts = [url.partition("first=")[2].partition("&")[0] for url in transport.asked]
    assert starts == ["1", "4", "5"]
    paths = [url.partition("?")[0].rpartition("/")[2] for url in transport.asked]
    assert paths == ["search", "async", "async"]


def test_filters_are_sent():
    transport = Pages("no results found", "no results found")
    urls(transport)
    assert "qft=%2Bfilterui%3Aface-face%2Bfilterui%3Aphoto-photo" in transport.asked[0]
    urls(transport, only_faces=False, only_photos=False)
    assert "qft" not in transport.asked[1]


def test_search_ends_where_a_page_brings_nothing_new():
    assert urls(Pages(tiles(1, 2), tiles(2, 1))) == ["1", "2"]
    assert urls(Pages(tiles(1, 1, 2), tiles(2, 3), tiles(3))) == ["1", "2", "3"]


def test_page_that_leads_to_itself_ends():
    following = '<div data-nexturl="/images/async?q=q&amp;first=1"></div>'
    transport = Pages(following + tiles(1), following + tiles(1))
    assert urls(transport) == ["1"]
    assert transport.asked[1] == "https://www.bing.com/images/async?q=q&first=1"


def test_page_is_asked_for_when_the_last_one_is_used_up():
    transport = Pages(tiles(1, 2), tiles(3))
    ranks = [result.rank for result in islice(bing(transport).search("q"), 2)]
    assert len(transport.asked) == 1
    assert all(after - before == 1 for before, after in pairwise(ranks))


@pytest.mark.parametrize(
    "page", ["", "<h1>One last step</h1>", '<a class="iusc" m="{}"></a>', '{"error": 1}']
)
def test_first_page_without_results_is_kept(tmp_path, page):
    with pytest.raises(BlockedError, match=r"www\.bing\.com answers .*bing\.html"):
        list(bing(Pages(page), tmp_path / "answers").search("q"))
    assert (tmp_path / "answers" / "bing.html").read_text() == page
