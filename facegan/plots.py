"""Every figure of a training run: history -> matplotlib Figure. Nothing is drawn on a screen.

The three views of the losses are the articles' own; log1p keeps early peaks from pressing the rest
flat, the moving average takes the noise out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from facegan.core import files
from facegan.core.errors import CheckpointError

History = Mapping[str, NDArray[np.generic]]
"""Columns of one length, as `history.read_history` gives them."""

_COLUMNS = 1000
"""Bins across a figure: about one a pixel; 50,000 rows drawn one by one are a solid block."""

# Okabe and Ito's palette, told apart by colour-blind readers and in grey.
_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"
_GREY = "#666666"

_LOSSES = (
    ("d_loss_real", "D on real", _BLUE),
    ("d_loss_fake", "D on fake", _ORANGE),
    ("g_loss", "G", _GREEN),
)


def losses(history: History) -> Figure:
    """The three losses of every iteration."""
    figure, axes = _frame("Losses", "loss")
    for name, label, colour in _LOSSES:
        _curve(axes, history["iteration"], history[name], label, colour)
    return _finish(figure, axes)


def losses_log1p(history: History) -> Figure:
    """The three losses as log(1 + loss)."""
    figure, axes = _frame("Losses, logarithmic", "log(1 + loss)")
    for name, label, colour in _LOSSES:
        _curve(axes, history["iteration"], log1p(history[name]), label, colour)
    return _finish(figure, axes)


def losses_average(history: History, window: int | None = None) -> Figure:
    """The three losses as moving averages over `window` iterations (default: a fiftieth of all)."""
    window = window or default_window(len(history["iteration"]))
    figure, axes = _frame("Losses, moving average", f"loss, mean of {window:,} iterations")
    for name, label, colour in _LOSSES:
        average = moving_average(history[name], window)
        _curve(axes, history["iteration"], average, label, colour, band=False)
    return _finish(figure, axes)


def accuracy(history: History, window: int | None = None) -> Figure:
    """How often the discriminator is right on real and on fake images; 50 % is guessing."""
    window = window or default_window(len(history["iteration"]))
    figure, axes = _frame("Discriminator's accuracy", f"% right, mean of {window:,} iterations")
    _guessing(axes, 50.0)
    for name, label, colour in (
        ("accuracy_real", "on real", _BLUE),
        ("accuracy_fake", "on fake", _ORANGE),
    ):
        percent = 100.0 * _finite(history[name])
        average = moving_average(percent, window)
        _curve(axes, history["iteration"], average, label, colour, band=False)
    axes.set_ylim(-2.0, 102.0)
    return _finish(figure, axes)


def outputs(history: History) -> Figure:
    """Mean D(x) and mean D(G(z)) of every batch; both at 0.5 is the balance of the game."""
    figure, axes = _frame("Discriminator's mean output", "probability of real")
    _guessing(axes, 0.5)
    _curve(axes, history["iteration"], history["d_real"], "on real, D(x)", _BLUE)
    _curve(axes, history["iteration"], history["d_fake"], "on fake, D(G(z))", _ORANGE)
    axes.set_ylim(-0.02, 1.02)
    return _finish(figure, axes)


FIGURES: Mapping[str, Callable[[History], Figure]] = {
    "losses": losses,
    "losses-log1p": losses_log1p,
    "losses-average": losses_average,
    "accuracy": accuracy,
    "outputs": outputs,
}
"""Every figure by its file's name."""


def save_all(history: History, folder: Path) -> list[Path]:
    """Draw every figure into `folder`.

    Raises:
        CheckpointError: the history has no rows.
        WorkspaceError: the folder cannot be written.
    """
    if not len(history["iteration"]):
        raise CheckpointError(
            "there is nothing to plot: the run's history has no iteration", hint="facegan train"
        )
    return [save(draw(history), folder / f"{name}.png") for name, draw in FIGURES.items()]


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG, whole or not at all; the same figure gives the same bytes.

    Raises:
        WorkspaceError: it cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    files.write_bytes(path, buffer.getvalue())
    return path


def log1p(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """sign(x) log(1 + |x|): log(1 + x) for a loss that is never negative, finite for any other.

    >>> log1p(np.array([0.0, np.e - 1])).tolist()
    [0.0, 1.0]
    """
    finite = _finite(values)
    result: NDArray[np.float64] = np.copysign(np.log1p(np.abs(finite)), finite)
    return result


def moving_average(values: NDArray[np.generic], window: int) -> NDArray[np.float64]:
    """The mean of each value and the `window - 1` before it; of all so far at the beginning.

    It looks back only, so that a point never moves when training goes on.

    Args:
        values: (N,), any real dtype; values that are not finite are left out of the means.
        window: 1 or more.

    Returns:
        (N,) float64; NaN where a window holds no finite value.

    >>> moving_average(np.array([1.0, 3.0, 5.0]), 2).tolist()
    [1.0, 2.0, 4.0]
    """
    finite = _finite(values)
    is_known = ~np.isnan(finite)
    sums = np.concatenate([[0.0], np.cumsum(np.where(is_known, finite, 0.0))])
    counts = np.concatenate([[0], np.cumsum(is_known)])
    stop = np.arange(1, len(finite) + 1)
    start = np.maximum(stop - window, 0)
    return _ratio(sums[stop] - sums[start], counts[stop] - counts[start])


def default_window(rows: int) -> int:
    """A fiftieth of the history, 1 to 500 iterations.

    >>> default_window(3000), default_window(50_000)
    (60, 500)
    """
    return min(max(rows // 50, 1), 500)


def bins(
    values: NDArray[np.generic], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Lowest, mean and highest of `count` runs of (nearly) as many values each.

    Args:
        values: (N,), any real dtype; what is not finite is left out.
        count: bins at most; N where that is fewer.

    Returns:
        Three (min(N, count),) float64 arrays; NaN where a run has no finite value.
    """
    finite = _finite(values)
    starts = _starts(len(finite), count)
    is_known = ~np.isnan(finite)
    total = np.add.reduceat(np.where(is_known, finite, 0.0), starts)
    known = np.add.reduceat(is_known.astype(np.int64), starts)
    lowest = np.fmin.reduceat(finite, starts)
    return lowest, _ratio(total, known), np.fmax.reduceat(finite, starts)


def _starts(rows: int, count: int) -> NDArray[np.intp]:
    count = min(rows, count)
    return np.arange(count, dtype=np.intp) * rows // max(count, 1)


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """float64, with NaN for what is not finite."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _ratio(total: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    result = np.full(len(total), np.nan)
    np.divide(total, count, out=result, where=count > 0)
    return result


def _frame(title: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.0, 4.8), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=10)
    axes.set_xlabel("iteration", fontsize=11)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.margins(x=0.01)
    return figure, axes


def _curve(
    axes: Axes,
    iteration: NDArray[np.generic],
    values: NDArray[np.generic],
    label: str,
    colour: str,
    *,
    band: bool = True,
) -> None:
    """The bins' means as a line; with `band`, their lowest to highest value as a pale area."""
    lowest, mean, highest = bins(values, _COLUMNS)
    _, x, _ = bins(iteration, _COLUMNS)
    if band and len(x) < len(values):
        axes.fill_between(x, lowest, highest, color=colour, alpha=0.28, linewidth=0)
        _explain(axes, round(len(values) / len(x)))
    marker = "o" if len(x) == 1 else None
    width = 1.2 if band else 1.8
    axes.plot(x, mean, color=colour, linewidth=width, label=label, marker=marker)


def _explain(axes: Axes, rows: int) -> None:
    """Say beneath the axes what line and area are, once."""
    text = f"line: mean of {rows:,} iterations, area: lowest to highest"
    axes.set_xlabel(f"iteration\n{text}", fontsize=11)


def _guessing(axes: Axes, level: float) -> None:
    axes.axhline(level, color=_GREY, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.annotate(
        "guessing",
        (1.0, level),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=_GREY,
        fontsize=10,
    )


def _finish(figure: Figure, axes: Axes) -> Figure:
    """The legend above the drawing, right of the title, where it hides no curve."""
    legend = axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, fontsize=11
    )
    for line in legend.get_lines():
        line.set_linewidth(2.5)
    return figure
