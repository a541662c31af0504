"""One scoring from end to end: sets of images -> features -> measures -> the record on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.config import ScoreConfig
from facegan.core.catalog import Catalog
from facegan.core.events import Advanced, Finished, Listener, Started, silent
from facegan.core.files import Workspace
from facegan.device import images_together, resolve_device
from facegan.ledger import sync_runs
from facegan.score import features
from facegan.score.fixed import FIXED
from facegan.score.found import Settings
from facegan.score.gather import STAGE, Clock, Gathered, gather
from facegan.score.measure import STEPS, all_measures
from facegan.score.measure_pixels import CountFaces
from facegan.score.network import FeatureNetwork
from facegan.score.pairs import Pair, nearest_pairs
from facegan.score.record import FILE_NAME, read_scores, write_scores
from facegan.score.report import Report, Side
from facegan.score.sets import ImageSet
from facegan.subjects import Reference, Subject, find_reference, find_subject, other_faces

if TYPE_CHECKING:
    import torch

MEASURES = "measures"
"""The stage after the images were read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A scoring that can begin: all that it needs was found."""

    config: ScoreConfig
    workspace: Workspace
    subject: Subject
    reference: Reference
    network: FeatureNetwork | None
    no_network: str
    """Why there is no feature network."""
    device: torch.device

    @property
    def sets(self) -> dict[str, ImageSet]:
        """The sets of images that will be read."""
        found = {
            "samples": self.subject.images,
            "real": self.reference.real,
            "held_out": self.reference.held_out,
        }
        return {name: images for name, images in found.items() if images is not None}

    def mirrors(self, name: str) -> bool:
        """Whether copies of a set's mirrored images are looked for.

        Not where the run is known not to have mirrored them.
        """
        known = self.reference.trained_on and not self.reference.flipped
        return name == "real" and not known

    @property
    def store(self) -> Path:
        """Where features are kept from one call to the next."""
        return self.workspace.root / "cache" / "features"


@dataclass(frozen=True, slots=True)
class Scored:
    """What was measured, and where it stands."""

    report: Report
    path: Path
    """`scores.json`."""
    figure: Path
    record: dict[str, Any]


def plan(
    config: ScoreConfig,
    workspace: Workspace,
    what: str | None = None,
    *,
    against: str | None = None,
    raw: bool = False,
    best: bool = False,
    fetch: bool = True,
    listener: Listener = silent,
) -> Plan:
    """Find the images and the network before anything long begins.

    Args:
        config: how is measured.
        workspace: whose runs and shards are taken.
        what: see `subjects.find_subject`.
        against: see `subjects.find_reference`.
        raw: of a run, the weights of the last iteration.
        best: of a run, the checkpoint that scored best while it was trained.
        fetch: download weights that are not here.
        listener: gets the notes and a download's progress.

    Raises:
        ConfigError, MissingDependencyError, CheckpointError, ScoreError, ShardError, SourceError,
        WorkspaceError: as the parts do.
    """
    device = resolve_device(config.validate().device)
    subject = find_subject(what, workspace, config, device, raw=raw, best=best, listener=listener)
    reference = find_reference(against, subject, workspace)
    other_faces(subject, reference, listener)
    read_scores(subject.folder / FILE_NAME)  # a damaged file is found before hours of work
    network, missing = features.open_or_say(config, device, fetch=fetch, listener=listener)
    return Plan(config, workspace, subject, reference, network, missing, device)


def score(
    planned: Plan,
    *,
    count_faces: CountFaces | None = None,
    detector: str = "",
    listener: Listener = silent,
) -> Scored:
    """Measure, and write `scores.json`, the figure, and the catalog's rows.

    Args:
        planned: by `plan`.
        count_faces: how many faces a picture shows: a detector, which only the data half has.
        detector: its name, for the record.
        listener: gets the progress and the warnings.

    Raises:
        ScoreError, ShardError, CheckpointError, WorkspaceError: as the parts do.
    """
    begun = time.monotonic()
    total = sum(map(len, planned.sets.values()))
    clock = Clock(listener, total)
    listener(Started(STAGE, total, "image"))
    with _finished(listener, STAGE):
        found = {
            name: gather(
                images,
                planned.network,
                clock=clock,
                batch=planned.config.batch or images_together(planned.device),
                mirror=planned.mirrors(name),
                store=planned.store,
            )
            for name, images in planned.sets.items()
        }
    report = _report(planned, found, count_faces, clock, begun)
    path = planned.subject.folder / FILE_NAME
    record = write_scores(path, report, _about(planned, detector))
    _into_catalog(planned, report, record)
    figure = _figure(planned, found, report)
    return Scored(report, path, figure, record)


@contextmanager
def _finished(listener: Listener, stage: str) -> Iterator[None]:
    try:
        yield
    finally:
        listener(Finished(stage))


def _report(
    planned: Plan,
    found: dict[str, Gathered],
    count_faces: CountFaces | None,
    clock: Clock,
    begun: float,
) -> Report:
    protocol = planned.network.protocol if planned.network else None
    config = planned.config
    settings = Settings(
        config.splits,
        config.seed,
        protocol,
        planned.no_network,
        planned.reference.missing,
        planned.reference.trained_on,
    )
    steps = count(1)
    clock.listener(Started(MEASURES, STEPS, "step"))
    with _finished(clock.listener, MEASURES):
        taken, diagnosis = all_measures(
            found["samples"],
            found.get("real"),
            found.get("held_out"),
            settings,
            count_faces,
            done=lambda: clock.listener(Advanced(MEASURES, next(steps))),
        )
    sides = {
        name: Side(images.name, len(images), images.content, images.about)
        for name, images in planned.sets.items()
    }
    return Report(
        samples=sides["samples"],
        real=sides.get("real"),
        held_out=sides.get("held_out"),
        measures=taken.measures,
        left_out=taken.left_out,
        diagnosis=diagnosis,
        protocols=(FIXED, *([protocol] if protocol else [])),
        warnings=(*features.unofficial(planned.network), *taken.warnings),
        seconds=time.monotonic() - begun,
        images_per_s=clock.images_per_s,
    )


def _about(planned: Plan, detector: str) -> dict[str, Any]:
    return {
        **planned.subject.about,
        "splits": planned.config.splits,
        "features": planned.network.protocol.name if planned.network else None,
        "detector": detector,
    }


def _into_catalog(planned: Plan, report: Report, record: dict[str, Any]) -> None:
    """A row a measure, for runs of this workspace."""
    run = planned.subject.run
    workspace = planned.workspace
    if run is None or run.folder.parent.resolve() != workspace.runs.resolve():
        return
    sync_runs(workspace)
    about = {key: record[key] for key in ("created_at", "raw", "samples", "sample_seed")}
    about["against"] = report.real.name if report.real else None
    about["against_images"] = report.real.images if report.real else 0
    with Catalog(workspace.catalog) as catalog:
        for one in report.measures:
            details = about | {
                "low": one.low,
                "high": one.high,
                "real": one.real,
                "features": one.features,
                **one.details,
            }
            catalog.record_score(
                run.folder.name, planned.subject.iteration, one.name, one.value, details
            )


def _figure(planned: Plan, found: dict[str, Gathered], report: Report) -> Path:
    """Draw the samples beside the faces that they are most like, and the numbers."""
    from facegan.score_plots import save_scores_figure

    subject, real = planned.subject, planned.reference.real
    pairs: tuple[Pair, ...] = ()
    if real is not None and report.diagnosis is not None:
        pairs = nearest_pairs(
            subject.images, real, found["samples"].fixed, found["real"].fixed,
            seed=planned.config.seed,
        )  # fmt: skip
    folder = subject.folder / "plots" if subject.run else subject.folder
    history = read_scores(subject.folder / FILE_NAME)
    return save_scores_figure(folder / "scores.png", report, pairs, history)


def known_score(planned: Plan) -> dict[str, Any] | None:
    """The newest record of the same measurement: images, real images, network, splits and seed.

    Raises:
        ScoreError: `scores.json` cannot be read.
    """
    protocol = planned.network.protocol if planned.network else None
    wanted = {
        "splits": planned.config.splits,
        "sample_seed": planned.config.seed,
        "features": protocol.name if protocol else None,
    }
    sets = {name: (images.content, len(images)) for name, images in planned.sets.items()}
    for record in reversed(read_scores(planned.subject.folder / FILE_NAME)):
        there = {
            name: (side["content"], side["images"])
            for name, side in record.get("sets", {}).items()
            if side
        }
        same = protocol is None or record["protocols"].get(protocol.name) == protocol.as_dict()
        if same and there == sets and all(record.get(key) == wanted[key] for key in wanted):
            return dict(record)
    return None
