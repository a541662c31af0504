"""Scores taken while a run was trained, and its best checkpoint by them. No torch here.

    checkpoints/best.json       names the best checkpoint, which stays on the disk
    scores-during-training.csv  iteration,measure,value,samples,seconds,yardstick

Lower is better, whatever the measure. Two scores compare only where their yardsticks are the same:
the hash of everything besides the generator that a score depends on.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from facegan.core.errors import CheckpointError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import keep_damaged, write_bytes, write_json
from facegan.runs import checkpoint_iterations, checkpoint_path, read_run, remove_file

BEST_NAME = "best.json"
SCORES_NAME = "scores-during-training.csv"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Score:
    """One measurement of a generator."""

    iteration: int
    measure: str
    """`kid` or `swd`, each x 1,000."""
    value: float
    samples: int
    """Generated images, and as many real ones."""
    seconds: float
    """What it took."""
    yardstick: str


@dataclass(frozen=True, slots=True)
class Best:
    """The best checkpoint so far."""

    iteration: int
    measure: str
    value: float
    samples: int
    seed: int
    yardstick: str


_HEADER = ",".join(field.name for field in fields(Score)) + "\n"


def beats(score: Score, best: Best | None) -> bool:
    """Whether a score makes its checkpoint the best: it is lower, or of another yardstick."""
    if best is None or score.yardstick != best.yardstick:
        return math.isfinite(score.value)
    return score.value < best.value


def read_best(checkpoints: Path) -> Best | None:
    """What `best.json` says; None where there is none.

    Args:
        checkpoints: of a run.

    Raises:
        CheckpointError: the file is damaged, or the checkpoint that it names is not there.
    """
    path = checkpoints / BEST_NAME
    try:
        about = json.loads(path.read_bytes())
        if about.pop("version") != VERSION:
            raise ValueError("it is of another version")
        best = Best(**{field.name: about[field.name] for field in fields(Best)})
        if type(best.iteration) is not int or not math.isfinite(best.value):
            raise ValueError("it holds no iteration and value")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if best.iteration not in checkpoint_iterations(checkpoints):
        raise CheckpointError(
            f"the checkpoint of iteration {best.iteration}, which {path} names, is missing or cut "
            "short"
        )
    return best


def write_best(checkpoints: Path, score: Score, seed: int) -> Best:
    """Name the best checkpoint, which must be whole.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    best = Best(score.iteration, score.measure, score.value, score.samples, seed, score.yardstick)
    write_json(checkpoints / BEST_NAME, {"version": VERSION, **asdict(best)})
    return best


def best_or_none(checkpoints: Path, listener: Listener = silent) -> Best | None:
    """The best checkpoint with which training goes on; a file that says none is removed.

    Args:
        checkpoints: of a run; nothing there lies past the iteration from which it goes on.
        listener: gets a warning when the file is removed.

    Raises:
        WorkspaceError: it cannot be removed.
    """
    try:
        return read_best(checkpoints)
    except CheckpointError as error:
        text = f"{error.message}; the best checkpoint is chosen anew"
        listener(Note("train", text, warning=True))
        remove_file(checkpoints / BEST_NAME)
        return None


def best_iteration(checkpoints: Path) -> int | None:
    """The best checkpoint's iteration; None where there is none.

    Raises:
        CheckpointError: as `read_best`.
    """
    best = read_best(checkpoints)
    return best.iteration if best else None


def best_checkpoint(run: Path) -> Path:
    """The best checkpoint's tensors.

    Args:
        run: a run's folder.

    Raises:
        CheckpointError: it is no run, no scores were taken while it was trained, or its
            `best.json` or the checkpoint is damaged.
    """
    if not run.is_dir() or not (run / "checkpoints").is_dir():
        raise CheckpointError(
            f"{run} is no run with checkpoints: only those have a best one",
            hint="give the run's name or number, or leave --best out",
        )
    # A run that has ended takes this score of its last checkpoint.
    hint = f"facegan train --resume {read_run(run).folder.name} --score-every 500"
    try:
        iteration = best_iteration(run / "checkpoints")
    except CheckpointError as error:
        raise CheckpointError(error.message, hint=hint) from error
    if iteration is None:
        raise CheckpointError(
            f"the run {run.name} has no best checkpoint: it was trained without --score-every",
            hint=hint,
        )
    return checkpoint_path(run / "checkpoints", iteration)


class Record:
    """All scores of one run, in a file that is replaced as a whole."""

    def __init__(self, path: Path, *, iteration: int, listener: Listener = silent) -> None:
        """Take the file up after `iteration` iterations; later rows are removed from it.

        Of a damaged file the rows that can be read stay, and the file itself as `.csv.broken`.

        Args:
            path: the file; written with the first score when it is missing.
            iteration: iterations that the run has behind it.
            listener: gets a warning when the file is damaged.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        self._path = path
        found, damaged = _read(path)
        if damaged:
            kept = f"the rows that can be read stay, the file is kept as {keep_damaged(path).name}"
            listener(Note("train", f"{path} is damaged: {kept}", warning=True))
        self.scores = [score for score in found if score.iteration <= iteration]
        if self.scores != found or damaged:
            self._write()

    def add(self, score: Score) -> None:
        """Put one more score on the disk; one that is there already stays as it is.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        if score not in self.scores:
            self.scores.append(score)
            self._write()

    def find(self, iteration: int, yardstick: str) -> Score | None:
        """What was measured there already."""
        wanted = (iteration, yardstick)
        found = (one for one in self.scores if (one.iteration, one.yardstick) == wanted)
        return next(found, None)

    def _write(self) -> None:
        lines = [",".join(map(str, astuple(score))) + "\n" for score in self.scores]
        write_bytes(self._path, (_HEADER + "".join(lines)).encode())


def read_record(path: Path) -> list[Score]:
    """The scores of a file, without lines that cannot be read; none where it is missing."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Score], bool]:
    """The rows that can be read, and whether there is more in the file."""
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except FileNotFoundError:
        return [], False
    except (OSError, ValueError):
        return [], True
    rows = [_parsed(line) for line in lines] if header == _HEADER.rstrip() else [None]
    return [row for row in rows if row is not None], None in rows


def _parsed(line: str) -> Score | None:
    try:
        iteration, measure, value, samples, seconds, yardstick = line.split(",")
        return Score(int(iteration), measure, float(value), int(samples), float(seconds), yardstick)
    except ValueError:
        return None
