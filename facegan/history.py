"""The record of every iteration: gathered on the device, appended to `history.csv` in blocks.

    iteration,nimg,d_loss_real,d_loss_fake,g_loss,d_real,d_fake,accuracy_real,accuracy_fake,seconds

`nimg` is the real images seen so far, `seconds` the training time of the run so far, by the host's
clock when the iteration was issued, without set-up and across interruptions.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.core.errors import CheckpointError, TrainingDivergedError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import write_bytes, write_error

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
    """Appends to one run's file; the device is waited for in `flush` alone."""

    def __init__(
        self,
        path: Path,
        *,
        iteration: int,
        batch: int,
        capacity: int,
        device: torch.device,
        listener: Listener = silent,
    ) -> None:
        """Take the file up after `iteration` iterations; later rows are removed from it.

        Of a damaged file the rows before the damage stay, and the file itself as `.csv.broken`.

        Args:
            path: the file; made when it is missing.
            iteration: iterations that the run has behind it.
            batch: real images an iteration.
            capacity: rows that the device holds at most, at least 1.
            device: where the rows arise.
            listener: gets a warning when the file is damaged.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        self._path = path
        self._iteration = iteration
        self._batch = batch
        self._buffer = torch.zeros(capacity, len(FIGURES), device=device)
        self._seconds: list[float] = []
        lines, damage = _lines_until(path, iteration)
        if damage:
            _set_aside(path, damage, listener)
        write_bytes(path, _HEADER.encode() + b"".join(lines))

    @property
    def pending(self) -> int:
        """Rows that are not on disk yet."""
        return len(self._seconds)

    @property
    def is_full(self) -> bool:
        """Whether `flush` must come before the next `record`."""
        return self.pending == len(self._buffer)

    def record(self, figures: Tensor, seconds: float) -> None:
        """Keep one iteration's row on the device.

        Args:
            figures: (7,) float on the device, in the order of `FIGURES`.
            seconds: training time so far.
        """
        self._buffer[self.pending].copy_(figures)
        self._seconds.append(seconds)

    def flush(self) -> NDArray[np.float32]:
        """Append the pending rows to the file; waits for the device.

        Returns:
            (k, 7) float32, those rows.

        Raises:
            TrainingDivergedError: one of the figures is not finite; the rows are written.
            WorkspaceError: the file cannot be written.
        """
        rows: NDArray[np.float32] = self._buffer[: self.pending].cpu().numpy().copy()
        first = self._iteration
        text = "".join(
            self._line(first + place, row, seconds)
            for place, (row, seconds) in enumerate(zip(rows, self._seconds, strict=True), start=1)
        )
        _append(self._path, text.encode())
        self._iteration += len(rows)
        self._seconds.clear()
        if not np.isfinite(rows).all():
            place, column = np.argwhere(~np.isfinite(rows))[0]
            raise diverged(f"{FIGURES[column]} is {rows[place, column]}", first + int(place) + 1)
        return rows

    def _line(self, iteration: int, row: NDArray[np.float32], seconds: float) -> str:
        # Nine digits give a float32 back exactly.
        figures = ",".join(f"{value:.9g}" for value in row)
        return f"{iteration},{iteration * self._batch},{figures},{seconds:.3f}\n"


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


def _set_aside(path: Path, damage: str, listener: Listener) -> None:
    """Keep a damaged file under another name, so that nothing in it is lost."""
    broken = path.with_name(f"{path.name}.broken")
    try:
        path.replace(broken)
    except OSError as error:
        raise write_error(broken, error) from error
    text = f"{path} is damaged: {damage}; the rows before stay, the file is kept as {broken.name}"
    listener(Note("train", text, warning=True))


def _append(path: Path, data: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error
