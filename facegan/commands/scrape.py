"""`facegan scrape`: search terms -> images with their provenance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facegan.commands._scrape_words import (
    name_of_the_folder,
    one_query,
    refuse_what_does_not_fit,
    search_terms,
)
from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import BYTES, COUNT, NAMES
from facegan.core.counted import counted
from facegan.core.errors import SourceError

if TYPE_CHECKING:
    from pipeline.config import ScrapeConfig
    from pipeline.scrape import ScrapeReport


@facegan_command(
    "scrape",
    examples=(
        'facegan scrape "artist"',
        'facegan scrape "painter portrait" --source commons,openverse,met --limit 300',
        "facegan scrape --queries artists.txt --license public --min-size 400",
        'facegan scrape "mine" --source urls --list addresses.csv',
        'facegan scrape "family" --source folder --folder ~/Pictures',
    ),
    dry_run=True,
    stops_softly=True,
)
@click.argument("words", nargs=-1, metavar="[QUERY]")
@option(
    "--queries", type=click.Path(path_type=Path, dir_okay=False), default=None,
    group="Search", help="File with one search term a line, # for remarks.",
)  # fmt: skip
@option(
    "--source", type=NAMES, default="bing", group="Search",
    help="One or more with commas: bing, commons, openverse, met, urls, folder, portraits.",
)  # fmt: skip
@option(
    "--limit", type=COUNT, default=1000, group="Search",
    help="Images to keep for each search term from each source.",
)  # fmt: skip
@option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=None, group="Search",
    help="Directory of the source folder; its name is QUERY where that is left away.",
)  # fmt: skip
@option(
    "--list", type=click.Path(path_type=Path, dir_okay=False), default=None,
    group="Search", help="Addresses of the source urls: text, CSV or Parquet.",
)  # fmt: skip
@option("--url-column", default="url", group="Search", help="Of CSV or Parquet: the addresses.")
@option("--seed", type=int, default=0, group="Search", help="Of the source portraits.")
@option(
    "--base-url", default=None, metavar="URL", group="Search",
    help="Ask another server that answers as the source does.",
)  # fmt: skip
@option("--face/--any-pictures", default=True, group="Filters", help="Ask for faces alone.")
@option("--portrait", is_flag=True, group="Filters", help="Ask for head and shoulders instead.")
@option("--photo/--any-kind", default=True, group="Filters", help="Ask for photographs alone.")
@option(
    "--min-size", type=int, default=32, metavar="PX", group="Filters",
    help="Of the shorter side; asked for where the source can, then judged.",
)  # fmt: skip
@option(
    "--license", default="any", group="Filters",
    help="any, public, share, share-commercially, modify or modify-commercially; images that are"
    " here stay and count.",
)  # fmt: skip
@option("--market", default="en-US", group="Filters", help="Language and country of the search.")
@option("--safe-search", default="moderate", group="Filters", help="strict, moderate or off.")
@option(
    "--contact", default=None, envvar="FACEGAN_CONTACT", show_envvar=True, group="Manners",
    help="Mail or page in the User-Agent, for server owners.",
)  # fmt: skip
@option(
    "--opt-outs/--ignore-opt-outs", default=True, group="Manners",
    help="Honour X-Robots-Tag (noai, noindex, …) and TDM reservations.",
)  # fmt: skip
@option(
    "--robots-txt/--ignore-robots-txt", default=True, group="Manners",
    help="Honour the robots.txt of image hosts.",
)  # fmt: skip
@option("--host-connections", type=int, default=6, group="Manners", help="Most to one host.")
@option(
    "--host-rate", type=float, default=10.0, group="Manners",
    help="Most requests a second to one host; 0 for no bound.",
)  # fmt: skip
@option("--workers", type=int, default=16, group="Network", help="Downloads at the same time.")
@option("--timeout-s", type=float, default=10.0, group="Network", help="For each answer.")
@option("--deadline-s", type=float, default=60.0, group="Network", help="For one image in all.")
@option("--retries", type=int, default=2, group="Network", help="After errors that may pass.")
@option("--max-redirects", type=int, default=5, group="Network", help="On the way to an image.")
@option(
    "--proxy", default=None, metavar="URL", group="Network",
    help="Go through it; addresses are then checked by the proxy alone.",
)  # fmt: skip
@option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST[:PORT]", group="Safety",
    help="Your own server: may have a private address, needs no manners; may be repeated.",
)  # fmt: skip
@option("--max-bytes", type=BYTES, default="20MiB", group="Safety", help="Of one file.")
@option("--max-pixels", type=COUNT, default="100m", group="Safety", help="Of one image.")
def command(
    session: Session,
    words: tuple[str, ...],
    queries: Path | None,
    source: tuple[str, ...],
    **settings: Any,
) -> Result:
    """Gather images for QUERY, each with the page, title, creator and licence that its source told.

    Running it again fetches only what is missing. Bing tells no licence: most of what it finds is
    somebody's copyright, and faces are personal data; what you may do with them is yours to know.
    `facegan sources` compares the sources.
    """
    from pipeline.config import ScrapeConfig

    query = one_query(words, source)
    if query is None and queries is None:
        query = name_of_the_folder(source, settings["folder"])
    terms = search_terms(query, queries)
    refuse_what_does_not_fit(terms[0], source, settings)
    settings |= {"list_file": settings.pop("list"), "min_size_px": settings.pop("min_size")}
    configs = [
        ScrapeConfig(query=term, source=name, **settings).validate()
        for term in terms
        for name in source
    ]
    if session.dry_run:
        return _plan(session, configs)
    from pipeline.scrape import scrape_all

    _warn(session, configs)
    reports = scrape_all(
        configs, session.workspace, listener=session.listener, should_stop=session.should_stop
    )
    stopped = any(report.stopped for report in reports) or len(reports) < len(configs)
    following = session.again if stopped else session.flag(_cropping(session))
    code = SourceError.exit_code if any(report.failed for report in reports) else 0
    return Result(_data(reports), _lines(session, reports), following, stopped, code)


def _cropping(session: Session) -> str:
    """The last `facegan crop` once more, with its settings; the plain one where there was none."""
    from facegan.core.catalog import Catalog
    from facegan.core.funnel import crop_again

    with Catalog(session.workspace.catalog) as catalog:
        return crop_again(catalog) or "facegan crop"


def _warn(session: Session, configs: Sequence[ScrapeConfig]) -> None:
    from facegan.core.events import Note

    texts = []
    if proxy := configs[0].proxy:
        text = f"{proxy} connects for facegan: which addresses are private only it can tell"
        texts.append(text)
    if any(c.source == "commons" and not c.contact and not c.base_url for c in configs):
        texts.append("Wikimedia asks programs for a contact: set FACEGAN_CONTACT to an address")
    for text in texts:
        session.listener(Note("scrape", text, warning=True))


def _data(reports: Sequence[ScrapeReport]) -> dict[str, Any]:
    """Each search by itself; one alone also at the top, of several the sums."""
    searches = [report.as_dict() for report in reports]
    if len(searches) == 1:
        return searches[0] | {"searches": searches}
    names = ("results", "new_bytes", "seconds")
    sums = {name: sum(search[name] for search in searches) for name in names}
    return sums | {"searches": searches}


def _lines(session: Session, reports: Sequence[ScrapeReport]) -> tuple[str, ...]:
    from facegan.commands._table import bytes_text, columns, seconds_text

    if len(reports) == 1:
        return _lines_of_one(session, reports[0])
    numbers = ("images", "of", "new", "rejected", "failed", "size", "time")
    head = ("query", "source", *numbers, "ended")
    rows = [
        (
            report.query,
            report.source,
            str(report.images),
            str(report.limit),
            str(report.tally.kept),
            str(sum(report.tally.rejected.values())),
            str(sum(report.tally.failed.values())),
            bytes_text(report.new_bytes),
            seconds_text(report.seconds),
            report.trouble or ("no more" if report.ended else _more(report)),
        )
        for report in reports
    ]
    new = sum(report.tally.kept for report in reports)
    return (
        *columns([head, *rows], left=(0, 1, len(head) - 1)),
        f"{counted(new, 'new image')} in {session.workspace.images}",
    )


def _lines_of_one(session: Session, report: ScrapeReport) -> tuple[str, ...]:
    from facegan.commands._table import bytes_text, seconds_text, tally_text

    tried = tally_text(report.tally) if report.tally.total else "nothing new"
    gone = f", {report.forgotten} forgotten" if report.forgotten else ""
    spent = f"{seconds_text(report.seconds)}, {bytes_text(report.new_bytes)}"
    images = f'{counted(report.images, "image")} for "{report.query}"'
    lines = [
        f"{tried}{gone}; {counted(report.results, 'new result')} in {spent}",
        f"{images} in {session.workspace.images}",
    ]
    if report.ended:
        asked = f"{report.images} of the {report.limit} asked for"
        lines.append(f"{report.source} has no more: {asked}")
    if more := _more(report):
        lines.append(f"{report.source} has {more} takes {'it' if report.left == 1 else 'them'}")
    return tuple(lines)


def _more(report: ScrapeReport) -> str:
    """`100 more: --limit 1100`, where the limit has left so many."""
    return f"{report.left:,} more: --limit {report.next_limit}" if report.left else ""


def _plan(session: Session, configs: Sequence[ScrapeConfig]) -> Result:
    from facegan.core.catalog import Catalog

    plans = []
    for config in configs:
        have = waiting = 0
        if session.workspace.catalog.exists():
            with Catalog(session.workspace.catalog) as catalog:
                have = catalog.count_images(config.query, config.source)
                waiting = catalog.count_pending(config.query, config.source, config.config_hash())
        missing = max(0, config.limit - have)
        plans.append(
            {"have": have, "waiting": waiting, "missing": missing, "settings": config.to_dict()}
        )
    lines = tuple(
        f"would fetch up to {plan['missing']} images for {config.query!r} from {config.source}: "
        f"{plan['have']} of {config.limit} are there, {plan['waiting']} known addresses wait"
        for plan, config in zip(plans, configs, strict=True)
    )
    return Result((plans[0] if len(plans) == 1 else {}) | {"searches": plans}, lines)
