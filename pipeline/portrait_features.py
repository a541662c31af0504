"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.portrait_attributes import Expression, Rgb
from pipeline.portrait_brush import (
    Points,
    around,
    blend,
    curve,
    disc,
    fill,
    hairs,
    mask_of,
    mix,
    stroke,
)
from pipeline.portrait_head import EYE_U, EYE_V, mouth_corner
from pipeline.portrait_skin import Easel

INK: Rgb = (34, 22, 20)
OPENNESS = {Expression.SMILE: 0.9, Expression.GRIN: 0.84, Expression.OPEN: 1.15}
BROW_INNER = {Expression.FROWN: 0.038, Expression.OPEN: -0.07, Expression.SMILE: -0.015}
BROW_OUTER = {Expression.FROWN: -0.02, Expression.OPEN: -0.06, Expression.SMILE: -0.015}
GAP = {Expression.GRIN: 0.10, Expression.OPEN: 0.17}
"""How far the lips stand apart, in head units."""


def paint_features(easel: Easel) -> None:
    """All features of the face, from the nose outward."""
    paint_nose(easel)
    paint_folds(easel)
    for side in (-1, 1):
        paint_eye(easel, side)
        paint_brow(easel, side)
    paint_mouth(easel)


def paint_eye(easel: Easel, side: int) -> None:
    """One eye: socket, ball, iris, lids and lashes.

    Args:
        easel: to paint on.
        side: -1 for the eye on the left of the picture, 1 for the right one.
    """
    upper, lower = _lids(easel, side)
    almond = np.concatenate([upper, lower[::-1]])
    unit, canvas = easel.unit_px, easel.canvas
    middle = almond.mean(axis=0)
    socket = middle + (almond - middle) * np.array((1.25, 2.1), np.float32)
    lid_colour = mix(easel.shadow, easel.attributes.lip_colour, 0.25 * easel.attributes.makeup)
    fill(canvas, socket, lid_colour, opacity=0.34, blur_px=0.055 * unit)
    _paint_ball(easel, side, almond, upper)
    _paint_lids(easel, side, upper, lower)


def _lids(easel: Easel, side: int) -> tuple[Points, Points]:
    """Upper and lower lid, from the inner to the outer corner, in canvas pixels."""
    attributes = easel.attributes
    wide = 0.222 * attributes.eye_size
    high = attributes.eye_size * OPENNESS.get(attributes.expression, 1.0)
    upper = [(-1.0, 0.032), (-0.62, -0.052), (-0.05, -0.102), (0.55, -0.078), (1.0, -0.012)]
    lower = [(-1.0, 0.032), (-0.55, 0.062), (0.05, 0.082), (0.6, 0.058), (1.0, -0.012)]
    curves = []
    for lid in (upper, lower):
        local = curve(lid) * np.array((wide, high), np.float32)
        local = (local + np.array((EYE_U, EYE_V), np.float32)) * np.array((side, 1), np.float32)
        curves.append(easel.pose.at(local))
    return curves[0], curves[1]


def _paint_ball(easel: Easel, side: int, almond: Points, upper: Points) -> None:
    unit, attributes = easel.unit_px, easel.attributes
    window = around(almond, 3, easel.canvas)
    if window is None:
        return
    part = window.of(easel.canvas).copy()
    part[:] = mix((236, 230, 226), easel.shadow, 0.16)
    corner = np.array((window.left, window.top), np.float32)
    centre = easel.pose.at([(side * EYE_U, EYE_V - 0.008)])[0] - corner
    radius = 0.098 * unit
    iris = attributes.eye_colour
    fill(part, disc(centre, radius), mix(iris, INK, 0.72))
    fill(part, disc(centre, radius * 0.86), mix(iris, INK, 0.15), blur_px=0.06 * radius)
    glow = centre + np.array((0.0, 0.42 * radius), np.float32)
    pale = mix(iris, (255, 240, 210), 0.42)
    fill(part, disc(glow, 0.55 * radius, 0.36 * radius), pale, opacity=0.85, blur_px=0.16 * radius)
    fill(part, disc(centre, radius * 0.44), (14, 10, 12))
    stroke(part, upper - corner, 0.085 * unit, INK, opacity=0.55, blur_px=0.022 * unit)
    shine = centre + easel.light[:2] * np.float32(0.42 * radius)
    fill(part, disc(shine, 0.2 * radius), (255, 255, 255), opacity=0.95)
    far = centre - easel.light[:2] * np.float32(0.5 * radius)
    fill(part, disc(far, 0.11 * radius), (255, 255, 255), opacity=0.35)
    blend(window.of(easel.canvas), part, mask_of(almond, window))


def _paint_lids(easel: Easel, side: int, upper: Points, lower: Points) -> None:
    unit, canvas, makeup = easel.unit_px, easel.canvas, easel.attributes.makeup
    lash = mix(INK, easel.attributes.hair_colour, 0.15)
    bold = 0.75 + 0.5 * makeup
    up = easel.pose.at([(0.0, -1.0)], 0.0)[0] - easel.pose.at([(0.0, 0.0)], 0.0)[0]
    out = side * (easel.pose.at([(1.0, 0.0)], 0.0)[0] - easel.pose.at([(0.0, 0.0)], 0.0)[0])
    crease = upper[2:] + up * np.float32(0.062)
    stroke(canvas, crease, 0.03 * unit, easel.shadow, opacity=0.6, blur_px=0.012 * unit)
    tip = upper[-1:] + out * np.float32(0.02 + 0.03 * makeup) + up * np.float32(0.02 * makeup)
    line = np.concatenate([upper, tip])
    widths = np.array((0.014, 0.032, 0.044, 0.042, 0.02)) * bold * unit
    stroke(canvas, line, widths, lash, opacity=0.95, blur_px=0.5)
    stroke(canvas, lower[4:], 0.016 * unit, easel.shadow, opacity=0.7, blur_px=0.008 * unit)
    bag = lower - up * np.float32(0.075)
    stroke(canvas, bag, 0.03 * unit, easel.shadow, opacity=0.2, blur_px=0.025 * unit)
    if makeup > 0.3:
        roots = upper[len(upper) // 3 :: 3]
        lean = np.linspace(-0.02, 0.07, len(roots), dtype=np.float32)[:, None]
        tips = roots + up * np.float32(0.045 * bold) + out * lean
        hairs(canvas, np.stack([roots, tips], axis=1), lash, 2)


def paint_brow(easel: Easel, side: int) -> None:
    """One eyebrow: a soft body and single hairs."""
    attributes, unit = easel.attributes, easel.unit_px
    inner = BROW_INNER.get(attributes.expression, 0.0)
    outer = BROW_OUTER.get(attributes.expression, 0.0)
    points = [
        (0.17, -0.235 + inner),
        (0.34, -0.295 + 0.5 * inner),
        (0.53, -0.305 + 0.6 * outer),
        (0.72, -0.215 + outer),
    ]
    line = curve(points) * np.array((side, 1), np.float32)
    weight = attributes.brow_weight * (1 - 0.25 * attributes.makeup)
    widths = np.array((0.075, 0.095, 0.085, 0.055, 0.012)) * weight
    colour = mix(attributes.hair_colour, (48, 34, 30), 0.45)
    body = easel.pose.at(line)
    stroke(easel.canvas, body, widths * unit, colour, opacity=0.72, blur_px=0.012 * unit)
    share = np.sort(easel.rng.uniform(0, 1, 34)).astype(np.float32)
    spread = np.interp(share, np.linspace(0, 1, 5), widths).astype(np.float32)
    across = easel.rng.uniform(-0.5, 0.2, len(share)).astype(np.float32)
    roots = line[(share * (len(line) - 1)).astype(int)]
    roots = roots + np.stack([np.zeros_like(share), -across * spread], axis=1)
    lean = np.stack([side * (0.03 + 0.04 * share), 0.045 * (share - 0.75)], axis=1)
    ends = easel.pose.at(np.concatenate([roots, roots + lean.astype(np.float32)]))
    pairs = np.stack([ends[: len(roots)], ends[len(roots) :]], axis=1)
    hairs(easel.canvas, pairs[::2], mix(colour, INK, 0.4))
    hairs(easel.canvas, pairs[1::2], mix(colour, attributes.skin, 0.12))


def paint_nose(easel: Easel) -> None:
    """Shadows beside and below the nose, nostrils, wings and a light on the tip."""
    unit, canvas, size = easel.unit_px, easel.canvas, easel.attributes.nose_size
    away = -1.0 if easel.light[0] > 0 else 1.0

    def on_face(points: ArrayLike) -> Points:
        return easel.pose.at(curve(np.asarray(points, np.float32) * np.array((size, 1.0))))

    side = on_face([(0.13 * away, -0.14), (0.085 * away, 0.08), (0.13 * away, 0.36)])
    dark = 0.16 + 0.2 * easel.attributes.light_strength
    stroke(canvas, side, 0.09 * unit, easel.shadow, opacity=dark, blur_px=0.05 * unit)
    under = on_face([(-0.2, 0.57), (0.0, 0.605), (0.2, 0.57), (0.1, 0.68), (-0.1, 0.68)])
    fill(canvas, under, easel.shadow, opacity=0.42, blur_px=0.035 * unit)
    for flip in (-1.0, 1.0):
        wing = on_face([(0.15 * flip, 0.45), (0.205 * flip, 0.52), (0.165 * flip, 0.595)])
        stroke(canvas, wing, 0.028 * unit, easel.shadow, opacity=0.5, blur_px=0.014 * unit)
        hole = on_face([(0.05 * flip, 0.578), (0.09 * flip, 0.562), (0.135 * flip, 0.578)])
        nostril = mix(easel.shadow, INK, 0.6)
        widths = np.array((0.02, 0.045, 0.015)) * unit
        stroke(canvas, hole, widths, nostril, opacity=0.85, blur_px=0.008 * unit)
    pale = mix(easel.attributes.skin, (255, 250, 240), 0.65)
    tip = easel.pose.at([(-0.025 * away, 0.44)])[0]
    fill(canvas, disc(tip, 0.05 * unit, 0.04 * unit), pale, opacity=0.5, blur_px=0.025 * unit)
    ridge = on_face([(-0.012 * away, 0.0), (-0.012 * away, 0.32)])
    stroke(canvas, ridge, 0.05 * unit, pale, opacity=0.3, blur_px=0.025 * unit)


def paint_folds(easel: Easel) -> None:
    """The folds from the nose to the mouth, deeper in a smile."""
    u, v = mouth_corner(easel.attributes.expression)
    depth = 0.18 + 0.9 * max(0.0, u - 0.30) * 4
    for side in (-1, 1):
        fold = curve([(0.23, 0.50), (0.36, 0.62), (u + 0.10, v - 0.03), (u + 0.09, v + 0.06)])
        line = easel.pose.at(fold * np.array((side, 1), np.float32))
        widths = np.array((0.01, 0.04, 0.02)) * easel.unit_px
        blur = 0.018 * easel.unit_px
        stroke(easel.canvas, line, widths, easel.shadow, opacity=min(depth, 0.42), blur_px=blur)


def paint_mouth(easel: Easel) -> None:
    """Two lips of two tones and, when they part, teeth."""
    attributes, unit, canvas = easel.attributes, easel.unit_px, easel.canvas
    u, v = mouth_corner(attributes.expression)
    gap, full = GAP.get(attributes.expression, 0.0), attributes.lip_fullness
    sag = 0.875 + 0.35 * (0.87 - v) - (0.25 * gap)

    def lip(points: list[tuple[float, float]]) -> Points:
        half = [*points, *((-a, b) for a, b in points[-2::-1])]
        return easel.pose.at(curve(half))

    top = sag - 0.088 * full
    crown = lip([(-u, v), (-0.17, top + 0.026), (-0.06, top - 0.006), (0.0, top + 0.012)])
    seam = lip([(-u, v), (-0.14, sag - 0.004), (0.0, sag + 0.01)])
    floor = lip([(-u, v), (-0.16, sag + 0.9 * gap), (0.0, sag + 0.012 + gap)])
    base = sag + gap + 0.115 * full
    chin = lip([(-u, v), (-0.19, base - 0.026), (0.0, base)])
    under = easel.pose.at(disc((0.0, base + 0.055), 0.17, 0.04))
    fill(canvas, under, easel.shadow, opacity=0.4, blur_px=0.04 * unit)
    if gap:
        _paint_teeth(easel, seam, floor)
    colour = attributes.lip_colour
    soft = 0.01 * unit
    fill(canvas, np.concatenate([crown, seam[::-1]]), mix(colour, easel.shadow, 0.38), blur_px=soft)
    fill(canvas, np.concatenate([floor, chin[::-1]]), mix(colour, easel.shadow, 0.06), blur_px=soft)
    shine = easel.pose.at(disc((0.03 * easel.light[0], base - 0.07 * full), 0.10, 0.022))
    pale = mix(colour, (255, 238, 230), 0.6)
    fill(canvas, shine, pale, opacity=0.35 + 0.3 * attributes.makeup, blur_px=0.02 * unit)
    widths = np.array((0.012, 0.022, 0.028, 0.022, 0.012)) * unit
    line = mix(easel.shadow, INK, 0.5)
    stroke(canvas, seam, widths, line, opacity=0.35 if gap else 0.85, blur_px=0.004 * unit)
    for end in (seam[0], seam[-1]):
        spot = disc(end, 0.032 * unit)
        fill(canvas, spot, easel.shadow, opacity=0.5, blur_px=0.02 * unit)


def _paint_teeth(easel: Easel, seam: Points, floor: Points) -> None:
    """The open mouth between `seam` and `floor`: dark, with the upper teeth in it."""
    unit = easel.unit_px
    inside = np.concatenate([seam, floor[::-1]])
    fill(easel.canvas, inside, (84, 34, 36))
    lower = seam * np.float32(0.28) + floor * np.float32(0.72)
    share = 0.95 if easel.attributes.expression is Expression.GRIN else 0.55
    edge = seam * np.float32(1 - share) + lower * np.float32(share)
    teeth = np.concatenate([seam, edge[::-1]])
    fill(easel.canvas, teeth, (238, 232, 222), blur_px=0.008 * unit, within=inside)
    for end in (0, -1):
        spot = disc(seam[end], 0.11 * unit)
        fill(easel.canvas, spot, (84, 34, 36), opacity=0.75, blur_px=0.035 * unit, within=inside)
    stroke(
        easel.canvas,
        seam,
        0.05 * unit,
        (84, 40, 40),
        opacity=0.4,
        blur_px=0.015 * unit,
        within=inside,
    )
