"""`facegan forget`: pictures and all that came from them, out for good."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.core.counted import counted

SHOWN = 10
"""Addresses in a plan and in the question."""


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
@click.argument("what", metavar="WHAT")
@option(
    "--as", "kind", type=click.Choice(("url", "sha256", "host", "query")), default=None,
    help="What it is.  [default: told by its shape]",
)  # fmt: skip
@option("--all", "every", is_flag=True, help="Of a query: also what others have found, and copies.")
@option("--yes", is_flag=True, help="Don't ask; needed where there is no terminal.")
def command(session: Session, what: str, kind: str | None, every: bool, yes: bool) -> Result:
    """Take pictures out, with their faces, and keep them from coming back.

    WHAT is the address of a picture or of the page it stood on, a host (with those below it), the
    SHA-256 of an image or a face (8 digits of it may do, and so does the path of its file), or what
    was searched for. Copies of the same picture from elsewhere go too; of a query those that only
    another one has found stay, unless --all is said. The files go, with all that was made of
    pictures: the cache, the figures of scores, CREDITS.md and credits.csv. The shards are packed
    anew, and no later `facegan scrape` fetches those addresses or keeps those bytes; `--as url` and
    `--as host` bar what nothing came from yet. Runs that were trained with them are named: their
    models have still seen them.
    """
    from facegan.ledger import sync_runs
    from pipeline.forget import forget, plan_forget

    if session.workspace.catalog.exists():
        sync_runs(session.workspace)
    plan = plan_forget(what, session.workspace, kind=kind, every=every)
    if session.dry_run:
        return Result(plan.as_dict(), _planned(session, plan, "would forget"))
    if not yes:
        try:
            agreed = _agreed(session, plan)
        except click.Abort:
            click.echo(err=True)
            return _unchanged(plan, interrupted=True)
        if not agreed:
            return _unchanged(plan)
    report = forget(what, session.workspace, kind=kind, every=every, listener=session.listener)
    return _result(session, report)


def _unchanged(plan: Any, interrupted: bool = False) -> Result:
    data = plan.as_dict() | {"forgotten": False}
    return Result(data, ("nothing was changed",), interrupted=interrupted)


def _agreed(session: Session, plan: Any) -> bool:
    """Ask on a terminal, and nowhere else.

    Raises:
        ConfigError: there is no terminal.
    """
    from facegan.core.errors import ConfigError

    if session.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        images, faces = counted(plan.images, "image"), counted(plan.faces, "kept face")
        raise ConfigError(
            f"this deletes {images} and {faces} for good: it needs a yes",
            hint="look with --dry-run, then say --yes",
        )
    for line in _planned(session, plan, "will forget"):
        click.echo(line, err=True)
    return click.confirm("go on?", err=True)


def _planned(session: Session, plan: Any, verb: str) -> tuple[str, ...]:
    lines = [f"{verb} {_what(plan)}; {_barred(plan)}"]
    for url, title in plan.going[:SHOWN]:
        lines.append(f"  {url}" + (f" ({title})" if title else ""))
    if len(plan.going) > SHOWN:
        lines.append(f"  and {len(plan.going) - SHOWN:,} more: --json names all")
    if plan.also:
        lines.append(f"with it goes what was made of pictures: {', '.join(plan.also)}")
    return (*lines, *_beside(session, plan))


def _barred(plan: Any) -> str:
    """What no later scrape fetches."""
    known = counted(plan.barred, "address")
    return f"the host and {known}" if plan.target.kind == "host" else known


def _what(plan: Any) -> str:
    images, faces = counted(plan.images, "image"), counted(plan.faces, "kept face")
    copies = f", {plan.copies:,} of them copies" if plan.copies else ""
    return f"{plan.target.kind} {plan.target.value}: {images} with {faces}{copies}"


def _beside(session: Session, plan: Any) -> list[str]:
    """What stays, and the runs."""
    lines = []
    if plan.staying:
        stay = "stays" if plan.staying == 1 else "stay"
        lines.append(
            f"{counted(plan.staying, 'image')} {stay} that another search term has led to: of it,"
            " or copies (--all takes these too)"
        )
    if plan.trained:
        lines.append(f"trained with it, so their models have seen it: {', '.join(plan.trained)}")
        folders = ", ".join(str(session.workspace.runs / name) for name in plan.trained)
        lines.append(f"to be rid of these models too, delete {folders}")
    if plan.unknown and (plan.images or plan.faces):
        lines.append(f"of these runs that cannot be told: {', '.join(plan.unknown)}")
    return lines


def _result(session: Session, report: Any) -> Result:
    plan = report.plan
    lines = [
        f"forgot {_what(plan)}",
        f"removed {_removed(report.removed)}",
    ]
    if plan.barred or plan.target.kind == "host":
        lines.append(f"{_barred(plan)} remembered: no later scrape fetches there")
    if any(name.lower().startswith("credits") for name in report.removed):
        lines.append(f"`{session.flag('facegan credits')}` writes the credits anew")
    if report.shards == "packed":
        lines.append(f"packed the shards anew: {counted(report.shard_images, 'image')}")
    elif report.shards == "removed":
        lines.append(f"removed the shards in {session.workspace.shards}")
    data = report.as_dict() | {"forgotten": True}
    again = session.flag("facegan train") if plan.trained and report.shard_images else None
    return Result(data, (*lines, *_beside(session, plan)), again)


def _removed(files: Mapping[str, int]) -> str:
    """`1 image, 1 face, and cache (3 files)`."""
    own = [counted(files[f"{one}s"], one) for one in ("image", "face") if f"{one}s" in files]
    made = [
        what if count == 1 else f"{what} ({counted(count, 'file')})"
        for what, count in files.items()
        if what not in {"images", "faces"}
    ]
    return ", ".join((*own, *made)) or "no file"
