"""The page and the table: whatever strangers wrote, it is text there."""

import csv
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from facegan.core.catalog import Catalog
from pipeline.credits import FILES, write_credits
from pipeline.credits_text import Credit, as_csv, as_markdown
from tests.forget_helpers import filled

HOSTILE = (
    "[x](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<javascript:alert(1)>",
    "![x](http://evil.example/track.png)",
    "`</code><b>`",
    "# heading",
    "- list\n# heading\n\n<script>",
    "a|b",
    "www.evil.example",
    "&lt;b&gt;",
    "[x]: javascript:alert(1)",
    "$x$ ~~y~~ **z** __w__",
)
LINK = re.compile('<a href="https?://[^"]*">(page|picture|licence|the licence)</a>', re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(tmp_path, text):
    workspace = filled(tmp_path / "data", count=1)
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all(
            "UPDATE search_results SET title = :t, creator = :t, license = :t, attribution = :t,"
            " query = :t, source = :t, page_url = :t, license_url = :t",
            {"t": text},
        )
    write_credits(workspace)
    assert_inert((workspace.root / FILES[0]).read_text())


def assert_inert(markdown):
    """Rendered, it holds nothing but our headings, lists and links."""
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)
    assert set(re.findall("<([^ />]+)", html)) <= {"h1", "h2", "p", "ul", "li", "a", "code"}
    assert re.findall("<code>.*?</code>", html) == ["<code>facegan credits</code>"]
    assert re.findall("<h1>.*?</h1>", html) == ["<h1>Credits</h1>"]
    links = re.findall("<a [^>]*>[^<]*</a>", html)
    assert all(LINK.fullmatch(link) for link in links), links
    # Of the text a viewer could make links, too.
    escaped = re.sub(r"\\[^a-z0-9\s]", "", re.sub(r"\(<.*?>\)", "", markdown))
    assert not re.search(r"://|javascript:|www\.", escaped, re.IGNORECASE)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30))
def test_any_text_is_text(title, url, licence):
    def line(text):
        return " ".join(text.encode("utf-8", "replace").decode().split())

    credit = Credit("a" * 64, title=line(title), license=line(licence) or None, url=line(url))
    assert_inert(as_markdown([replace(credit, other_licenses=line(url))]))
    assert_inert(as_markdown([replace(credit, page_url=f"https://a.example/{url}")]))
    assert_inert(as_markdown([credit]))
    (row,) = csv.DictReader(as_csv([credit]).splitlines(keepends=True))
    assert row["title"].removeprefix("'") == line(title).removeprefix("'")
    assert not row["title"].startswith(("=", "+", "-", "@"))


def test_addresses_lead_where_they_led():
    url = "https://a.example/a (1)/b>c.jpg?x=1&copy=2&y=%20é"
    text = as_markdown([Credit("a" * 64, url=url)])
    assert "[picture](<https://a.example/a%20(1)/b%3Ec.jpg?x=1&amp;copy=2&amp;y=%20%C3%A9>)" in text


def test_long_titles_are_cut_on_the_page_alone():
    credit = Credit("a" * 64, title="x" * 2000)
    assert "x" * 201 not in as_markdown([credit])
    assert "x" * 2000 in as_csv([credit])


def lines(*pictures):
    return [line for line in as_markdown(pictures).splitlines() if line.endswith("aaaa")]


LICENCE = "https://l.example/by"
ONE = Credit("a" * 64, "A hat: 12:30", "Ada", "CC BY", LICENCE, fetched_at="2026-11-21")


def test_what_a_source_wants_to_see_stands_alone():
    wanted = (
        f"“A hat” by Ada is licensed under CC BY. To view a copy of this license, visit {LICENCE}."
    )
    credit = replace(ONE, attribution=wanted, url="https://a.example/x.jpg", query="hats")
    told = "- “A hat” by Ada is licensed under CC BY, [picture](<https://a.example/x.jpg>), "
    assert lines(credit) == [told + "a" * 12]
    assert lines(replace(credit, attribution="Ada.", url=None)) == ["- Ada, aaaaaaaaaaaa"]


def test_a_picture_without_such_a_line_is_told_by_title_and_creator():
    assert lines(ONE) == ["- “A hat: 12:30” by Ada, aaaaaaaaaaaa"]


def test_a_licence_is_linked_once_where_its_pictures_share_it():
    other = replace(ONE, license_url=None)
    assert as_markdown([ONE, other]).count(f"](<{LICENCE}>)") == 1
    third = replace(ONE, license_url=f"{LICENCE}/deed")
    assert as_markdown([ONE, ONE, third]).count(f"[licence](<{LICENCE}>)") == 2


def test_an_attribution_that_names_one_licence_of_several_is_left_out():
    one = Credit("a" * 64, "Hats", "Ada", "CC0", source="bing")
    one = replace(one, attribution="Hats by Ada is marked with CC0 1.0.")
    assert lines(one) == ["- Hats by Ada is marked with CC0 1.0, aaaaaaaaaaaa"]
    (line,) = lines(replace(one, other_licenses="CC BY (openverse)"))
    assert line == "- “Hats” by Ada, CC0 (bing), other sources say: CC BY (openverse), aaaaaaaaaaaa"


def test_a_long_attribution_is_whole():
    assert "x" * 1500 in as_markdown([replace(ONE, attribution="x" * 1500)])
