"""The grids of a run's fixed latents, through training, as a GIF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from facegan.core import events, files
from facegan.core.errors import CheckpointError

STAGE = "animate"
_NAME = re.compile(r"iter-(\d+)\.png")
_STRIP_PX = 28
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for files that are no pictures."""
_PAPER, _INK, _TRACK, _BAR = (24, 24, 27), (244, 244, 245), (63, 63, 70), (86, 180, 233)


@dataclass(frozen=True, slots=True)
class Animation:
    """What was written."""

    path: Path
    frames: int
    width: int
    height: int
    bytes: int


def animate(
    folder: Path,
    path: Path,
    *,
    max_frames: int = 60,
    frame_ms: int = 120,
    hold_ms: int = 2000,
    max_px: int = 640,
    listener: events.Listener = events.silent,
) -> Animation:
    """Write a GIF of a run's sample grids, its iteration beneath each, endlessly repeated.

    Every frame has a palette of its own (256 colours of a median cut, dithered): one palette for
    all would spoil the early frames or the late ones.

    Args:
        folder: holds the grids `iter-000500.png`, … of one run.
        path: the GIF.
        max_frames: of more grids, so many are picked evenly, the first and the last among them.
        frame_ms: how long a frame stays; GIF counts in steps of 10 ms.
        hold_ms: how long the last one stays.
        max_px: longer side of the picture at most; grids above it are made smaller.
        listener: gets the progress.

    Raises:
        CheckpointError: `folder` holds no grid, or one of them cannot be read.
        WorkspaceError: `path` cannot be written.
    """
    grids = pick(find_grids(folder), max_frames)
    last = grids[-1][0]
    size = _frame_size(grids[-1][1], max_px)
    listener(events.Started(STAGE, total=len(grids), unit="frame"))
    try:
        frames = list(_frames(grids, size, last, listener))
        durations = [frame_ms] * (len(frames) - 1) + [hold_ms]
        with files.atomic_writer(path) as file:
            frames[0].save(
                file,
                format="GIF",
                save_all=True,
                append_images=frames[1:],
                duration=durations,
                loop=0,
                optimize=False,
            )
    finally:
        listener(events.Finished(STAGE))
    width, height = frames[0].size
    return Animation(path, len(frames), width, height, path.stat().st_size)


def find_grids(folder: Path) -> list[tuple[int, Path]]:
    """The grids in `folder` with their iterations, in the order of training.

    Raises:
        CheckpointError: there are none.
    """
    found = [
        (int(match[1]), path)
        for path in folder.glob("iter-*.png")
        if (match := _NAME.fullmatch(path.name))
    ]
    if not found:
        raise CheckpointError(
            f"there are no sample grids (iter-*.png) in {folder}",
            hint="facegan train writes one every --sample-every iterations",
        )
    return sorted(found)


def pick(grids: Sequence[tuple[int, Path]], count: int) -> list[tuple[int, Path]]:
    """At most `count` (1 or more) of the grids, evenly, the first and the last among them.

    With `count` 1 it is the last.

    >>> [n for n, _ in pick([(n, Path()) for n in range(10)], 4)]
    [0, 3, 6, 9]
    """
    if len(grids) <= count:
        return list(grids)
    if count == 1:
        return [grids[-1]]
    return [grids[round(i * (len(grids) - 1) / (count - 1))] for i in range(count)]


def _frames(
    grids: Sequence[tuple[int, Path]], size: tuple[int, int], last: int, listener: events.Listener
) -> Iterator[Image.Image]:
    for done, (iteration, path) in enumerate(grids, start=1):
        framed = caption(_read(path, size), iteration, last)
        yield framed.quantize(
            256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG
        )
        listener(events.Advanced(STAGE, done))


def caption(picture: Image.Image, iteration: int, last: int) -> Image.Image:
    """The picture with a strip beneath: the iteration, and a bar that fills as training goes on."""
    width, height = picture.size
    framed = Image.new("RGB", (width, height + _STRIP_PX), _PAPER)
    framed.paste(picture, (0, 0))
    draw = ImageDraw.Draw(framed)
    middle = height + _STRIP_PX // 2
    text = f"iteration {iteration:,}"
    font = ImageFont.load_default(15)
    draw.text((8, middle), text, fill=_INK, font=font, anchor="lm")
    widest = draw.textlength(f"iteration {last:,}", font=font)
    left, right = 8 + int(widest) + 14, width - 10
    if right - left >= 40:  # else there is room for the number alone
        filled = left + round((right - left) * iteration / max(last, 1))
        draw.rectangle((left, middle - 2, right, middle + 2), fill=_TRACK)
        draw.rectangle((left, middle - 2, filled, middle + 2), fill=_BAR)
    return framed


def _frame_size(path: Path, max_px: int) -> tuple[int, int]:
    with _opened(path) as picture:
        width, height = picture.size
    factor = min(1.0, max_px / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _read(path: Path, size: tuple[int, int]) -> Image.Image:
    """A grid in RGB at the animation's size."""
    with _opened(path) as picture:
        try:
            rgb = picture.convert("RGB")
        except _DAMAGED as error:
            raise _unreadable(path) from error
    return rgb if rgb.size == size else rgb.resize(size, Image.Resampling.LANCZOS)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=("PNG",))
    except _DAMAGED as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> CheckpointError:
    return CheckpointError(
        f"cannot read the sample grid {path}: it is damaged",
        hint=f"remove it (rm {path}), then run the same command again",
    )
