"""`facegan scrape` beside img2dataset and a plain thread pool: images a second and CPU.

    python -m benchmarks.scrape [--peers FOLDER] [--images 2000] [--repeats 3] [--quick] [--dry]

All download the same list of JPEGs of about 150 KB from one nginx with one worker on this machine,
with the same number of threads, each call a process of its own, taken in turns that are rotated;
figures are medians. facegan does all that it does for a user: it judges addresses and headers, asks
for robots.txt, hashes, flushes every file to the disk and writes the catalog. That every program
stored the very bytes is checked after each call.

img2dataset is in an environment of its own, made under `--peers` where it is missing. It is told
not to resize, and in two ways not to re-encode: by `skip_reencode`, with which it unpacks every
image to see that it is one, and, in the figures called `…_unseen`, by `disable_all_reencoding`,
with which it stores whatever came. Each in both formats; `vs_…` is facegan's images a second over
those of the faster format.

`images_per_s_…` and `vs_…` count whole calls, from the start of the process to its end, of which
img2dataset needs seconds; `…_without_start` goes by each program's own clock, which starts when it
begins to download. `cpu_ms_per_image_…` is user and system time of all its processes over the whole
call.

`latency_efficiency` is images a second over (connections / latency) where a server begins every
answer 100 ms after its request came, at 16 connections, of small images so that the network is what
is waited for; `…_64` at 64. It goes by facegan's own clock: a process that starts waits for nobody.
Writes benchmarks/results/scrape.json.

ext4 was seen to take half a millisecond more for each new file in the minutes after many were
removed (by a test run, say): wait for five, or name a `--scratch` on another disk.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from urllib.parse import urlsplit

from benchmarks.result import Target, report
from benchmarks.scrape_peers import Contender, Done, Task, contenders, install, run
from benchmarks.scrape_servers import addresses, draw, nginx, nginx_version, slow_server
from benchmarks.turns import add_programs, add_turns, command_line, parsed, rounds

THREADS = 16
FEW = 16
"""Images of the call that does not count."""
LATENCY_S = 0.1
SLOW_CONNECTIONS = (16, 64)
ANSWERS_PER_CONNECTION = 125
"""2,000 images at 16 connections; the answers about robots.txt and opt-outs are as late."""
SMALL_PX = 64
TARGETS: dict[str, Target] = {
    "vs_img2dataset": (">=", 5.0),
    "vs_sessions": (">=", 0.8),
    "cpu_ms_per_image": ("<=", 2.0),
    "latency_efficiency": (">=", 0.9),
}
PEERS = {
    "vs_img2dataset": ("img2dataset_files", "img2dataset_webdataset"),
    "vs_img2dataset_unseen": ("img2dataset_files_unseen", "img2dataset_webdataset_unseen"),
    "vs_sessions": ("sessions",),
}

Taken = dict[str, list[Done]]


def measure(
    programs: Mapping[str, Contender], pictures: Path, scratch: Path, repeats: int
) -> Taken:
    """Every contender's calls with nginx, after one short call each that does not count."""
    taken: Taken = {name: [] for name in programs}
    with nginx(pictures, scratch / "nginx") as port:
        listed = addresses(pictures, port)
        for name, program in programs.items():
            run(program, _task(listed[:FEW], scratch / f"{name}-first"), scratch / "bytecode")
        for number, name in rounds(list(programs), repeats):
            task = _task(listed, scratch / f"{name}-{number}")
            done = run(programs[name], task, scratch / "bytecode")
            check(name, done, pictures)
            taken[name].append(done)
            tell(name, done)
    return taken


def measure_slow(facegan: Contender, scratch: Path, repeats: int, answers: int) -> Taken:
    """facegan's calls with a server that answers late, by the number of connections."""
    taken: Taken = {}
    for connections in SLOW_CONNECTIONS:
        pictures = draw(scratch / f"small-{connections}", answers * connections, SMALL_PX, SMALL_PX)
        with slow_server(pictures, LATENCY_S) as port:
            for number in range(repeats):
                folder = scratch / f"slow-{connections}-{number}"
                task = _task(addresses(pictures, port), folder, connections)
                done = run(facegan, task, scratch / "bytecode")
                check("facegan", done, pictures)
                taken.setdefault(f"latency_{connections}", []).append(done)
                tell(f"latency, {connections} connections", done)
    return taken


def _task(listed: Sequence[str], folder: Path, threads: int = THREADS) -> Task:
    path = folder.with_suffix(".txt")
    path.write_text("".join(f"{address}\n" for address in listed))
    return Task(path, urlsplit(listed[0]).netloc, folder, threads, len(listed))


def check(name: str, done: Done, pictures: Path) -> None:
    """Whether every image was stored as it is; a program that fails is no contender."""
    offered = {hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures.iterdir()}
    if missing := len(offered - done.stored):
        raise SystemExit(f"{name}: {missing} of {len(offered)} images are missing or changed")


def figures_of(taken: Mapping[str, Sequence[Done]]) -> dict[str, float]:
    """Medians and ratios."""
    figures: dict[str, float] = {}
    for name, all_ in taken.items():
        count = all_[0].count
        figures[f"images_per_s_{name}"] = count / median(done.seconds for done in all_)
        own = count / median(done.own_s for done in all_)
        figures[f"images_per_s_{name}_without_start"] = own
        figures[f"cpu_ms_per_image_{name}"] = 1000 * median(done.cpu_s for done in all_) / count
    for end in ("", "_without_start"):
        speed = {name: figures[f"images_per_s_{name}{end}"] for name in taken}
        for peer, formats in PEERS.items():
            best = max(speed[name] for name in formats)
            figures[f"{peer}{end}"] = speed["facegan"] / best
    figures["cpu_ms_per_image"] = figures["cpu_ms_per_image_facegan"]
    for connections in SLOW_CONNECTIONS:
        speed_here = figures[f"images_per_s_latency_{connections}_without_start"]
        end = "" if connections == THREADS else f"_{connections}"
        figures[f"latency_efficiency{end}"] = speed_here * LATENCY_S / connections
    return figures


def tell(name: str, done: Done) -> None:
    """A line a call."""
    cpu_ms = 1000 * done.cpu_s / done.count
    print(
        f"  {name:<32} {done.seconds:7.2f} s ({done.own_s:6.2f} by its own clock)"
        f" {done.images_per_s:7.0f} images/s {cpu_ms:6.2f} ms CPU an image",
        flush=True,
    )


def parse() -> argparse.Namespace:
    """Options, those of `--quick` filled in."""
    parser = command_line(__doc__)
    parser.add_argument("--scratch", type=Path, help="folder to work in, on the disk to measure")
    parser.add_argument("--images", type=int, default=2000)
    add_programs(parser)
    add_turns(parser, quick="200 images")
    options = parsed(parser)
    options.images = 200 if options.quick else options.images
    return options


def main() -> None:
    """Measure, print, write."""
    options = parse()
    peers = options.peers.absolute()
    others = {"nginx": nginx_version(), **install(peers)}
    programs = contenders(peers)
    if options.only:
        programs = {name: programs[name] for name in options.only}
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        scratch = Path(folder)
        pictures = draw(scratch / "pictures", options.images)
        size = mean(path.stat().st_size for path in pictures.iterdir())
        taken = measure(programs, pictures, scratch, options.repeats)
        if not options.only:
            answers = 4 if options.quick else ANSWERS_PER_CONNECTION
            taken |= measure_slow(programs["facegan"], scratch, options.repeats, answers)
    if options.only:
        return
    figures = figures_of(taken) | {"images": options.images, "kib_an_image": size / 1024}
    names = ("requests", "urllib3", "pillow")
    report("scrape", figures, TARGETS, dry=options.dry, packages=names, others=others)


if __name__ == "__main__":
    main()
