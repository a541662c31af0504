"""What grows on the lower face: stubble, a moustache, a full beard."""

from __future__ import annotations

import numpy as np

from pipeline.portrait_attributes import Beard, Rgb
from pipeline.portrait_brush import Points, curve, fill, hairs, mix
from pipeline.portrait_head import mouth_corner
from pipeline.portrait_skin import Easel


def paint_beard(easel: Easel) -> None:
    """Stubble, a moustache or a full beard."""
    style, unit = easel.attributes.beard, easel.unit_px
    if style is Beard.NONE:
        return
    colour = mix(easel.hair_tone(-0.2), (60, 42, 34), 0.2)
    if style is not Beard.MOUSTACHE:
        jaw = easel.attributes.jaw
        edge = [(-0.97, 0.18), (-0.86, 0.52), (-0.62, 0.74), (-0.42, 0.72), (-0.2, 0.70)]
        low = [(-0.99, 0.3), (-0.95 - 0.03 * jaw, 0.62), (-0.80 - 0.08 * jaw, 1.02),
               (-0.46 - 0.1 * jaw, 1.36), (0.0, 1.49)]  # fmt: skip
        top = _symmetric(edge)
        bottom = _symmetric(low)
        ring = easel.pose.at(np.concatenate([top, bottom[::-1]]))
        is_full = style is Beard.FULL
        limit = None if is_full else easel.head
        fill(easel.canvas, ring, colour, opacity=0.9 if is_full else 0.27, blur_px=0.035 * unit,
             within=limit)  # fmt: skip
        if is_full:
            _beard_hairs(easel, top, bottom)
    if style in (Beard.MOUSTACHE, Beard.FULL):
        _paint_moustache(easel, colour)


def _mirror(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """`points` on the other side of the face, in the opposite order."""
    return [(-u, v) for u, v in reversed(points)]


def _symmetric(points: list[tuple[float, float]]) -> Points:
    """The curve through `points` and their mirror images."""
    right = [point for point in _mirror(points) if point[0] > 0]
    return curve([*points, *right])


def _beard_hairs(easel: Easel, top: Points, bottom: Points) -> None:
    """Short hairs that point down and inward."""
    rng, count = easel.rng, 260
    roots = _roots(rng, top, bottom, (0.08, 0.95), count)
    lean = np.stack([-0.05 * roots[:, 0], np.full(count, 0.085)], axis=1).astype(np.float32)
    _brush(easel, roots, roots + lean, (-0.45, -0.2, 0.05, 0.28))


def _paint_moustache(easel: Easel, colour: Rgb) -> None:
    """Hair on the upper lip."""
    unit, rng = easel.unit_px, easel.rng
    u, v = mouth_corner(easel.attributes.expression)
    half = [(-u - 0.03, v + 0.02), (-0.25, 0.73), (-0.09, 0.665), (0.0, 0.685)]
    lower = [(-u - 0.02, v + 0.03), (-0.2, 0.42 + 0.48 * v), (0.0, 0.81)]
    top, bottom = _symmetric(half), _symmetric(lower)
    ring = easel.pose.at(np.concatenate([top, bottom[::-1]]))
    fill(easel.canvas, ring, colour, opacity=0.85, blur_px=0.018 * unit)
    roots = _roots(rng, top, bottom, (0.0, 0.6), 70)
    lean = np.stack([0.03 * roots[:, 0], np.full(70, 0.05)], axis=1).astype(np.float32)
    _brush(easel, roots, roots + lean, (-0.45, -0.1, 0.2))


def _roots(
    rng: np.random.Generator, top: Points, bottom: Points, span: tuple[float, float], count: int
) -> Points:
    """Random places between two curves, `span` of the way from `top` to `bottom`."""
    place = rng.integers(0, len(top), count)
    share = rng.uniform(*span, count).astype(np.float32)[:, None]
    follow = (place * (len(bottom) - 1) / (len(top) - 1)).astype(int)
    return np.asarray(top[place] * (1 - share) + bottom[follow] * share, np.float32)


def _brush(easel: Easel, roots: Points, tips: Points, tones: tuple[float, ...]) -> None:
    """Single hairs from `roots` to `tips` (head units), in several tones."""
    ends = easel.pose.at(np.concatenate([roots, tips]))
    pairs = np.stack([ends[: len(roots)], ends[len(roots) :]], axis=1)
    for index, tone in enumerate(tones):
        hairs(easel.canvas, pairs[index :: len(tones)], easel.hair_tone(tone))
