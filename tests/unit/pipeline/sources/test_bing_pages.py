"""Bing's pages in a row: what is asked for, where it ends, and what is no result page."""

from itertools import islice, pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from facegan.core.errors import BlockedError
from pipeline.config import ScrapeConfig
from pipeline.gallery import tile
from pipeline.sources.bing import BingSource


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


def asked(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


FACE, PHOTO = "+filterui:face-face", "+filterui:photo-photo"


@pytest.mark.parametrize(
    ("options", "qft"),
    [
        ({}, FACE + PHOTO),
        ({"face": False}, PHOTO),
        ({"photo": False}, FACE),
        ({"portrait": True}, "+filterui:face-portrait" + PHOTO),
        ({"portrait": True, "face": False}, "+filterui:face-portrait" + PHOTO),
        ({"min_size_px": 32}, FACE + PHOTO),
        ({"min_size_px": 300}, FACE + PHOTO + "+filterui:imagesize-custom_300_300"),
        ({"license": "any"}, FACE + PHOTO),
        ({"license": "public"}, FACE + PHOTO + "+filterui:license-L1"),
        ({"license": "share"}, FACE + PHOTO + "+filterui:license-L2_L3_L4_L5_L6_L7"),
        ({"license": "share-commercially"}, FACE + PHOTO + "+filterui:license-L2_L3_L4"),
        ({"license": "modify"}, FACE + PHOTO + "+filterui:license-L2_L3_L5_L6"),
        ({"license": "modify-commercially"}, FACE + PHOTO + "+filterui:license-L2_L3"),
        ({"face": False, "photo": False}, None),
    ],
)
def test_filters_are_asked_for_on_every_page_and_recorded_with_every_result(options, qft):
    transport = Pages(tiles(1), tiles(2), "")
    results = list(bing(transport, **options).search("q"))
    assert [result.filters for result in results] == [qft, qft]
    assert [asked(url).get("qft") for url in transport.asked] == [qft] * 3
    assert {result.license for result in results} == {None}


def test_market_and_safe_search_are_asked_for_and_bings_own_words_in_english():
    transport = Pages(tiles(1), "")
    urls(transport, market="de-DE", safe_search="strict")
    for url in transport.asked:
        values = asked(url)
        assert (values["mkt"], values["setlang"], values["adlt"]) == ("de-DE", "en", "strict")


def test_query_of_any_script_is_asked_for_as_it_is():
    transport = Pages(tiles(1), "")
    query = "Künstler & 'ärtist' 100% +漢字#?"
    list(bing(transport).search(query))
    assert [asked(url)["q"] for url in transport.asked] == [query] * 2
    assert all(url.isascii() for url in transport.asked)


def test_page_that_names_the_next_one_is_followed_with_our_own_filters():
    following = (
        "/images/async?q=else&amp;first=45&amp;count=35&amp;relp=35&amp;adlt=off&amp;dgState=x*1"
    )
    transport = Pages(f'<div data-nexturl="{following}"></div>' + tiles(1), "")
    assert urls(transport, license="public") == ["1"]
    values = asked(transport.asked[1])
    assert (values["first"], values["relp"], values["dgState"]) == ("45", "35", "x*1")
    assert (values["q"], values["adlt"], values["mkt"]) == ("q", "moderate", "en-US")
    assert values["qft"].endswith("license-L1")


def test_search_ends_where_a_page_brings_nothing_new():
    assert urls(Pages(tiles(1, 2), tiles(2, 1))) == ["1", "2"]
    assert urls(Pages(tiles(1, 1, 2), tiles(2, 3), tiles(3))) == ["1", "2", "3"]


def test_address_that_stands_twice_on_a_page_has_its_first_place():
    ranks = {r.url[-1]: r.rank for r in bing(Pages(tiles(1, 1, 2), "")).search("q")}
    assert ranks == {"1": 0, "2": 2}


def test_page_that_leads_to_itself_ends():
    following = '<div data-nexturl="/images/async?q=q&amp;first=1"></div>'
    transport = Pages(following + tiles(1), following + tiles(1))
    assert urls(transport) == ["1"]
    assert transport.asked[1].startswith("https://www.bing.com/images/async?q=q&first=1&")


def test_page_is_asked_for_when_the_last_one_is_used_up():
    transport = Pages(tiles(1, 2), tiles(3))
    ranks = [result.rank for result in islice(bing(transport).search("q"), 2)]
    assert len(transport.asked) == 1
    assert all(after - before == 1 for before, after in pairwise(ranks))


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("", "refuses this address, or its pages have changed"),
        ("<h1>Welcome</h1>", "refuses this address, or its pages have changed"),
        ("<a class='tile' data-m='{}'></a>", "refuses this address, or its pages have changed"),
        ("<h1>One last step</h1>", "asks for a captcha"),
        ('<a class="iusc" m="{}"></a>', "none of its 1 tiles can be read"),
        ('{"error": 1}', "refuses this address, or its pages have changed"),
        ("lone \ud800", "refuses this address, or its pages have changed"),
    ],
)
def test_first_page_without_results_is_kept_and_told(tmp_path, page, why):
    with pytest.raises(
        BlockedError, match=rf"www\.bing\.com answers .*{why}.*bing\.html"
    ) as caught:
        list(bing(Pages(page), tmp_path / "answers").search("q"))
    assert (tmp_path / "answers" / "bing.html").read_bytes() == page.encode("utf-8", "replace")
    assert "facegan sources" in caught.value.hint


def test_search_that_finds_nothing_is_no_error(tmp_path):
    assert urls(Pages("<p>There are no results for <b>q</b></p>")) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("page", "why"),
    [("<h1>One last step</h1>", "captcha"), ('<a class="iusc" m="{}"></a>', "can be read")],
)
def test_captcha_or_change_in_the_middle_of_a_search_is_no_end(tmp_path, page, why):
    search = bing(Pages(tiles(1), page), tmp_path).search("q")
    assert next(search).url.endswith("1")
    with pytest.raises(BlockedError, match=why):
        next(search)


@pytest.mark.parametrize("page", ["", "<div></div>", "<p>There are no results for q</p>"])
def test_empty_page_after_the_first_is_the_end(page):
    assert urls(Pages(tiles(1, 2), page)) == ["1", "2"]
