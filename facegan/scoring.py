"""One scoring from end to end: sets of images -> features -> measures -> the record on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.best import best_iteration
from facegan.config import ScoreConfig
from facegan.core.catalog import Catalog
from facegan.core.errors import CheckpointError
from facegan.core.events import Finished, Listener, Note, Started, silent
from facegan.core.files import Workspace
from facegan.device import resolve_device
from facegan.ledger import sync_runs
from facegan.outputs import run_folder
from facegan.runs import read_run
from facegan.score import features
from facegan.score.fixed import FIXED
from facegan.score.gather import STAGE, Clock, Gathered, gather
from facegan.score.measure import CountFaces, Settings, all_measures
from facegan.score.network import FeatureNetwork
from facegan.score.pairs import Pair, nearest_pairs
from facegan.score.record import FILE_NAME, read_scores, write_scores
from facegan.score.report import Report, Side
from facegan.score.sets import ImageSet
from facegan.subjects import Reference, Subject, find_reference, find_subject, other_faces


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

    @property
    def sets(self) -> dict[str, ImageSet]:
        """The sets of images that will be read."""
        found = {
            "samples": self.subject.images,
            "real": self.reference.real,
            "held_out": self.reference.held_out,
        }
        return {name: images for name, images in found.items() if images is not None}

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
        listener: gets the notes and a download's progress.

    Raises:
        ConfigError, MissingDependencyError, CheckpointError, ScoreError, ShardError, SourceError,
        WorkspaceError: as the parts do.
    """
    device = resolve_device(config.validate().device)
    subject = find_subject(what, workspace, config, device, raw=raw, best=best, listener=listener)
    reference = find_reference(against, subject, workspace)
    other_faces(subject, reference, listener)
    network, missing = features.open_or_say(config, device, listener=listener)
    return Plan(config, workspace, subject, reference, network, missing)


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
    with _finished(listener):
        found = {
            name: gather(
                images,
                planned.network,
                clock=clock,
                batch=planned.config.batch,
                store=planned.store,
            )
            for name, images in planned.sets.items()
        }
    report = _report(planned, found, count_faces, clock, begun)
    for text in report.warnings:
        listener(Note(STAGE, text, warning=True))
    path = planned.subject.folder / FILE_NAME
    record = write_scores(path, report, _about(planned, detector))
    _into_catalog(planned, report, record)
    figure = _figure(planned, found, report)
    return Scored(report, path, figure, record)


@contextmanager
def _finished(listener: Listener) -> Iterator[None]:
    try:
        yield
    finally:
        listener(Finished(STAGE))


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
    )
    taken, diagnosis = all_measures(
        found["samples"], found.get("real"), found.get("held_out"), settings, count_faces
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


def known_score(
    config: ScoreConfig,
    workspace: Workspace,
    what: str | None = None,
    *,
    raw: bool = False,
    best: bool = False,
) -> dict[str, Any] | None:
    """The newest record of a run's `scores.json` for its generator of today and these settings.

    None where there is no such run, or no such record.

    Raises:
        ScoreError: the file cannot be read, or the weights.
    """
    try:
        run = read_run(run_folder(workspace.runs, what))
    except CheckpointError:
        return None
    wanted: dict[str, Any] = {
        "iteration": best_iteration(run.checkpoints) if best else run.reached,
        "splits": config.splits,
        "sample_seed": config.seed,
        "raw": raw,
    }
    if config.samples is not None:
        wanted["samples"] = config.samples
    return next(
        (
            record
            for record in reversed(read_scores(run.folder / FILE_NAME))
            if all(record.get(key) == value for key, value in wanted.items())
            and features.was_meant(config, record)
        ),
        None,
    )
