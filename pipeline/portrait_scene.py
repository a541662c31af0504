"""What surrounds the head: background, shoulders and clothes, glasses."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.portrait_attributes import Background, Clothes, Glasses, PortraitAttributes
from pipeline.portrait_brush import (
    Pixels,
    Points,
    around,
    blend,
    curve,
    fill,
    hairs,
    mask_of,
    mix,
    stroke,
)
from pipeline.portrait_head import EYE_U, EYE_V
from pipeline.portrait_skin import Easel

COARSE_PX = 48
"""Side of the picture in which backgrounds are painted before they are enlarged."""


def background(attributes: PortraitAttributes, canvas_px: int, rng: np.random.Generator) -> Pixels:
    """A blurred room behind the person.

    Returns:
        (canvas_px, canvas_px, 3) uint8 RGB.
    """
    near, far = (np.array(c, np.float32) for c in attributes.background_colours)
    y, x = np.mgrid[0:COARSE_PX, 0:COARSE_PX].astype(np.float32) / (COARSE_PX - 1)
    turn = np.radians(attributes.light_deg)
    towards = (x - 0.5) * np.cos(turn) - (y - 0.5) * np.sin(turn)
    glow = np.exp(-((x - 0.5) ** 2 + (y - 0.45) ** 2) / 0.18)
    contrast = 0.25 if attributes.background is Background.PLAIN else 0.7
    share = np.clip(0.45 + contrast * (towards * 1.1 + 0.35 * (glow - 0.5)), 0, 1)
    wall = far + (near - far) * share[..., None]
    if attributes.background is Background.SHAPES:
        wall = _with_lights(wall, near, rng)
    small = np.clip(wall, 0, 255).astype(np.uint8)
    medium = cv2.resize(small, (4 * COARSE_PX, 4 * COARSE_PX), interpolation=cv2.INTER_CUBIC)
    enlarged = cv2.resize(medium, (canvas_px, canvas_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.uint8)


def _with_lights(
    wall: NDArray[np.float32], near: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Discs of light out of focus."""
    across = np.arange(COARSE_PX, dtype=np.float32)
    for _ in range(int(rng.integers(9, 15))):
        x, y = rng.uniform(-2, COARSE_PX + 2, 2)
        away = np.hypot(across - np.float32(x), across[:, None] - np.float32(y))
        spot = np.clip((rng.uniform(2.5, 7.0) - away) / 2.2 + 0.5, 0, 1)
        spot = spot * spot * (3 - 2 * spot)
        tint = np.clip(near * rng.uniform(0.55, 1.25) + rng.normal(0, 14, 3), 0, 255)
        cover = spot[..., None] * rng.uniform(0.2, 0.55)
        wall = (wall + (tint - wall) * cover).astype(np.float32)
    return wall


def body_points(easel: Easel, points: list[tuple[float, float]]) -> Points:
    """Body points on the canvas: upright, with (0, 0) at the foot of the neck, in head units."""
    neck = easel.pose.at([(0.0, 1.05)], -0.25)[0]
    offset = np.array((0.0, 0.66), np.float32)
    return np.asarray(neck + (np.array(points, np.float32) + offset) * easel.unit_px, np.float32)


def neck_base(easel: Easel) -> Points:
    """(4, 2): left and right of the neck's foot, right and left shoulder."""
    return body_points(easel, [(-0.60, 0.0), (0.60, 0.0), (1.15, 1.0), (-1.15, 1.0)])


def paint_clothes(easel: Easel) -> None:
    """Shoulders and the garment, open at the neck by its cut."""
    cut, colour, unit = easel.attributes.clothes, easel.attributes.clothes_colour, easel.unit_px
    dips = {Clothes.V_NECK: 0.75, Clothes.COLLAR: 0.55, Clothes.CREW: 0.22}
    dip = dips.get(cut, -0.22)
    high = -0.34 if cut is Clothes.TURTLENECK else -0.05
    neckline = curve([(-0.60, high), (-0.36, high + 0.7 * (dip - high)), (0.0, dip),
                      (0.36, high + 0.7 * (dip - high)), (0.60, high)])  # fmt: skip
    right = curve([(0.60, high), (0.95, 0.12), (1.6, 0.34), (2.1, 0.75), (2.35, 2.0)])
    left = right[::-1] * np.array((-1, 1), np.float32)
    ring = body_points(
        easel, [(float(u), float(v)) for u, v in np.concatenate([neckline, right, left])]
    )
    window = around(ring, 2, easel.canvas)
    if window is None:
        return
    under = body_points(easel, [(float(u), float(v) + 0.05) for u, v in neckline])
    stroke(easel.canvas, under, 0.14 * unit, easel.shadow, opacity=0.5, blur_px=0.05 * unit)
    across = np.linspace(-1, 1, COARSE_PX, dtype=np.float32)
    lit = 0.82 + 0.26 * across * easel.light[0] - 0.16 * across**2
    down = np.linspace(1.06, 0.86, COARSE_PX, dtype=np.float32)
    layer = np.clip(down[:, None, None] * lit[None, :, None] * np.array(colour), 0, 255)
    large = cv2.resize(layer.astype(np.uint8), window.shape[::-1], interpolation=cv2.INTER_LINEAR)
    blend(window.of(easel.canvas), np.asarray(large, np.uint8), mask_of(ring, window))
    _paint_neckline(easel, neckline)


def _paint_neckline(easel: Easel, neckline: Points) -> None:
    """The rim of the garment: a rib, two collar wings or a rolled neck."""
    colour, unit = easel.attributes.clothes_colour, easel.unit_px
    dark, light = mix(colour, (10, 10, 16), 0.35), mix(colour, (255, 255, 255), 0.18)
    line = body_points(easel, [(float(u), float(v)) for u, v in neckline])
    if easel.attributes.clothes is Clothes.COLLAR:
        for side in (-1, 1):
            wing = [(0.66, -0.16), (0.60, 0.18), (0.46, 0.66), (0.06, 0.58), (0.36, 0.2)]
            ring = body_points(easel, [(side * u, v) for u, v in wing])
            shifted = ring + np.array((0.0, 0.05 * unit), np.float32)
            fill(easel.canvas, shifted, dark, opacity=0.6, blur_px=0.03 * unit)
            fill(easel.canvas, ring, light)
        return
    folds = 3 if easel.attributes.clothes is Clothes.TURTLENECK else 1
    for fold in range(folds):
        row = line + np.array((0.0, (0.10 + 0.17 * fold) * unit), np.float32)
        stroke(easel.canvas, row, 0.05 * unit, dark, opacity=0.55, blur_px=0.02 * unit)
    stroke(easel.canvas, line, 0.03 * unit, light, opacity=0.35, blur_px=0.012 * unit)


def paint_glasses(easel: Easel) -> None:
    """A thin frame with a trace of reflection."""
    shape, unit = easel.attributes.glasses, easel.unit_px
    if shape is Glasses.NONE:
        return
    frame = mix(easel.attributes.hair_colour, (24, 20, 22), 0.7)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = 1.0 if shape is Glasses.ROUND else 0.55
    wide, high = (0.30, 0.29) if shape is Glasses.ROUND else (0.325, 0.235)
    x = wide * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
    y = high * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
    for side in (-1, 1):
        rim = np.stack([x + side * (EYE_U + 0.005), y + EYE_V + 0.03], axis=1)
        ring = easel.pose.at(rim, 0.98)
        shade = ring + np.array((-0.03 * float(easel.light[0]), 0.04), np.float32) * unit
        loop = np.concatenate([shade, shade[:1]])
        stroke(easel.canvas, loop, 0.035 * unit, easel.shadow, opacity=0.35, blur_px=0.015 * unit)
        fill(easel.canvas, ring, (225, 238, 245), opacity=0.07)
        glare = np.array([(-0.16, -0.20), (-0.04, -0.23), (-0.16, 0.16), (-0.24, 0.10)])
        gleam = easel.pose.at(glare + np.array((side * EYE_U, 0.03)), 0.98)
        fill(easel.canvas, gleam, (255, 255, 255), opacity=0.10, blur_px=0.01 * unit, within=ring)
        hairs(easel.canvas, [np.concatenate([ring, ring[:1]])], frame, max(1, round(0.032 * unit)))
        arm = easel.pose.at([(side * (EYE_U + wide), -0.03), (side * 1.02, -0.06)], (0.98, 0.1))
        hairs(easel.canvas, [arm], frame, max(1, round(0.032 * unit)))
    bridge = curve([(-0.135, 0.0), (0.0, -0.05), (0.135, 0.0)])
    hairs(easel.canvas, [easel.pose.at(bridge, 0.98)], frame, max(1, round(0.03 * unit)))
