"""`facegan scrape`: a search term -> images with their provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import BYTES, COUNT


@facegan_command(
    "scrape",
    examples=(
        'facegan scrape "artist"',
        'facegan scrape "painter portrait" --limit 300',
        'facegan scrape "family" --source folder --folder ~/Pictures',
    ),
    dry_run=True,
    stops_softly=True,
)
@click.argument("query")
@option("--limit", type=COUNT, default=1000, group="Search", help="Images to keep for the query.")
@option("--source", default="bing", group="Search", help="bing, folder or portraits.")
@option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=None, group="Search",
    help="Directory of the source folder.",
)  # fmt: skip
@option("--seed", type=int, default=0, group="Search", help="Of the source portraits.")
@option("--market", default="en-US", group="Search", help="Language and country of the search.")
@option(
    "--only-faces/--any-pictures", default=True, group="Search", help="Ask the search for faces."
)
@option(
    "--base-url", default=None, metavar="URL", group="Search",
    help="Ask another server that answers as the source does.",
)  # fmt: skip
@option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST[:PORT]", group="Safety",
    help="Let this server have a private address; may be given more than once.",
)  # fmt: skip
@option("--max-bytes", type=BYTES, default="20MiB", group="Safety", help="Of one file.")
@option("--max-pixels", type=COUNT, default="100m", group="Safety", help="Of one image.")
@option("--min-size-px", type=int, default=32, group="Safety", help="Of its shorter side.")
@option("--workers", type=int, default=16, group="Network", help="Downloads at the same time.")
@option("--timeout-s", type=float, default=10.0, group="Network", help="For each answer.")
@option("--deadline-s", type=float, default=60.0, group="Network", help="For one image in all.")
@option("--retries", type=int, default=2, group="Network", help="After errors that may pass.")
@option(
    "--contact", default=None, envvar="FACEGAN_CONTACT", show_envvar=True, group="Network",
    help="Mail or page in the User-Agent, for server owners.",
)  # fmt: skip
def command(session: Session, query: str, **settings: Any) -> Result:
    """Gather images for QUERY, each with the address and page that it came from.

    Running it again fetches only what is missing. Bing tells no licence: most of what it finds is
    somebody's copyright, and faces are personal data; what you may do with them is yours to know.
    """
    from facegan.commands._table import bytes_text, seconds_text, tally_text
    from pipeline.config import ScrapeConfig

    config = ScrapeConfig(query=query, **settings).validate()
    if session.dry_run:
        return _plan(session, config)
    from pipeline.scrape import scrape

    report = scrape(
        config, session.workspace, listener=session.listener, should_stop=session.should_stop
    )
    tried = tally_text(report.tally) if report.tally.total else "nothing new"
    lines = (
        f"{tried}; {report.results} new results in "
        f"{seconds_text(report.seconds)}, {bytes_text(report.new_bytes)}",
        f'{report.images} images for "{query}" in {session.workspace.images}',
    )
    following = session.again if report.stopped else session.flag("facegan crop")
    return Result(report.as_dict(), lines, following, interrupted=report.stopped)


def _plan(session: Session, config: Any) -> Result:
    from facegan.core.catalog import Catalog

    have = waiting = 0
    if session.workspace.catalog.exists():
        with Catalog(session.workspace.catalog) as catalog:
            have = catalog.count_images(config.query, config.source)
            pending = catalog.pending_results(config.query, config.source, config.config_hash())
            waiting = len(pending)
    missing = max(0, config.limit - have)
    line = (
        f"would fetch up to {missing} images for {config.query!r} from {config.source}: "
        f"{have} of {config.limit} are there, {waiting} known addresses wait"
    )
    data = {"have": have, "waiting": waiting, "missing": missing, "settings": config.to_dict()}
    return Result(data, (line,))
