"""The stage `crop`: images of the workspace -> faces and their rows -> shards."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass

from facegan.core import files
from facegan.core.catalog import Catalog
from facegan.core.counted import counted
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace
from facegan.core.funnel import taken_out
from facegan.core.lock import exclusive
from facegan.core.records import (
    FaceRecord,
    Outcome,
    Reason,
    Status,
    Tally,
)
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import ShardIndex
from pipeline.config import HOLD_OUT, CropConfig, ShardConfig, available_cpus
from pipeline.crop import CropResult, CropTask, FaceCrop, crop_image
from pipeline.crop_plan import STAGE, Recut, cut_anew, to_do, words_of
from pipeline.detect import ResolvedDetector, resolve
from pipeline.executors import DEADLINE_S, Executor, Processes, WorkerDied
from pipeline.failed_images import FailedImages
from pipeline.images import ImageLimits
from pipeline.model_file import keep_model
from pipeline.nothing_kept import no_images, nothing_kept
from pipeline.pack import pack
from pipeline.select import select
from pipeline.stage import run_stage

RETRIED = {Reason.UNREADABLE, Reason.OUT_OF_MEMORY}
"""The file may be back at the next call, or memory be free."""


@dataclass(frozen=True, slots=True)
class CropReport:
    """What a call of `facegan crop` did, and what the workspace holds now."""

    detector: str
    """haar, yunet, or yunet:HASH for another model than the Zoo's."""
    images: Tally
    """The images of this call."""
    total: int
    """All images of the workspace, but for those that were taken out."""
    pending: int
    """Images that are still to be done; above 0 only when the stage was stopped."""
    cut_before: tuple[Recut, ...]
    """The kept faces that are still those of other settings; only when the stage was stopped."""
    faces: Tally
    """All faces in the workspace."""
    clusters: int
    """Faces that have duplicates, which are rejected as such."""
    held_out: int
    """Of the kept faces: no training sees them."""
    decisions: int
    """Made by hand."""
    strays: int
    """Of the decisions: their faces are not found now."""
    seconds: float
    shards: ShardIndex | None
    """None when the stage was stopped: `facegan crop` goes on."""


def crop(
    config: CropConfig,
    workspace: Workspace,
    *,
    hold_out: float = HOLD_OUT,
    named: Collection[str] = (),
    listener: Listener = silent,
    should_stop: Callable[[], bool] = lambda: False,
    executor: Executor | None = None,
) -> CropReport:
    """Find and cut the faces of every image that has no outcome under this configuration.

    Done again are also images whose crops were deleted. Then all faces are judged, those of
    earlier calls too, and the shards are written.

    Args:
        config: what to search with, what to cut and what to keep.
        workspace: where the images lie and the faces go.
        hold_out: share of the faces that no training sees, for the scores.
        named: settings that stand on the line that goes on with this call, even at their defaults.
        listener: hears the progress, which detector is used, and what is cut anew.
        should_stop: true ends the stage after the images in flight; shards are not written then.
        executor: where images are decoded and searched; None is `config.workers` processes.

    Raises:
        ConfigError: a setting cannot be.
        MissingDependencyError: YuNet is asked for, or found the faces that are here, and its model
            cannot be had.
        WorkspaceError: there are no images, the workspace cannot be written, or another facegan
            works in it.
        NothingProducedError: no image shows a face that is kept.
    """
    begun = time.perf_counter()
    config.validate()
    ShardConfig(hold_out=hold_out).validate()
    detector = _detector(config, workspace, listener)
    with exclusive(workspace):
        with Catalog(workspace.catalog) as catalog:
            for count, changes in cut_anew(catalog, config, detector):
                text = f"cutting {counted(count, 'face')} anew: {changes}"
                listener(Note(STAGE, text, warning=True))
            decided_under = config.config_hash(detector.name, detector.model_sha256)
            words = words_of(config, detector, hold_out, named)
            call = catalog.begin_crop(config.to_dict(), words, detector.label, decided_under)
            failed = FailedImages(workspace, catalog, config.size, decided_under)
            work = _Work(config, detector, decided_under, workspace, catalog, failed)
            tally, total, pending = work.run(listener, should_stop, executor)
            _judge(catalog, config, hold_out, work.failed)
            faces = catalog.tally("faces")
            counts = catalog.count_clusters(), catalog.count_faces(Status.KEPT, split=HELD_OUT)
            strays, decisions = catalog.strays()
            before = tuple(cut_anew(catalog, config, detector))
            if not pending:
                catalog.end_crop(call)
                _remove_orphans(workspace, catalog)
        if not pending and not faces.kept:
            raise nothing_kept(workspace, config, detector, hold_out)
        index = None if pending else pack(workspace, ShardConfig(), listener=listener)
    return CropReport(
        detector.label, tally, total, pending, before, faces, *counts, decisions, strays,
        time.perf_counter() - begun, index,
    )  # fmt: skip


def _detector(config: CropConfig, workspace: Workspace, listener: Listener) -> ResolvedDetector:
    """What is searched with; no model is fetched where there is nothing to search."""
    if not workspace.catalog.exists():
        raise no_images(workspace)
    with Catalog(workspace.catalog) as catalog:
        if not catalog.rows("images"):
            raise no_images(workspace)
        found_by = catalog.found_by()
    detector = resolve(config, found_by=found_by, listener=listener)
    if config.model is not None and keep_model(config.model):
        listener(Note(STAGE, "kept a copy of YuNet's model: later calls need no --model"))
    if config.detector != "auto" or detector.name != "haar":  # else `resolve` has said so
        listener(Note(STAGE, _announcement(detector)))
    return detector


def _judge(catalog: Catalog, config: CropConfig, hold_out: float, failed: FailedImages) -> None:
    """Decide of every face whether it is kept, in one transaction."""
    standing, aside = failed.judged(catalog.faces(None, landmarks=False))
    catalog.update_faces([*select(standing, config, hold_out, catalog.hashed_images()), *aside])


@dataclass(frozen=True, slots=True)
class _Work:
    """The images of one call."""

    config: CropConfig
    detector: ResolvedDetector
    decided_under: str
    workspace: Workspace
    catalog: Catalog
    failed: FailedImages

    def run(
        self, listener: Listener, should_stop: Callable[[], bool], executor: Executor | None
    ) -> tuple[Tally, int, int]:
        """How the images of this call ended, how many there are in all, and how many are left."""
        todo = to_do(self.workspace, self.catalog, self.decided_under)
        total = self.catalog.rows("images") - taken_out(self.catalog.tally("images"))
        # One worker need not leave the other cores idle.
        threads = max(1, available_cpus() // self.config.workers)
        tasks = (
            CropTask(self.workspace.root / i.path, i.sha256, self.config, self.detector, threads)
            for i in todo
        )
        kept, gone = self.catalog.kept_of_images(), Counter[str]()
        late = self.catalog.late_before(STAGE, self.decided_under) - self.failed.images_with_crops

        def save(task: CropTask, result: CropResult | WorkerDied) -> Outcome:
            outcome = self._save(task, result, again=task.sha256 in late)
            if outcome.status is Status.REJECTED:
                gone[outcome.reason or ""] += kept.get(task.sha256, 0)
            return outcome

        tally = run_stage(
            STAGE,
            tasks,
            crop_image,
            save,
            executor or Processes(self.config.workers, ("pipeline.crop",), self._deadline_s),
            listener=listener,
            should_stop=should_stop,
            total=total,
            done=total - len(todo),
        )
        if lost := gone.total():
            why = ", ".join(f"{reason} {n}" for reason, n in gone.most_common() if n)
            text = f"{counted(lost, 'kept face')} {'is' if lost == 1 else 'are'} gone: {why}"
            listener(Note(STAGE, text, warning=True))
        if left := self.failed.text():
            listener(Note(STAGE, left, warning=True))
        return tally, total, len(todo) - tally.total

    @property
    def _deadline_s(self) -> float:
        """More where pictures may be larger than usual."""
        return DEADLINE_S * max(1.0, self.config.max_pixels / ImageLimits().max_pixels)

    def _save(self, task: CropTask, result: CropResult | WorkerDied, *, again: bool) -> Outcome:
        """Files first, then the rows: a kill between them leaves a file the next call adopts."""
        outcome = _outcome(result, again=again)
        if isinstance(result, WorkerDied) or outcome.status is Status.FAILED:
            self.failed.record(task.sha256, outcome)
        else:
            faces = [_record(self.workspace, task, face) for face in result.faces]
            self.catalog.record_faces(task.sha256, faces, outcome, self.decided_under, result.phash)
        return outcome


def _outcome(result: CropResult | WorkerDied, *, again: bool) -> Outcome:
    """Final where it is late `again`: each further call would wait for the deadline anew."""
    if isinstance(result, WorkerDied):
        ms = (result.after_s or 0.0) * 1000
        late = result.after_s is not None
        status = Status.REJECTED if late and again else Status.FAILED
        return Outcome(status, result.reason, result.detail, ms)
    if result.rejection is None:
        return Outcome(Status.KEPT, ms=result.ms)
    reason, detail = result.rejection.reason, result.rejection.detail
    status = Status.FAILED if reason in RETRIED else Status.REJECTED
    return Outcome(status, reason, detail or None, result.ms)


def _record(workspace: Workspace, task: CropTask, crop_: FaceCrop) -> FaceRecord:
    """Write the crop, when there is one, and describe it; whether it is kept is judged later."""
    sha256 = path = None
    if crop_.png is not None:
        sha256 = files.sha256_of(crop_.png)
        path = files.content_path("faces", sha256, ".png")
        if not (workspace.root / path).exists():
            files.write_bytes(workspace.root / path, crop_.png)
    return FaceRecord(
        image_sha256=task.sha256,
        box=crop_.face.box,
        landmarks=crop_.face.landmarks,
        score=crop_.face.score,
        detector=task.detector.label,
        status=Status.PENDING if path else Status.REJECTED,
        reason=crop_.reason,
        detail=crop_.detail,
        path=path,
        sha256=sha256,
        phash=crop_.phash,
        auto_reason=crop_.reason,
        auto_detail=crop_.detail,
        **(asdict(crop_.quality) if crop_.quality else {}),
    )


def _remove_orphans(workspace: Workspace, catalog: Catalog) -> None:
    """Delete crops that no row names: those of earlier settings, and what a kill left."""
    named = {path for _, path in catalog.crop_files()}
    for path in workspace.faces.glob("*/*"):
        if path.relative_to(workspace.root).as_posix() not in named:
            with contextlib.suppress(OSError):
                path.unlink()


def _announcement(detector: ResolvedDetector) -> str:
    if detector.name == "haar":
        return "searching for faces with Haar's cascade"
    named = "" if detector.label == detector.name else f" ({detector.label})"
    return f"searching for faces with YuNet{named}"
