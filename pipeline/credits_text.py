"""Credits as Markdown and as CSV. Pure: what strangers wrote comes out as text alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from urllib.parse import quote

from facegan.core.counted import counted
from pipeline.sources.text import LONGEST, address

LONGEST_SHOWN = 200
"""Letters of a title or a name on the page; credits.csv has them whole."""
ACTIVE = re.compile(r"[\\`*_\[\]|~#!$@{}]|(?<!\d):(?=\S)|:(?=[^\s\d])|(?<=www)\.", re.IGNORECASE)
"""What Markdown, HTML or a viewer's own rules for links could read."""
TO_VIEW = re.compile(r"\s*To view a copy of this licen[cs]e, visit \S+$", re.IGNORECASE)
"""The end of an attribution whose licence is linked anyway."""
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
FROM_A_FOLDER = """\
They were read from a folder: whoever put them there knows what may be done with them.
"""
DISAGREEING = """\
Of each, several licences were told. Look at its pages before you go by one of them.
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
    other_licenses: str | None = None
    """Where its sources disagree: what else was told, and by which of them, parted by `; `."""
    attribution: str | None = None
    source: str | None = None
    query: str | None = None
    filters: str | None = None
    page_url: str | None = None
    url: str | None = None
    fetched_at: str | None = None
    also_found_at: str | None = None
    """Other addresses that led to the same image, parted by blanks."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Pictures by what is known of their licence; each is in one place."""

    unknown: tuple[Credit, ...]
    from_a_folder: tuple[Credit, ...]
    """Unknown, too; nobody found these."""
    disagreeing: tuple[Credit, ...]
    known: dict[str, tuple[Credit, ...]]
    """By the sources' own words, in the order of the alphabet."""

    def sections(self) -> Iterator[tuple[str, str, Sequence[Credit], str | None]]:
        """Title, what is to be said, members, and the licence's address where they share one.

        The unclear ones come first.
        """
        unclear = (
            (" whose licence nobody told", UNKNOWN, self.unknown),
            (" from a folder", FROM_A_FOLDER, self.from_a_folder),
            (" whose sources disagree", DISAGREEING, self.disagreeing),
        )
        for title, text, members in unclear:
            if members:
                yield counted(len(members), "picture") + title, text, members, None
        for licence, members in self.known.items():
            urls = {credit.license_url for credit in members} - {None}
            shared = urls.pop() if len(urls) == 1 else None
            title = f"{plain(licence)}, {counted(len(members), 'picture')}"
            yield title, f"{link('the licence', shared)}\n" if shared else "", members, shared


def grouped(pictures: Iterable[Credit]) -> Groups:
    """Part pictures by what is known of their licence."""
    found: dict[str, list[Credit]] = {}
    disagreeing: list[Credit] = []
    for credit in pictures:
        is_clear = not credit.other_licenses
        (found.setdefault(credit.license or "", []) if is_clear else disagreeing).append(credit)
    unknown = found.pop("", [])
    names = sorted(found, key=lambda name: (name.casefold(), name))
    return Groups(
        tuple(credit for credit in unknown if credit.source != "folder"),
        tuple(credit for credit in unknown if credit.source == "folder"),
        tuple(disagreeing),
        {name: tuple(found[name]) for name in names},
    )


def as_markdown(pictures: Sequence[Credit]) -> str:
    """A page, by licence; those of which none is known come first."""
    sections = list(grouped(pictures).sections())
    contents = "".join(f"- {title}\n" for title, *_ in sections)
    parts = [INTRODUCTION.format(images=len(pictures)), contents]
    for title, text, members, shared in sections:
        parts.append(f"## {title}\n" + (f"\n{text}" if text else ""))
        parts.append("".join(f"- {_entry(credit, shared)}\n" for credit in members))
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


def plain(text: str, longest: int = LONGEST_SHOWN) -> str:
    r"""Text in which nothing is active, cut to so many letters.

    >>> print(plain("[x](javascript:alert(1)) <b>"))
    \[x\](javascript\:alert(1)) &lt;b&gt;
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
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


def _entry(credit: Credit, shared: str | None) -> str:
    """One picture in a line; `shared` is the licence's address that its heading leads to."""
    parts = [
        _made(credit),
        _told(credit) if credit.other_licenses else "",
        link("page", credit.page_url),
        link("picture", credit.url) if credit.url != credit.page_url else "",
        link("licence", credit.license_url) if credit.license_url != shared else "",
        plain(credit.sha256[:12]),
    ]
    return ", ".join(filter(None, parts))


def _made(credit: Credit) -> str:
    """The line that the source wants to see; else what it is called, and by whom it was made.

    That line names a licence: where the sources disagree it would take sides.
    """
    wanted = "" if credit.other_licenses else (credit.attribution or "").rstrip(". ")
    if wanted := TO_VIEW.sub("", wanted).rstrip(". ") if credit.license_url else wanted:
        return plain(wanted, LONGEST)
    made = f"“{plain(credit.title)}”" if credit.title else "untitled"
    return made + (f" by {plain(credit.creator)}" if credit.creator else ", creator not known")


def _told(credit: Credit) -> str:
    """All that was said of a licence on which the sources disagree."""
    first = f"{plain(credit.license or '')} ({plain(credit.source or 'unknown')})"
    others = plain(credit.other_licenses or "", LONGEST)
    return f"{first}, other sources say: {others}"
