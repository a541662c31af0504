"""What strangers write into an answer, as text that a catalog, a page and a terminal can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

LONGEST = 2000
"""Letters of a text."""
LONGEST_ADDRESS = 8000
"""Letters of an address; servers take no more."""
LONGEST_HTML = 10_000
"""Letters of a piece of HTML that are read."""

UNSHOWABLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls, but for white space
    r"\u202a-\u202e\u2066-\u2069"  # they turn the direction of what follows
    r"\ud800-\udfff\ufeff\ufffe\uffff]"  # halves of characters, and what is none
)
BLOCKS = frozenset({"br", "p", "div", "li", "tr", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4"})
# The parser reads a tag without an end again from each "<" in it: minutes for some hostile 100 kB.
# This ends whatever is open, in or between quotes or in a comment, and shows nothing.
ENDS = """<i a='"' b="'"><!---->"""
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def showable(value: object) -> str | None:
    r"""A string without NUL, control characters and halves of characters; None if it is empty.

    White space within it stays: an address can have some.

    >>> showable(" a\0  b "), showable(3)
    ('a  b', None)
    """
    return UNSHOWABLE.sub("", value).strip() or None if isinstance(value, str) else None


def clean(value: object) -> str | None:
    r"""One line of plain text, 2,000 letters at most; None where there is none.

    >>> clean(" An\n\tartist\0 "), clean(" "), clean(["a"])
    ('An artist', None, None)
    """
    text = showable(value)
    return " ".join(text.split())[:LONGEST].rstrip() if text else None


def parse(html: str) -> BeautifulSoup | None:
    """A page or a piece of one, within a `div`; None where the parser gives up."""
    from bs4 import BeautifulSoup  # 0.1 s, for which no list of addresses is to wait
    from bs4.exceptions import ParserRejectedMarkup

    try:
        # Inside an element, no text looks like a file name or like XML, of which bs4 would warn.
        return BeautifulSoup(f"<div>{html}{ENDS}", "html.parser")
    except ParserRejectedMarkup:
        return None


def plain(html: object) -> str | None:
    """The text of a piece of HTML, cleaned; what it hides is left out.

    >>> plain('<a href="/ada">Ada</a>, <i>x</i> &amp; y<br>z')
    'Ada, x & y z'
    """
    if not isinstance(html, str):
        return None
    soup = parse(html[:LONGEST_HTML])
    if soup is None:
        return clean(html)
    for element in soup.find_all(["script", "style"]) + soup.find_all(style=HIDDEN):
        element.extract()
    return clean("".join(_texts(soup)))


def _texts(soup: BeautifulSoup) -> Iterator[str]:
    """The texts in their order, with a space where a block begins or ends.

    In one pass: bs4 looks through all of an element's siblings to put something beside it.
    """
    from bs4.element import CData, NavigableString, Tag

    around: list[Tag] = [soup]
    for element in soup.descendants:
        while around[-1] is not element.parent:
            yield " " if around.pop().name in BLOCKS else ""
        if isinstance(element, Tag):
            around.append(element)
            yield " " if element.name in BLOCKS else ""
        elif type(element) in {NavigableString, CData}:  # no comment, nor what declares something
            yield str(element)


def address(value: object, base: str = "") -> str | None:
    """An absolute http or https address, its percent-encoding as it came; else None.

    Args:
        value: anything.
        base: address of what it stands in, for one that is relative.

    >>> address("HTTPS://a.example/b%20c"), address("//a.example/b", "https://b.example/c")
    ('HTTPS://a.example/b%20c', 'https://a.example/b')
    >>> address("javascript:alert(1)"), address("/b")
    (None, None)
    """
    text = value.strip() if isinstance(value, str) else ""
    # urlsplit takes line ends for nothing, and so hides them.
    if not text or len(text) > LONGEST_ADDRESS or UNSHOWABLE.search(text) or not _is_line(text):
        return None
    try:
        if base and not urlsplit(text).scheme:
            text = urljoin(base, text)
        parts = urlsplit(text)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return text if is_web else None


def _is_line(text: str) -> bool:
    return text.splitlines() == [text] and "\t" not in text
