"""`facegan status`: the funnel, what was left out, and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.core.counted import counted
from facegan.core.records import Reason, Tally

if TYPE_CHECKING:
    from facegan.core.funnel import Funnel
    from facegan.core.left_out_tables import LeftOut

EVERY = "all"
OF_EACH, OF_ONE = 10, 50
"""How many are listed of each reason, and of the one that was asked for; `--json` tells all."""
LETTERS = 2000
"""Of one line at most."""


@facegan_command(
    "status",
    examples=(
        "facegan status",
        "facegan status --left-out",
        "facegan status --left-out blurred",
        "facegan status --json",
    ),
)
@option(
    "--left-out",
    metavar="[REASON]",
    is_flag=False,
    flag_value=EVERY,
    default=None,
    help="List what was left out: why, its file and where it came from.",
)
def command(session: Session, left_out: str | None) -> Result:
    """Show what is in the workspace, what was left out and why, and what to run next.

    `--left-out` lists ten for each reason, fifty for one REASON, and with `--json` all.
    """
    from facegan.core.funnel import funnel
    from facegan.ledger import sync_runs

    reason = _reason(left_out)
    sync_runs(session.workspace)
    state = funnel(session.workspace)
    data = asdict(state) | {"workspace": str(session.workspace.root)}
    if left_out is None:
        return Result(data, tuple(_lines(state)), session.flag(state.next_step))
    found = _left_out(session, reason)
    data["left_out"] = [asdict(one) for one in found]
    lines = tuple(_listed(session, found, reason)) or (_nothing(reason),)
    return Result(data, lines, session.flag(state.next_step))


def _lines(state: Funnel) -> Iterator[str]:
    from facegan.commands._table import tally_text

    size = f" of {state.image_size} px" if state.image_size else ""
    held_out = f", {state.held_out} held out" if state.held_out else ""
    folder = f", from {state.folder}" if state.folder else ""
    pending = f", {state.faces_pending} not judged yet" if state.faces_pending else ""
    stale = "; the faces have changed since" if state.stale else ""
    yield f"results  {state.results:>7}  {_results_text(state)}"
    yield f"images   {state.images:>7}  {tally_text(state.images_tally)}"
    faces = state.faces_tally.total + state.faces_pending
    yield f"faces    {faces:>7}  {tally_text(state.faces_tally)}{pending}"
    if state.crop_amiss is not None:
        amiss = f": {state.crop_amiss}" if state.crop_amiss else ""
        yield f"                  the last `facegan crop` was stopped, or is at work{amiss}"
    yield f"shards   {state.shards:>7}  images{size}{held_out}{folder}{stale}"
    yield f"runs     {len(state.runs):>7}"
    for run in state.runs[:5]:
        reached = f"iteration {run['iteration']} of {run['iterations']}"
        yield f"  {run['name']}: {reached}, {run['status']}"


def _results_text(state: Funnel) -> str:
    """The results' tally; those that Ctrl-C came before wait as those never tried do."""
    from facegan.commands._table import tally_text

    tally = state.results_tally
    failed = {reason: n for reason, n in tally.failed.items() if reason != Reason.STOPPED}
    tried = Tally(tally.kept, tally.rejected, failed)
    waiting = state.results - tried.total
    return tally_text(tried) + (f", {waiting} waiting" if waiting else "")


def _reason(text: str | None) -> Reason | None:
    """The reason that was typed; None for all of them."""
    from facegan.core.errors import ConfigError
    from facegan.core.settings import nearest

    if text is None or text == EVERY:
        return None
    if text in set(Reason):
        return Reason(text)
    guess = nearest(text, list(Reason))
    meant = f"; did you mean {guess}?" if guess else f"; they are {', '.join(Reason)}"
    raise ConfigError(f"--left-out: no such reason '{text}'{meant}", hint="facegan status")


def _left_out(session: Session, reason: Reason | None) -> list[LeftOut]:
    from facegan.core.catalog import Catalog

    if not session.workspace.catalog.exists():
        return []
    with Catalog(session.workspace.catalog) as catalog:
        return list(catalog.left_out(reason))


def _nothing(reason: Reason | None) -> str:
    return f"nothing was left out{f' as {reason}' if reason else ''}"


def _listed(session: Session, found: Sequence[LeftOut], reason: Reason | None) -> Iterator[str]:
    """Two lines each: why, and the file with where it came from."""
    from pipeline.words import printable

    shown = OF_ONE if reason else OF_EACH
    groups: dict[tuple[str, str], list[LeftOut]] = {}
    for one in found:
        groups.setdefault((one.kind, one.reason), []).append(one)
    for (kind, why), members in groups.items():
        yield f"{counted(len(members), kind)} left out as {why or 'failed'}"
        for one in members[:shown]:
            where = [one.file or "", f"from {one.origin}" if one.origin else ""]
            yield "  " + printable("  ".join(filter(None, where)), LETTERS)
            if one.detail:
                yield "    " + printable(_detail(one), LETTERS)
        if more := members[shown:]:
            more_of_it = session.flag(f"facegan status --left-out {why}")
            rest = "--json lists all" if reason or not why else more_of_it
            yield f"  and {len(more):,} more: {rest}"


def _detail(one: LeftOut) -> str:
    """What is told of it; where it is the copy of a face, that face's file."""
    from facegan.core.files import content_path

    what, _, sha256 = (one.detail or "").partition(" ")
    if one.kind == "face" and one.reason == Reason.DUPLICATE and what == "of":
        return f"of {content_path('faces', sha256, '.png')}"
    return one.detail or ""
