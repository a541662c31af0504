"""The head as a body in space: its relief, its outline and how a pose puts it on the canvas.

Head units: half the width of the face is 1, the origin lies between the eyes, u to the right of the
picture, v down, z towards the viewer. A pose turns the head, then looks at it from far away
(orthographic), so that a turned head moves its nose further than its eyes, as it should.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facegan.core.records import Box, Landmarks
from pipeline.portrait_attributes import Expression, PortraitAttributes
from pipeline.portrait_brush import Points, curve, direction_of, product

Floats = NDArray[np.float32]

FOREHEAD, CHIN = -0.68, 1.38
FACE_MIDDLE = (FOREHEAD + CHIN) / 2
EYE_U, EYE_V = 0.43, 0.0
NOSE_TIP = (0.0, 0.5)
MOUTH_V = 0.86

# u, v, width, height, lift of each bump of the face; those off the middle are mirrored.
BUMPS = np.array(
    [
        (0.0, 0.13, 0.10, 0.34, 0.12),  # bridge of the nose
        (0.0, 0.47, 0.15, 0.14, 0.22),  # its tip
        (0.17, 0.53, 0.08, 0.08, 0.08),  # its wings
        (0.40, -0.27, 0.30, 0.11, 0.06),  # brow ridge
        (0.40, -0.03, 0.24, 0.15, -0.15),  # eye sockets
        (0.43, 0.0, 0.15, 0.10, 0.06),  # eyeballs
        (0.58, 0.36, 0.26, 0.20, 0.09),  # cheekbones
        (0.36, 0.68, 0.10, 0.20, -0.025),  # from the nose to the corners of the mouth
        (0.0, 0.80, 0.24, 0.05, 0.05),  # upper lip
        (0.0, 0.94, 0.20, 0.06, 0.07),  # lower lip
        (0.0, 1.07, 0.22, 0.06, -0.05),  # below it
        (0.0, 1.24, 0.22, 0.12, 0.09),  # chin
        (0.85, -0.30, 0.16, 0.25, -0.05),  # temples
    ],
    dtype=np.float32,
)
BUMPS = np.concatenate([BUMPS, BUMPS[BUMPS[:, 0] > 0] * np.array([-1, 1, 1, 1, 1], np.float32)])

PROPORTION = 1.11
"""Length against width of a face of length 1."""

GRID_STEP = 0.025
GRID_U = np.arange(-1.4, 1.4 + GRID_STEP, GRID_STEP, dtype=np.float32)
GRID_V = np.arange(-1.6, 1.6 + GRID_STEP, GRID_STEP, dtype=np.float32)


def height_at(u: ArrayLike, v: ArrayLike) -> Floats:
    """How far the face stands out at (u, v): an ellipsoid and its bumps, in head units."""
    u_, v_ = np.asarray(u, np.float32)[..., None], np.asarray(v, np.float32)[..., None]
    u0, v0, wide, high, lift = BUMPS.T
    bumps = product(np.exp(-(((u_ - u0) / wide) ** 2) - ((v_ - v0) / high) ** 2), lift)
    square = (u_[..., 0] / 1.1) ** 2 + ((v_[..., 0] + 0.05) / 1.66) ** 2
    return np.asarray(np.sqrt(np.maximum(1 - square, 0.0)) + bumps, np.float32)


@dataclass(frozen=True, slots=True)
class Relief:
    """The face on the grid GRID_V x GRID_U."""

    height: Floats
    normals: Floats
    """(V, U, 3), unit length."""
    cavity: Floats
    """(V, U): below 0 in hollows, above 0 on ridges."""


@lru_cache(maxsize=1)
def relief() -> Relief:
    """The relief that all heads share, computed once."""
    u, v = np.meshgrid(GRID_U, GRID_V)
    height = height_at(u, v)
    rounded = np.sqrt(np.maximum(1 - (u / 1.16) ** 2 - ((v + 0.05) / 1.72) ** 2, 0.02))
    shape = height - height_base(u, v) + rounded
    slope_v, slope_u = np.gradient(shape, GRID_STEP)
    normals = np.stack([-slope_u, -slope_v, np.ones_like(u)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    bumps = height - height_base(u, v)
    cavity = bumps - cv2.GaussianBlur(bumps, (0, 0), 6)
    return Relief(height, normals.astype(np.float32), np.asarray(cavity, np.float32))


def height_base(u: Floats, v: Floats) -> Floats:
    """The ellipsoid alone."""
    square = (u / 1.1) ** 2 + ((v + 0.05) / 1.66) ** 2
    return np.asarray(np.sqrt(np.maximum(1 - square, 0.0)), np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and how it is turned."""

    rotation: Floats
    """(3, 3), from the head to the picture."""
    unit_px: float
    stretch: float
    """Length of the face against its width."""
    origin: tuple[float, float]
    """Where (0, 0, 0) of the head lies, in canvas pixels."""

    @classmethod
    def of(cls, attributes: PortraitAttributes, canvas_px: int) -> Pose:
        """The pose that puts the middle of the face where the attributes want it."""
        stretch = PROPORTION * attributes.face_length
        unit = attributes.face_height * canvas_px / ((CHIN - FOREHEAD) * stretch)
        loose = cls(_rotation(attributes), unit, stretch, (0.0, 0.0))
        middle = loose.at([(0.0, FACE_MIDDLE)], depth=0.3)[0]
        x, y = (share * canvas_px for share in attributes.centre)
        return cls(
            loose.rotation, unit, loose.stretch, (x - float(middle[0]), y - float(middle[1]))
        )

    def at(self, points: ArrayLike, depth: ArrayLike | None = None) -> Points:
        """Head points on the canvas.

        Args:
            points: (N, 2) of (u, v) in head units.
            depth: z of the points; without it they lie on the face.

        Returns:
            (N, 2) float32 canvas pixels.
        """
        flat = np.asarray(points, np.float32)
        z = height_at(flat[:, 0], flat[:, 1]) if depth is None else np.asarray(depth, np.float32)
        u, v, look = flat[:, 0], flat[:, 1] * np.float32(self.stretch), self.rotation
        spots = np.empty((len(flat), 2), np.float32)
        for axis in (0, 1):
            turned = look[axis, 0] * u + look[axis, 1] * v + look[axis, 2] * z
            spots[:, axis] = turned * self.unit_px + self.origin[axis]
        return spots

    def light(self, direction: ArrayLike) -> Floats:
        """A direction of the picture as the head sees it: (3,) unit length."""
        return direction_of(product(self.rotation.T, direction))

    def to_grid(self, xy: Floats) -> Floats:
        """Canvas pixels (..., 2) -> (column, row) in the relief's grid, for cv2.remap.

        The face's depth depends on where it is, so (u, v) is found by two fixed-point rounds.
        """
        plane = self.rotation[:2, :2] * np.array((1.0, self.stretch), np.float32)
        (a, b), (c, d) = plane.tolist()
        back = np.array(((d, -b), (-c, a)), np.float32) / np.float32(a * d - b * c)
        near = (xy - np.array(self.origin, np.float32)) / np.float32(self.unit_px)
        flat = np.asarray(cv2.transform(near, back), np.float32)
        drift = product(back, self.rotation[:2, 2])
        height = relief().height
        grid = _grid_of(flat)
        for _ in range(2):
            grid = _grid_of(flat - sample(height, grid)[..., None] * drift)
        return grid


def sample(field: Floats, grid: Floats) -> Floats:
    """`field` ((V, U) or (V, U, 3)) between its samples, at the (column, row) of `grid`."""
    columns, rows = grid[..., 0], grid[..., 1]
    values = cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32)


def _grid_of(uv: Floats) -> Floats:
    corner = np.array((GRID_U[0], GRID_V[0]), np.float32)
    return np.asarray((uv - corner) / GRID_STEP, np.float32)


def _rotation(attributes: PortraitAttributes) -> Floats:
    """Pitch, then yaw, then roll: so the line between the eyes turns by exactly the roll."""
    roll, yaw, pitch = np.radians((attributes.roll_deg, attributes.yaw_deg, attributes.pitch_deg))
    c, s = np.cos, np.sin
    tilt = np.array([[1, 0, 0], [0, c(pitch), -s(pitch)], [0, s(pitch), c(pitch)]])
    turn = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
    lean = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
    return product(product(lean, turn), tilt)


def outline(pose: Pose, jaw: float) -> Points:
    """The head without hair and ears, crown to chin, as a closed outline in canvas pixels.

    Args:
        pose: of the head.
        jaw: 0 narrow, 1 square.
    """
    side = np.array(
        [
            (0.0, -1.34, 0.0),
            (0.50, -1.23, 0.0),
            (0.85, -0.86, 0.0),
            (0.99, -0.30, 0.0),
            (0.98, 0.20, 0.0),
            (0.895 + 0.03 * jaw, 0.58, 0.05),
            (0.68 + 0.11 * jaw, 0.97, 0.18),
            (0.35 + 0.12 * jaw, 1.28, 0.36),
            (0.15 + 0.06 * jaw, 1.385, 0.45),
        ],
        dtype=np.float32,
    )
    mirrored = side[:0:-1] * np.array((-1, 1, 1), np.float32)
    ring = curve(np.concatenate([side, [[0.0, 1.40, 0.46]], mirrored]), closed=True)
    return pose.at(ring[:, :2], ring[:, 2])


def face_box(pose: Pose, jaw: float) -> Box:
    """Upper forehead to chin, side to side: what a face detector would draw, in canvas pixels."""
    ring = outline(pose, jaw)
    back = product(ring - np.array(pose.origin, np.float32), pose.rotation[:2, :2])
    face = ring[back[:, 1] >= FOREHEAD * pose.stretch * pose.unit_px]
    left, top = (float(value) for value in face.min(axis=0))
    right, bottom = (float(value) for value in face.max(axis=0))
    return Box(left, top, right, bottom)


def mouth_corner(expression: Expression) -> tuple[float, float]:
    """(u, v) of the right corner of the mouth."""
    return {
        Expression.NEUTRAL: (0.30, 0.87),
        Expression.SMILE: (0.36, 0.815),
        Expression.GRIN: (0.39, 0.80),
        Expression.OPEN: (0.27, 0.89),
        Expression.FROWN: (0.31, 0.92),
    }[expression]


def landmarks(pose: Pose, expression: Expression) -> Landmarks:
    """Left eye, right eye, nose tip, left and right corner of the mouth, in canvas pixels."""
    u, v = mouth_corner(expression)
    points = pose.at([(-EYE_U, EYE_V), (EYE_U, EYE_V), NOSE_TIP, (-u, v), (u, v)])
    return tuple((float(x), float(y)) for x, y in points)
