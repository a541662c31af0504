"""`facegan forget`: pictures and all that came from them, out for good."""

from __future__ import annotations

import sys
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command


@facegan_command(
    "forget",
    examples=(
        "facegan forget https://example.org/ada.jpg",
        "facegan forget example.org --dry-run",
        "facegan forget 4f2a0c11 --yes",
        'facegan forget "some artist" --as query',
    ),
    dry_run=True,
)
@click.argument("what", metavar="URL|SHA256|HOST|QUERY")
@option(
    "--as", "kind", type=click.Choice(("url", "sha256", "host", "query")), default=None,
    help="What it is.  [default: told by its shape]",
)  # fmt: skip
@option("--all", "every", is_flag=True, help="Of a query: also what another query has found.")
@option("--yes", is_flag=True, help="Don't ask; needed where there is no terminal.")
def command(session: Session, what: str, kind: str | None, every: bool, yes: bool) -> Result:
    """Take pictures out, with their faces, and keep them from coming back.

    WHAT is the address of a picture or of the page it stood on, a host (with those below it), the
    SHA-256 of an image or a face (8 digits of it may do), or what was searched for. The files go,
    the shards are packed anew, and no later `facegan scrape` fetches those addresses or keeps those
    bytes; `--as host` bars a host of which nothing is here yet. Runs that were trained with them
    are named: their models have still seen them.
    """
    from facegan.ledger import sync_runs
    from pipeline.forget import forget, plan_forget

    if session.workspace.catalog.exists():
        sync_runs(session.workspace)
    plan = plan_forget(what, session.workspace, kind=kind, every=every)
    if session.dry_run:
        return Result(plan.as_dict(), _planned(plan, "would forget"))
    if not yes and not _agreed(session, plan):
        return Result(plan.as_dict() | {"forgotten": False}, ("nothing was changed",))
    report = forget(what, session.workspace, kind=kind, every=every, listener=session.listener)
    return _result(session, report)


def _agreed(session: Session, plan: Any) -> bool:
    """Ask on a terminal, and nowhere else.

    Raises:
        ConfigError: there is no terminal.
    """
    from facegan.core.errors import ConfigError

    if session.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        images, faces = _count(plan.images, "image"), _count(plan.faces, "face")
        raise ConfigError(
            f"this deletes {images} and {faces} for good: it needs a yes",
            hint="look with --dry-run, then say --yes",
        )
    for line in _planned(plan, "will forget"):
        click.echo(line, err=True)
    return click.confirm("go on?", err=True)


def _planned(plan: Any, verb: str) -> tuple[str, ...]:
    return (f"{verb} {_what(plan)}; {_count(plan.addresses, 'address')}", *_beside(plan))


def _what(plan: Any) -> str:
    images, faces = _count(plan.images, "image"), _count(plan.faces, "face")
    return f"{plan.target.kind} {plan.target.value}: {images} with {faces}"


def _count(count: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('s') else 's'}"


def _beside(plan: Any) -> list[str]:
    """What stays, and the runs."""
    lines = []
    if plan.staying:
        lines.append(
            f"{_count(plan.staying, 'image')} of it stay: another search term has led there too"
            " (--all takes that)"
        )
    if plan.trained:
        lines.append(f"trained with it, so their models have seen it: {', '.join(plan.trained)}")
    if plan.unknown and (plan.images or plan.faces):
        lines.append(f"of these runs that cannot be told: {', '.join(plan.unknown)}")
    return lines


def _result(session: Session, report: Any) -> Result:
    plan = report.plan
    lines = [
        f"forgot {_what(plan)}; {_count(report.files, 'file')} removed",
        f"{_count(plan.addresses, 'address')} remembered: no later scrape fetches there",
    ]
    if report.shards == "packed":
        lines.append(f"packed the shards anew: {_count(report.shard_images, 'image')}")
    elif report.shards == "removed":
        lines.append(f"removed the shards in {session.workspace.shards}")
    data = report.as_dict() | {"forgotten": True}
    again = session.flag("facegan train") if plan.trained and report.shard_images else None
    return Result(data, (*lines, *_beside(plan)), again)
