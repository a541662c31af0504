"""`facegan run`: the stages in order."""

from __future__ import annotations

from typing import Any

import click

from facegan.commands._chain import Step, chain_result, parse_steps, run_steps
from facegan.commands._scrape_words import one_query
from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command

OPTIONS = {
    "scrape": ("limit", "source", "license", "folder", "list", "base_url", "allow_host"),
    "crop": ("detector", "model", "size", "margin"),
    "train": ("iters", "batch", "width", "device", "name"),
    "sample": ("device",),
    "score": ("samples", "features", "weights", "device"),
}
"""Which options of `facegan run` go to which stage."""
OF_THE_RUN = ("sample", "score")


@facegan_command(
    "run",
    examples=(
        'facegan run "artist" --limit 1000 --iters 50000 --batch 16',
        'facegan run "artist" --source portraits --limit 300 --size 64 --width 0.25 --iters 3k',
    ),
    stops_softly=True,
)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@option("--limit", default=None, metavar="N", group="Scrape", help="Images to keep.")
@option(
    "--source", default=None, metavar="NAME", group="Scrape",
    help="bing, commons, openverse, met, urls, folder or portraits; several with commas.",
)  # fmt: skip
@option("--license", default=None, metavar="NAME", group="Scrape", help="What it must allow.")
@option("--list", default=None, metavar="FILE", group="Scrape", help="Of the source urls.")
@option(
    "--folder", default=None, metavar="DIR", group="Scrape", help="Directory of the source folder."
)
@option("--base-url", default=None, metavar="URL", group="Scrape", help="Another server.")
@option("--allow-host", default=None, metavar="HOST[:PORT]", group="Scrape", help="A private one.")
@option("--size", default=None, metavar="PX", group="Crop", help="Side of the faces in pixels.")
@option("--detector", default=None, metavar="NAME", group="Crop", help="auto, haar or yunet.")
@option("--model", default=None, metavar="FILE", group="Crop", help="YuNet's model file.")
@option("--margin", default=None, metavar="X", group="Crop", help="Added round the box: its share.")
@option("--iters", default=None, metavar="N", group="Train", help="Iterations in all.")
@option("--batch", default=None, metavar="N", group="Train", help="Images in a batch.")
@option("--width", default=None, metavar="X", group="Train", help="Factor on the channels.")
@option(
    "--name", default=None, metavar="NAME", group="Train", help="Tail of the run's folder name."
)
@option("--device", default=None, metavar="NAME", group="Train", help="auto, cuda, mps or cpu.")
@option("--samples", default=None, metavar="N", group="Score", help="How many images are scored.")
@option("--features", default=None, metavar="NAME", group="Score", help="Feature network, or none.")
@option("--weights", default=None, metavar="FILE", group="Score", help="Inception-v3's weights.")
def command(session: Session, words: tuple[str, ...], **options: Any) -> Result:
    """Do scrape, crop, train, sample and score for QUERY, one after another.

    Options that are left out have each command's own default, or what facegan.toml and the
    environment say. Run again, it takes up where it stopped; a stage's error ends it with that
    stage's exit code.
    """
    query = one_query(words, (options["source"] or "bing").split(","), "run")
    fixed = {
        "scrape": (str(query),),
        "train": ("--unless-finished",),
        "score": ("--unless-scored",),
    }
    steps = [
        Step(name, (*fixed.get(name, ()), *_given(options, names)), name in OF_THE_RUN)
        for name, names in OPTIONS.items()
    ]
    _check(parse_steps(session, steps))
    results = run_steps(session, steps)
    return chain_result(session, steps, results)


def _check(parameters: dict[str, dict[str, Any]]) -> None:
    """Find what cannot be before the first step, not after hours of it.

    Raises:
        ConfigError: a setting of the training or the scoring cannot be.
        ScoreError: a file of weights is damaged or of another network.
        MissingDependencyError: the device is not here.
    """
    from facegan.config import ModelConfig, ScoreConfig, TrainConfig
    from facegan.device import resolve_device

    train, score = parameters["train"], parameters["score"]
    model = ModelConfig(width=train["width"])
    TrainConfig(
        model=model, iters=train["iters"], batch=train["batch"], device=train["device"]
    ).validate()
    weights = str(score["weights"]) if score["weights"] else None
    scoring = ScoreConfig(
        samples=score["samples"],
        splits=score["splits"],
        features=score["features"],
        weights=weights,
    ).validate()
    if weights or scoring.features.endswith(".onnx"):
        from facegan.score.features import check_files

        check_files(scoring)
    resolve_device(train["device"])


def _given(options: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    given = [(name, options[name]) for name in names if options[name] is not None]
    return [word for name, value in given for word in (f"--{name.replace('_', '-')}", str(value))]
