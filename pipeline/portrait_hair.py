"""Hair on the head: locks of strands between two guide curves, and curls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.portrait_attributes import Hair
from pipeline.portrait_brush import (
    ROUND,
    SHIFT,
    Points,
    around,
    blend,
    curve,
    disc,
    fill,
    fixed,
    hairs,
    mask_of,
    product,
    stroke,
)
from pipeline.portrait_head import Floats, height_base
from pipeline.portrait_skin import Easel

Path = tuple[tuple[float, float], ...]
"""(u, v) points in head units."""


CURLS = 200
TONES = (-0.38, -0.22, -0.05, 0.16, 0.34)
"""Of strands, dark to light, as `Easel.hair_tone` takes them."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Hair between an inner curve on the head and an outer one around it, both root to tip."""

    inner: Path
    outer: Path
    across: bool = False
    """Whether the strands run from the inner curve to the outer one, not along both."""


SKULL: Path = (
    (-1.04, 0.02),
    (-1.11, -0.45),
    (-1.02, -0.95),
    (-0.64, -1.36),
    (0.0, -1.51),
    (0.64, -1.36),
    (1.02, -0.95),
    (1.11, -0.45),
    (1.04, 0.02),
)
HAIRLINE: Path = (
    (-0.97, 0.16),
    (-0.90, -0.20),
    (-0.84, -0.48),
    (-0.66, -0.68),
    (0.0, -0.80),
    (0.66, -0.68),
    (0.84, -0.48),
    (0.90, -0.20),
    (0.97, 0.16),
)
FULLER: Path = (
    (-1.08, 0.10),
    (-1.18, -0.42),
    (-1.08, -1.0),
    (-0.68, -1.45),
    (0.0, -1.62),
    (0.68, -1.45),
    (1.08, -1.0),
    (1.18, -0.42),
    (1.08, 0.10),
)

FRONT: dict[Hair, tuple[Lock, ...]] = {
    Hair.BALD: (),
    Hair.SHORT: (Lock(HAIRLINE, SKULL, across=True),),
    Hair.BUN: (Lock(HAIRLINE, SKULL, across=True),),
    Hair.CURLY: (Lock(HAIRLINE, FULLER, across=True),),
    Hair.SIDE_PART: (
        Lock(
            ((0.50, -0.80), (0.72, -0.66), (0.86, -0.44), (0.92, -0.15), (0.97, 0.16)),
            ((0.40, -1.46), (0.78, -1.32), (1.05, -0.92), (1.12, -0.42), (1.05, 0.04)),
        ),
        Lock(
            ((0.52, -0.82), (0.10, -0.64), (-0.45, -0.56), (-0.84, -0.34), (-0.97, 0.16)),
            ((0.52, -1.42), (-0.02, -1.60), (-0.72, -1.40), (-1.13, -0.72), (-1.05, 0.04)),
        ),
    ),
    Hair.FRINGE: (
        Lock(
            ((-1.0, 0.30), (-0.86, -0.20), (-0.60, -0.36), (0.0, -0.40), (0.60, -0.36),
             (0.86, -0.20), (1.0, 0.30)),
            ((-1.10, 0.24), (-1.14, -0.50), (-0.78, -1.22), (0.0, -1.54), (0.78, -1.22),
             (1.14, -0.50), (1.10, 0.24)),
            across=True,
        ),
    ),
    Hair.BOB: (
        Lock(
            ((0.05, -0.90), (0.52, -0.72), (0.82, -0.34), (0.91, 0.30), (0.70, 1.16)),
            ((0.05, -1.55), (0.72, -1.38), (1.16, -0.72), (1.27, 0.25), (0.97, 1.20)),
        ),
        Lock(
            ((0.05, -0.90), (-0.45, -0.74), (-0.82, -0.34), (-0.91, 0.30), (-0.70, 1.16)),
            ((0.05, -1.55), (-0.70, -1.38), (-1.16, -0.72), (-1.27, 0.25), (-0.97, 1.20)),
        ),
    ),
    Hair.LONG: (
        Lock(
            ((-0.22, -0.90), (0.40, -0.74), (0.80, -0.36), (0.93, 0.25), (0.94, 1.0),
             (0.74, 1.8), (0.66, 2.7)),
            ((-0.22, -1.55), (0.60, -1.42), (1.14, -0.72), (1.24, 0.15), (1.30, 1.0),
             (1.38, 1.8), (1.30, 2.7)),
        ),
        Lock(
            ((-0.22, -0.90), (-0.56, -0.70), (-0.82, -0.36), (-0.93, 0.25), (-0.94, 1.0),
             (-0.76, 1.8), (-0.70, 2.7)),
            ((-0.22, -1.55), (-0.76, -1.36), (-1.14, -0.72), (-1.24, 0.15), (-1.30, 1.0),
             (-1.36, 1.8), (-1.28, 2.7)),
        ),
    ),
}  # fmt: skip
BEHIND: dict[Hair, Lock] = {
    Hair.BOB: Lock(((-1.1, -0.6), (-1.2, 0.3), (-0.8, 1.2)), ((1.1, -0.6), (1.2, 0.3), (0.8, 1.2))),
    Hair.LONG: Lock(
        ((-1.1, -0.6), (-1.25, 0.6), (-1.3, 2.8)), ((1.1, -0.6), (1.25, 0.6), (1.3, 2.8))
    ),
    Hair.FRINGE: Lock(
        ((-1.06, -0.4), (-1.12, 0.3), (-0.7, 1.1)), ((1.06, -0.4), (1.12, 0.3), (0.7, 1.1))
    ),
}


def paint_hair_behind(easel: Easel) -> None:
    """Hair behind neck and ears: long hair, or a bun."""
    style = easel.attributes.hair
    if style is Hair.BUN:
        ring = easel.pose.at(disc((0.0, -1.60), 0.40, 0.34), depth=-0.3)
        fill(easel.canvas, ring, easel.hair_tone(-0.1))
        for turn in np.linspace(0.35, 1.0, 7):
            swirl = disc((0.0, -1.60), 0.39 * turn, 0.33 * turn)[:20]
            line = easel.pose.at(swirl, depth=-0.3)
            hairs(easel.canvas, [line], easel.hair_tone(float(easel.rng.uniform(-0.4, 0.35))), 2)
    if style in BEHIND:
        inner, outer = (
            easel.pose.at(curve(path), depth=-0.4)
            for path in (BEHIND[style].inner, BEHIND[style].outer)
        )
        fill(easel.canvas, np.concatenate([inner, outer[::-1]]), easel.hair_tone(-0.5))
        _strands(easel, inner, outer, (-0.7, -0.5, -0.3), count=36)


def paint_hair(easel: Easel) -> None:
    """Hair on the head and before the ears, with its shadow on the forehead."""
    if easel.attributes.hair is Hair.BALD:
        inner, outer = _guides(easel, Lock(HAIRLINE, SKULL))
        scalp = np.concatenate([inner, outer[::-1]])
        blur = 0.06 * easel.unit_px
        fill(easel.canvas, scalp, easel.hair_tone(0), opacity=0.2, blur_px=blur, within=easel.head)
    locks = [_guides(easel, lock) for lock in FRONT[easel.attributes.hair]]
    drop = np.array((-0.05 * easel.light[0], 0.07), np.float32) * easel.unit_px
    for inner, outer in locks:
        cast = np.concatenate([inner, outer[::-1]]) + drop
        blur = 0.05 * easel.unit_px
        fill(easel.canvas, cast, easel.shadow, opacity=0.5, blur_px=blur, within=easel.head)
    for lock, (inner, outer) in zip(FRONT[easel.attributes.hair], locks, strict=True):
        if easel.attributes.hair is Hair.CURLY:
            _paint_curls(easel, inner, outer)
        else:
            _paint_lock(easel, inner, outer, across=lock.across)


def _guides(easel: Easel, lock: Lock) -> tuple[Points, Points]:
    """Both curves of a lock on the canvas: the inner one on the head, the outer one around it."""
    inner, outer = curve(lock.inner, steps=4), curve(lock.outer, steps=4)
    lift = 0.9 * height_base(inner[:, 0], inner[:, 1])
    return easel.pose.at(inner, lift), easel.pose.at(outer, -0.05)


def _paint_lock(easel: Easel, inner: Points, outer: Points, *, across: bool) -> None:
    """Body, shaded edges, strands and the band of light of one lock."""
    unit, ring = easel.unit_px, np.concatenate([inner, outer[::-1]])
    window = around(ring, 0.04 * unit, easel.canvas)
    if window is None:
        return
    scratch = replace(easel, canvas=easel.canvas.copy())
    window.of(scratch.canvas)[:] = easel.hair_tone(-0.12)
    dark = easel.hair_tone(-0.62)
    for guide, opacity in ((outer, 0.6), (inner, 0.45)):
        stroke(scratch.canvas, guide, 0.2 * unit, dark, opacity=opacity, blur_px=0.09 * unit)
    if across:
        _strands_across(scratch, inner, outer)
    else:
        _strands(scratch, inner, outer, TONES, count=104)
    _paint_sheen(scratch, inner, outer)
    blend(window.of(easel.canvas), window.of(scratch.canvas), mask_of(ring, window, 0.012 * unit))


def _between(inner: Points, outer: Points, share: float | Floats) -> Points:
    return np.asarray(inner * (1 - share) + outer * share, np.float32)


def _paint_sheen(easel: Easel, inner: Points, outer: Points) -> None:
    """A soft band of light where the hair faces the light."""
    band = _between(inner, outer, 0.55)
    middle = easel.pose.at([(0.0, -0.6)], 0.0)[0]
    reach = (band - middle) / easel.unit_px
    facing = np.clip(product(reach, easel.light[:2]) * 0.9 - 0.1, 0, 1)
    facing *= np.clip(1.3 - np.linalg.norm(reach - easel.light[:2], axis=1), 0, 1)
    widths = (0.03 + 0.55 * facing) * easel.unit_px
    opacity, blur = 0.22 + 0.25 * easel.attributes.light_strength, 0.09 * easel.unit_px
    stroke(easel.canvas, band, widths, easel.hair_tone(0.75), opacity=opacity, blur_px=blur)


def _strands(
    easel: Easel, first: Points, last: Points, tones: tuple[float, ...], count: int
) -> None:
    """Thin lines that run along both guides."""
    rng, along = easel.rng, np.linspace(0, 1, len(first))
    share, drift = rng.uniform(0, 1, count), rng.normal(0, 0.03, count)
    wave = rng.normal(0, 0.014, (count, 1)) * np.sin(9 * along + rng.uniform(0, 6, (count, 1)))
    place = share[:, None] + drift[:, None] * along + wave
    place = np.clip(place, -0.01, 1.012)
    lines = _between(first, last, place.astype(np.float32)[..., None])
    for index, tone in enumerate(tones):
        colour = easel.hair_tone(tone)
        hairs(easel.canvas, lines[index :: len(tones)], colour)


def _strands_across(easel: Easel, inner: Points, outer: Points, count: int = 170) -> None:
    """Thin lines from the inner guide to the outer one, swept a little sideways."""
    start = easel.rng.uniform(0, 1, count)
    sweep = easel.rng.normal(0.02, 0.03, count)
    begin = easel.rng.uniform(-0.04, 0.3, count)
    place = begin[:, None] + (1.0 - begin)[:, None] * np.linspace(0, 1, 6)
    along = np.clip(start[:, None] + sweep[:, None] * place, 0, 1) * (len(inner) - 1.001)
    index = along.astype(int)
    rest = (along - index)[..., None].astype(np.float32)
    share = place[..., None].astype(np.float32)
    lines = _between(inner[index], outer[index], share) * (1 - rest)
    lines = lines + _between(inner[index + 1], outer[index + 1], share) * rest
    for turn, tone in enumerate(TONES):
        hairs(easel.canvas, lines[turn :: len(TONES)], easel.hair_tone(tone))


def _paint_curls(easel: Easel, inner: Points, outer: Points) -> None:
    """A cap of clumps, each lighter towards the light, under a web of fine curls."""
    rng, unit = easel.rng, easel.unit_px
    ring = np.concatenate([inner, outer[::-1]])
    fill(easel.canvas, ring, easel.hair_tone(-0.45), blur_px=0.03 * unit)
    share = rng.uniform(0.06, 1.0, CURLS).astype(np.float32)[:, None]
    index = rng.integers(0, len(inner), CURLS)
    centres = _between(inner[index], outer[index], share)[:, None]
    radii = rng.uniform(0.07, 0.125, (CURLS, 1, 1)).astype(np.float32) * np.float32(unit)
    step = easel.light[:2] * np.float32(0.03 * unit)
    for shrink, tone in ((1.0, -0.38), (0.75, -0.2), (0.45, -0.05)):
        centres = centres + step
        clumps = fixed(np.asarray(centres + ROUND * radii * shrink, np.float32))
        colours = [easel.hair_tone(tone + offset) for offset in (-0.12, 0.0, 0.12)]
        for turn, clump in enumerate(clumps):
            cv2.fillPoly(easel.canvas, [clump], colours[turn % 3], cv2.LINE_AA, SHIFT)
    rings = centres + ROUND * radii * np.float32(0.8)
    for turn, tone in enumerate((-0.4, -0.15, 0.1, 0.3)):
        start = int(rng.integers(8))
        hairs(easel.canvas, rings[turn::4, start : start + 18], easel.hair_tone(tone), 2)
