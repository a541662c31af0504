"""`facegan demo`: the whole chain on drawn portraits, offline."""

from __future__ import annotations

from pathlib import Path

import click

from facegan.commands._chain import Step, chain_result, run_steps
from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT

QUERY = "drawn portrait"
SIZE, WIDTH = "64", "0.25"


@facegan_command(
    "demo",
    examples=("facegan demo", "facegan demo --iters 3k --portraits 600"),
    workspace="facegan-demo",
)
@option("--portraits", type=click.IntRange(min=32), default=300, help="How many are drawn.")
@option("--iters", type=COUNT, default=600, help="Iterations of the training.")
def command(session: Session, portraits: int, iters: int) -> Result:
    """Run the whole chain offline, in its own workspace: no network, no account, no photograph.

    A web server on this machine answers as Bing does and offers drawn portraits. The real scraper,
    cropper, sharder, trainer and sampler work on them, at 64 px and a quarter of the width.
    """
    from facegan.score.weights import TORCHVISION_INCEPTION, cache_dir, is_cached
    from pipeline.demo_pictures import WITHOUT_A_FACE
    from pipeline.gallery import Gallery

    images = portraits + WITHOUT_A_FACE
    with Gallery(_pictures(session, portraits, images)) as gallery:
        server = ("--base-url", gallery.base_url, "--allow-host", gallery.host)
        train = ("--size", SIZE, "--width", WIDTH, "--iters", str(iters), "--sample-every", "50")
        scored = is_cached(TORCHVISION_INCEPTION)
        steps = [
            Step("scrape", (QUERY, "--limit", str(images), *server)),
            Step("crop", ("--detector", "haar", "--size", SIZE)),
            Step("train", (*train, "--unless-finished")),
            Step("sample"),
            Step("plot"),
            Step("animate"),
            *([Step("score", ("--samples", "500"))] if scored else []),
        ]
        results = run_steps(session, steps)
    done = chain_result(session, results, again="facegan demo")
    if done.interrupted:
        return done
    data = {**done.data, "score_skipped": not scored}
    lines = [*_pictures_made(results)]
    if not scored:
        where = cache_dir() / TORCHVISION_INCEPTION.name
        lines.append(f"score skipped: Inception-v3's weights are not at {where}; with a network,")
        lines.append(
            f"  `facegan score --workspace {session.workspace.root}` fetches them (104 MiB)"
        )
    return Result(data, tuple(lines), 'facegan run "artist"')


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


def _pictures_made(results: list[tuple[str, Result]]) -> list[str]:
    """The lines that name what there is to look at."""
    by_name = dict(results)
    run = Path(str(by_name["train"].data["path"]))
    return [
        "Look at what was made:",
        f"  {by_name['sample'].data['grid']}   samples of the trained generator",
        f"  {by_name['animate'].data['path']}   how they came about",
        f"  {run / 'plots' / 'losses.png'}   the losses, and more plots beside it",
    ]
