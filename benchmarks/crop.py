"""`facegan crop` measured: what it finds, how steady its crops are, and how fast it is.

    python -m benchmarks.crop [DATA] [--model FILE] [--peers FOLDER] [--repeats 3] [--quick] [--dry]

DATA (default ../shared/data) holds `annotated`, `negatives` and `faces`.

`recall_…` and `negatives_…`: shares of the annotated faces met at IoU >= 0.3, and of photographs of
objects in which a face of any size is found. `eye_spread_px`: standard deviation of the true eyes'
places in 256-px crops of drawn portraits that are tilted by up to 30 degrees, framed by YuNet's
landmarks (the greatest of left and right, x and y); `…_true_px` where the landmarks are the true
ones, so that only the faces' proportions are left.

Speed is measured on photographs of the annotated set and of `faces`, enlarged to 1,920 px on their
longer side, and in the figures called `…_small` as they lie (about 500 px). The recorded answers of
image searches in ../shared/data/web name pictures of 800 to 6,700 px, half of them above 3,000; and
1,920 is the width in which Wikimedia Commons gives them. Enlarged ones stand in, because the sets
have no large ones. Both matter: a search is bounded at 640 px, so small ones gain nothing by that.

From the file to the PNG, in turns that are rotated, medians, beside
- autocrop, called in process (`Cropper(width=256, height=256).crop` and `cv2.imwrite`);
- a bare loop: imread, YuNet at 640 px, the box as a square, resize, imwrite.
facegan's own are `crop_image` in one and two worker processes, whose parent writes. All of them
share the cores out among their processes: OpenCV has a thread for each core in one, in two half as
many each. The contenders' start is left out, facegan's pool (30 ms) is not.

`vs_autocrop` is facegan's images/s with one process over autocrop's with one, `vs_autocrop_2`
facegan's with two over autocrop's with one, `vs_autocrop_2_each` with two each, `vs_bare` and
`vs_bare_2` likewise; `…_by_cpu` are ratios by CPU time for an image at as many processes, which
another program on the machine disturbs less. Writes benchmarks/results/crop.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import cv2

from benchmarks.crop_accuracy import annotated, eye_spread, firing, recall
from benchmarks.crop_peers import Contender, Done, contenders, install
from benchmarks.result import ROOT, Target, report
from benchmarks.turns import add_programs, add_turns, command_line, parsed, rounds
from pipeline.config import CropConfig
from pipeline.detect import MODEL_NAME, build, resolve

PHOTO_PX = 1920
JPEG_QUALITY = 90
ANNOTATED, FACES = 40, 20
"""Photographs of each set that are enlarged."""
SMALL = 3
"""So many times as many as they lie."""
WARM = 4
PORTRAITS = 200
TARGETS: dict[str, Target] = {
    "recall_yunet": (">=", 1.0),
    "recall_haar": (">=", 0.98),
    "negatives_yunet": ("<=", 0.02),
    "eye_spread_px": ("<", 3.0),
    "vs_autocrop": (">=", 4.0),
    "vs_autocrop_2": (">=", 7.0),
    "vs_bare": (">=", 0.85),
}

RATIOS = {
    "vs_autocrop": ("yunet_1", "autocrop_1"),
    "vs_autocrop_2": ("yunet_2", "autocrop_1"),
    "vs_autocrop_2_each": ("yunet_2", "autocrop_2"),
    "vs_bare": ("yunet_1", "bare_1"),
    "vs_bare_2": ("yunet_2", "bare_2"),
}

Taken = dict[str, list[Done]]


def accuracy(data: Path, model: Path, count: int) -> dict[str, float]:
    """Recall, false positives and the spread of the eyes."""
    figures: dict[str, float] = {}
    for name in ("yunet", "haar"):
        config = CropConfig(detector=name, model=model if name == "yunet" else None)
        detector = build(resolve(config), config)
        figures[f"recall_{name}"] = recall(detector, data)
        figures[f"negatives_{name}"] = firing(detector, data)
        spread = eye_spread(config, count)
        end = "" if name == "yunet" else "_haar"
        figures[f"portraits_framed_{name}"] = spread.found
        if spread.found:
            figures[f"eye_spread{end}_px"] = spread.px
            figures[f"eye_spread{end}_distance_px"] = spread.distance_px
    figures["eye_spread_true_px"] = eye_spread(None, count).px
    return figures


def photographs(data: Path, annotated_: int, faces: int) -> list[Path]:
    """The first of each set."""
    found = [path for path, _ in annotated(data)][:annotated_]
    return found + sorted((data / "faces").glob("*.jpg"))[:faces]


def enlarge(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copies with a longer side of PHOTO_PX."""
    folder.mkdir()
    large: list[Path] = []
    for path in files:
        image = cv2.imread(str(path))
        if image is None:
            raise SystemExit(f"{path} cannot be read")
        scale = PHOTO_PX / max(image.shape[:2])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        large.append(folder / path.name)
        cv2.imwrite(str(large[-1]), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return large


def measure(
    programs: Mapping[str, Contender], files: Sequence[Path], scratch: Path, repeats: int
) -> Taken:
    """Every contender's calls, after one short call each that does not count."""
    taken: Taken = {name: [] for name in programs}
    for name, program in programs.items():
        program(files[:WARM], _folder(scratch / f"{name}-first"))
    for number, name in rounds(list(programs), repeats):
        done = programs[name](files, _folder(scratch / f"{name}-{number}"))
        taken[name].append(done)
        tell(name, done)
    return taken


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def speeds(taken: Mapping[str, Sequence[Done]], end: str = "") -> dict[str, float]:
    """Medians and their ratios; `end` goes to each name."""
    figures: dict[str, float] = {}
    for name, all_ in taken.items():
        figures[f"images_per_s_{name}{end}"] = median(done.images_per_s for done in all_)
        cpu_ms = median(1000 * done.cpu_s / done.count for done in all_)
        figures[f"cpu_ms_per_image_{name}{end}"] = cpu_ms
        figures[f"cropped_{name}{end}"] = median(done.crops / done.count for done in all_)
    for name, (ours, theirs) in RATIOS.items():
        if ours in taken and theirs in taken:
            speed = {key: figures[f"images_per_s_{key}{end}"] for key in (ours, theirs)}
            cpu = {key: figures[f"cpu_ms_per_image_{key}{end}"] for key in (ours, theirs)}
            figures[f"{name}{end}"] = speed[ours] / speed[theirs]
            if ours[-1] == theirs[-1]:
                figures[f"{name}_by_cpu{end}"] = cpu[theirs] / cpu[ours]
    return figures


def tell(name: str, done: Done) -> None:
    """A line a call."""
    cpu_ms = 1000 * done.cpu_s / done.count
    print(
        f"  {name:<12} {done.seconds:7.2f} s {done.images_per_s:7.1f} images/s"
        f" {cpu_ms:7.1f} ms CPU an image, {done.crops} of {done.count} with a face",
        flush=True,
    )


def parse() -> argparse.Namespace:
    """Options, those of `--quick` filled in."""
    parser = command_line(__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=ROOT.parent / "shared" / "data")
    parser.add_argument("--model", type=Path, help="YuNet's  [default: DATA/../models]")
    add_programs(parser, only="contenders; no accuracy")
    add_turns(parser, quick="few images")
    options = parsed(parser)
    options.model = options.model or options.data.parent / "models" / MODEL_NAME
    return options


def main() -> None:
    """Measure, print, write."""
    options = parse()
    few = 10 if options.quick else 1
    others = install(options.peers.absolute())
    programs = contenders(options.peers.absolute(), options.model.resolve())
    if options.only:
        programs = {name: programs[name] for name in options.only}
    figures = {} if options.only else accuracy(options.data, options.model, PORTRAITS // few)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        counts = ANNOTATED // few, FACES // few
        large = enlarge(photographs(options.data, *counts), scratch / "large")
        small = photographs(options.data, *(SMALL * count for count in counts))
        for end, files in (("", large), ("_small", small)):
            print(f"{len(files)} photographs{end}", flush=True)
            taken = measure(programs, files, scratch / f"out{end}", options.repeats)
            figures |= speeds(taken, end) | {f"photographs{end}": len(files)}
    figures["load_before"] = load
    names = ("opencv-contrib-python", "numpy", "pillow", "simplejpeg")
    report("crop", figures, TARGETS, dry=options.dry, packages=names, others=others)


if __name__ == "__main__":
    main()
