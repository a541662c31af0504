"""Who made the pictures: what strangers wrote stays text, and nothing is left out."""

import csv
import json
import re
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, ShardError, WorkspaceError
from facegan.core.files import Workspace
from facegan.core.records import Outcome, SearchResult, Status
from facegan.core.shards import Entry, write_shards
from pipeline.config import ShardConfig
from pipeline.credits import FILES, write_credits
from pipeline.credits_text import Credit, as_csv, as_markdown
from pipeline.forget import forget
from pipeline.pack import pack
from tests.forget_helpers import crop, filled, hash_of, result

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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    twice = [
        result(2, "poet"),
        result(8, license=None, title="Again"),
        result(1, "poet", license=None),
    ]
    workspace = filled(tmp_path_factory.mktemp("made") / "data", results=twice)
    with Catalog(workspace.catalog) as catalog:
        # Two more addresses of the picture 0, of which nobody had told a licence.
        image = next(one for one in catalog.pending_images("x", "") if one.sha256 == hash_of(0))
        catalog.add_results([result(9, license="CC BY 4.0", title="Named")])
        for number in (8, 9):
            duplicate = Outcome(Status.REJECTED)
            catalog.record_fetch(result(number).url, duplicate, "config", image)
    pack(workspace, ShardConfig())
    return workspace


@pytest.fixture
def workspace(made, tmp_path):
    return Workspace(shutil.copytree(made.root, tmp_path / "data"))


def cells(folder):
    with (folder / FILES[1]).open(newline="") as file:
        return list(csv.DictReader(file))


def page(folder):
    return (folder / FILES[0]).read_text()


# what is told


def test_each_picture_is_told_once_with_all_that_is_known(workspace):
    report = write_credits(workspace)
    rows = {row["sha256"]: row for row in cells(workspace.root)}
    assert set(rows) == {hash_of(number) for number in range(4)}
    one = rows[hash_of(1)]
    assert one.pop("fetched_at").startswith("20")
    assert one == {
        "sha256": hash_of(1),
        "title": "Title-1",
        "creator": "Creator-1",
        "license": "CC0",
        "license_url": "",
        "attribution": "By-1",
        "source": "bing",
        "query": "artist",
        "filters": "",
        "page_url": "https://pages.example/1",
        "url": result(1).url,
        "also_found_at": "",
    }
    assert (report.images, report.unknown) == (4, 0)
    assert report.licences == (("CC0", 3), ("CC BY 4.0", 1))


def test_a_result_that_names_a_licence_stands_for_the_picture(workspace):
    write_credits(workspace)
    row = next(row for row in cells(workspace.root) if row["sha256"] == hash_of(0))
    assert (row["title"], row["license"], row["url"]) == ("Named", "CC BY 4.0", result(9).url)
    assert row["also_found_at"] == f"{result(0).url} {result(8).url}"


def test_unknown_licences_come_first_and_plainly(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE search_results SET license = NULL WHERE url = ?", (result(3).url,))
    assert write_credits(workspace).unknown == 1
    heads = re.findall("^## .*", page(workspace.root), re.MULTILINE)
    assert heads == [
        "## 1 picture whose licence nobody told",
        "## CC BY 4.0, 1 picture",
        "## CC0, 2 pictures",
    ]


def test_only_kept_faces_are_told_of_unless_all_are_asked_for(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog.record_faces(hash_of(2), [], Outcome(Status.REJECTED), "config")
    assert write_credits(workspace).images == 3
    assert write_credits(workspace, every=True).images == 4
    forget(hash_of(1), workspace)
    assert not (workspace.root / FILES[0]).exists()
    assert write_credits(workspace, every=True).images == 3
    assert "Title-1" not in page(workspace.root)


def test_shards_tell_the_same(workspace, tmp_path):
    write_credits(workspace)
    here = cells(workspace.root)
    report = write_credits(Workspace(tmp_path / "none"), shards=workspace.shards)
    assert report.folder == workspace.shards
    there = cells(workspace.shards)
    same = ("sha256", "title", "creator", "license", "attribution", "source", "page_url", "url")
    assert [[row[name] for name in same] for row in there] == [
        [row[name] for name in same] for row in here
    ]


def test_the_same_pictures_give_the_same_bytes(workspace, tmp_path):
    for name in ("a", "b"):
        write_credits(workspace, out=tmp_path / name)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_to_tell_of_is_said(tmp_path):
    with pytest.raises(WorkspaceError, match="no images"):
        write_credits(Workspace(tmp_path / "none"))
    empty = Workspace(tmp_path / "empty")
    empty.create()
    Catalog(empty.catalog).close()
    for every in (True, False):
        with pytest.raises(NothingProducedError):
            write_credits(empty, every=every)
    with pytest.raises(ShardError):
        write_credits(empty, shards=tmp_path)
    assert not (empty.root / FILES[0]).exists()


# strangers


def shards_of(folder, facts):
    """Shards that someone else has made."""
    entries = [Entry(f"k{n}", crop(n), each) for n, each in enumerate(facts)]
    return write_shards(folder, entries, image_size=32, config={})


def test_shards_of_others_may_tell_anything(tmp_path):
    facts = [
        {"origin": {"title": "=1+1", "license": ["x"], "url": 7, "creator": "a\ud800\0b"}},
        {"origin": "text", "image_sha256": {"a": 1}},
        {"origin": {"url": "javascript:alert(1)", "page_url": "file:///etc/passwd"}},
        {"file": "a/b.jpg"},
    ]
    entries = [json.loads(json.dumps(each).replace("\\ud800", "")) for each in facts]
    shards_of(tmp_path, entries)
    assert write_credits(Workspace(tmp_path / "none"), shards=tmp_path).unknown == 4
    titles = sorted(row["title"] for row in cells(tmp_path))
    assert titles == ["", "", "'=1+1", "a/b.jpg"]
    assert "](<javascript" not in page(tmp_path)
    assert "](<file" not in page(tmp_path)


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
    assert_inert(page(workspace.root))


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


def test_a_search_result_fills_its_columns():
    shared = set(SearchResult.__dataclass_fields__) & set(Credit.__dataclass_fields__)
    left = set(SearchResult.__dataclass_fields__) - shared
    assert left == {"rank", "width", "height"}
