"""What there is to know of each source before it is used; the README's table is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.sources import SOURCES


@dataclass(frozen=True, slots=True)
class About:
    """One source. Each field is text for a line or a cell of a table."""

    name: str
    what: str
    """What is searched, and for what."""
    needs: str
    """Beside facegan itself."""
    licences: str
    """What a result tells of its licence."""
    limits: str
    """How much it gives, how fast."""
    terms: str
    """What its terms say of a program like this one."""


ABOUT = (
    About(
        "bing",
        "Bing's image search; faces and photographs are asked for",
        "the network",
        "none told: most of it is somebody's copyright; --license asks Bing for images whose"
        " licence it takes to allow that",
        "about 1,000 results a query",
        "Microsoft disallows automated requests in general",
    ),
    About(
        "commons",
        "Wikimedia Commons' media files: bitmaps",
        "the network, and a contact (--contact)",
        "of each file, with author and attribution; all of them free",
        "10,000 results a query; requests one after another, two downloads at once",
        "allowed to programs that name a contact and keep to the limits",
    ),
    About(
        "openverse",
        "Openverse: openly licensed images of many collections",
        "the network; an account is optional (OPENVERSE_CLIENT_ID, OPENVERSE_CLIENT_SECRET)",
        "of each image, with author and attribution; some forbid money or changes",
        "240 results a query and 200 requests a day without an account, more with one",
        "programs may search within the limits; scraping the catalogue is forbidden",
    ),
    About(
        "met",
        "the Metropolitan Museum's works in the public domain",
        "the network",
        "CC0 1.0, all of them",
        "one request a second, one for each work",
        "open access: any use is allowed",
    ),
    About(
        "urls",
        "a list of addresses: text, CSV, TSV, JSON Lines or Parquet (--list FILE)",
        "the network and your list; pyarrow for Parquet",
        "as your list's columns tell them",
        "those of the servers on the list, which --host-rate keeps",
        "those of the servers on the list",
    ),
    About(
        "folder",
        "pictures on your disk (--folder DIR)",
        "a directory",
        "yours to know",
        "none",
        "none",
    ),
    About(
        "portraits",
        "portraits that facegan draws: nobody is shown",
        "nothing",
        "CC0 1.0: free to use",
        "as many as you like",
        "none",
    ),
)
"""In the order of SOURCES."""

COLUMNS = ("what", "needs", "licences", "limits", "terms")


def markdown() -> str:
    """The table of the README."""
    rows = [("source", *COLUMNS), ("---",) * (1 + len(COLUMNS))]
    for about in ABOUT:
        name = f"`{about.name}`" + (" (default)" if about.name == SOURCES[0] else "")
        rows.append((name, *(getattr(about, column) for column in COLUMNS)))
    head, rule, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, rule.replace(" ", ""), *body]) + "\n"
