"""The record of every iteration: read off the device in blocks, appended to `history.csv`.

    iteration,nimg,d_loss_real,d_loss_fake,g_loss,d_real,d_fake,accuracy_real,accuracy_fake,seconds

`nimg` is the real images seen so far, `seconds` the training time of the run so far, by the host's
clock when the iteration was issued, without set-up and across interruptions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.core.errors import CheckpointError, TrainingDivergedError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import keep_damaged, write_bytes, write_error

FIGURES = (
    "d_loss_real",
    "d_loss_fake",
    "g_loss",
    "d_real",
    "d_fake",
    "accuracy_real",
    "accuracy_fake",
)
"""What a step gives: the two parts of D's loss, G's loss, mean D(x), mean D(G(z)), and the shares
of real and of generated images that D judged rightly."""
COLUMNS = ("iteration", "nimg", *FIGURES, "seconds")

_HEADER = ",".join(COLUMNS) + "\n"


class History:
    """Appends to one run's file."""

    def __init__(
        self, path: Path, *, iteration: int, batch: int, listener: Listener = silent
    ) -> None:
        """Take the file up after `iteration` iterations; later rows are removed from it.

        Of a damaged file the rows before the damage stay, and the file itself as `.csv.broken`.

        Args:
            path: the file; made when it is missing.
            iteration: iterations that the run has behind it.
            batch: real images an iteration.
            listener: gets a warning when the file is damaged.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        self._path = path
        self._iteration = iteration
        self._batch = batch
        lines, damage = _lines_until(path, iteration)
        if damage:
            kept = f"the rows before stay, the file is kept as {keep_damaged(path).name}"
            listener(Note("train", f"{path} is damaged: {damage}; {kept}", warning=True))
        write_bytes(path, _HEADER.encode() + b"".join(lines))

    def append(self, rows: NDArray[np.float32], seconds: Sequence[float]) -> None:
        """Write the figures of the next iterations.

        Args:
            rows: (k, 7) float32, in the order of `FIGURES`.
            seconds: k times of training so far.

        Raises:
            TrainingDivergedError: one of the figures is not finite; the rows are written.
            WorkspaceError: the file cannot be written.
        """
        first = self._iteration
        text = "".join(
            self._line(first + place, row, moment)
            for place, (row, moment) in enumerate(zip(rows, seconds, strict=True), start=1)
        )
        _append(self._path, text.encode())
        self._iteration += len(rows)
        refuse_diverged(rows, first)

    def _line(self, iteration: int, row: NDArray[np.float32], seconds: float) -> str:
        # Nine digits give a float32 back exactly.
        figures = ",".join(f"{value:.9g}" for value in row)
        return f"{iteration},{iteration * self._batch},{figures},{seconds:.3f}\n"


def refuse_diverged(rows: NDArray[np.float32], first: int) -> None:
    """Raise TrainingDivergedError where a figure of the iterations after `first` is not finite."""
    if not np.isfinite(rows).all():
        place, column = np.argwhere(~np.isfinite(rows))[0]
        raise diverged(f"{FIGURES[column]} is {rows[place, column]}", first + int(place) + 1)


def diverged(what: str, iteration: int) -> TrainingDivergedError:
    """The error that ends a training run whose numbers are no longer finite."""
    return TrainingDivergedError(
        f"training diverged at iteration {iteration}: {what}; the last good checkpoint is kept",
        hint="start again with a smaller --learning-rate",
    )


def read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    """A run's record; a last line that was cut short by a kill is left out.

    Args:
        path: `history.csv`.

    Returns:
        For each of `COLUMNS` an array of (iterations,) float64; empty when none is recorded.

    Raises:
        CheckpointError: the file is missing or is no such record.
    """
    try:
        lines = _whole_lines(path)
        table = np.array([[float(cell) for cell in line.split(b",")] for line in lines])
        table = table.reshape(len(lines), len(COLUMNS))
    except FileNotFoundError:
        raise CheckpointError(f"no history in {path.parent}", hint="facegan train") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a training history: {error}") from error
    return {name: table[:, place] for place, name in enumerate(COLUMNS)}


def _whole_lines(path: Path) -> list[bytes]:
    """The rows of a file, without one that was cut short."""
    header, *lines = path.read_bytes().splitlines(keepends=True) or [b""]
    if header != _HEADER.encode():
        raise ValueError("its first line names other columns")
    return [line for line in lines if line.endswith(b"\n")]


def _lines_until(path: Path, iteration: int) -> tuple[list[bytes], str]:
    """The good rows up to an iteration, and in words what keeps the rest from being read."""
    lines: list[bytes] = []
    done = 0
    try:
        for line in _whole_lines(path):
            number, *cells = line.split(b",")
            if len(cells) + 1 != len(COLUMNS) or not done < int(number):
                raise ValueError(f"line {len(lines) + 2} is no row")
            if int(number) > iteration:
                break
            _ = [float(cell) for cell in cells]
            lines.append(line)
            done = int(number)
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError) as error:
        return lines, str(error) if done < iteration else ""
    return lines, ""


def _append(path: Path, data: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error
