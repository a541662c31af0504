"""Skin: the lit relief of the head, ears and the neck."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from pipeline.portrait_attributes import PortraitAttributes, Rgb
from pipeline.portrait_brush import (
    Pixels,
    Points,
    Window,
    around,
    blend,
    curve,
    direction_of,
    disc,
    fill,
    mask_of,
    mix,
    product,
    stroke,
)
from pipeline.portrait_head import GRID_U, GRID_V, Floats, Pose, outline, relief, sample

COARSE = 4
"""Canvas pixels per sample of the shading, which is smooth."""

# Brightness of the light -> factors on the skin's colour: shadows turn warm, lights pale.
LEVELS = (0.0, 0.35, 0.62, 0.88, 1.15)
RED = (0.42, 0.66, 0.86, 1.0, 1.07)
GREEN = (0.28, 0.51, 0.76, 1.0, 1.08)
BLUE = (0.26, 0.47, 0.73, 1.0, 1.08)

# u, v, width, height of warm areas (cheeks, tip of the nose, chin) and of dark ones (sockets).
BLUSH = ((0.55, 0.42, 0.27, 0.20), (-0.55, 0.42, 0.27, 0.20), (0.0, 0.5, 0.16, 0.13))
SOCKETS = ((0.40, -0.06, 0.27, 0.16), (-0.40, -0.06, 0.27, 0.16))


@dataclass(frozen=True)
class Easel:
    """What every painting function needs."""

    canvas: Pixels
    """(S, S, 3) uint8 RGB, painted in place."""
    attributes: PortraitAttributes
    pose: Pose
    rng: np.random.Generator

    @property
    def unit_px(self) -> float:
        """Canvas pixels per head unit."""
        return self.pose.unit_px

    @property
    def shadow(self) -> Rgb:
        """The skin in deep shadow."""
        red, green, blue = self.attributes.skin
        return round(red * 0.46), round(green * 0.30), round(blue * 0.27)

    def hair_tone(self, light: float) -> Rgb:
        """The hair's colour, darker for `light` below 0 and lighter above; -1 to 1."""
        colour = self.attributes.hair_colour
        if light < 0:
            return mix(colour, (12, 8, 10), min(1.0, -light))
        red, green, blue = (min(255, round(28 + 1.32 * channel)) for channel in colour)
        return mix(colour, (red, green, blue), min(1.0, light))

    @cached_property
    def light(self) -> Floats:
        """(3,) unit vector from the head to the light: x right, y down, z to the viewer."""
        turn = np.radians(self.attributes.light_deg)
        return direction_of(np.array((np.cos(turn), -np.sin(turn), 0.95), np.float32))

    @cached_property
    def head(self) -> Points:
        """Outline of the head without hair and ears."""
        return outline(self.pose, self.attributes.jaw)


def lit_skin(easel: Easel) -> Floats:
    """Colours of the face on the relief's grid.

    Returns:
        (V, U, 3) float32 in [0, 255], RGB.
    """
    body, strength = relief(), easel.attributes.light_strength
    light = easel.pose.light(easel.light)
    facing = np.clip((product(body.normals, light) + 0.3) / 1.3, 0, 1)
    level = 1.04 - (0.35 + 0.6 * strength) * (1 - facing) + 1.5 * body.cavity
    steps = np.clip(level * (255 / LEVELS[-1]), 0, 255).astype(np.uint8)
    colours = (_ramp() * np.array(easel.attributes.skin, np.float32))[steps]
    warm = np.float32(0.55 + 0.45 * easel.attributes.makeup) * _spots(BLUSH)
    colours *= 1 - warm[..., None] * np.array((0.02, 0.17, 0.15), np.float32)
    colours *= 1 - _spots(SOCKETS)[..., None] * np.array((0.13, 0.18, 0.16), np.float32)
    halfway = easel.pose.light(easel.light + np.array((0, 0, 1), np.float32))
    gloss = np.clip(product(body.normals, halfway), 0, 1)
    for _ in range(4):
        gloss = gloss * gloss  # to the power of 16
    colours += (255 - colours) * (gloss * np.float32(0.10 + 0.24 * strength))[..., None]
    return np.asarray(np.clip(colours, 0, 255), np.float32)


@lru_cache(maxsize=1)
def _ramp() -> Floats:
    """(256, 3): factors on the skin's colour, from no light to the most."""
    levels = np.linspace(0, LEVELS[-1], 256)
    factors = [np.interp(levels, LEVELS, factor) for factor in (RED, GREEN, BLUE)]
    return np.stack(factors, axis=-1).astype(np.float32)


@lru_cache(maxsize=4)
def _spots(areas: tuple[tuple[float, float, float, float], ...]) -> Floats:
    u, v = GRID_U[None, :], GRID_V[:, None]
    blobs = [np.exp(-(((u - a) / w) ** 2) - ((v - b) / h) ** 2) for a, b, w, h in areas]
    return np.asarray(sum(blobs), np.float32)


def paint_head(easel: Easel) -> None:
    """The bare head: skin in its light, without features."""
    ring = easel.head
    window = around(ring, 2, easel.canvas)
    if window is None:
        return
    grid = easel.pose.to_grid(_samples(window))
    colours = sample(lit_skin(easel), grid).astype(np.uint8)
    rows, columns = window.shape
    layer = np.asarray(
        cv2.resize(colours, (columns, rows), interpolation=cv2.INTER_LINEAR), np.uint8
    )
    blend(window.of(easel.canvas), layer, mask_of(ring, window, 0.008 * easel.unit_px))


def _samples(window: Window) -> Floats:
    """Canvas positions of the coarse samples of `window`: (rows, columns, 2)."""
    rows, columns = (max(2, size // COARSE) for size in window.shape)
    x = window.left + (np.arange(columns) + 0.5) * (window.shape[1] / columns)
    y = window.top + (np.arange(rows) + 0.5) * (window.shape[0] / rows)
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def paint_ears(easel: Easel) -> None:
    """Both ears, behind the head; the far one in shadow."""
    for side in (-1, 1):
        shape = [(1.0, -0.16), (1.1, -0.22), (1.17, -0.1), (1.14, 0.16), (1.06, 0.38), (0.97, 0.36)]
        inner = [(1.04, -0.08), (1.11, -0.1), (1.1, 0.1), (1.05, 0.22)]
        flip = np.array((side, 1.0))
        ring = easel.pose.at(curve(np.array(shape) * flip, closed=True), depth=-0.08)
        lit = 0.5 - 0.5 * side * float(easel.light[0]) * easel.attributes.light_strength
        fill(easel.canvas, ring, mix(easel.attributes.skin, easel.shadow, 0.15 + 0.55 * lit))
        fold = easel.pose.at(curve(np.array(inner) * flip), depth=-0.08)
        unit = easel.unit_px
        stroke(
            easel.canvas,
            fold,
            0.07 * unit,
            easel.shadow,
            opacity=0.6,
            blur_px=0.025 * unit,
            within=ring,
        )


def paint_neck(easel: Easel, base: Points) -> None:
    """The neck between the head and `base`.

    Args:
        easel: with the head's pose.
        base: (4, 2) canvas pixels of the neck's foot: left, right, right shoulder, left shoulder.
    """
    unit, pose = easel.unit_px, easel.pose
    wide = 0.50 + 0.12 * easel.attributes.jaw
    top = pose.at([(-wide, 0.6), (wide, 0.6), (wide, 1.25), (-wide, 1.25)], depth=-0.25)
    left, right, right_shoulder, left_shoulder = base
    ring = np.stack([top[0], top[1], top[2], right, right_shoulder, left_shoulder, left, top[3]])
    window = around(ring, 2, easel.canvas)
    if window is None:
        return
    across = np.linspace(-1, 1, 16, dtype=np.float32) * np.float32(1.15)
    facing = np.clip(1 - across**2 * 0.5 + across * easel.light[0] * 0.5, 0, 1.1)
    shade = 0.32 + 0.55 * facing
    steps = np.clip(shade * (255 / LEVELS[-1]), 0, 255).astype(np.uint8)
    row = np.clip(_ramp()[steps] * np.array(easel.attributes.skin), 0, 255).astype(np.uint8)
    layer = cv2.resize(row[None], window.shape[::-1], interpolation=cv2.INTER_LINEAR)
    blend(window.of(easel.canvas), np.asarray(layer, np.uint8), mask_of(ring, window))
    below = pose.at(disc((0.0, 1.2), 0.86, 0.42), depth=0.0)
    drop = np.array((-0.18 * easel.light[0], 0.06), np.float32) * unit
    fill(easel.canvas, below + drop, easel.shadow, opacity=0.72, blur_px=0.10 * unit, within=ring)
    for side in (-1, 1):
        cord = np.stack([top[2 if side > 0 else 3], (left + right) / 2 + side * 0.12 * unit])
        stroke(
            easel.canvas, curve(cord), 0.10 * unit, easel.shadow, opacity=0.18, blur_px=0.06 * unit
        )
