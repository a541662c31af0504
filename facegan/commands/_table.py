"""Numbers and tables as text."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence

from facegan.core.records import Tally


def tally_text(tally: Tally) -> str:
    """A tally in one line, the commonest reasons first.

    >>> tally_text(Tally(3, {"no_face": 2}, {"timeout": 1}))
    'kept 3, rejected 2 (no_face 2), failed 1 (timeout 1)'
    """
    parts = [f"kept {tally.kept}"]
    for name, reasons in (("rejected", tally.rejected), ("failed", tally.failed)):
        if reasons:
            parts.append(f"{name} {sum(reasons.values())} ({_reasons(reasons)})")
    return ", ".join(parts)


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in ordered)


def bytes_text(count: float) -> str:
    """A size for people.

    >>> bytes_text(3 * 2**20)
    '3.0 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(3725)
    '1 h 2 min'
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return (
        f"{minutes} min {seconds % 60:.0f} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60} min"
    )


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Rows of cells, lined up: the columns `left` to the left, the others to the right.

    >>> columns([("a", "12"), ("long", "3")])
    ['  a     12', '  long   3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def wrapped(text: str, indent: str = "    ") -> list[str]:
    """Lines that fit a terminal, the later ones indented; one line where nobody looks."""
    if not sys.stdout.isatty():
        return [text]
    return textwrap.wrap(
        text,
        max(40, shutil.get_terminal_size().columns),
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,  # a path is to be copied
    )
