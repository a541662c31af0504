"""The folders of training runs. No torch here.

    runs/00001-64px/   config.json (settings as resolved, the faces trained on), history.csv,
                       checkpoints/iter-00000500.safetensors and .json, samples/iter-00000500.png

`resume` decides which run goes on. A run never writes into another one's folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import errno
import fcntl
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.config import TrainConfig
from facegan.core.database import now
from facegan.core.errors import CheckpointError, ConfigError, WorkspaceError
from facegan.core.files import sha256_of, write_error, write_json
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import ShardIndex

FORMAT_VERSION = 2
"""2: with engine, precision and average. A run of version 1 goes on as it was trained, on the CPU
with the same draws; on CUDA that version drew them on the device."""
_AS_VERSION_1 = {"engine": "eager", "precision": "fp32", "ema_kimg": 0.0}
_FOLDER = re.compile(r"(\d{5,})-.+")
_CHECKPOINT = re.compile(r"iter-(\d{8,})\.json")


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder and what its config.json says."""

    folder: Path
    config: TrainConfig
    data: Mapping[str, Any]
    """The faces trained on: `data_identity`."""
    overrides: tuple[Mapping[str, Any], ...] = field(default=())
    """Settings that `--override` changed on the way, each with the iteration from which on."""
    began: str = ""
    """When, in UTC; tells the run from a deleted one whose number it has."""

    @property
    def history(self) -> Path:
        """The record of every iteration."""
        return self.folder / "history.csv"

    @property
    def checkpoints(self) -> Path:
        """Full training states."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Grids of the fixed latents."""
        return self.folder / "samples"

    @property
    def reached(self) -> int:
        """The newest checkpoint's iteration, 0 without one."""
        return max(checkpoint_iterations(self.checkpoints), default=0)

    def store(self) -> None:
        """Write config.json.

        Raises:
            WorkspaceError: it cannot be written.
        """
        value = {
            "format_version": FORMAT_VERSION,
            "began": self.began,
            "train": self.config.to_dict(),
            "data": dict(self.data),
            "overrides": [dict(change) for change in self.overrides],
        }
        write_json(self.folder / "config.json", value)

    @contextlib.contextmanager
    def locked(self, *, hold: bool = True) -> Iterator[None]:
        """Keep other processes from training this run; ends with the process at the latest.

        Half-written files that a kill has left in the folder are removed first.

        Args:
            hold: false does nothing: another process of the same training has the lock.

        Raises:
            WorkspaceError: another process trains it, or the folder cannot be written or locked.
        """
        if not hold:
            yield
            return
        path = self.folder / "lock"
        try:
            file = path.open("wb")
        except OSError as error:
            raise write_error(path, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise _lock_error(path, error) from error
            for half in self.folder.rglob(".*.tmp"):
                remove_file(half)
            yield


def remove_file(path: Path) -> None:
    """Delete a file, if it is there.

    Raises:
        WorkspaceError: it cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def checkpoint_path(folder: Path, iteration: int) -> Path:
    """A checkpoint's tensors; its description ends in `.json` instead.

    >>> checkpoint_path(Path("checkpoints"), 500).name
    'iter-00000500.safetensors'
    """
    return folder / f"iter-{iteration:08d}.safetensors"


def checkpoint_iterations(folder: Path) -> list[int]:
    """Iterations of the checkpoints that look whole, in order; their hashes are not computed."""
    found = [
        int(match[1])
        for path in folder.glob("iter-*.json")
        if (match := _CHECKPOINT.fullmatch(path.name)) and _looks_whole(path)
    ]
    return sorted(found)


def data_identity(index: ShardIndex) -> dict[str, Any]:
    """What must stay the same for a run to go on: which faces, of what size, in which order."""
    text = "\n".join(f"{member.key} {member.sha256} {member.split}" for member in index.members)
    return {
        "selection": index.selection,
        "image_size": index.image_size,
        "count": index.count,
        "held_out": len(index.split(HELD_OUT)),
        "sha256": sha256_of(text.encode()),
    }


def same_faces(began_with: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether two data identities are of one set of faces; an older one tells less."""
    keys = ("selection", "image_size", "count", "sha256")  # the last knows which are held out
    return all(began_with.get(key) == data.get(key) for key in keys)


def list_runs(runs_dir: Path) -> list[Run]:
    """All runs with a readable config.json, oldest first."""
    folders = [path for path in runs_dir.glob("*") if _FOLDER.fullmatch(path.name)]
    found: list[Run] = []
    for folder in sorted(folders, key=_number):
        with contextlib.suppress(CheckpointError):
            found.append(read_run(folder))
    return found


def read_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        CheckpointError: there is none, its config.json is damaged or of another version.
    """
    path = folder / "config.json"
    try:
        value = json.loads(path.read_bytes())
        version, settings = value["format_version"], value["train"]
        if version not in (1, FORMAT_VERSION):
            raise CheckpointError(
                f"{path} has version {version}, this facegan reads up to {FORMAT_VERSION}",
                hint="go on with the facegan that began the run",
            )
        config = TrainConfig.from_dict(settings if version > 1 else _AS_VERSION_1 | settings)
        data, overrides = dict(value["data"]), tuple(value["overrides"])
        return Run(folder, config, data, overrides, str(value.get("began", "")))
    except FileNotFoundError:
        raise CheckpointError(f"no run in {folder}", hint="facegan train") from None
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def named(runs_dir: Path, name: str) -> Run:
    """The run of a folder name, a number (`3` or `00003`) or a path.

    Raises:
        CheckpointError: there is none; the most similar name is suggested.
    """
    if (Path(name) / "config.json").is_file():
        return read_run(Path(name))
    folders = sorted(path for path in runs_dir.glob("*") if _FOLDER.fullmatch(path.name))
    for folder in folders:
        if name == folder.name or (name.isdigit() and int(name) == _number(folder)):
            return read_run(folder)
    names = [folder.name for folder in folders]
    near = difflib.get_close_matches(name, names, 1, 0.3) or names[-1:]
    nearest = f"; the nearest is {near[0]}" if near else ""
    hint = "facegan status" if near else "facegan train"
    raise CheckpointError(f"no run {name!r} in {runs_dir}{nearest}", hint=hint)


def create(runs_dir: Path, config: TrainConfig, data: Mapping[str, Any]) -> Run:
    """Begin a run under the next number; its folder appears together with its config.json.

    Args:
        runs_dir: where the runs lie; made when it is missing.
        config: the settings, with what `auto` stands for.
        data: `data_identity` of the shards.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    hidden = runs_dir / f".new-{secrets.token_hex(4)}"
    new = Run(hidden, config, data, began=now())
    new.store()
    number = max((_number(path) for path in runs_dir.glob("*-*")), default=0)
    while True:
        number += 1
        folder = runs_dir / f"{number:05d}-{config.run_name}"
        try:
            return dataclasses.replace(new, folder=hidden.rename(folder))
        except OSError as error:
            if not folder.exists():
                raise write_error(folder, error) from error


def _lock_error(path: Path, error: OSError) -> WorkspaceError:
    if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
        return WorkspaceError(
            f"the run {path.parent.name} is being trained by another process",
            hint="wait for it, or begin another run with --restart",
        )
    return WorkspaceError(
        f"cannot lock {path}: {error.strerror or error}",
        hint="some network file systems have no locks: choose a local folder with --workspace DIR",
    )


def _number(folder: Path) -> int:
    match = _FOLDER.fullmatch(folder.name)
    return int(match[1]) if match else 0


def _looks_whole(description: Path) -> bool:
    """Whether a checkpoint's description can be read and its tensors have the size it tells."""
    try:
        size = json.loads(description.read_bytes())["bytes"]
        return bool(description.with_suffix(".safetensors").stat().st_size == size)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
