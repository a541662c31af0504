"""What a call of `facegan crop` is going to do, and the words of the line that goes on with it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from facegan.core.catalog import Catalog
from facegan.core.config import option_of
from facegan.core.crop_tables import CutBefore
from facegan.core.errors import ConfigError
from facegan.core.files import Workspace
from facegan.core.records import ImageRecord, Status, Tally
from pipeline.config import HOLD_OUT, CropConfig
from pipeline.detect import MODEL_SHA256, ResolvedDetector, planned
from pipeline.model_file import cached_model
from pipeline.select import select

STAGE = "crop"
CUTTING = ("size", "align", "margin", "max_upscale", "search_px", "max_pixels")
OF_HAAR, OF_YUNET = ("scale_factor", "neighbours", "haar_least_px"), ("score_threshold",)
"""Settings that decide which faces are found and how they are cut."""
THOUSANDS_FROM = 10_000
"""Whole numbers from here on are told with commas."""
MOST_TOLD = 3
"""Sets of earlier settings that are told apart."""


class Recut(NamedTuple):
    """Kept faces that are found and cut anew."""

    faces: int
    changes: str
    """Why: such as "size 256 -> 64"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call would do."""

    images: int
    """That would be searched."""
    detector: str
    """As the catalog records it."""
    certain: bool
    """False where that depends on whether YuNet's model can be fetched."""
    goes_on: bool
    """Whether `auto` would do without YuNet, where its model cannot be had."""
    cut_anew: tuple[Recut, ...]
    kept: int
    """Faces that are kept now."""
    then: Tally | None
    """What the thresholds make of the faces that are there; None where some would be cut anew."""


def plan(config: CropConfig, workspace: Workspace, hold_out: float) -> Plan:
    """Work out what `crop` would do; nothing is fetched or written.

    Raises:
        MissingDependencyError: another model has found the faces that are there.
        WorkspaceError: the model that was given is missing or none.
    """
    certain = bool(config.detector == "haar" or config.model or cached_model())
    if not workspace.catalog.exists():
        label = planned(config).label
        return Plan(0, label, certain, config.detector == "auto", (), 0, None)
    with Catalog(workspace.catalog) as catalog:
        found_by = catalog.found_by()
        detector = planned(config, found_by)
        decided_under = config.config_hash(detector.name, detector.model_sha256)
        anew = tuple(cut_anew(catalog, config, detector))
        return Plan(
            images=len(to_do(workspace, catalog, decided_under)),
            detector=detector.label,
            certain=certain,
            goes_on=config.detector == "auto" and set(found_by) <= {"haar"},
            cut_anew=anew,
            kept=catalog.count_faces(Status.KEPT),
            then=None if anew else _then(catalog, config, hold_out),
        )


def to_do(workspace: Workspace, catalog: Catalog, decided_under: str) -> list[ImageRecord]:
    """Images without an outcome under these settings, and those whose crops are gone."""
    pending = catalog.pending_images(STAGE, decided_under)
    lost = {
        image for image, path in catalog.crop_files() if not (workspace.root / path).exists()
    } - {image.sha256 for image in pending}
    if not lost:
        return pending
    every = catalog.pending_images(STAGE, "")  # no outcome was decided under the empty hash
    return pending + [image for image in every if image.sha256 in lost]


def cut_anew(catalog: Catalog, config: CropConfig, detector: ResolvedDetector) -> list[Recut]:
    """Which kept faces are to be found and cut anew, the most first."""
    before = catalog.cut_before(config.config_hash(detector.name, detector.model_sha256))
    counts: Counter[str] = Counter()
    for one in before:
        counts[", ".join(_changes(one, config, detector))] += one.faces
    told = [Recut(n, changes) for changes, n in counts.most_common(MOST_TOLD)]
    if rest := sum(n for _, n in counts.most_common()[MOST_TOLD:]):
        told.append(Recut(rest, "other settings"))
    return told


def _changes(before: CutBefore, config: CropConfig, detector: ResolvedDetector) -> list[str]:
    found = []
    if before.detector != detector.label:
        found.append(f"detector {before.detector} -> {detector.label}")
    if (old := _parsed(before.settings)) is not None:
        same = before.detector == detector.label
        of_detector = OF_HAAR if detector.name == "haar" else OF_YUNET
        for name in (*CUTTING, *(of_detector if same else ())):
            was, now = _told(old, name), _told(config, name)
            if was != now:
                found.append(f"{_called(name)} {was} -> {now}")
    return found or ["an earlier facegan cut them"]


def _parsed(settings: Mapping[str, Any] | None) -> CropConfig | None:
    """None where they are unknown, or another facegan's."""
    try:
        return None if settings is None else CropConfig.from_dict(settings)
    except ConfigError:
        return None


def _called(name: str) -> str:
    return "min-face-px" if name == "haar_least_px" else name.replace("_", "-")


def _told(config: CropConfig, name: str) -> str:
    value = getattr(config, name)
    if name == "margin" and value is None:
        return "default"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if value >= THOUSANDS_FROM else str(value)


def words_of(
    config: CropConfig,
    detector: ResolvedDetector,
    hold_out: float = HOLD_OUT,
    named: Collection[str] = (),
) -> tuple[str, ...]:
    """The words of a command line with these settings, after `facegan`.

    Args:
        config: the settings; those at their defaults need no words.
        detector: what they came to: a model that is in the cache needs no words either.
        hold_out: share of the faces that no training sees.
        named: settings that are told even so, for facegan.toml or the environment may have others.
    """
    words = [STAGE]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        own = field.name != "workers" and value != field.default
        if value is None or not (own or field.name in named):
            continue
        if field.name == "model" and detector.model_sha256 == MODEL_SHA256 and cached_model():
            continue
        words += _words(option_of(field), value)
    if hold_out != HOLD_OUT or "hold_out" in named:
        words += _words("--hold-out", hold_out)
    return tuple(words)


def _words(option: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-")]
    return [option, str(value.absolute()) if isinstance(value, Path) else f"{value}"]


def _then(catalog: Catalog, config: CropConfig, hold_out: float) -> Tally:
    """How all faces would be judged; as `Catalog.tally` tells it."""
    faces = catalog.faces(None, landmarks=False)
    changed = {face.id: face for face in select(faces, config, hold_out, catalog.hashed_images())}
    ends = Counter(
        (now.status, now.reason or "") for now in (changed.get(face.id, face) for face in faces)
    )
    rejected = {r: n for (status, r), n in ends.most_common() if status is Status.REJECTED}
    return Tally(sum(n for (status, _), n in ends.items() if status is Status.KEPT), rejected)
