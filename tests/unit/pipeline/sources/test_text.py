import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.answers import keep
from pipeline.sources.text import LONGEST, address, clean, plain, showable

ANYTHING = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
    st.binary(),
    st.text(st.characters(), max_size=50),
    st.text("<>/a!-[]&;#x0 \n\0\ud800\u202e'\"=", max_size=50),
)


@given(ANYTHING)
def test_text_is_one_line_that_utf_8_can_hold_whatever_came(value):
    for read in (clean, plain):
        text = read(value)
        assert text is None or (text and " ".join(text.split()) == text)
        assert text is None or "\0" not in text.encode().decode()
    found = showable(value), address(value), address(value, "https://a.example/b/c")
    assert all(text is None or text.encode() for text in found)


@given(ANYTHING)
def test_what_is_no_string_is_no_text(value):
    if not isinstance(value, str):
        assert clean(value) is plain(value) is address(value) is showable(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x00b", "ab"),
        ("a \x1b[31mred", "a [31mred"),
        ("a\ud83db", "ab"),
        ("a \x00 b", "a b"),
        ("line\r\nline\x0b\u2028line\xa0end", "line line line end"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200dwidth joiners are letters' own", "zero\u200dwidth joiners are letters' own"),
        ("Zoë, 漢字 \U0001f600", "Zoë, 漢字 \U0001f600"),
        ("\0\x01", None),
    ],
)
def test_control_characters_are_taken_out_and_white_space_is_joined(value, text):
    assert clean(value) == text


def test_text_is_cut():
    assert clean("ab " * 10_000) == ("ab " * 10_000)[:LONGEST].rstrip()
    assert len(plain("<b>" + "a" * 100_000)) == LONGEST


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="//a.example/User:Ada" title="User:Ada">Ada</a>', "Ada"),
        ("<b>Ada</b>&nbsp;&amp; Ben.<br/>Own work", "Ada & Ben. Own work"),
        ("<ul><li>Ada</li><li>Ben</li></ul>", "Ada Ben"),
        ("<p>Ada</p><p>Ben</p>", "Ada Ben"),
        ("Ada<p>Ben</p>Cy", "Ada Ben Cy"),
        ("<div><div>Ada</div></div>Ben<td>Cy<td>Dee", "Ada Ben Cy Dee"),
        ("A<b>d</b>a<br>Ben<p></p>Cy", "Ada Ben Cy"),
        ("<![CDATA[Ada]]> Ben", "Ada Ben"),
        ('Unknown<span style="display: none;">Unknown</span>', "Unknown"),
        ('a<span style="display:none"><b style="display:none">b</b></span>c', "ac"),
        ("Ada<script>alert(1)</script><style>b{}</style>", "Ada"),
        ("a < b and c > d", "a < b and c > d"),
        ("&lt;b&gt;", "<b>"),
        ("picture.jpg", "picture.jpg"),
        ("https://a.example/b", "https://a.example/b"),
        ("<?xml version='1.0'?><a>b</a>", "b"),
        ("<!-- a --> ", None),
        ("", None),
    ],
)
def test_text_of_html(html, text):
    assert plain(html) == text


@pytest.mark.parametrize("html", ["<![a", "<![if IE", "<!DOCTYPE", "<div", "&#xD800;", "&#0;x"])
def test_broken_html_is_text_or_nothing(html):
    assert plain(html) is None or plain(html).encode()


@pytest.mark.parametrize("piece", ["<b>", "<", "<!--", "<a href=", "&", "</", "<![CDATA["])
def test_hostile_html_takes_no_time(piece):
    began = time.process_time()
    plain(piece * 2_000_000)
    assert time.process_time() - began < 2


def lines_run(work):
    """How many lines of Python a call takes: the same on a machine that is busy."""
    count = 0

    def note(_frame, event, _arg):
        nonlocal count
        count += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", ["<p>", "<td>", "<br>", "<p>a</p>", "<li>a", "<b>"])
def test_work_grows_with_the_html_and_not_with_its_square(piece):
    plain(piece)
    few, many = (lines_run(lambda n=n: plain(piece * n)) for n in (200, 800))
    assert few > 200
    assert many < 6 * few


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/b%20c%2Fd?e=%26#f",
        "https://a.example/ä ö/漢.jpg",
        "http://127.0.0.1:8000/b",
        "https://[::1]/b",
        "http://a.example",
        "https://a.example/it's",
        "http://a.example/b/../c//d?",
    ],
)
def test_address_stays_as_it_came(url):
    assert address(url) == address(f" {url}\n") == url
    assert address(url, "https://b.example/c") == address(url, "http://b.example/c") == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/b",
        "file:///etc/passwd",
        "data:image/png;base64,AA",
        "javascript:alert(1)",
        "a.example/b",
        "//a.example/b",
        "https://",
        "https:///b",
        "http://[",
        "http://a.example:99999/",
        "http://a.example:0/",
        "http://a.example:x/",
        "http://a.example/\nb",
        "http://a.example/\tb",
        "http://a.example/\0b",
        "http://a.example/\ud800",
        "http://a.example/" + "b" * 10_000,
    ],
)
def test_what_is_no_web_address(url):
    assert address(url) is None


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("/d", "https://a.example/d"),
        ("d?e", "https://a.example/b/d?e"),
        ("//c.example/d", "https://c.example/d"),
        ("javascript:x", None),
        ("//[", None),
    ],
)
def test_relative_address_is_made_whole(url, whole):
    assert address(url, "https://a.example/b/c") == whole


def test_answer_is_kept_byte_for_byte_and_the_one_before_goes(tmp_path):
    folder = tmp_path / "deep" / "answers"
    assert keep(folder, "a.json", b"\xff\0") == folder / "a.json"
    assert (folder / "a.json").read_bytes() == b"\xff\0"
    keep(folder, "a.json", "Zoë \ud800")
    assert (folder / "a.json").read_text() == "Zoë ?"
    assert [path.name for path in folder.iterdir()] == ["a.json"]
