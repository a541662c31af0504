"""CSV in which a stray quote costs one row, and not all rows up to the next quote."""

from __future__ import annotations

import csv
from collections.abc import Iterator

LONGEST_RECORD = 1024 * 1024
"""Letters of the lines of one record, but for the last."""
UNCLOSED = "a quote that does not end where a cell ends"
Line = tuple[int, str]
"""With its number in the file."""


def records(lines: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of each record, or what is wrong with it, with the number of its first line.

    A quote that stands where none should can swallow any number of lines. It costs its own: those
    after it are read again, each by itself and so once more only, but for the last, at which the
    reader noticed: with that the next record begins.
    """
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            (number, _), *others = feed.taken
            yield number, UNCLOSED if others else str(error)
            if others:
                feed.again = others.pop()
            yield from ((number, _alone(text, delimiter)) for number, text in others)
        else:
            yield feed.taken[0][0], cells


def _alone(line: str, delimiter: str) -> list[str] | str:
    """The cells of a line, or what is wrong with it."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return str(error)


class _Feed:
    """Lines for a csv.reader, which remembers those of the record that is being read."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self.taken: list[Line] = []
        self.again: Line | None = None
        """Comes before the others."""
        self._lines = lines
        self._letters = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if not self.taken:
            self._letters = 0
        elif self._letters > LONGEST_RECORD:
            raise csv.Error(UNCLOSED)
        line, self.again = self.again or next(self._lines), None
        self.taken.append(line)
        self._letters += len(line[1])
        return line[1]
