"""`facegan status`: the funnel and the next step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from facegan.commands._session import Result, Session
from facegan.commands._session import command as facegan_command
from facegan.core.records import Reason, Tally

if TYPE_CHECKING:
    from facegan.core.funnel import Funnel


def _results_text(state: Funnel) -> str:
    """The results' tally; those that Ctrl-C came before wait as those never tried do."""
    from facegan.commands._table import tally_text

    tally = state.results_tally
    failed = {reason: n for reason, n in tally.failed.items() if reason != Reason.STOPPED}
    tried = Tally(tally.kept, tally.rejected, failed)
    waiting = state.results - tried.total
    return tally_text(tried) + (f", {waiting} waiting" if waiting else "")


@facegan_command("status", examples=("facegan status", "facegan status --json"))
def command(session: Session) -> Result:
    """Show what is in the workspace, what was left out and why, and what to run next."""
    from facegan.commands._table import tally_text
    from facegan.core.funnel import funnel
    from facegan.ledger import sync_runs

    sync_runs(session.workspace)
    state = funnel(session.workspace)
    size = f" of {state.image_size} px" if state.image_size else ""
    stale = "; the faces have changed since" if state.stale else ""
    lines = [
        f"results  {state.results:>7}  {_results_text(state)}",
        f"images   {state.images:>7}  {tally_text(state.images_tally)}",
        f"faces    {state.faces_tally.total:>7}  {tally_text(state.faces_tally)}",
        f"shards   {state.shards:>7}  images{size}{stale}",
        f"runs     {len(state.runs):>7}",
    ]
    lines += [
        f"  {run['name']}: iteration {run['iteration']} of {run['iterations']}, {run['status']}"
        for run in state.runs[:5]
    ]
    data = asdict(state) | {"workspace": str(session.workspace.root)}
    return Result(data, tuple(lines), session.flag(state.next_step))
