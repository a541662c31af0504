"""`facegan demo`: the whole chain on drawn portraits, offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from facegan.commands._chain import Step, chain_result, run_steps
from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT

QUERY = "drawn portrait"
SIZE, WIDTH = "64", "0.25"
RECIPE = ("--learning-rate", "2e-4", "--sample-every", "50")
"""The DCGAN paper's rate, twice the reference's: faces come sooner, which is what a demo is for."""


@facegan_command(
    "demo",
    examples=("facegan demo", "facegan demo --iters 3k --portraits 600"),
    workspace="facegan-demo",
    stops_softly=True,
)
@option("--portraits", type=click.IntRange(min=32), default=300, help="How many are drawn.")
@option("--iters", type=COUNT, default=900, help="Iterations of the training.")
def command(session: Session, portraits: int, iters: int) -> Result:
    """Run the whole chain offline, in its own workspace: no network, no account, no photograph.

    A web server on this machine answers as Bing does and offers drawn portraits. The real scraper,
    cropper, sharder, trainer and sampler work on them, at 64 px and a quarter of the width.
    """
    from pipeline.demo_pictures import WITHOUT_A_FACE
    from pipeline.gallery import Gallery

    images = portraits + WITHOUT_A_FACE
    network = "inception2015" if _has_weights() else "none"
    with Gallery(_pictures(session, portraits, images)) as gallery:
        server = ("--base-url", gallery.base_url, "--allow-host", gallery.host)
        train = ("--size", SIZE, "--width", WIDTH, "--iters", str(iters), *RECIPE)
        steps = [
            Step("scrape", (QUERY, "--limit", str(images), *server)),
            Step("crop", ("--detector", "haar", "--size", SIZE)),
            Step("train", (*train, "--unless-finished")),
            Step("sample", of_the_run=True),
            Step("plot", of_the_run=True),
            Step("animate", of_the_run=True),
        ]
        how = ("--samples", "200", "--features", network, "--unless-scored")
        steps.append(Step("score", how, of_the_run=True))
        results = run_steps(session, steps, isolated=True)
    done = chain_result(session, steps, results)
    if done.interrupted:
        return done
    lines = [*_pictures_made(results), *_judged(results["score"].data, network)]
    return Result({**done.data, "features": network}, tuple(lines), 'facegan run "artist"')


def _has_weights() -> bool:
    """Whether Inception-v3's weights are in the cache: the demo fetches nothing."""
    from facegan.score.weights import FID_INCEPTION, is_cached

    return is_cached(FID_INCEPTION)


def _judged(score: Mapping[str, Any], network: str) -> list[str]:
    """The verdict in a line, and what it rests on."""
    from facegan.commands._score_table import summary

    lines = [f"The samples, judged: {summary(score)}"]
    if network == "none":
        lines.append("  without a network: Inception's weights are not here (`facegan doctor`)")
    return lines


def _pictures(session: Session, count: int, images: int) -> dict[str, bytes]:
    """What the server offers: nothing when an earlier call has gathered it all."""
    from facegan.core.catalog import Catalog
    from pipeline.demo_pictures import pictures

    if session.workspace.catalog.exists():
        with Catalog(session.workspace.catalog) as catalog:
            if catalog.count_images(QUERY, "bing") >= images:
                return {}
    click.echo(f"drawing {count} portraits", err=True)
    return pictures(count)


def _pictures_made(results: dict[str, Result]) -> list[str]:
    """The lines that name what there is to look at."""
    run = Path(str(results["train"].data["path"]))
    return [
        "Look at what was made:",
        f"  {results['sample'].data['grid']}   samples of the trained generator",
        f"  {results['animate'].data['path']}   how they came about",
        f"  {run / 'plots' / 'losses.png'}   the losses, and more plots beside it",
    ]
