"""Brushes: smooth curves, ribbons and soft or sharp fills on an RGB canvas.

Points are (x, y) in continuous canvas pixels: pixel i covers [i, i + 1). Every function that takes
a canvas paints onto it in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.portrait_attributes import Rgb

Points = NDArray[np.float32]
"""(N, 2) float32, (x, y)."""
Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, or (H, W) uint8 for a mask in which 255 is opaque."""

SHIFT = 4
"""Bits of a pixel that OpenCV's rasteriser is given."""
BLUR_SAMPLES_PX = 1.1
"""Sigma of a blur, in pixels of the resolution at which it is made."""
TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False)
ROUND = np.stack([np.cos(TURN), np.sin(TURN)], axis=1).astype(np.float32)
CATMULL_ROM = 0.5 * np.array(
    [[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], dtype=np.float32
)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the canvas, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.bottom - self.top, self.right - self.left

    def of(self, canvas: Pixels) -> Pixels:
        """The part of `canvas` as a view."""
        return canvas[self.top : self.bottom, self.left : self.right]


def around(points: Points, pad_px: float, canvas: Pixels) -> Window | None:
    """The window of `canvas` that holds `points` and `pad_px` more; None when it is empty."""
    x, y, wide, high = cv2.boundingRect(points)
    pad = math.ceil(pad_px)
    left, top = max(0, x - pad), max(0, y - pad)
    right, bottom = min(canvas.shape[1], x + wide + pad), min(canvas.shape[0], y + high + pad)
    return Window(left, top, right, bottom) if right > left and bottom > top else None


def _common(first: Window, second: Window | None) -> Window | None:
    """The part that both windows hold."""
    if second is None:
        return None
    left, top = max(first.left, second.left), max(first.top, second.top)
    right, bottom = min(first.right, second.right), min(first.bottom, second.bottom)
    return Window(left, top, right, bottom) if right > left and bottom > top else None


def product(first: ArrayLike, second: ArrayLike) -> NDArray[np.float32]:
    """`first @ second` for small ones, or many of them, without BLAS.

    Its results differ from processor to processor, and OpenBLAS has raised a floating point flag of
    its own on finite numbers ("invalid value encountered in matmul").

    Args:
        first: (..., rows, n) numbers.
        second: (..., n, columns); or (n,), which gives (..., rows).
    """
    one, other = np.asarray(first, np.float32), np.asarray(second, np.float32)
    terms = "...j,j->..." if other.ndim == 1 else "...ij,...jk->...ik"
    return np.asarray(np.einsum(terms, one, other), np.float32)


def direction_of(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector's direction: of length 1; as `product` without BLAS."""
    return np.asarray(vector / np.float32(math.hypot(*vector.tolist())), np.float32)


def curve(points: ArrayLike, *, closed: bool = False, steps: int = 8) -> Points:
    """A Catmull-Rom spline through `points`.

    Args:
        points: (N, D) numbers.
        closed: whether the last point joins the first.
        steps: samples between two points.

    Returns:
        (M, D) float32; an open curve ends on its last point.

    >>> curve([(0, 0), (1, 0), (2, 0)], steps=2)[:, 0].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    p = np.asarray(points, dtype=np.float32)
    ring = (
        np.concatenate([p[-1:], p, p[:2]])
        if closed
        else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    )
    knots = np.stack([ring[:-3], ring[1:-2], ring[2:-1], ring[3:]], axis=1)  # (segments, 4, D)
    samples = product(_basis(steps), knots).reshape(-1, p.shape[1])
    return samples if closed else np.concatenate([samples, p[-1:]])


@lru_cache(maxsize=16)
def _basis(steps: int) -> NDArray[np.float32]:
    """(steps, 4): what each of four knots gives to each sample between the inner two."""
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)
    return product(np.stack([t**0, t, t**2, t**3], axis=1), CATMULL_ROM)


def ribbon(line: Points, widths: ArrayLike) -> Points:
    """The outline of `line` ((N, 2)) drawn with a pen of `widths` (N, or spread evenly over it)."""
    given = np.atleast_1d(np.asarray(widths, dtype=np.float32))
    spread = product(_spread(len(line), len(given)), given)
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    x, y = along[:, 0], along[:, 1]
    half = spread / np.maximum(2 * np.sqrt(x * x + y * y), np.float32(1e-6))
    aside = np.empty_like(line)
    aside[:, 0], aside[:, 1] = -y * half, x * half
    return np.concatenate([line + aside, (line - aside)[::-1]])


@lru_cache(maxsize=256)
def _spread(samples: int, given: int) -> NDArray[np.float32]:
    """(samples, given): linear interpolation of `given` values over `samples` places."""
    places = np.linspace(0, given - 1, samples)
    columns = [np.interp(places, np.arange(given), row) for row in np.eye(given)]
    return np.stack(columns, axis=1).astype(np.float32)


def fixed(points: Points) -> NDArray[np.int32]:
    """`points` in the fixed-point pixels of OpenCV, whose whole numbers are pixel centres."""
    return np.asarray(np.rint((points - 0.5) * (1 << SHIFT)), np.int32)


@lru_cache(maxsize=64)
def _gaussian(tenths_px: int) -> NDArray[np.float32]:
    """A Gaussian kernel for a sigma in tenths of a pixel."""
    radius = math.ceil(0.25 * tenths_px)
    return np.asarray(cv2.getGaussianKernel(2 * radius + 1, tenths_px / 10), np.float32)


def mask_of(polygon: Points, window: Window, blur_px: float = 0.0) -> Pixels:
    """How far `polygon` covers each pixel of `window`.

    Args:
        polygon: (N, 2) closed outline in canvas pixels.
        window: part of the canvas.
        blur_px: sigma of a Gaussian blur; wide ones are made at a lower resolution.

    Returns:
        (rows, columns) uint8 of the window.
    """
    rows, columns = window.shape
    factor = max(1, int(blur_px / BLUR_SAMPLES_PX))
    mask: Pixels = np.zeros((-(-rows // factor), -(-columns // factor)), np.uint8)
    scale = np.array((mask.shape[1] / columns, mask.shape[0] / rows), np.float32)
    inside = (polygon - np.array((window.left, window.top), np.float32)) * scale
    cv2.fillPoly(mask, [fixed(inside)], 255, cv2.LINE_AA, SHIFT)
    if blur_px >= 0.5:
        kernel = _gaussian(round(10 * blur_px / factor))
        soft = cv2.sepFilter2D(mask, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
        mask = np.asarray(soft, np.uint8)
    return np.asarray(mask if factor == 1 else cv2.resize(mask, (columns, rows)), np.uint8)


def blend(part: Pixels, layer: Pixels, mask: Pixels) -> None:
    """Lay `layer` over `part` (both (H, W, 3)) where `mask` (H, W) covers it."""
    cover = cv2.merge([mask, mask, mask])
    over = cv2.multiply(layer, cover, scale=1 / 255)
    under = cv2.multiply(part, cv2.bitwise_not(cover), scale=1 / 255)
    cv2.add(over, under, dst=part)


def tint(part: Pixels, colour: Rgb, mask: Pixels) -> None:
    """`blend` with one colour, which needs no layer."""
    over = cv2.merge([cv2.convertScaleAbs(mask, alpha=channel / 255) for channel in colour])
    clear = cv2.bitwise_not(mask)
    under = cv2.multiply(part, cv2.merge([clear, clear, clear]), scale=1 / 255)
    cv2.add(over, under, dst=part)


def fill(
    canvas: Pixels,
    polygon: Points,
    colour: Rgb,
    *,
    opacity: float = 1.0,
    blur_px: float = 0.0,
    within: Points | None = None,
) -> None:
    """Fill `polygon` with one colour, with soft edges where `blur_px` is above 0.

    Args:
        canvas: (S, S, 3) uint8 RGB, painted in place.
        polygon: (N, 2) closed outline.
        colour: of the paint.
        opacity: in [0, 1].
        blur_px: sigma of the edge.
        within: an outline beyond which nothing is painted.
    """
    window = around(polygon, 2.5 * blur_px + 1, canvas)
    if window is not None and within is not None:
        window = _common(window, around(within, 1, canvas))
    if window is None:
        return
    mask = mask_of(polygon, window, blur_px)
    if within is not None:
        mask = np.asarray(cv2.multiply(mask, mask_of(within, window), scale=1 / 255), np.uint8)
    if opacity < 1:
        mask = np.asarray(cv2.convertScaleAbs(mask, alpha=opacity), np.uint8)
    tint(window.of(canvas), colour, mask)


def stroke(
    canvas: Pixels,
    line: Points,
    widths_px: ArrayLike,
    colour: Rgb,
    *,
    opacity: float = 1.0,
    blur_px: float = 0.0,
    within: Points | None = None,
) -> None:
    """Draw `line` with a pen whose width follows `widths_px`; the rest as in `fill`."""
    outline = ribbon(line, widths_px)
    fill(canvas, outline, colour, opacity=opacity, blur_px=blur_px, within=within)


def hairs(canvas: Pixels, lines: ArrayLike, colour: Rgb, width_px: int = 1) -> None:
    """Draw many thin lines of one colour, opaque; `lines` is (lines, points, 2)."""
    drawn = fixed(np.asarray(lines, np.float32))
    cv2.polylines(canvas, list(drawn), False, colour, width_px, cv2.LINE_AA, SHIFT)


def disc(centre: ArrayLike, radius_x: float, radius_y: float | None = None) -> Points:
    """A circle or ellipse as an outline of 32 points."""
    radii = np.array((radius_x, radius_x if radius_y is None else radius_y), np.float32)
    return np.asarray(np.asarray(centre, np.float32) + ROUND * radii, np.float32)


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`first` moved towards `second`.

    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    red, green, blue = (
        min(255, max(0, round(a + (b - a) * share))) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue
