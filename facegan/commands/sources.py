"""`facegan sources`: what there is to search, and whether it still answers as expected."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.core.events import Advanced, Finished, Started

if TYPE_CHECKING:
    from pipeline.sources.check import SourceCheck

CHECK = "check"


@facegan_command(
    "sources",
    examples=("facegan sources", "facegan sources check", "facegan sources check bing commons"),
)
@click.argument("words", nargs=-1, metavar="[check [SOURCE]...]")
@option(
    "--contact", default=None, envvar="FACEGAN_CONTACT", show_envvar=True, group="Network",
    help="Mail or page in the User-Agent, for server owners.",
)  # fmt: skip
@option("--proxy", default=None, metavar="URL", group="Network", help="Ask through this proxy.")
@option("--timeout-s", type=float, default=10.0, group="Network", help="For each answer.")
@option(
    "--base-url", default=None, metavar="URL", group="Network",
    help="Ask another server that answers as the source does; for one SOURCE.",
)  # fmt: skip
@option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST[:PORT]", group="Network",
    help="Let this server have a private address; may be given more than once.",
)  # fmt: skip
def command(session: Session, words: tuple[str, ...], **settings: Any) -> Result:
    """List the sources of `facegan scrape`: what each offers, needs, tells of licences and allows.

    A source's name alone shows that one.

    With `check`, ask each (or those named) one small question, fetch no image, and say whether
    its answers still have the shape that facegan expects. Ends with exit code 4 if one has not.
    """
    from pipeline.sources import SOURCES

    if set(words) <= set(SOURCES):
        return _list(words)
    from pipeline.config import ScrapeConfig
    from pipeline.sources.check import QUERY, check

    names = _names(words, settings["base_url"])
    configs = [ScrapeConfig(QUERY, source=n, retries=1, **settings).validate() for n in names]
    answers, checks = session.workspace.root / "answers", []
    session.listener(Started(CHECK, len(configs), "source"))
    for config in configs:
        checks.append(check(config, answers))
        session.listener(Advanced(CHECK, len(checks)))
    session.listener(Finished(CHECK))
    lines = [line for done in checks for line in _lines(done)]
    bad = [done.source for done in checks if not done.ok]
    lines.append(
        f"{len(bad)} of {len(checks)} sources do not answer as expected: {', '.join(bad)}"
        if bad
        else f"{len(checks)} of {len(checks)} sources answer as expected"
    )
    data = {"checks": [done.as_dict() for done in checks]}
    return Result(data, tuple(lines), exit_code=4 if bad else 0)


def _names(words: tuple[str, ...], base_url: str | None) -> tuple[str, ...]:
    """The sources to ask.

    Raises:
        UsageError: another word than `check`, or a source that nobody can ask.
    """
    from facegan.core.settings import nearest
    from pipeline.sources import SOURCES
    from pipeline.sources.check import CHECKED

    if words[0] != CHECK:
        near = nearest(words[0], (CHECK, *SOURCES)) or CHECK
        text = f"'{words[0]}' is nothing to do with sources. Did you mean '{near}'?"
        raise click.UsageError(text)
    names = tuple(dict.fromkeys(words[1:])) or CHECKED
    for name in names:
        if name not in CHECKED:
            guess = nearest(name, CHECKED)
            meant = f" Did you mean '{guess}'?" if guess else f" There are {', '.join(CHECKED)}."
            raise click.UsageError(f"'{name}' is no source that can be asked.{meant}")
    if base_url and len(names) > 1:
        raise click.UsageError("--base-url is for one SOURCE: name it after 'check'")
    return names


def _list(names: Collection[str]) -> Result:
    """All sources, or those that are named."""
    from dataclasses import asdict

    from facegan.commands._table import wrapped
    from pipeline.sources.about import ABOUT, COLUMNS

    lines = []
    shown = [about for about in ABOUT if not names or about.name in names]
    for about in shown:
        lines.append(about.name)
        for column in COLUMNS:
            lines += wrapped(f"  {column:<9} {getattr(about, column)}", " " * 12)
    data = {"sources": [asdict(about) for about in shown]}
    return Result(data, tuple(lines), "facegan sources check")


def _lines(done: SourceCheck) -> list[str]:
    from facegan.commands._table import wrapped

    took = f"{done.results} results in {done.ms / 1000:.1f} s"
    if done.ok:
        return [f"ok  {done.source}: {took}"]
    lines = wrapped(f"--  {done.source}: {done.problem} ({took})")
    return lines + (wrapped(f"    hint: {done.hint}") if done.hint else [])
