"""The figure of a scoring: pairs as pictures, precision and recall, Inception Scores, the verdict.

What was not measured has no panel: the text takes its room and says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facegan import page, plots
from facegan.score.memorisation import CLOSE
from facegan.score.pairs import Pair
from facegan.score.record import comparable
from facegan.score.report import Measure, Report, shown

Records = Sequence[Mapping[str, Any]]
_Points = list[tuple[str, float, float]]
"""(name, recall, precision) of each k."""
_Steps = list[tuple[int, float, float]]
"""(iteration, recall, precision) of earlier scorings."""

# Okabe and Ito's palette, as in `plots`.
_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"

# All lengths are pixels of the page.
_WIDTH, _MARGIN = 1600, 40
_HEAD, _AROUND, _PANELS, _ALONE = 104, 106, 550, 300
"""Heights of the title, of what is around the pairs, of the panels, and of the text alone."""
_LABELS, _BETWEEN, _GAP = 96, 56, 8
"""Room for the names of the rows, between the groups of pairs, and between two pictures."""
_PLANE, _SPLITS = 400, 330
"""Height of both drawings, and width of that of precision and recall; width of the other."""
_AXIS, _APART, _DOWN = 64, 48, 74
"""Left of a drawing for its numbers, right of it, and above it for its title."""
_LINE, _NOTE = 18, 17
"""From one line of text to the next, and in the small print."""

_GROUPS = (
    ("nearest", "Most alike", "lowest ratios of all samples"),
    ("random", "At random", "any samples"),
)
_RATIO = (
    "Number: distance to the real image, over that from it to its own nearest neighbour. "
    f"Orange: below {CLOSE:g}, where copies lie; many new faces lie below 1."
)
_MORE = "… more in scores.json"
_TABLE = (
    "kid", "fid", "swd", "inception_score", "inception_score_as_real", "precision_k5", "recall_k5",
    "density_k5", "coverage_k5", "ms_ssim", "spectrum", "one_face",
)  # fmt: skip
"""Measures in the text, by their names; the others are in `scores.json`."""


def save_scores_figure(
    path: Path, report: Report, pairs: Sequence[Pair] = (), history: Records = ()
) -> Path:
    """Write `scores_figure` as a PNG, whole or not at all; the same report gives the same bytes.

    Raises:
        WorkspaceError: it cannot be written.
    """
    return plots.save(scores_figure(report, pairs, history), path)


def scores_figure(report: Report, pairs: Sequence[Pair] = (), history: Records = ()) -> Figure:
    """What a scoring found, on a page of 1600 x 1100 px; lower where parts are missing.

    Args:
        report: what was measured.
        pairs: by `pairs.nearest_pairs`; pictures of any size.
        history: records of `scores.json`; those that are `comparable` are drawn as a path.
    """
    points, scores = _points(report), _split_scores(report)
    top = _HEAD + (_AROUND + 2 * _step(pairs) if pairs else 0)
    figure = page.new(_WIDTH, top + (_PANELS if points or scores else _ALONE))
    _title(figure, report)
    if pairs:
        _pictures(figure, pairs)
    left = _MARGIN
    if points:
        axes = page.axes_at(figure, left + _AXIS, top + _DOWN, _PLANE, _PLANE)
        _plane(axes, points, _records(report, history))
        left += _AXIS + _PLANE + _APART
    if scores:
        _splits(page.axes_at(figure, left + _AXIS, top + _DOWN, _SPLITS, _PLANE), scores)
        left += _AXIS + _SPLITS + _APART
    _text(figure, report, left, top)
    return figure


def _title(figure: Figure, report: Report) -> None:
    room = _WIDTH - 2 * _MARGIN
    title = page.fitted(report.samples.name, room, 20, bold=True)
    page.write(figure, _MARGIN, 52, title, 20, bold=True)
    told = [f"{report.samples.images:,} samples"]
    for side, what in ((report.real, "real images"), (report.held_out, "held-out images")):
        if side:
            told.append(f"{side.images:,} {what} of {page.fitted(side.name, 330, 12)}")
    if report.protocols:
        told.append("features: " + ", ".join(one.name for one in report.protocols))
    page.write(figure, _MARGIN, 82, page.fitted("  ·  ".join(told), room, 12), 12, page.GREY)


def _step(pairs: Sequence[Pair]) -> int:
    """From one picture to the next."""
    return min((_WIDTH - 2 * _MARGIN - _LABELS - _BETWEEN) // len(pairs), 170)


def _pictures(figure: Figure, pairs: Sequence[Pair]) -> None:
    """Both groups side by side."""
    step, top, left = _step(pairs), _HEAD + 50, _MARGIN + _LABELS
    side = step - _GAP
    for kind, title, hint in _GROUPS:
        members = [pair for pair in pairs if pair.kind == kind]
        if not members:
            continue
        page.write(figure, left, top - 14, title, 14, bold=True)
        beside = page.measured(title, 14, bold=True) + 12
        if beside + page.measured(hint, 10) <= len(members) * step + _BETWEEN - 12:
            page.write(figure, left + beside, top - 14, hint, 10, page.GREY)
        for place, pair in enumerate(members):
            _pair(figure, pair, left + place * step, top, side)
        left += len(members) * step + _BETWEEN
    start, lower = _MARGIN + _LABELS, top + step + side / 2
    for text, baseline in (
        ("sample", top + side / 2 + 4), ("nearest", lower - 5), ("real image", lower + 13),
    ):  # fmt: skip
        page.write(figure, start - 12, baseline, text, 10, page.GREY, align="right")
    page.write(figure, start, top + step + side + 46, _RATIO, 10, page.GREY)


def _pair(figure: Figure, pair: Pair, left: float, top: float, side: float) -> None:
    """A sample above its training face, the ratio beneath."""
    is_copy = pair.ratio < CLOSE
    for image, down in ((pair.sample, 0), (pair.real, side + _GAP)):
        axes = page.axes_at(figure, left, top + down, side, side)
        axes.imshow(image, interpolation="bicubic")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=_ORANGE if is_copy else page.PALE, linewidth=3.0 if is_copy else 0.8)
    # Cut off and not rounded: what is below the mark never reads as it.
    text = f"{math.floor(round(100 * pair.ratio, 6)) / 100:.2f}"
    text += f" < {CLOSE:g}" if is_copy else ""
    page.write(
        figure, left + side / 2, top + 2 * side + _GAP + 19, text, 11,
        _ORANGE if is_copy else page.GREY, align="center", bold=is_copy,
    )  # fmt: skip


def _points(report: Report) -> _Points:
    found = []
    for k in (3, 5):
        recall, precision = (report.measure(f"{name}_k{k}") for name in ("recall", "precision"))
        if recall and precision:
            found.append((f"k = {k}", recall.value, precision.value))
    return found


def _plane(axes: Axes, points: _Points, path: _Steps) -> None:
    """Recall to the right, precision upwards; the real images' place is the upper right corner."""
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("recall: share of the real images in reach of samples", fontsize=10)
    axes.set_ylabel("precision: share of the samples among real images", fontsize=10)
    for (name, x, y), fill in zip(points, ("white", _BLUE), strict=False):
        axes.plot(
            x, y, "o", color=_BLUE, markersize=10, markerfacecolor=fill, markeredgewidth=2,
            clip_on=False, zorder=6, label=name,
        )  # fmt: skip
    if path:
        _, across, up = zip(*path, strict=True)
        axes.plot(
            across, up, "o-", color=_BLUE, alpha=0.4, markersize=4, clip_on=False,
            label="by iteration",
        )  # fmt: skip
        _name(axes, path, points)
    axes.plot(
        1, 1, "*", color=_GREEN, markersize=15, linestyle="none", clip_on=False, zorder=5,
        label="like the real ones",
    )  # fmt: skip
    _finish(axes, "Precision and recall")


def _name(axes: Axes, path: _Steps, points: _Points) -> None:
    """The iterations of the path: the last, the first, and those with room between."""
    taken = [(x, y, 0.067) for _, x, y in points]
    for iteration, x, y in dict.fromkeys((path[-1], path[0], *path)):
        side = 1 if x < 0.8 else -1
        middle = x + side * 0.085
        if any(abs(middle - a) < room and abs(y - b) < 0.045 for a, b, room in taken):
            continue
        taken.append((middle, y, 0.13))
        axes.annotate(
            f"{iteration:,}", (x, y), (9 * side, -3), textcoords="offset points", color=page.GREY,
            fontsize=8.5, ha="left" if side > 0 else "right",
        )  # fmt: skip


def _records(report: Report, history: Records) -> _Steps:
    """At k = 5, of the records that compare with this report; the last of each iteration."""
    now, found = report.measure("precision_k5"), {}
    for record in comparable(report, history, now.features) if now else ():
        values = {one["name"]: one["value"] for one in record["measures"]}
        if record.get("iteration") is not None and "recall_k5" in values:
            found[record["iteration"]] = values["recall_k5"], values["precision_k5"]
    return [(iteration, *found[iteration]) for iteration in sorted(found)]


def _split_scores(report: Report) -> list[Measure]:
    """The Inception Score, and that of as many samples as there are real images."""
    found = map(report.measure, ("inception_score", "inception_score_as_real"))
    return [one for one in found if one and one.details.get("per_split")]


def _splits(axes: Axes, scores: Sequence[Measure]) -> None:
    """A dot a split, and lines for the mean of the samples and of the real images."""
    for one, fill, what in zip(scores, (_BLUE, "white"), ("samples", ""), strict=False):
        values = one.details["per_split"]
        count = f"{one.details['samples']:,} " if len(scores) > 1 else ""
        axes.axhline(one.value, color=_BLUE, linewidth=1.4)
        axes.plot(
            range(1, len(values) + 1), values, "o", color=_BLUE, markerfacecolor=fill,
            markersize=7, markeredgewidth=1.6, label=f"{count}{what}",
        )  # fmt: skip
        if one.real is not None:
            axes.axhline(
                one.real, color=_GREEN, linewidth=1.8, linestyle=(0, (5, 3)),
                label=f"{count}real" if count else "real images",
            )  # fmt: skip
        axes.set_xlim(0.4, len(values) + 0.6)
    axes.set_xlabel("split (line: their mean)", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.margins(y=0.12)
    _finish(axes, "Inception Score of the splits")


def _finish(axes: Axes, title: str) -> None:
    axes.grid(color=page.PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=30)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.03, 1.012), ncols=4, frameon=False, fontsize=10,
        handletextpad=0.3, columnspacing=0.8, borderaxespad=0.2, handlelength=1.4,
    )  # fmt: skip


def _text(figure: Figure, report: Report, left: float, top: float) -> None:
    """The verdict and why, the numbers, then what is to be known about them."""
    room, baseline = min(_WIDTH - _MARGIN - left, 900), top + 34.0
    judged = report.diagnosis
    colour = (_GREEN if judged.verdict == "healthy" else _ORANGE) if judged else page.GREY
    verdict = f"Verdict: {judged.verdict}" if judged else "No verdict"
    page.write(figure, left, baseline, verdict, 16, colour, bold=True)
    baseline += 28
    for line in page.told(judged.sentences if judged else (), room, 10, 8, _MORE):
        page.write(figure, left, baseline, line, 10)
        baseline += _LINE
    baseline = _table(figure, report, left, baseline + 8) + 8
    notes = [f"left out: {one.what}: {one.why}" for one in report.left_out]
    notes += [f"cannot be told: {why}" for why in (judged.cannot_tell if judged else ())]
    bottom = figure.get_size_inches()[1] * page.DPI - 14
    most = max(int((bottom - baseline) // _NOTE) + 1, 0)
    for line in page.told((*notes, *report.warnings), room, 9, most, _MORE):
        page.write(figure, left, baseline, line, 9, page.GREY)
        baseline += _NOTE


def _table(figure: Figure, report: Report, left: float, baseline: float) -> float:
    """A row a measure; the baseline of the line below."""
    found = [one for one in map(report.measure, _TABLE) if one]
    if not found:
        return baseline
    ends = (left + 270, left + 410, left + 490)
    for text, end in zip(("value", "95 % interval", "real"), ends, strict=True):
        page.write(figure, end, baseline, text, 10, page.GREY, align="right")
    for one in found:
        baseline += _LINE
        page.write(figure, left, baseline, page.fitted(one.label, 200, 10), 10)
        has_interval = one.low is not None and one.high is not None
        interval = f"{shown(one.low)} to {shown(one.high)}" if has_interval else ""
        cells = (shown(one.value), interval, shown(one.real))
        for text, end in zip(cells, ends, strict=True):
            page.write(figure, end, baseline, text, 10, align="right", bold=end == ends[0])
    return baseline + _LINE
