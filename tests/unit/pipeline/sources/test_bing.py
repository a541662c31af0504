"""Bing's tiles as they are, were and might be."""

import html
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.core.records import SearchResult
from pipeline.gallery import tile
from pipeline.images import ImageInfo
from pipeline.sources.bing import MOST_TILES, parse_page

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "web" / "bing"


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
    "https://a.example/a  b.jpg",
    "HTTPS://A.EXAMPLE/B.Jpeg?C=D",
    "https://xn--mnchen-3ya.example/b",
    "https://münchen.example:8443/b",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_address_of_every_kind_is_read_whole(url):
    (result,) = parse_page(made_up({"murl": url}), "q").results
    assert result.url == url
    assert (result.width, result.height) == (1200, 800)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "b.jpg", "data:image/png;base64,AA", "//a/b"]
)
def test_what_is_no_web_address_is_left_to_the_download_which_counts_it(url):
    (result,) = parse_page(made_up({"murl": url, "purl": url}), "q").results
    assert (result.url, result.page_url) == (url, None)


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
        ("<span class='nowrap'>0 x 480</span>", "", (None, 480)),
        ("<b class='nowrap'>new</b><b class='nowrap'>640 x 480</b>", "", (640, 480)),
        ("<span class='fileInfo'>640 x 480</span>", "", (640, 480)),
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


def test_size_after_another_tile_of_the_same_box_is_not_ours():
    one, two = (f"<a class='iusc' m='{{\"murl\": \"https://a.example/{n}\"}}'></a>" for n in "12")
    sizes = [f"<b class='nowrap'>{side} x {side}</b>" for side in (640, 480)]
    page = parse_page(f"<div class='imgpt'>{one}{sizes[0]}{two}{sizes[1]}</div>", "q")
    assert [result.width for result in page.results] == [640, None]


def test_description_stands_in_for_a_title_that_is_missing():
    about = {
        "murl": "https://a.example/b",
        "desc": " An\n artist",
        "md5": "0",
        "mid": "1",
        "cid": 2,
    }
    assert parse_page(made_up(about), "q").results[0].title == "An artist"
    assert parse_page(made_up(about | {"t": "At work"}), "q").results[0].title == "At work"
    assert parse_page(made_up(about | {"t": 5, "desc": []}), "q").results[0].title is None


def test_text_of_a_tile_is_what_the_catalog_can_hold():
    about = {
        "murl": "https://a.example/b\0\ud800",
        "t": "a\0 \n\udfff\u202eb",
        "purl": "http://[\0",
    }
    (result,) = parse_page(made_up(about), "q").results
    assert (result.url, result.title, result.page_url) == ("https://a.example/b", "a b", None)


def test_marks_of_the_words_that_were_found_are_no_part_of_the_title():
    about = {"murl": "https://a.example/b", "t": "An \ue000artist\ue001 at work"}
    assert parse_page(made_up(about), "q").results[0].title == "An artist at work"


@pytest.mark.parametrize(
    "attribute",
    [
        "",
        "no json",
        "[]",
        "3",
        "null",
        "{}",
        '{"murl": 5}',
        '{"murl": " "}',
        '{"murl": ["https://a.example/b"]}',
        '{"murl": "https://a.example/b"',
        '{"murl": "https://a.example/' + "b" * 10_000 + '"}',
        '{"n": ' + "9" * 10_000 + "}",
        "[" * 100_000,
    ],
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


@pytest.mark.parametrize(
    "words",
    [
        "There are <b>no</b> results for <b>xyzzy</b>",
        "There are no image results for xyzzy",
        "We couldn't find any results for xyzzy",
        "We didn\u2019t find any image results",
        "Your search xyzzy did not match any images",
    ],
)
def test_bings_own_words_that_there_is_nothing(words):
    page = parse_page(f"<html><body><p>{words}</p></body></html>", "xyzzy")
    assert page.no_results
    assert not page.captcha


@pytest.mark.parametrize(
    "page", ["", "<h1>Welcome</h1>", "picture.jpg", "<?xml version='1.0'?><a/>", "<![if", "{}"]
)
def test_page_that_says_nothing_is_no_empty_search(page):
    assert not parse_page(page, "xyzzy").no_results
    assert not parse_page(page, "xyzzy").captcha


@pytest.mark.parametrize(
    "page",
    [
        "<h1>One last step</h1><p>Please solve the challenge below to continue</p>",
        "<title>Verify</title><div id='b_captcha'></div>",
        "<iframe src='https://challenge.example/CAPTCHA/1'></iframe>",
        "<p>We have seen unusual activity from your network</p>",
        "<p>Please confirm that you are human</p>",
    ],
)
def test_captcha_is_known_by_its_words_or_elements(page):
    assert parse_page(page, "xyzzy").captcha


def test_search_for_captchas_is_none():
    page = "<p>captcha</p><div data-nexturl='/images/async?q=captcha'></div>"
    assert not parse_page(page, "captcha").captcha
    assert not parse_page("<p>captcha</p>" + made_up({"murl": "https://a.example/b"}), "a").captcha


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cn", "Cs"]), min_size=1)
WORDS = TEXT.map(str.strip).filter(bool)


@given(
    st.lists(WORDS, min_size=1, max_size=5, unique=True),
    WORDS,
    st.integers(1, 99_999),
    st.integers(1, 99_999),
)
def test_tile_and_parser_agree(urls, query, width, height):
    info = ImageInfo("png", width, height)
    pages = [f"https://a.example/{url}" for url in urls]
    tiles = [
        tile(url, query=query, page_url=page, title="t", info=info)
        for url, page in zip(urls, pages, strict=True)
    ]
    page = parse_page("".join(tiles), query, first_rank=10)
    assert [result.url for result in page.results] == urls
    assert [result.rank for result in page.results] == list(range(10, 10 + len(urls)))
    for result in page.results:
        assert (result.query, result.title) == (query, "t")
        assert (result.width, result.height) == (width, height)


@given(st.text())
def test_parser_stands_any_text(text):
    assert parse_page(text, "q").tiles == 0 or "iusc" in text


PIECES = [
    *("<a class='iusc' m='", '{"murl": "', "https://a.example/", '"}', "'>", "</a>", "<div"),
    *(
        " class=imgpt",
        " data-nexturl='/images/async?first=2",
        "<![",
        "<!--",
        "\0",
        "\\ud800",
        "&#0;",
    ),
    *("\u00d7", "640 x 480", "<span class=nowrap>", ">", "&quot;", "\ud800"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_parser_stands_torn_pages(text):
    page = parse_page(text, "q", "https://www.bing.com/images/search")
    for result in page.results:
        assert all(value is None or value.encode() for value in (result.url, result.title))
    assert page.next_url is None or page.next_url.startswith("https://www.bing.com/images/async")


@pytest.mark.parametrize(
    "piece", ["<a class=iusc m='{}'>", "<div class=imgpt>", "<a ", "<!--", "<a m='", "</", "<b>"]
)
def test_hostile_page_takes_little_time(piece):
    began = time.process_time()
    page = parse_page(piece * (40_000 // len(piece)), "q")
    assert time.process_time() - began < 3
    assert page.tiles <= MOST_TILES
