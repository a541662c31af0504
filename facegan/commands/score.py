"""`facegan score`: samples, and real images beside them -> measures and a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT

if TYPE_CHECKING:
    from facegan.estimate import Estimate
    from facegan.scoring import Scored

MANY = 1000
"""From so many images on, the time is estimated before a scoring begins: a few are tried."""
LONG_S = 60.0
"""From so many seconds on, the time that a scoring will take is said before it begins."""


@facegan_command(
    "score",
    examples=(
        "facegan score",
        "facegan score 1 --samples 10k --best",
        "facegan score other-generator/ --against data/shards",
        "facegan score --features none",
    ),
    dry_run=True,
)
@click.argument("what", required=False)
@option(
    "--against", metavar="DIR", default=None, group="Images",
    help="The real images: pictures or shards.  [default: the workspace's shards]",
)  # fmt: skip
@option(
    "--samples", type=COUNT, default=None, group="Images",
    help="How many are drawn.  [default: 5000 on a CPU, 50000 on a GPU; of a folder all]",
)  # fmt: skip
@option(
    "--raw", is_flag=True, group="Images",
    help="The generator of the last iteration instead of its average.",
)  # fmt: skip
@option(
    "--best", is_flag=True, group="Images",
    help="The checkpoint that scored best in training (train --score-every).",
)  # fmt: skip
@option(
    "--features", metavar="NAME|FILE.onnx", default="auto", group="Scoring",
    help="inception2015, torchvision, an ONNX file, or none: only what needs no network. "
    "auto is inception2015 where its weights are here or can be fetched.",
)  # fmt: skip
@option(
    "--weights", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None, group="Scoring",
    help="Inception-v3's weights.  [default: fetched once and kept]",
)  # fmt: skip
@option(
    "--resize", type=click.Choice(["native", "clean"]), default="native", group="Scoring",
    help="Inception's inputs: as its protocol says, or bicubic in float.",
)  # fmt: skip
@option("--splits", type=int, default=10, group="Scoring", help="Parts of the Inception Score.")
@option("--seed", type=int, default=0, group="Scoring", help="Fixes latents, splits and subsets.")
@option(
    "--batch", type=COUNT, default=None, group="Machine",
    help="Images computed together.  [default: 32 on a CPU, else by the memory]",
)  # fmt: skip
@option(
    "--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", group="Machine",
    help="Numbers of the feature network.",
)  # fmt: skip
@option("--device", default="auto", group="Machine", help="auto, cuda, mps or cpu.")
@option(
    "--unless-scored", is_flag=True, group="Scoring", help="Do nothing where this was measured."
)
def command(
    session: Session,
    what: str | None,
    against: str | None,
    weights: Path | None,
    raw: bool,
    best: bool,
    unless_scored: bool,
    **settings: Any,
) -> Result:
    """Judge WHAT: do the samples look like the real faces, are they varied, are they copies?

    WHAT is a run's name or number (by default the last run), a checkpoint, a snapshot, a folder of
    pictures or a folder of shards. Without a network only measures that need none are taken; what
    is left out is said.
    """
    from facegan.config import ScoreConfig
    from facegan.scoring import known_score, plan, score

    config = ScoreConfig(weights=str(weights) if weights else None, **settings).validate()
    planned = plan(
        config,
        session.workspace,
        what,
        against=against,
        raw=raw,
        best=best,
        fetch=not session.dry_run,
        listener=session.listener,
    )
    if unless_scored and (known := known_score(planned)):
        from facegan.commands._score_table import summary

        line = f"{summary(known)}, measured {known['created_at']}"
        return Result(known, (line,), session.flag("facegan plot"))
    from facegan.commands._detector import face_counter

    count_faces, detector = face_counter()
    if session.dry_run or sum(map(len, planned.sets.values())) >= MANY:
        from facegan.estimate import estimate

        guess = estimate(planned, count_faces)
        if session.dry_run:
            return _told(session, guess)
        _say_if_long(session, guess)
    done = score(planned, count_faces=count_faces, detector=detector, listener=session.listener)
    return _shown(session, done)


def _told(session: Session, guess: Estimate) -> Result:
    """What would be done, and how long it would take."""
    from facegan.commands._table import seconds_text

    later = " and the time of the network" if "would be fetched" in guess.network else ""
    rate = f" at {guess.images_per_s:.1f} images/s" if guess.images_per_s else ""
    lines = (
        *(f"would read {count:,} images: {name}" for name, count in guess.sets.values()),
        f"features: {guess.network}",
        f"{guess.to_compute:,} to compute{rate}: about {seconds_text(guess.seconds)}{later}",
        f"would be written to {guess.target}",
    )
    again = session.again.replace(" --dry-run", "")
    return Result(guess.as_dict(), lines, again)


def _say_if_long(session: Session, guess: Estimate) -> None:
    from facegan.commands._table import seconds_text
    from facegan.core.events import Note

    if guess.seconds >= LONG_S:
        text = f"{guess.to_compute:,} images to compute: about {seconds_text(guess.seconds)}"
        session.listener(Note("score", text))


def _shown(session: Session, done: Scored) -> Result:
    from facegan.commands._score_table import table

    lines = (*table(done.report), "", f"written to {done.path} and {done.figure}")
    following = session.flag("facegan plot") if done.record.get("run") else None
    return Result(done.record, lines, following)
