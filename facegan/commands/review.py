"""`facegan review`: look at the faces, keep and reject by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, given, option
from facegan.commands._session import command as facegan_command
from facegan.core.counted import counted

TOLD = {
    "rejected": "rejected",
    "rescued": "kept against the rules",
    "kept": "kept as the rules do",
    "taken_back": "back to the rules",
}
"""What became of faces, in words."""


@facegan_command(
    "review",
    examples=("facegan review", "facegan review --port 8000 --no-open", "facegan review --sheet"),
)
@option(
    "--port", type=click.IntRange(0, 65535), default=0, group="Page",
    help="Of this machine; 0 is a free one.",
)  # fmt: skip
@option("--no-open", is_flag=True, group="Page", help="Print the address only.")
@option("--sheet", is_flag=True, group="Sheets", help="Write contact sheets instead, as PNG.")
@option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, group="Sheets",
    help="Folder for them.  [default: review, in the workspace]",
)  # fmt: skip
def command(session: Session, port: int, no_open: bool, sheet: bool, out: Path | None) -> Result:
    """Show the crops as a wall in the browser, where a click or a key keeps or rejects.

    The page is served to this machine alone, until Ctrl-C. Decisions are in the catalog at once,
    stand above the rules of `facegan crop` and survive a new cut.

    Keys on the page: K keeps, R rejects, B takes a decision back to the rules, U undoes; with Shift
    K, R and B go on to the next face. Arrows move, with Shift they select. Space shows a face
    large, F finds one by its number, ? tells all keys.
    """
    strange = {"port", "no_open"} & given() if sheet else {"out"} & given()
    if strange:
        name = min(strange).replace("_", "-")
        raise click.UsageError(f"--{name} is for {'the page' if sheet else '--sheet'}")
    if sheet:
        return _sheets(session, out)
    from pipeline.review.serve import review

    browser = _browser() if not no_open and sys.stderr.isatty() else None
    changes = review(session.workspace, port, on_ready=_tell, browser=browser)
    told = [f"{count} {TOLD[name]}" for name, count in changes.as_dict().items() if count]
    line = f"reviewed by hand: {', '.join(told) if told else 'nothing changed'}"
    following = _following(session, changed=changes.total > 0)
    return Result({"changes": changes.as_dict()}, (line,), following)


def _following(session: Session, *, changed: bool) -> str | None:
    """A `facegan crop` once more: where it was stopped, and where it has decisions to go by."""
    from facegan.core.catalog import Catalog
    from facegan.core.funnel import crop_again, unfinished_crop

    with Catalog(session.workspace.catalog) as catalog:
        line = crop_again(catalog) or "facegan shard" if changed else unfinished_crop(catalog)
    return session.flag(line) if line else None


def _sheets(session: Session, out: Path | None) -> Result:
    from pipeline.review.sheet import write_sheets

    report = write_sheets(session.workspace, out, listener=session.listener)
    lines = [f"{counted(one.faces, f'{one.status} face')}: {_names(one)}" for one in report.sheets]
    if report.not_cut:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.not_cut.items())
        number = sum(report.not_cut.values())
        were = "was" if number == 1 else "were"
        lines.append(f"{number:,} more {were} never cut: {reasons}")
    if report.pending:
        are = "is" if report.pending == 1 else "are"
        lines.append(f"{report.pending:,} more {are} not judged yet: `facegan crop` was stopped")
    lines.append(f"what each number is: {report.listing}")
    return Result(report.as_dict(), tuple(lines), _following(session, changed=False))


def _names(sheets: Any) -> str:
    first, last = sheets.files[0], sheets.files[-1]
    return f"{first} to {last.name}" if first != last else str(first)


def _tell(address: str) -> None:
    """The address, on stderr: stdout is for the result."""
    click.echo(f"review the faces at {address}", err=True)
    click.echo("Ctrl-C ends", err=True)
    sys.stderr.flush()


def _browser() -> Callable[[str], object] | None:
    """What opens an address, where there is one that leaves the terminal alone."""
    import webbrowser

    try:
        browser: Any = webbrowser.get()
    except webbrowser.Error:
        return None
    # One that runs in the terminal, such as w3m, would take it over.
    takes_over = isinstance(browser, webbrowser.GenericBrowser) and not isinstance(
        browser, webbrowser.BackgroundBrowser
    )
    return None if takes_over else browser.open
