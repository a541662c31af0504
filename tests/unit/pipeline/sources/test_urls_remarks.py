"""What whoever wrote a list of addresses is told of it."""

import pytest

from facegan.core.errors import SourceError
from facegan.core.events import Note
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.scrape import scrape
from pipeline.sources.urls import UrlsSource
from tests import servers

A = "https://a.example/a.jpg"


def remarks(path, text, name="list.txt"):
    """Without the list's name."""
    path = path / name
    path.write_text(text)
    source = UrlsSource(ScrapeConfig("mine", source="urls", list_file=path), None)
    assert list(source.search("mine"))
    assert all(remark.startswith(f"{path}: ") for remark in source.remarks)
    return [remark.removeprefix(f"{path}: ") for remark in source.remarks]


def test_the_first_three_rows_without_an_address_are_told_with_their_line(tmp_path):
    lines = [A, "www.a.example/b.jpg", "# a remark", "ftp://a.example/c", "x", "y", "z"]
    assert remarks(tmp_path, "\n".join(lines)) == [
        "line 2: www.a.example/b.jpg has no http://",
        "line 4: ftp://a.example/c is no http or https address",
        "line 5: x has no http://",
    ]
    text = f"url,title\n{A},x\n,\nhttps://ada:pa55@a.example/x.jpg,x\n"
    assert remarks(tmp_path, text, "list.csv") == [
        "line 3 holds no address",
        "line 4: an address with a name or a password is not for everybody",
    ]


def test_columns_that_are_not_understood_are_told_once(tmp_path):
    text = f"url,Künstler,caption,Lizenz\n{A},x,y,z\n{A},x,y,z\n"
    (remark,) = remarks(tmp_path, text, "list.csv")
    assert remark == "read: url, caption; not understood: Künstler, Lizenz"


def test_a_list_that_is_understood_needs_no_remark(tmp_path):
    assert remarks(tmp_path, f"{A}\n{A}") == []
    assert remarks(tmp_path, f"URL,title,\n{A},x,\n", "list.csv") == []


def test_of_many_columns_some_are_named(tmp_path):
    names = ",".join(f"c{number}" for number in range(50))
    (remark,) = remarks(tmp_path, f"url,{names}\n{A}\n", "list.csv")
    assert remark.endswith("c18, c19 and 30 more")


def test_first_line_that_holds_an_address_does_not_name_the_columns(tmp_path):
    with pytest.raises(SourceError, match="the first line must name the columns") as caught:
        remarks(tmp_path, f"{A},x\n{A},y\n", "list.csv")
    assert "url,title" in caught.value.hint


def test_list_without_an_address_is_an_error_that_names_its_first_line(tmp_path):
    with pytest.raises(SourceError, match=r"no address: line 1: www\.a\.example has no http"):
        remarks(tmp_path, "www.a.example\nnonsense")


def test_remarks_are_heard_by_whoever_listens_to_the_scrape(tmp_path):
    events = []
    path = tmp_path / "list.txt"
    with Gallery(servers.pictures(1)) as gallery:
        path.write_text(f"nonsense\n{gallery.address('0000.jpg')}\n")
        own = {"allow_hosts": (gallery.host,), "robots_txt": False}
        config = ScrapeConfig("mine", source="urls", list_file=path, **own)
        report = scrape(config, Workspace(tmp_path / "data"), listener=events.append)
    assert report.images == 1
    assert events.count(Note("scrape", f"{path}: line 1: nonsense has no http://", True)) == 1
