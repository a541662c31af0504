"""The stage `crop`: images of the workspace -> faces and their rows -> shards."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

from facegan.core import files
from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace
from facegan.core.funnel import taken_out
from facegan.core.lock import exclusive
from facegan.core.records import (
    FaceRecord,
    ImageRecord,
    Outcome,
    Reason,
    Status,
    Tally,
)
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import ShardIndex
from pipeline.config import HOLD_OUT, CropConfig, ShardConfig
from pipeline.crop import CropResult, CropTask, FaceCrop, crop_image
from pipeline.detect import ResolvedDetector, model_path, resolve
from pipeline.executors import Executor, Processes, WorkerDied
from pipeline.pack import pack
from pipeline.select import select
from pipeline.stage import run_stage

STAGE = "crop"
RETRIED = {Reason.UNREADABLE}
"""The file may be back at the next call."""


@dataclass(frozen=True, slots=True)
class CropReport:
    """What a call of `facegan crop` did, and what the workspace holds now."""

    detector: str
    """haar, yunet, or yunet:HASH for another model than the Zoo's."""
    images: Tally
    """The images of this call."""
    pending: int
    """Images that are still to be done; above 0 only when the stage was stopped."""
    faces: Tally
    """All faces in the workspace."""
    clusters: int
    """Faces that have duplicates, which are rejected as such."""
    held_out: int
    """Of the kept faces: no training sees them."""
    seconds: float
    shards: ShardIndex | None
    """None when the stage was stopped: `facegan crop` goes on."""


def crop(
    config: CropConfig,
    workspace: Workspace,
    *,
    hold_out: float = HOLD_OUT,
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
        listener: hears the progress and which detector is used.
        should_stop: true ends the stage after the images in flight; shards are not written then.
        executor: where images are decoded and searched; None is `config.workers` processes.

    Raises:
        ConfigError: a setting cannot be.
        MissingDependencyError: YuNet is asked for and its model is not here.
        WorkspaceError: there are no images, the workspace cannot be written, or another facegan
            works in it.
        NothingProducedError: no image shows a face that is kept.
    """
    begun = time.perf_counter()
    config.validate()
    ShardConfig(hold_out=hold_out).validate()
    if not workspace.catalog.exists():
        raise _no_images(workspace)
    detector = resolve(config, listener=listener)
    listener(Note(STAGE, _announcement(detector)))
    with exclusive(workspace):
        with Catalog(workspace.catalog) as catalog:
            _warn_of_other_faces(catalog, detector, listener)
            tally, pending = _run(
                config, detector, workspace, catalog, listener, should_stop, executor
            )
            _judge(catalog, config, hold_out)
            faces = catalog.tally("faces")
            counts = catalog.count_clusters(), catalog.count_faces(Status.KEPT, split=HELD_OUT)
            if not pending:
                _remove_orphans(workspace, catalog)
        if not pending and not faces.kept:
            raise _no_faces(workspace, detector)
        index = None if pending else pack(workspace, ShardConfig(), listener=listener)
    seconds = time.perf_counter() - begun
    return CropReport(detector.label, tally, pending, faces, *counts, seconds, index)


def _judge(catalog: Catalog, config: CropConfig, hold_out: float) -> None:
    """Decide of every face whether it is kept, in one transaction."""
    faces = catalog.faces(None, landmarks=False)
    catalog.update_faces(select(faces, config, hold_out, catalog.hashed_images()))


def _warn_of_other_faces(catalog: Catalog, detector: ResolvedDetector, listener: Listener) -> None:
    """Say so before the faces that another detector found are replaced."""
    others = catalog.kept_by_detector()
    others.pop(detector.label, None)
    for label, count in others.items():
        text = f"replacing {count} faces that {label} found by what {detector.label} finds"
        listener(Note(STAGE, text, warning=True))


def _run(
    config: CropConfig,
    detector: ResolvedDetector,
    workspace: Workspace,
    catalog: Catalog,
    listener: Listener,
    should_stop: Callable[[], bool],
    executor: Executor | None,
) -> tuple[Tally, int]:
    """How the images of this call ended, and how many are left."""
    decided_under = config.config_hash(detector.name, detector.model_sha256)
    total = catalog.rows("images")
    if not total:
        raise _no_images(workspace)
    todo = _todo(workspace, catalog, decided_under)
    tasks = (CropTask(workspace.root / i.path, i.sha256, config, detector) for i in todo)

    def save(task: CropTask, result: CropResult | WorkerDied) -> Outcome:
        return _save(workspace, catalog, task, result, decided_under)

    tally = run_stage(
        STAGE,
        tasks,
        crop_image,
        save,
        executor or Processes(config.workers, preload=("pipeline.crop",)),
        listener=listener,
        should_stop=should_stop,
        total=total,
        done=total - len(todo),
    )
    return tally, len(todo) - tally.total


def _todo(workspace: Workspace, catalog: Catalog, decided_under: str) -> list[ImageRecord]:
    """Images without an outcome, and those whose crops are gone."""
    pending = catalog.pending_images(STAGE, decided_under)
    lost = {
        image for image, path in catalog.crop_files() if not (workspace.root / path).exists()
    } - {image.sha256 for image in pending}
    if not lost:
        return pending
    every = catalog.pending_images(STAGE, "")  # no outcome was decided under the empty hash
    return pending + [image for image in every if image.sha256 in lost]


def _save(
    workspace: Workspace,
    catalog: Catalog,
    task: CropTask,
    result: CropResult | WorkerDied,
    decided_under: str,
) -> Outcome:
    """Files first, then the rows: a kill between them leaves a file that the next call adopts."""
    faces: list[FaceRecord] = []
    phash = None
    if isinstance(result, WorkerDied):
        detail = "the process that decoded it died"
        outcome = Outcome(Status.FAILED, Reason.DECODER_CRASHED, detail)
    else:
        faces = [_record(workspace, task, face) for face in result.faces]
        outcome, phash = _outcome(result), result.phash
    catalog.record_faces(task.sha256, faces, outcome, decided_under, phash)
    return outcome


def _outcome(result: CropResult) -> Outcome:
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
    if detector.name == "yunet":
        return f"searching for faces with YuNet ({detector.model})"
    return f"searching for faces with Haar's cascade (YuNet's model would be {model_path()})"


def _no_images(workspace: Workspace) -> WorkspaceError:
    return WorkspaceError(f"no images in {workspace.root}", hint='facegan scrape "artist"')


def _no_faces(workspace: Workspace, detector: ResolvedDetector) -> NothingProducedError:
    with Catalog(workspace.catalog) as catalog:
        images, faces = catalog.tally("images"), catalog.tally("faces")
    if images.total == taken_out(images):
        return NothingProducedError(
            f"all {images.total} images were taken out", hint='facegan scrape "artist"'
        )
    if images.kept:
        return NothingProducedError(
            f"none of {faces.total} faces is kept: {_counts(faces)}",
            hint="facegan review, or facegan crop with other thresholds",
        )
    other = "yunet" if detector.name == "haar" else "haar"
    return NothingProducedError(
        f"no face in {images.total} images: {_counts(images)}",
        hint=f"facegan crop --detector {other}, or scrape other pictures",
    )


def _counts(tally: Tally) -> str:
    counts = Counter(tally.rejected) + Counter(tally.failed)
    return ", ".join(f"{n} {reason}" for reason, n in counts.most_common())
