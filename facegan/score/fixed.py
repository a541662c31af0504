"""A feature of faces that needs no download: a formula, the same on every machine.

Three blocks of numbers describe a picture: what colour is where (means over a grid), which way its
edges run (histograms of gradients), and how much fine structure there is (detail energy). Their
weights are constants; nothing is fitted. docs/fixed-feature.md says how the blocks and the weights
were chosen, and what the feature can and cannot tell apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve1d

from facegan.core.errors import ScoreError
from facegan.score.network import FeatureProtocol, Outputs, Pixels, check_pixels

Floats = NDArray[np.floating[Any]]
"""float32; a factor of Python widens the type alone."""

LEAST_PX = 16
"""Of an image's shorter side."""
WORK_PX = 128
"""Every image is brought to this side; edges and colours are read at half of it."""
ORIENTATIONS = 8
_CELLS = 8
"""Cells of the gradients along a side; 2x2 of them make a block, and blocks overlap by half."""
_LUMA_GRID, _CHROMA_GRID, _DETAIL_GRID = 8, 4, 4
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BLUE, _RED = 0.564, 0.713
"""From B - Y and R - Y to Cb and Cr (ITU-R BT.601)."""
_CHROMA_GAIN = 1.5
_FLOOR = 0.01
"""Detail below it counts little: 2.5 grey levels, the grain of a clean photograph."""
_BINOMIAL = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
_COLOUR_WEIGHT, _EDGE_WEIGHT, _DETAIL_WEIGHT = 3.0, 13.0, 7.0
_TOGETHER = 16
"""Images that are computed together: their arrays stay in a core's cache."""

FEATURES = (
    _LUMA_GRID**2 + 2 * _CHROMA_GRID**2 + (_CELLS - 1) ** 2 * ORIENTATIONS + 2 * _DETAIL_GRID**2
)

FIXED = FeatureProtocol(
    name="fixed",
    network="fixed-1",
    weights_sha256="",
    official=True,
    resize=f"Hamming {WORK_PX}x{WORK_PX} (Pillow, antialiased), the aspect ratio given up",
    normalisation="[0, 1], luma and chroma of ITU-R BT.601",
    features=FEATURES,
    classes=0,
)
"""`network` names the version of the formula: numbers of two versions do not compare."""


def fixed_features(images: Pixels) -> NDArray[np.float32]:
    """Numbers that lie near each other for pictures that look alike.

    Each image is resized to 128x128. The first block holds means of luma (8x8) and of the two
    chroma channels (4x4) of the picture. The second holds gradients at 64x64: magnitudes summed by
    orientation (8, shared between the two nearest) over 7x7 overlapping blocks, square root taken.
    The third holds the mean absolute difference from a blur at 128x128 and at 64x64 (4x4), square
    root taken: it grows with noise and falls with blur. Each block has a constant weight.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB, H and W at least 16.

    Returns:
        (N, 520) float32, finite, 0.55 to 2.2 apart (Euclidean) for different faces. An image's
        row does not depend on the others in the call.

    Raises:
        ScoreError: `images` is of another dtype or shape, or smaller.

    References:
        N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", 2005, CVPR,
        section 6 (orientation voting, overlapping blocks). Deviations: 8 orientations over 180
        degrees on a fixed grid of a whole face; the vote is shared between orientations, not
        between cells; the square root compresses, and no block is divided by its own norm, which
        would make noise in flat regions as large as an edge.

    Numerics: the resize is integer arithmetic and alike everywhere; the rest is float32, alike to
    rounding (1e-5 of a feature's length).
    """
    check_pixels(images, "the fixed feature")
    if min(images.shape[1:3]) < LEAST_PX:
        side = min(images.shape[1:3])
        raise ScoreError(f"the fixed feature needs images of at least {LEAST_PX} px, not {side} px")
    starts = range(0, len(images), _TOGETHER)
    return np.concatenate([_features(images[start : start + _TOGETHER]) for start in starts])


class FixedNetwork:
    """`fixed_features` behind the protocol of the feature networks; it gives no logits."""

    @property
    def protocol(self) -> FeatureProtocol:
        """`FIXED`."""
        return FIXED

    def outputs(self, images: Pixels) -> Outputs:
        """Features of a batch.

        Args:
            images: (B, H, W, 3) uint8 in [0, 255], RGB, B at least 1, H and W at least 16.

        Raises:
            ScoreError: another dtype or shape, or smaller images.
        """
        return Outputs(features=fixed_features(images), logits=None)


def _features(images: Pixels) -> NDArray[np.float32]:
    pixels = _resized(images)
    luma = pixels @ _LUMA
    half = _means(luma, WORK_PX // 2)
    parts = (
        _COLOUR_WEIGHT * _colour(pixels, half),
        _EDGE_WEIGHT * _edges(half),
        _DETAIL_WEIGHT * _detail(luma),
    )
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _resized(images: Pixels) -> Floats:
    """(n, 128, 128, 3) float32 in [0, 1]."""
    size, method = (WORK_PX, WORK_PX), Image.Resampling.HAMMING
    small = [np.asarray(Image.fromarray(image).resize(size, method)) for image in images]
    return np.stack(small).astype(np.float32) / np.float32(255)


def _colour(pixels: Floats, luma: Floats) -> Floats:
    """(n, 96): means over the grids, divided by the grids' sides: RMS over the picture."""
    means = np.stack([_means(pixels[..., c], _CHROMA_GRID) for c in range(3)], axis=-1)
    coarse = means @ _LUMA
    blue = _CHROMA_GAIN * _BLUE * (means[..., 2] - coarse) / _CHROMA_GRID
    red = _CHROMA_GAIN * _RED * (means[..., 0] - coarse) / _CHROMA_GRID
    return _rows(_means(luma, _LUMA_GRID) / _LUMA_GRID, blue, red)


def _edges(luma: Floats) -> Floats:
    """(n, 392): square roots of the mean gradient by orientation, block by block."""
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    votes = _votes(across, down)
    rows = votes[:, 1:] + votes[:, :-1]
    blocks = (rows[:, :, 1:] + rows[:, :, :-1]) / 4
    return _rows(np.sqrt(blocks)) / np.float32(ORIENTATIONS)


def _votes(across: Floats, down: Floats) -> Floats:
    """(n, 8, 8, 8): a cell's mean magnitude by orientation, each shared between the nearest two."""
    count, side = across.shape[:2]
    turn = np.arctan2(down, across) * np.float32(ORIENTATIONS / np.pi) + ORIENTATIONS  # [0, 16]
    first = turn.astype(np.int32)
    share = turn - first
    length = np.hypot(across, down)
    cell = np.arange(side) // (side // _CELLS)
    place = (np.arange(count)[:, None, None] * _CELLS + cell[:, None]) * _CELLS + cell
    votes = np.zeros(count * _CELLS**2 * ORIENTATIONS)
    for orientation, weight in ((first, length * (1 - share)), (first + 1, length * share)):
        index = place * ORIENTATIONS + orientation % ORIENTATIONS
        votes += np.bincount(index.ravel(), weight.ravel(), minlength=len(votes))
    pixels = (side // _CELLS) ** 2
    shape = (count, _CELLS, _CELLS, ORIENTATIONS)
    shared: Floats = (votes / pixels).reshape(shape).astype(np.float32)
    return shared


def _detail(luma: Floats) -> Floats:
    """(n, 32): square roots of the mean absolute difference from a blur, at two scales."""
    energies = []
    for _ in range(2):
        rows = convolve1d(luma, _BINOMIAL, axis=1, mode="mirror")
        blurred = convolve1d(rows, _BINOMIAL, axis=2, mode="mirror")
        energies.append(np.sqrt(_means(np.abs(luma - blurred), _DETAIL_GRID) + _FLOOR))
        luma = blurred[:, ::2, ::2]
    return _rows(*energies) / np.float32(_DETAIL_GRID)


def _means(images: Floats, grid: int) -> Floats:
    """(n, S, S) -> (n, grid, grid): means over squares."""
    count, side = images.shape[:2]
    step = side // grid
    squares: Floats = images.reshape(count, grid, step, grid, step).mean(axis=(2, 4))
    return squares


def _rows(*parts: Floats) -> Floats:
    """Flat, one row an image."""
    rows: Floats = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return rows
