"""Lists of addresses in every form that people have them in, and damaged ones."""

import builtins
import contextlib
import csv
import json
import tracemalloc

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from facegan.core.errors import MissingDependencyError, SourceError
from facegan.core.records import Reason, SearchResult
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.sources import csv_records, tables
from pipeline.sources.urls import UrlsSource
from tests.servers import pictures

A, B = "https://a.example/a,b.jpg?x=1%20y", "http://b.example/b.png"
FULL = {
    "url": A,
    "page_url": "https://a.example/page",
    "title": "Ada, at work",
    "creator": "Ada",
    "license": "CC0",
    "license_url": "https://c.example/0",
    "attribution": "Ada, CC0",
    "width": 640,
    "height": 480,
}
RESULT = SearchResult(query="mine", source="urls", rank=0, **FULL)
CSV = f"""{",".join(FULL)}
"{A}",https://a.example/page,"Ada, at work",Ada,CC0,https://c.example/0,"Ada, CC0",640,480
"""


def found(path, data, column="url", name=None):
    """What a list of these bytes gives."""
    path = path / (name or "list.txt")
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    config = ScrapeConfig("mine", source="urls", list_file=path, url_column=column)
    return list(UrlsSource(config, None).search("mine"))


def urls(*args, **options):
    return [result.url for result in found(*args, **options)]


# text


def test_text_holds_an_address_a_line_and_remarks(tmp_path):
    text = f"\ufeff# mine\n\n  {A}  \r\n#{B}\n{B}\r{B}"
    results = found(tmp_path, text)
    assert [result.url for result in results] == [A, B, B]
    assert [result.rank for result in results] == [0, 1, 2]
    assert {(result.query, result.source) for result in results} == {("mine", "urls")}


@pytest.mark.parametrize("name", ["list", "list.urls", "list.csv.txt"])
def test_text_needs_no_name_of_its_own(tmp_path, name):
    assert urls(tmp_path, f"{A}\n{B}", name=name) == [A, B]


def test_what_is_no_address_is_a_result_that_no_fetch_accepts(tmp_path):
    lines = ["nonsense", "ftp://a.example/x", "file:///etc/passwd", "http://a\0b", "javascript:a()"]
    results = found(tmp_path, "\n".join([*lines, A]))
    assert len(results) == 6
    with Transport(ScrapeConfig("mine")) as transport:
        source = UrlsSource(ScrapeConfig("mine"), transport)
        for result in results[:5]:
            assert source.fetch(result).reason in {Reason.BAD_ADDRESS}, result


def test_bytes_of_another_encoding_are_sent_as_they_stand(tmp_path):
    assert urls(tmp_path, b"https://a.example/caf\xe9.jpg\n") == ["https://a.example/caf%E9.jpg"]
    assert urls(tmp_path, "https://a.example/café.jpg") == ["https://a.example/café.jpg"]
    assert urls(tmp_path, f"url\tn\n{A}\t1\n".encode("utf-16")) == [A]
    assert urls(tmp_path, A.encode("utf-16")) == [A]
    with pytest.raises(SourceError, match="cannot read"):
        urls(tmp_path, A.encode("utf-16")[:-1])


def test_a_line_of_ten_megabytes_costs_one_result(tmp_path):
    assert len(huge := urls(tmp_path, f"{A}\n{'x' * 10_000_000}\n{B}\n")) == 3
    assert (huge[0], len(huge[1]), huge[2]) == (A, 2000, B)
    for cell in ("x" * 10_000_000, '"' + "x" * 10_000_000 + '"', "y" * 200_000):
        some = urls(tmp_path, f"url,title\n{B},a\n{B},{cell}\n{B},b\n", name="list.csv")
        assert (len(some), some[0], some[2]) == (3, B, B)


def test_an_empty_list_is_said_to_hold_no_address(tmp_path):
    for name in ("list.txt", "list.jsonl", "list.csv"):
        for data in (b"", b" \n"):
            with pytest.raises(SourceError, match=r"holds no address$"):
                urls(tmp_path, data, name=name)


# columns


@pytest.mark.parametrize("name", ["list.csv", "list.txt", "list"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "# a remark\n"])
def test_csv_tells_what_its_columns_hold(tmp_path, name, mark):
    assert found(tmp_path, mark + CSV, name=name) == [RESULT]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_usual_delimiter_will_do(tmp_path, delimiter):
    lines = [("n", "link"), ("1", B), ("2", B)]
    text = "".join(delimiter.join(cells) + "\r\n" for cells in lines)
    assert urls(tmp_path, text, column="link", name="list.csv") == [B, B]


def test_json_lines_tell_the_same(tmp_path):
    broken = ["{", "[]", "7", "", "[" * 100_000, '{"title": 3}', json.dumps({"url": ["x"]})]
    results = found(tmp_path, "\n".join([json.dumps(FULL), *broken, json.dumps({"url": B})]))
    assert results[0] == RESULT
    assert results[-1].url == B
    assert len(results) == 8
    assert all(not result.url.startswith("http") for result in results[1:-1])
    with pytest.raises(SourceError, match="one JSON object a line"):
        found(tmp_path, json.dumps([FULL]), name="list.json")


def test_parquet_tells_the_same(tmp_path):
    path = tmp_path / "list.bin"
    columns = {name: [value, None] for name, value in FULL.items()}
    parquet.write_table(pyarrow.table(columns | {"vector": [[1.0], None]}), path)
    config = ScrapeConfig("mine", source="urls", list_file=path)
    first, second = UrlsSource(config, None).search("mine")
    assert first == RESULT
    assert second == SearchResult("(row 2 holds no address)", "mine", "urls", 1)


def test_the_names_of_img2dataset_are_known(tmp_path):
    text = f"URL,TEXT,WIDTH,HEIGHT,LICENSE\n{B},a cat,640.0,none,?\n"
    (result,) = found(tmp_path, text)
    assert result == SearchResult(B, "mine", "urls", 0, title="a cat", width=640)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", f"link,title\n{B},x"),
        ("list.tsv", f"link\ttitle\n{B}\tx"),
        ("list.jsonl", json.dumps({"link": B, "title": "x"})),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path, name, text):
    with pytest.raises(
        SourceError, match="no column 'url'; its columns are 'link', 'title'"
    ) as why:
        urls(tmp_path, text, name=name)
    assert "--url-column" in why.value.hint
    assert urls(tmp_path, text, column="link", name=name) == [B]


def test_a_column_that_text_does_not_have_is_missed_too(tmp_path):
    with pytest.raises(SourceError, match="no column 'link'; its columns are none"):
        urls(tmp_path, B, column="link")


def test_a_single_column_needs_no_quotes(tmp_path):
    assert urls(tmp_path, f'url\n{A}\n"{A}"\n', name="list.csv") == [A, A]


def test_strange_cells_are_cleaned_and_strange_rows_are_told(tmp_path):
    text = (
        f'url,title,width,page_url\n{B},"two\nlines \0\x1b[31m",1e999,javascript:x\n'
        f"\n,,,\nshort\n{B},a,1,http://b.example,more,cells\n"
    )
    results = found(tmp_path, text, name="list.csv")
    assert [result.url for result in results] == [B, "(line 5 holds no address)", "short", B]
    assert results[0] == SearchResult(B, "mine", "urls", 0, title="two lines \ufffd[31m")
    assert results[3].page_url == "http://b.example"


@pytest.mark.parametrize("count", [3, 1000, 9000])
@pytest.mark.parametrize("end", ["", f'{B},"two\nlines"\n', f'{B},"7 inch'])
def test_a_stray_quote_costs_its_own_row_alone(tmp_path, count, end):
    rows = [f"{B},x\n"] * count
    rows[2] = f'{A.replace(",", "")},"5 inch\n'
    results = urls(tmp_path, "".join(["url,title\n", *rows, end]), name="list.csv")
    strays = [url for url in results if url != B]
    assert strays[0].startswith("(line 4: ")
    assert len(strays) == 1 + end.endswith("inch")
    assert results.count(B) == count - 1 + end.endswith('"\n')
    assert results[2] == strays[0]


def test_rows_after_remarks_are_told_by_their_line_in_the_file(tmp_path):
    text = f'# mine\n\nurl,title\n{B},"5" inch\n"{B}"\n'
    results = urls(tmp_path, text, name="list.csv")
    assert results == ["(line 4: ',' expected after '\"')", B]


def test_quotes_that_never_match_cost_no_more_than_their_lines(monkeypatch):
    monkeypatch.setattr(csv_records, "LONGEST_RECORD", 4000)
    real, given = csv.reader, []
    monkeypatch.setattr(
        csv, "reader", lambda lines, **options: real(map(noted(given), lines), **options)
    )
    lines = [(number, 'a","x\n') for number in range(20_000)]
    found = list(csv_records.records(iter(lines), ","))
    assert [number for number, _ in found] == list(range(20_000))
    assert len(given) < 2.1 * len(lines)


def noted(given):
    """A function that gives back what it is given, and writes that down."""
    return lambda line: given.append(line) or line


def test_an_address_with_a_password_is_refused_and_kept_nowhere(tmp_path):
    private = "https://ada:pa55@a.example/x.jpg"
    rows = [f"{url},{private},{private},x\n" for url in (private, B)]
    text = "".join(["url,page_url,license_url,title\n", *rows])
    first, second = found(tmp_path, text, name="list.csv")
    assert first.url == "(line 2: an address with a name or a password is not for everybody)"
    assert (second.url, second.page_url) == (B, "https://a.example/x.jpg")
    assert "pa55" not in repr((first, second))
    alone, _ = found(tmp_path, f"{private}\n{B}\n")
    assert alone.url.startswith("(line 1: an address with")
    with Transport(ScrapeConfig("mine")) as transport:
        outcome = UrlsSource(ScrapeConfig("mine"), transport).fetch(first)
    assert outcome.reason == Reason.BAD_ADDRESS
    assert "with a name or a password" in outcome.detail


# what is no list


def test_files_that_are_no_lists_are_refused_in_words(tmp_path):
    for head, words in ((b"\x1f\x8b..", "gzip"), (b"PK\x03\x04", "zip"), (b"PAR1 no", "cannot")):
        with pytest.raises(SourceError, match=words):
            urls(tmp_path, head)
    config = ScrapeConfig("mine", source="urls", list_file=tmp_path / "gone")
    with pytest.raises(SourceError, match="No such file"):
        list(UrlsSource(config, None).search("mine"))


def test_without_pyarrow_parquet_names_the_package(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="Parquet") as caught:
        urls(tmp_path, b"PAR1")
    assert caught.value.hint == "pip install 'facegan[parquet]'"


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"", b"url,a\n", b"{", b"PAR1", b'"', b"\xff\xfe"]),
)
def test_any_bytes_give_results_or_a_source_error(tmp_path_factory, data, head):
    folder = tmp_path_factory.mktemp("any")
    for name in ("list.txt", "list.csv"):
        try:
            results = found(folder, head + data, name=name)
        except SourceError:
            continue
        for result in results:
            assert result.url
            result.url.encode()


def test_a_damaged_parquet_is_a_source_error(tmp_path):
    path = tmp_path / "good"
    parquet.write_table(pyarrow.table({"url": [B] * 100, "title": ["x"] * 100}), path)
    good = path.read_bytes()
    for at in range(4, len(good), 37):
        damaged = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        with contextlib.suppress(SourceError):
            assert len(urls(tmp_path, damaged)) <= 100


# size, and the whole way


@pytest.mark.parametrize("kind", ["csv", "txt", "parquet"])
def test_memory_does_not_grow_with_the_list(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_ROWS", 100)
    peaks = []
    for count in (2500, 6000):
        path = tmp_path / f"{count}.{kind}"
        lines = [f"https://a.example/{number:06}.jpg" for number in range(count)]
        if kind == "parquet":
            parquet.write_table(pyarrow.table({"url": lines}), path, row_group_size=500)
        else:
            path.write_text("\n".join(["url" if kind == "csv" else "#", *lines]))
        source = UrlsSource(ScrapeConfig("mine", source="urls", list_file=path), None)
        assert next(iter(source.search("mine"))).url == lines[0]  # imports come first
        tracemalloc.start()
        assert sum(1 for _ in source.search("mine")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000


def test_what_a_list_names_is_fetched(tmp_path):
    with Gallery(pictures(2)) as gallery:
        names = [gallery.address(name) for name in pictures(2)]
        path = tmp_path / "list.txt"
        path.write_text("\n".join(names))
        config = ScrapeConfig(
            "mine", source="urls", list_file=path, allow_hosts=(gallery.host,), robots_txt=False
        )
        with Transport(config) as transport:
            source = UrlsSource(config, transport)
            fetched = [source.fetch(result) for result in source.search("mine")]
    assert [type(one) for one in fetched] == [Fetched, Fetched]
    assert [one.data for one in fetched] == list(pictures(2).values())
