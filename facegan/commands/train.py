"""`facegan train`: shards -> a run with checkpoints, samples and its history."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, given, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT, DURATION


@facegan_command(
    "train",
    examples=(
        "facegan train --iters 50000 --batch 16",
        "facegan train --size 64 --width 0.25 --iters 3k",
        "facegan train --resume 1 --iters 100k",
        "facegan train --score-every 1k",
    ),
    dry_run=True,
    stops_softly=True,
)
@option("--iters", type=COUNT, default=50_000, group="Training", help="Iterations in all.")
@option("--batch", type=COUNT, default=16, group="Training", help="Images in a batch.")
@option(
    "--size", type=int, default=None, group="Training",
    help="Side of the images in pixels: 32 to 512, a power of two.  [default: the shards' size]",
)  # fmt: skip
@option("--width", type=float, default=1.0, group="Training", help="Factor on the channels.")
@option("--seed", type=int, default=0, group="Training", help="Fixes everything that is drawn.")
@option("--learning-rate", type=float, default=1e-4, group="Training", help="Adam's step size.")
@option("--beta1", type=float, default=0.5, group="Training", help="Adam's memory of the gradient.")
@option("--beta2", type=float, default=0.999, group="Training", help="And of its square.")
@option("--flip/--no-flip", default=True, group="Training", help="Mirror half of the faces.")
@option("--jitter", type=float, default=0.2, group="Training", help="Radius of the colour jitter.")
@option(
    "--ema-kimg", type=float, default=10.0, group="Training",
    help="Half-life of the generator's average, in thousands of images; 0: none.",
)  # fmt: skip
@option("--device", default="auto", group="Machine", help="auto, cuda, mps or cpu.")
@option(
    "--engine", default="auto", group="Machine",
    help="auto, eager, compiled or captured (one CUDA graph).",
)  # fmt: skip
@option(
    "--precision", default="auto", group="Machine",
    help="auto, fp32 or bf16; auto times both when a run begins.",
)  # fmt: skip
@option(
    "--deterministic/--no-deterministic", default=False, group="Machine",
    help="The same bits every time, on CUDA too; slower there.",
)  # fmt: skip
@option(
    "--sync-bn/--no-sync-bn", default=False, group="Machine",
    help="With several CUDA processes: BatchNorm over the whole batch.",
)  # fmt: skip
@option(
    "--shards", type=click.Path(path_type=Path, file_okay=False), default=None, group="Run",
    help="Folder of shards.  [default: the workspace's]",
)  # fmt: skip
@option(
    "--name",
    default="",
    show_default=False,
    group="Run",
    help="Tail of the run's folder name.  [default: 64px]",
)
@option("--resume", default=None, metavar="RUN", group="Run", help="Go on with this run.")
@option("--restart", is_flag=True, group="Run", help="Begin a new run whatever is there.")
@option(
    "--unless-finished", is_flag=True, group="Run",
    help="Do nothing where a run with these settings has ended.",
)  # fmt: skip
@option("--override", is_flag=True, group="Run", help="Let --resume go on with changed settings.")
@option("--max-time", type=DURATION, default=None, group="Run", help="Save and end after 30m, 2h.")
@option("--sample-every", type=COUNT, default=500, group="Run", help="Iterations between grids.")
@option("--checkpoint-every", type=COUNT, default=500, group="Run", help="And checkpoints.")
@option("--keep-checkpoints", type=int, default=3, group="Run", help="How many of them stay.")
@option(
    "--keep-every", type=COUNT, default=0, group="Run",
    help="Those at multiples of this many iterations stay too.",
)  # fmt: skip
@option(
    "--score-every", "--every", type=COUNT, default=0, group="Scoring",
    help="Iterations between scores of the generator; the best checkpoint stays. 0: none.",
)  # fmt: skip
@option(
    "--score-samples", type=COUNT, default=500, group="Scoring",
    help="Images of each score; more cost more time.",
)  # fmt: skip
def command(
    session: Session,
    shards: Path | None,
    resume: str | None,
    restart: bool,
    unless_finished: bool,
    override: bool,
    max_time: int | None,
    size: int | None,
    width: float,
    **settings: Any,
) -> Result:
    """Train the generator on the packed faces.

    The newest unfinished run with the same settings goes on; else a new one begins. Ctrl-C
    finishes the iteration and saves; the same command goes on. Several devices train together
    under torchrun: `torchrun --nproc-per-node 2 --no-python facegan train`.

    With --score-every, generated images are compared with training images now and then: by KID
    where Inception's weights are in the cache, else by the sliced Wasserstein distance. The best
    checkpoint stays whatever --keep-checkpoints says; `facegan sample --best` draws from it.
    """
    from facegan.config import ModelConfig, TrainConfig, largest_size
    from facegan.core.funnel import refuse_stale
    from facegan.core.shards import open_index

    if shards is None:
        refuse_stale(session.workspace)
        shards = session.workspace.shards
    if resume is None:
        size = size or largest_size(open_index(shards).image_size)
        config = TrainConfig(model=ModelConfig(image_size=size, width=width), **settings)
    else:
        config = _resumed(session, resume, {"size": size, "width": width, **settings})
    if session.dry_run:
        return _plan(session, config.validate(), shards, resume, restart, override)
    if unless_finished and (ended := _ended(session, config, shards)):
        return ended
    from facegan.core.processes import leads
    from facegan.ledger import sync_runs
    from facegan.score.during import cached_inception
    from facegan.train import fit

    try:
        done = fit(
            config,
            shards,
            session.workspace.runs,
            listener=session.listener,
            should_stop=session.should_stop,
            resume=resume,
            restart=restart,
            override=override,
            max_time_s=max_time,
            network=cached_inception,
        )
    finally:
        if leads():
            sync_runs(session.workspace)
    return _result(session, shards, done)


def _resumed(session: Session, name: str, options: Mapping[str, Any]) -> Any:
    """The settings of the run that goes on, with those changed that the user gave."""
    from dataclasses import replace

    from facegan.runs import named

    stored = named(session.workspace.runs, name).config
    changed = {name: options[name] for name in options.keys() & given()}
    changed["engine"] = options["engine"]  # no setting of the result: what is best here
    sizes = {"size": "image_size", "width": "width"}
    model = {sizes[name]: changed.pop(name) for name in sizes if name in changed}
    return replace(stored, model=replace(stored.model, **model), **changed)


def _ended(session: Session, config: Any, shards: Path) -> Result | None:
    """The result of the newest run that has done all of this already."""
    from facegan.core.shards import open_index
    from facegan.resume import same_runs
    from facegan.runs import data_identity

    runs = same_runs(session.workspace.runs, config, data_identity(open_index(shards)))
    ended = [run for run in runs if run.reached >= config.iters]
    if not ended:
        return None
    folder, reached = ended[-1].folder, ended[-1].reached
    line = f"run {folder.name} has done its {reached} iterations; nothing to do"
    data = {"run": folder.name, "path": str(folder), "iteration": reached, "finished": True}
    return Result(data, (line,), session.flag("facegan sample"))


def _result(session: Session, shards: Path, done: Any) -> Result:
    from dataclasses import asdict

    from facegan.commands._table import seconds_text
    from facegan.runs import read_run

    name, config = done.run_dir.name, read_run(done.run_dir).config
    scoring = f", {seconds_text(done.scored_s)} of it for scores" if done.scored_s else ""
    line = (
        f"run {name}: iteration {done.iteration} of {config.iters} "
        f"({seconds_text(done.seconds)}{scoring}), in {done.run_dir}"
    )
    lines = (line, *_best_lines(session, name, done.best))
    folder = ("--shards", str(shards)) if shards != session.workspace.shards else ()
    again = session.flag(shlex.join(("facegan", "train", "--resume", name, *folder)))
    data = {
        "run": name,
        "path": str(done.run_dir),
        "iteration": done.iteration,
        "finished": done.finished,
        "seconds": done.seconds,
        "waited_s": done.waited_s,
        "scored_s": done.scored_s,
        "best": asdict(done.best) if done.best else None,
        "settings": config.to_dict(),
    }
    following = session.flag("facegan sample") if done.finished else again
    return Result(data, lines, following, interrupted=done.interrupted)


def _best_lines(session: Session, name: str, best: Any) -> tuple[str, ...]:
    """The best checkpoint and how to use it."""
    if best is None:
        return ()
    use = session.flag(f"facegan sample {name} --best")
    what = f"{best.measure} {best.value:.3g} of {best.samples:,} images"
    return (f"best: iteration {best.iteration}, {what}; {use}",)


def _plan(
    session: Session, config: Any, shards: Path, resume: str | None, restart: bool, override: bool
) -> Result:
    from facegan.core.shards import open_index
    from facegan.resume import find
    from facegan.runs import data_identity

    index = open_index(shards)
    runs = session.workspace.runs
    run = find(
        runs, config, data_identity(index), resume=resume, restart=restart, override=override
    )
    which = f"go on with run {run.folder.name} at {run.reached}" if run else "begin a new run"
    told = (
        f"{config.iters} iterations of {config.batch} images at {config.model.image_size} px, "
        f"width {config.model.width:g}, device {config.device}"
    )
    lines = (f"would {which}, on {index.count} images of {index.image_size} px: {told}",)
    data = {"run": run.folder.name if run else None, "settings": config.to_dict()}
    return Result(data, lines, session.again.replace(" --dry-run", ""))
