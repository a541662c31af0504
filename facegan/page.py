"""A figure laid out in pixels from its top left corner, with text that is measured and fits.

Text may hold anything, such as a folder's name: `$` begins no formula, and what the font cannot
show becomes a box instead of a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

DPI = 100
INK, GREY, PALE = "#222222", "#666666", "#DDDDDD"

_BOX = "\N{WHITE SQUARE}"
_DOTS = "\N{HORIZONTAL ELLIPSIS}"


def new(width: int, height: int) -> Figure:
    """An empty white page of so many pixels."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes whose frame takes this rectangle, in pixels."""
    across, down = figure.get_size_inches() * DPI
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def write(
    figure: Figure,
    x: float,
    baseline: float,
    text: str,
    size: float = 11,
    colour: str = INK,
    *,
    align: str = "left",
    bold: bool = False,
) -> None:
    """A line of text at this place, in pixels; `size` in points.

    Args:
        figure: by `new`.
        x: where it begins, ends or has its middle, by `align`.
        baseline: on which the letters stand.
        text: any; see the module.
        size: of the letters.
        colour: of the letters.
        align: `left`, `right` or `center`.
        bold: heavy letters.
    """
    across, down = figure.get_size_inches() * DPI
    figure.text(
        x / across, 1 - baseline / down, printable(text, bold=bold), size=size, color=colour,
        ha=align, va="baseline", weight="bold" if bold else "normal", parse_math=False,
    )  # fmt: skip


def printable(text: str, *, bold: bool = False) -> str:
    r"""The text on one line, a box for each character that the font lacks.

    >>> printable("cost: $5 \n per face")
    'cost: $5 per face'
    """
    weight = "bold" if bold else "normal"
    known = _letters(findfont(FontProperties(weight=weight)))
    return "".join(letter if ord(letter) in known else _BOX for letter in " ".join(text.split()))


def measured(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line of text, in pixels."""
    weight = "bold" if bold else "normal"
    drawn = FontProperties(size=size, weight=weight)
    shown = printable(text, bold=bold)
    width, _, _ = _renderer().get_text_width_height_descent(shown, drawn, ismath=False)
    return float(width)


@cache
def _letters(font: str) -> frozenset[int]:
    """The code points that a font's file has a glyph for."""
    return frozenset(get_font(font).get_charmap())


@cache
def _renderer() -> Any:
    """The one that text is drawn with, here only to measure."""
    make: Any = RendererAgg
    return make(1, 1, DPI)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, its middle cut out where it is wider than `room` pixels.

    >>> fitted("short", 100, 11)
    'short'
    """
    if measured(text, size, bold=bold) <= room:
        return text
    kept, above = 1, len(text)
    while above - kept > 1:
        middle = (kept + above) // 2
        if measured(_cut(text, middle), size, bold=bold) <= room:
            kept = middle
        else:
            above = middle
    return _cut(text, kept)


def _cut(text: str, kept: int) -> str:
    """So many letters of it, from both ends."""
    return text[: (kept + 1) // 2] + _DOTS + text[len(text) - kept // 2 :]


def wrapped(text: str, room: float, size: float) -> list[str]:
    """The text in lines of at most `room` pixels, broken between words but not before a `%`."""
    lines: list[str] = []
    for word in " ".join(text.split()).replace(" %", "\N{NO-BREAK SPACE}%").split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measured(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, room, size))
    return lines


def told(
    sentences: Sequence[str], room: float, size: float, most: int, rest: str = _DOTS
) -> list[str]:
    """Sentences in at most `most` lines; where they need more, the last one is `rest`.

    Each begins with a capital letter and ends with a full stop, and on a line of its own.
    """
    whole = [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in sentences]
    lines = [line for text in whole for line in wrapped(text, room, size)]
    if len(lines) <= most:
        return lines
    return [*lines[: max(most - 1, 0)], rest][:most]
