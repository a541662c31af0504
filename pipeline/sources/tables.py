"""Lists as rows: text, CSV, TSV, JSON Lines and Parquet, read a piece at a time.

What a file is decides its content; its name decides where the content leaves that open. Text is
UTF-8, or UTF-16 where it begins with that mark; bytes that are neither arrive as Python's
`surrogateescape` reads them.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, TextIO

from facegan.core.errors import MissingDependencyError, SourceError
from pipeline.sources.csv_records import Line, records

HEAD_BYTES = 64 * 1024
"""What is looked at to tell what a file is."""
LONGEST_LINE = 1024 * 1024
LONGEST_KEPT = 4096
"""Letters: of a line that is longer than LONGEST_LINE, only so many are kept."""
BATCH_ROWS = 4096
DELIMITERS = ",\t;"
PACKED = {
    b"\x1f\x8b": ("gzip", "unpack it first: gunzip"),
    b"PK\x03\x04": ("a zip or an office document", "save it as CSV first"),
    b"\xd0\xcf\x11\xe0": ("an office document", "save it as CSV first"),
    b"SQLite format 3\0": ("a database", "save the table as CSV first"),
}
"""First bytes of what people name by mistake."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line or record."""

    place: str
    """For people: `line 7`."""
    values: Mapping[str, object]
    """By the column's name; text without columns stands under an empty one."""
    problem: str | None = None
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class Table:
    """A list that can be read."""

    columns: tuple[str, ...] | None
    """None for text."""
    read: Callable[[Collection[str]], Iterator[Row]]
    """The rows, with those columns at least; once only."""


def open_table(path: Path, column: str) -> Table:
    """Find out what a file is and get ready to read it.

    Args:
        path: the list.
        column: name of the column of addresses; tells CSV from text where the file's name does not.

    Raises:
        MissingDependencyError: it is Parquet, and pyarrow is not installed.
        SourceError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if head.startswith(b"PAR1"):
        return _parquet(path)
    for start, (what, hint) in PACKED.items():
        if head.startswith(start):
            raise SourceError(f"{path} is {what}, not a list of addresses", hint=hint)
    return _text_table(path, head, column) if head.strip() else _table(None, iter(()))


def _text_table(path: Path, head: bytes, column: str) -> Table:
    encoding = _encoding(head)
    first = _first_line(head.decode(encoding, "replace"))
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson", ".json"} or first.startswith("{"):
        return _json_lines(path, encoding)
    delimiter = _delimiter(first, column)
    if delimiter is None and suffix in {".csv", ".tsv"}:
        delimiter = "\t" if suffix == ".tsv" else max(DELIMITERS, key=first.count)
    if delimiter is None:
        lines = _numbered(path, encoding)
        return _table(None, (Row(f"line {number}", {"": text}) for number, text in lines))
    return _delimited(path, encoding, delimiter)


def _table(columns: tuple[str, ...] | None, rows: Iterator[Row]) -> Table:
    """One that reads all columns, whatever is asked for."""
    return Table(columns, lambda _: rows)


def _encoding(head: bytes) -> str:
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if utf16 else "utf-8-sig"


def _first_line(text: str) -> str:
    """The first that says something."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _delimiter(line: str, column: str) -> str | None:
    """What parts the names in a header; None where the column of addresses is not among them."""
    wanted = column.strip().casefold()
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line[:LONGEST_KEPT]], delimiter=delimiter), [])
        if wanted in (cell.strip().casefold() for cell in cells):
            return delimiter
    return None


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines with their ends, NULs replaced; of a line without an end only the beginning."""
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE and not line.endswith(("\r", "\n")):
                    _skip_line(file)
                    # Without the quotes, of which the closing one may be cut off.
                    line = line[:LONGEST_KEPT].replace('"', "") + "…\n"
                yield line.replace("\0", "\ufffd")
    except (OSError, UnicodeError) as error:  # UTF-16 can break off within a character
        raise _unreadable(path, str(error)) from error


def _skip_line(file: TextIO) -> None:
    while (piece := file.readline(LONGEST_LINE)) and not piece.endswith(("\r", "\n")):
        pass


def _numbered(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a text that are no remarks and not empty."""
    for number, line in enumerate(_lines(path, encoding), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


def _delimited(path: Path, encoding: str, delimiter: str) -> Table:
    found = records(_without_remarks(_lines(path, encoding)), delimiter)
    _, header = next(found, (0, []))
    if isinstance(header, str):
        raise _unreadable(path, f"its first line: {header}")
    columns = tuple(name.strip() for name in header)
    return _table(columns, _rows(found, columns, delimiter))


def _without_remarks(lines: Iterator[str]) -> Iterator[Line]:
    """From the header on, numbered."""
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line
            break
    yield from numbered


def _rows(
    found: Iterable[tuple[int, list[str] | str]], columns: Sequence[str], delimiter: str
) -> Iterator[Row]:
    for number, cells in found:
        place = f"line {number}"
        if isinstance(cells, str):
            yield Row(place, {}, f"({place}: {cells})")
            continue
        # A single column is written without quotes, as nothing had to be parted.
        values = [delimiter.join(cells)] if len(columns) == 1 else cells
        if values:
            yield Row(place, dict(zip(columns, values, strict=False)))


def _json_lines(path: Path, encoding: str) -> Table:
    rows = _objects(path, encoding)
    first = next(rows, None)
    if first is None or first.problem:
        raise _unreadable(path, "one JSON object a line is expected")
    return _table(tuple(first.values), chain([first], rows))


def _objects(path: Path, encoding: str) -> Iterator[Row]:
    for number, text in _numbered(path, encoding):
        place = f"line {number}"
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield Row(place, value)
        else:
            yield Row(place, {}, f"({place} is no JSON object: {text[:80]})")


def _parquet(path: Path) -> Table:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError(
            f"{path} is Parquet, and pyarrow is not installed",
            hint="pip install 'facegan[parquet]'",
        ) from error

    def read(wanted: Collection[str]) -> Iterator[Row]:
        place = count(1)
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted), use_threads=False):
                    cells = [_cells(batch.column(name)) for name in wanted]
                    for values in zip(*cells, strict=True):
                        yield Row(f"row {next(place)}", dict(zip(wanted, values, strict=True)))
        except (arrow.ArrowException, OSError, ValueError, LookupError) as error:
            raise _unreadable(path, str(error)) from error

    try:
        with parquet.ParquetFile(path) as file:
            return Table(tuple(file.schema_arrow.names), read)
    except (arrow.ArrowException, OSError, ValueError, LookupError) as error:
        raise _unreadable(path, str(error)) from error


def _cells(column: Any) -> list[object]:
    """A column of a batch as Python's objects; bytes become text."""
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:  # text by its type, but not UTF-8
        values = column.cast("binary").to_pylist()
    return [
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        for value in values
    ]


def _unreadable(path: Path, why: str) -> SourceError:
    return SourceError(f"cannot read {path}: {why}", hint="name another one: --list FILE")
