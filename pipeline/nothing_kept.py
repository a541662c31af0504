"""What `facegan crop` says where it has nothing to keep: why that is, and what may mend it."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from facegan.core.catalog import Catalog
from facegan.core.counted import counted
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.files import Workspace
from facegan.core.funnel import taken_out
from facegan.core.records import FaceRecord, Reason, Status, Tally
from pipeline.config import SIZES, CropConfig
from pipeline.crop_plan import words_of
from pipeline.detect import ResolvedDetector
from pipeline.select import GATES, Gate

FRAMED = 1.4
"""Side of a face's framing in longer sides of its box: medians of 370 faces are 1.33 with YuNet's
landmarks and 1.48 with Haar's eyes."""


def no_images(workspace: Workspace) -> WorkspaceError:
    """Nothing was gathered."""
    return WorkspaceError(f"no images in {workspace.root}", hint='facegan scrape "artist"')


def nothing_kept(
    workspace: Workspace, config: CropConfig, detector: ResolvedDetector, hold_out: float
) -> NothingProducedError:
    """No face is kept: because there are no images any more, none was found, or all were rejected.

    The hint is the command line with the one setting changed that rejected most of them.
    """
    with Catalog(workspace.catalog) as catalog:
        images, faces = catalog.tally("images"), catalog.tally("faces")
        rejected = catalog.faces(Status.REJECTED, landmarks=False)
    if images.total == taken_out(images):
        return NothingProducedError(
            f"all {counted(images.total, 'image')} were taken out", hint='facegan scrape "artist"'
        )
    if not faces.total:
        return NothingProducedError(
            f"no face in {counted(images.total, 'image')}: {counts_text(images)}",
            hint=_line(_for_images(images, config, detector), detector, hold_out),
        )
    return NothingProducedError(
        f"none of {counted(faces.total, 'face')} is kept: {counts_text(faces)}",
        hint=_line(_for_faces(rejected, config), detector, hold_out) or "facegan review",
    )


def counts_text(tally: Tally) -> str:
    """All reasons, the commonest first."""
    counts = Counter(tally.rejected) + Counter(tally.failed)
    return ", ".join(f"{n} {reason}" for reason, n in counts.most_common())


def _line(config: CropConfig | None, detector: ResolvedDetector, hold_out: float) -> str | None:
    if config is None:
        return None
    return shlex.join(("facegan", *words_of(config, detector, hold_out)))


def _for_images(images: Tally, config: CropConfig, detector: ResolvedDetector) -> CropConfig | None:
    """Where nothing was found: the other detector, or more pixels."""
    large = images.rejected.get(Reason.TOO_MANY_PIXELS, 0)
    default = CropConfig().max_pixels
    if large > images.total / 2 and config.max_pixels < default:
        return replace(config, max_pixels=default)
    other = "yunet" if detector.name == "haar" else "haar"
    return replace(config, detector=other, model=None)


def _for_faces(faces: Sequence[FaceRecord], config: CropConfig) -> CropConfig | None:
    """Where all were rejected: with a threshold that half of those pass that miss it now."""
    cut = [face for face in faces if face.path]
    uncut = [face for face in faces if not face.path and face.reason == Reason.TOO_SMALL]
    counts = Counter(face.reason for face in cut)
    reason, most = counts.most_common(1)[0] if counts else (None, 0)
    if len(uncut) > most:
        return _smaller(uncut, config)
    gate = next((gate for gate in GATES if gate.reason == reason), None)
    return None if gate is None else _passed(gate, faces, config)


def _passed(gate: Gate, faces: Sequence[FaceRecord], config: CropConfig) -> CropConfig:
    known = (gate.value(face) for face in faces if face.reason == gate.reason)
    values = sorted(value for value in known if value is not None)
    middle = values[len(values) // 2]
    exact: Any = int(middle)
    if isinstance(getattr(CropConfig(), gate.setting), float):
        ten = 10 ** (1 - math.floor(math.log10(middle or 0.01)))
        exact = (math.floor if gate.at_least else math.ceil)(middle * ten) / ten
    return replace(config, **{gate.setting: exact})


def _smaller(faces: Sequence[FaceRecord], config: CropConfig) -> CropConfig | None:
    """At the greatest size for which half of the faces that were too small are large enough."""
    sides = sorted(max(face.box.width, face.box.height) for face in faces if face.box)
    if not sides:
        return None
    most = sides[len(sides) // 2] * FRAMED * config.max_upscale
    fitting = [size for size in SIZES if size <= most]
    return replace(config, size=fitting[-1]) if fitting and fitting[-1] < config.size else None
