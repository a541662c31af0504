"""A folder of faces that someone has already -> shards: cut square and resized, not detected."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from facegan.core import files
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Listener, Note, silent
from facegan.core.hashing import config_hash
from facegan.core.records import Outcome, Reason, Status
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import Entry, ShardIndex, write_shards
from pipeline.config import HOLD_OUT, ShardConfig, available_cpus
from pipeline.dedup import IMAGE_BITS, alike, phash
from pipeline.executors import Executor, Processes, WorkerDied
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read
from pipeline.pack import held_out_hash, unchanged
from pipeline.sources.names import as_text
from pipeline.split import splits
from pipeline.stage import run_stage
from pipeline.windows import resize

FOLDER_SIZE = 256
"""Where --size is not given: the reference's."""
SCRATCH = ".folder-"
STALE_S = 3600.0
"""Age from which a scratch folder was left behind by a call that was killed."""


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What a folder gave."""

    index: ShardIndex | None
    """None when the reading was stopped: the shards that stood there before stand there still."""
    rejected: Mapping[str, tuple[str, ...]]
    """The files that are not in the shards, by reason."""
    stopped: bool = False
    """`should_stop` ended it."""


@dataclass(frozen=True, slots=True)
class FolderTask:
    """One file on its way to a worker."""

    path: Path
    size: int
    limits: ImageLimits


@dataclass(frozen=True, slots=True)
class Squared:
    """What a file gave."""

    png: bytes
    phash: str


def pack_folder(
    folder: Path,
    shards_dir: Path,
    config: ShardConfig,
    *,
    listener: Listener = silent,
    should_stop: Callable[[], bool] = lambda: False,
    executor: Executor | None = None,
) -> FolderReport:
    """Pack every image in `folder` and the folders in it, ordered by the hash of its PNG.

    Args:
        folder: any files; what is no usable image is reported, never silently dropped. Names that
            begin with a dot are not looked at.
        shards_dir: gets the shards and their index.
        config: the size of the images, the limits, the share to hold out.
        listener: hears the progress, and a Note for each file that is left out.
        should_stop: true ends the reading early; no shards are written then.
        executor: where files are decoded; None is a process for each core.

    Raises:
        ConfigError: a setting cannot be.
        WorkspaceError: the folder cannot be read, or the shards cannot be written.
        NothingProducedError: no file is a usable image.
    """
    config.validate()
    paths = listed(folder)
    size = config.size or FOLDER_SIZE
    limits = ImageLimits(max_pixels=config.max_pixels)
    with _scratch(shards_dir) as scratch:
        collected = _Collected(folder, scratch, listener)
        tally = run_stage(
            "shard",
            [FolderTask(path, size, limits) for path in paths],
            square,
            collected.save,
            executor or Processes(available_cpus(), preload=("pipeline.pack_folder",)),
            listener=listener,
            should_stop=should_stop,
            unit="file",
            total=len(paths),
        )
        stopped = tally.total < len(paths)
        index = None if stopped else _write(collected, _name(folder), shards_dir, size, config)
        return FolderReport(index, collected.by_reason(), stopped)


def square(task: FolderTask) -> Squared | Rejection:
    """The item function: decode, cut the middle square, resize, hash, encode. Runs in a worker."""
    image = read(task.path, task.limits)
    if isinstance(image, Rejection):
        return image
    pixels = resize(centre_square(image), task.size)
    return Squared(encode_png(pixels), phash(pixels))


def centre_square(image: Pixels) -> Pixels:
    """The largest square in the middle of a picture.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (S, S, 3) uint8, S the shorter side; an odd pixel falls off on the right or at the bottom.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


class _Collected:
    """The PNGs on disk, and what became of each file."""

    def __init__(self, folder: Path, scratch: Path, listener: Listener) -> None:
        self.scratch = scratch
        self.names: defaultdict[str, list[str]] = defaultdict(list)
        """Files by the hash of their PNG."""
        self.phashes: dict[str, str] = {}
        self._folder = folder
        self._listener = listener
        self._rejected: defaultdict[str, list[str]] = defaultdict(list)

    def save(self, task: FolderTask, result: Squared | Rejection | WorkerDied) -> Outcome:
        name = as_text(task.path.relative_to(self._folder).as_posix())
        if isinstance(result, WorkerDied):
            result = Rejection(result.reason, result.detail)
        if isinstance(result, Rejection):
            detail = as_text(result.detail)
            self._rejected[result.reason].append(name)
            self._listener(Note("shard", f"{name}: {detail}", warning=True))
            return Outcome(Status.REJECTED, result.reason, detail)
        key = files.sha256_of(result.png)
        self.phashes[key] = result.phash
        self.names[key].append(name)
        if len(self.names[key]) > 1:
            return Outcome(Status.REJECTED, Reason.DUPLICATE)
        files.write_bytes(self.scratch / f"{key}.png", result.png)
        return Outcome(Status.KEPT)

    def by_reason(self) -> dict[str, tuple[str, ...]]:
        """All names that are not in the shards; of equal pictures the first by name is."""
        found = {reason: tuple(sorted(names)) for reason, names in self._rejected.items()}
        twins = sorted(name for names in self.names.values() for name in sorted(names)[1:])
        return found | ({Reason.DUPLICATE.value: tuple(twins)} if twins else {})


def _name(folder: Path) -> str:
    """A folder as it is named, but of an absolute path the last part: shards are passed on."""
    return as_text(folder.name if folder.is_absolute() else folder.as_posix())


def _write(
    collected: _Collected, folder: str, shards_dir: Path, size: int, config: ShardConfig
) -> ShardIndex:
    if not collected.names:
        raise NothingProducedError(
            f"none of the files is a usable image: {_counts(collected.by_reason())}"
        )
    files_of = {key: {"file": min(names)} for key, names in sorted(collected.names.items())}
    sides = _splits(collected, HOLD_OUT if config.hold_out is None else config.hold_out)
    settings = {
        "source": "folder",
        "folder": folder,
        "size": size,
        "max_bytes": config.max_bytes,
        "metadata": config_hash(files_of),
        "held_out": held_out_hash(key for key, side in sides.items() if side == HELD_OUT),
    }
    index = unchanged(shards_dir, collected.names, size, settings)
    return index or write_shards(
        shards_dir,
        _entries(collected.scratch, files_of, sides),
        image_size=size,
        config=settings,
        max_bytes=config.max_bytes,
    )


def _splits(collected: _Collected, hold_out: float) -> dict[str, str]:
    """By the hash of the PNG; pictures that look alike are never parted."""
    keys = sorted(collected.names)
    edges = alike([collected.phashes[key] for key in keys], IMAGE_BITS).edges
    return dict(zip(keys, splits(keys, edges, hold_out), strict=True))


def _entries(
    scratch: Path, files_of: Mapping[str, Mapping[str, str]], sides: Mapping[str, str]
) -> Iterator[Entry]:
    for key, metadata in files_of.items():
        yield Entry(key, (scratch / f"{key}.png").read_bytes(), metadata, sides[key])


def listed(folder: Path) -> list[Path]:
    """The files below a folder, hidden ones left out, by their paths.

    Raises:
        WorkspaceError: there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise WorkspaceError(f"there is no folder {as_text(folder)}")
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    if not found:
        raise WorkspaceError(f"there are no files in {as_text(folder)}")
    return sorted(found)


@contextlib.contextmanager
def _scratch(shards_dir: Path) -> Iterator[Path]:
    try:
        shards_dir.mkdir(parents=True, exist_ok=True)
        _sweep(shards_dir)
        place = tempfile.TemporaryDirectory(dir=shards_dir, prefix=SCRATCH)
    except OSError as error:
        raise files.write_error(shards_dir, error) from error
    with place as name:
        yield Path(name)


def _sweep(shards_dir: Path) -> None:
    """Remove what killed calls left; a folder's time is that of the last file written in it."""
    for scratch in shards_dir.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > STALE_S:
                shutil.rmtree(scratch, ignore_errors=True)


def _counts(by_reason: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{len(names)} {reason}" for reason, names in by_reason.items())
