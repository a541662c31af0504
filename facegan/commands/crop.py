"""`facegan crop`: images -> faces -> shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command
from facegan.commands._types import COUNT

GATES = (
    ("--min-score", 0.85, "YuNet's least confidence in a kept face."),
    ("--min-sharpness", 0.2, "Blurred faces are rejected."),
    ("--min-exposure", 0.12, "Mean brightness of the face, 0 to 1."),
    ("--max-exposure", 0.9, "Mean brightness of the face, 0 to 1."),
    ("--max-yaw", 45.0, "Degrees that a face is turned to the side."),
    ("--max-roll", 45.0, "Degrees of tilt in the original."),
    ("--max-padding", 0.2, "Share of the crop that lies beyond the picture."),
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
@option("--size", type=int, default=256, group="Crops", help="Side in pixels, 32 to 1024.")
@option(
    "--align/--no-align", default=True, group="Crops",
    help="Turn and frame faces by eyes and mouth; else cut the box.",
)  # fmt: skip
@option(
    "--margin", type=float, default=None, group="Crops",
    help="Added round the frame: its share.  [default: 0; 0.1 round a box]",
)  # fmt: skip
@option("--min-face-px", type=int, default=50, group="Crops", help="Smaller ones are rejected.")
@option(
    "--max-upscale", type=float, default=1.5, group="Crops",
    help="Faces that would be enlarged by more are rejected.",
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
@gates
@option(
    "--duplicates", type=int, default=8, group="Which are kept",
    help="Bits of 64 by which two count as one face; -1 keeps all.",
)  # fmt: skip
@option(
    "--hold-out", type=float, default=0.1, group="Which are kept",
    help="Share that training never sees, for the scores.",
)  # fmt: skip
@option("--max-pixels", type=COUNT, default="100m", group="Safety", help="Of one image.")
@option("--workers", type=int, default=None, help="Processes.  [default: all cores]")
def command(session: Session, workers: int | None, hold_out: float, **settings: Any) -> Result:
    """Find the faces in the gathered images, cut them out and pack them into shards.

    Running it again looks only at images that it has not seen with these settings. Which faces are
    kept is decided anew each time, without cutting again; `facegan review` shows them all.
    """
    from facegan.commands._table import seconds_text, tally_text
    from pipeline.config import CropConfig
    from pipeline.crop_stage import crop

    if workers is not None:
        settings["workers"] = workers
    config = CropConfig(**settings).validate()
    if session.dry_run:
        return _plan(session, config)
    report = crop(
        config,
        session.workspace,
        hold_out=hold_out,
        listener=session.listener,
        should_stop=session.should_stop,
    )
    stopped = report.shards is None
    packed = f"{report.pending} images left" if stopped else f"packed in {session.workspace.shards}"
    looked = tally_text(report.images) if report.images.total else "nothing new"
    lines = (
        f"images: {looked} in {seconds_text(report.seconds)}, with {report.detector}",
        f"faces: {tally_text(report.faces)}; {report.held_out} of the kept are held out",
        f"{report.faces.kept} faces of {config.size} px in {session.workspace.faces}, {packed}",
    )
    data = {
        "detector": report.detector,
        "images": report.images.as_dict(),
        "faces": report.faces.as_dict(),
        "clusters": report.clusters,
        "held_out": report.held_out,
        "pending": report.pending,
        "seconds": report.seconds,
    }
    following = session.again if stopped else session.flag("facegan train")
    return Result(data, lines, following, interrupted=stopped)


def _plan(session: Session, config: Any) -> Result:
    from facegan.core.catalog import Catalog
    from pipeline.detect import planned

    detector = planned(config)
    waiting = 0
    if session.workspace.catalog.exists():
        decided_under = config.config_hash(detector.name, detector.model_sha256)
        with Catalog(session.workspace.catalog) as catalog:
            waiting = len(catalog.pending_images("crop", decided_under))
    line = f"would look for faces in {waiting} images with {detector.label}"
    data = {"images": waiting, "detector": detector.label, "settings": config.to_dict()}
    return Result(data, (line,))
