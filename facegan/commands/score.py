"""`facegan score`: samples of a run -> a measured number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT


@facegan_command(
    "score",
    examples=("facegan score", "facegan score 1 --samples 10k", "facegan score --weights FILE.pth"),
)
@click.argument("run", required=False)
@option("--samples", type=COUNT, default=5000, group="Scoring", help="How many images.")
@option("--splits", type=int, default=10, group="Scoring", help="Parts for mean and deviation.")
@option("--seed", type=int, default=0, group="Scoring", help="Fixes latents and splits.")
@option("--batch", type=COUNT, default=16, group="Scoring", help="Images computed together.")
@option(
    "--weights", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None, group="Scoring",
    help="Inception-v3's weights.  [default: fetched once and kept]",
)  # fmt: skip
@option(
    "--raw", is_flag=True, group="Scoring",
    help="The generator of the last iteration instead of its average.",
)  # fmt: skip
@option("--device", default="auto", group="Machine", help="auto, cuda, mps or cpu.")
@option(
    "--unless-scored", is_flag=True, group="Scoring", help="Do nothing where this was measured."
)
def command(
    session: Session,
    run: str | None,
    weights: Path | None,
    raw: bool,
    unless_scored: bool,
    **settings: Any,
) -> Result:
    """Measure RUN (a name or a number; by default the last one) by its Inception Score.

    The score is high when each sample looks like one class of ImageNet and all together like many.
    ImageNet has no faces: compare only scores of the same protocol, weights and number of samples,
    and look at the pictures.
    """
    from facegan.config import ScoreConfig
    from facegan.outputs import known_score, run_folder, score_run

    config = ScoreConfig(weights=str(weights) if weights else None, **settings)
    folder = run_folder(session.workspace.runs, run)
    if unless_scored and (known := known_score(config, folder, raw=raw)):
        mean, std = known["mean"], known["std"]
        line = f"Inception Score {mean:.3f} ± {std:.3f} of {known['samples']} samples, measured"
        return Result(known, (f"{line} {known['created_at']}",), session.flag("facegan plot"))
    done = score_run(config, session.workspace, folder, raw=raw, listener=session.listener)
    measured = done.result.score
    lines = (
        f"Inception Score {measured.mean:.3f} ± {measured.std:.3f} of {measured.samples} samples "
        f"in {len(measured.per_split)} splits, run {done.run}, iteration {done.iteration}",
        f"{done.result.images_per_s:.1f} images/s; written to {done.path}",
    )
    data = done.result.as_dict() | {"run": done.run, "iteration": done.iteration}
    return Result(data, lines, session.flag("facegan plot"))
