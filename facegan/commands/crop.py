"""`facegan crop`: images -> faces -> shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facegan.commands._session import Result, Session, given, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT
from facegan.core.counted import counted

if TYPE_CHECKING:
    from pipeline.config import CropConfig
    from pipeline.crop_stage import CropReport

GATES = (
    ("--min-score", 0.85, "YuNet's least confidence in a kept face, 0 to 1."),
    ("--min-sharpness", 0.2, "0 to 1: 0.3 to 0.4 is in focus, 0.14 blurred."),
    ("--min-exposure", 0.12, "Mean brightness of the face, 0 to 1."),
    ("--max-exposure", 0.9, "Mean brightness of the face, 0 to 1."),
    ("--max-yaw", 45.0, "Degrees that a face is turned to the side, 0 to 90."),
    ("--max-roll", 45.0, "Degrees of tilt in the original, 0 to 180."),
    ("--max-padding", 0.2, "Share of the crop that lies beyond the picture, 0 to 1."),
)
"""Option, default, help."""


def gates(function: Any) -> Any:
    """Give a command the thresholds."""
    for name, default, text in reversed(GATES):
        add = option(name, type=float, default=default, group="Which are kept", help=text)
        function = add(function)
    return function


@facegan_command(
    "crop",
    examples=(
        "facegan crop",
        "facegan crop --detector haar --margin 0 --no-align --faces all --search-px 4096",
        "facegan crop --size 512 --model face_detection_yunet_2023mar.onnx",
    ),
    dry_run=True,
    stops_softly=True,
)
@option(
    "--size", type=int, default=256, group="Crops",
    help="Side in pixels: 32, 48, 64, 96, 128, 192, 256, 384, 512, 768 or 1024.",
)  # fmt: skip
@option(
    "--align/--no-align", default=True, group="Crops",
    help="Turn and frame faces by eyes and mouth; else cut the box.",
)  # fmt: skip
@option(
    "--margin", type=float, default=None, group="Crops",
    help="Added round the frame: its share, 0 to 1; close portraits then need a higher"
    " --max-padding.  [default: 0; 0.1 round a box]",
)  # fmt: skip
@option(
    "--max-upscale", type=float, default=1.5, group="Crops",
    help="Faces that would be enlarged by more are not cut.",
)  # fmt: skip
@option("--detector", default="auto", group="Detector", help="auto, haar or yunet.")
@option(
    "--model", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None, group="Detector",
    help="YuNet's model file.  [default: the cached one, fetched once]",
)  # fmt: skip
@option("--score-threshold", type=float, default=0.6, group="Detector", help="YuNet's least score.")
@option("--scale-factor", type=float, default=1.1, group="Detector", help="Haar's step in size.")
@option("--neighbours", type=int, default=5, group="Detector", help="Haar's agreeing detections.")
@option("--search-px", type=int, default=640, group="Detector", help="Size of the searched image.")
@option("--faces", default="largest", group="Which are kept", help="Of one image: largest or all.")
@option(
    "--min-face-px", type=int, default=50, group="Which are kept",
    help="Least size in the picture: the shorter side of the face's box, from 20.",
)  # fmt: skip
@gates
@option(
    "--duplicates", type=int, default=8, group="Which are kept",
    help="Bits of 64 by which two count as one face, to 16; -1: only equal crops.",
)  # fmt: skip
@option(
    "--hold-out", type=float, default=0.1, group="Which are kept",
    help="Share that training never sees, for the scores: 0 to 0.9.",
)  # fmt: skip
@option("--max-pixels", type=COUNT, default="100m", group="Safety", help="Of one image.")
@option(
    "--workers",
    type=int,
    default=None,
    help="Processes, which share the cores out.  [default: all]",
)
def command(session: Session, workers: int | None, hold_out: float, **settings: Any) -> Result:
    """Find the faces in the gathered images, cut them out and pack them into shards.

    Running it again looks only at images that it has not seen with these settings. Which faces are
    kept is decided anew each time, without cutting again; `facegan review` shows them all. Other
    settings of the crops or the detector cut all faces anew; --dry-run tells how many.
    """
    from pipeline.config import CropConfig
    from pipeline.crop_stage import crop

    if workers is not None:
        settings["workers"] = workers
    config = CropConfig(**settings).validate()
    if session.dry_run:
        return _plan(session, config, hold_out)
    report = crop(
        config,
        session.workspace,
        hold_out=hold_out,
        named=given(),
        listener=session.listener,
        should_stop=session.should_stop,
    )
    stopped = report.shards is None
    data = {
        "detector": report.detector,
        "images": report.images.as_dict(),
        "faces": report.faces.as_dict(),
        "clusters": report.clusters,
        "held_out": report.held_out,
        "decisions": report.decisions,
        "strays": report.strays,
        "cut_before": [one._asdict() for one in report.cut_before],
        "pending": report.pending,
        "seconds": report.seconds,
    }
    lines = _lines(session, report, config.size)
    following = session.again if stopped else session.flag("facegan train")
    return Result(data, tuple(lines), following, interrupted=stopped)


def _lines(session: Session, report: CropReport, size: int) -> Iterator[str]:
    from facegan.commands._table import seconds_text, tally_text

    looked = tally_text(report.images) if report.images.total else "nothing new"
    took = seconds_text(report.seconds)
    yield f"images of this call: {looked} in {took}, with {report.detector}"
    held_out = f"{report.held_out} of the kept are held out"
    yield f"faces in all: {tally_text(report.faces)}; {held_out}"
    if report.strays:
        match = "matches" if report.strays == 1 else "match"
        yield (
            f"{report.strays} of {counted(report.decisions, 'decision')} by hand {match} no face"
            " that is found now"
        )
    if report.shards is not None:
        faces = f"{report.faces.kept} faces of {size} px in {session.workspace.faces}"
        yield f"{faces}, packed in {session.workspace.shards}"
        return
    yield f"{report.total - report.pending} of {report.total} images are done"
    for count, changes in report.cut_before:
        yield f"{counted(count, 'kept face')} still to be cut anew: {changes}"


def _plan(session: Session, config: CropConfig, hold_out: float) -> Result:
    from facegan.commands._table import tally_text
    from pipeline.crop_plan import plan

    told = plan(config, session.workspace, hold_out)
    fetched = "" if told.certain else ", if its model can be fetched"
    otherwise = "; else with haar" if told.goes_on and not told.certain else ""
    lines = [
        f"would look for faces in {told.images} images with {told.detector}{fetched}{otherwise}"
    ]
    for count, changes in told.cut_anew:
        lines.append(f"would cut {counted(count, 'face')} anew: {changes}")
    if told.then is not None and told.then.total:
        lines.append(f"{told.kept} faces are kept now; then: {tally_text(told.then)}")
    data = {
        "images": told.images,
        "detector": told.detector,
        "certain": told.certain,
        "cut_anew": [one._asdict() for one in told.cut_anew],
        "kept": told.kept,
        "then": told.then.as_dict() if told.then is not None else None,
        "settings": config.to_dict(),
    }
    return Result(data, tuple(lines))
