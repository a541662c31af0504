"""Credits as Markdown and as CSV. Pure: what strangers wrote comes out as text alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from urllib.parse import quote

from pipeline.sources.text import address

LONGEST_SHOWN = 200
"""Letters of a title or a name on the page; credits.csv has them whole."""
ACTIVE = re.compile(r"[\\`*_\[\]|~#!$:@{}]|(?<=www)\.", re.IGNORECASE)
"""What Markdown, HTML or a viewer's own rules for links could read."""
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""Beginnings of a cell that a spreadsheet computes."""
INTRODUCTION = """\
# Credits

Who made the pictures ({images:,} of them), and what their sources said of the licence. What a
source says can be wrong: look at a picture's page before you publish it, or what was made of it.
Made by `facegan credits`; credits.csv beside it holds all that is known of each.
"""
UNKNOWN = """\
Nobody told what may be done with these. As a rule they are somebody's copyright: finding a picture
gives no right to it.
"""


@dataclass(frozen=True, slots=True)
class Credit:
    """One picture; its fields are the columns of credits.csv."""

    sha256: str
    """Of the original image."""
    title: str | None = None
    creator: str | None = None
    license: str | None = None
    license_url: str | None = None
    attribution: str | None = None
    source: str | None = None
    query: str | None = None
    filters: str | None = None
    page_url: str | None = None
    url: str | None = None
    fetched_at: str | None = None
    also_found_at: str | None = None
    """Other addresses that led to the same image, parted by blanks."""


def as_markdown(pictures: Sequence[Credit]) -> str:
    """A page, by licence; those of which none is known come first."""
    groups = by_licence(pictures)
    parts = [INTRODUCTION.format(images=len(pictures)), _contents(groups)]
    for licence, members in groups.items():
        parts.append(_head(licence, members))
        parts.append("".join(f"- {_entry(credit)}\n" for credit in members))
    return "\n".join(parts)


def as_csv(pictures: Iterable[Credit]) -> str:
    """A line for each image, under the names of the fields."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in fields(Credit))
    writer.writerows([defused(cell or "") for cell in astuple(credit)] for credit in pictures)
    return file.getvalue()


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula.

    >>> defused("=1+1"), defused("Ada")
    ("'=1+1", 'Ada')
    """
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def by_licence(pictures: Iterable[Credit]) -> dict[str, list[Credit]]:
    """By licence, the unknown ones first under an empty name, then by name."""
    groups: dict[str, list[Credit]] = {}
    for credit in pictures:
        groups.setdefault(credit.license or "", []).append(credit)
    return dict(sorted(groups.items(), key=lambda item: (item[0].casefold(), item[0])))


def plain(text: str) -> str:
    r"""Text in which nothing is active.

    >>> print(plain("[x](javascript:alert(1)) <b>"))
    \[x\](javascript\:alert(1)) &lt;b&gt;
    """
    short = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    escaped = ACTIVE.sub(r"\\\g<0>", short)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(name: str, url: str | None) -> str:
    r"""A link to a web address; anything else is shown and leads nowhere.

    >>> link("page", "https://a.example/a b>"), link("page", "file:///x")
    ('[page](<https://a.example/a%20b%3E>)', 'page file\\:///x')
    """
    if not url:
        return ""
    if address(url) is None:
        return f"{name} {plain(url)}"
    # Inside the brackets of a link's end nothing is left that Markdown reads, but entities.
    end = quote(url, safe="%/:?#[]@!$&'()*+,;=-._~", errors="replace").replace("&", "&amp;")
    return f"[{name}](<{end}>)"


def counted(count: int) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count:,} picture{'' if count == 1 else 's'}"


def _title(licence: str, members: Sequence[Credit]) -> str:
    if not licence:
        return f"{counted(len(members))} whose licence nobody told"
    return f"{plain(licence)}, {counted(len(members))}"


def _contents(groups: dict[str, list[Credit]]) -> str:
    return "".join(f"- {_title(licence, members)}\n" for licence, members in groups.items())


def _head(licence: str, members: Sequence[Credit]) -> str:
    title = f"## {_title(licence, members)}\n"
    if not licence:
        return f"{title}\n{UNKNOWN}"
    urls = {credit.license_url for credit in members}
    shared = link("the licence", urls.pop()) if len(urls) == 1 else ""
    return f"{title}\n{shared}\n" if shared else title


def _entry(credit: Credit) -> str:
    """One picture in a line."""
    made = f"“{plain(credit.title)}”" if credit.title else "untitled"
    made += f" by {plain(credit.creator)}" if credit.creator else ", creator not known"
    parts = [
        made,
        plain(credit.attribution) if credit.attribution else "",
        link("page", credit.page_url),
        link("picture", credit.url),
        link("licence", credit.license_url),
        f"found by {plain(credit.source)}" if credit.source else "",
        f"for “{plain(credit.query)}”" if credit.query else "",
        f"fetched {plain(credit.fetched_at)}" if credit.fetched_at else "",
        plain(credit.sha256[:12]),
    ]
    return ", ".join(filter(None, parts))
