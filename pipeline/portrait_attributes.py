"""What a drawn portrait shows: the parameters of one picture and how they are drawn by lot."""

from __future__ import annotations

import colorsys
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

Rgb = tuple[int, int, int]
"""Red, green, blue in [0, 255]."""


class Hair(StrEnum):
    """How the hair is worn."""

    BALD = "bald"
    SHORT = "short"
    SIDE_PART = "side_part"
    FRINGE = "fringe"
    CURLY = "curly"
    BOB = "bob"
    LONG = "long"
    BUN = "bun"


class Expression(StrEnum):
    """What mouth and brows say."""

    NEUTRAL = "neutral"
    SMILE = "smile"
    GRIN = "grin"
    OPEN = "open"
    FROWN = "frown"


class Beard(StrEnum):
    """Hair on the lower face."""

    NONE = "none"
    STUBBLE = "stubble"
    MOUSTACHE = "moustache"
    FULL = "full"


class Glasses(StrEnum):
    """Shape of the frame."""

    NONE = "none"
    ROUND = "round"
    SQUARE = "square"


class Background(StrEnum):
    """What lies behind the person."""

    PLAIN = "plain"
    GRADIENT = "gradient"
    SHAPES = "shapes"


class Clothes(StrEnum):
    """The cut of the garment at the neck."""

    CREW = "crew"
    V_NECK = "v_neck"
    COLLAR = "collar"
    TURTLENECK = "turtleneck"


@dataclass(frozen=True, slots=True)
class PortraitAttributes:
    """One portrait, wholly: the same attributes and size give the same pixels."""

    skin: Rgb = (236, 190, 158)
    hair: Hair = Hair.SHORT
    hair_colour: Rgb = (52, 34, 26)
    eye_colour: Rgb = (96, 66, 40)
    lip_colour: Rgb = (190, 104, 98)
    expression: Expression = Expression.NEUTRAL
    beard: Beard = Beard.NONE
    glasses: Glasses = Glasses.NONE
    makeup: float = 0.0
    """0 none; 1 lashes and lips as dark as they get."""
    roll_deg: float = 0.0
    """Positive turns the head clockwise as seen in the picture."""
    yaw_deg: float = 0.0
    """Positive turns the nose to the right of the picture."""
    pitch_deg: float = 0.0
    """Positive lifts the chin."""
    jaw: float = 0.5
    """0 narrow, 1 square."""
    face_length: float = 1.0
    eye_size: float = 1.0
    nose_size: float = 1.0
    lip_fullness: float = 1.0
    brow_weight: float = 1.0
    light_deg: float = 135.0
    """Where the light comes from: 0 right, 90 above, 180 left."""
    light_strength: float = 0.6
    """0 flat, 1 strong."""
    background: Background = Background.GRADIENT
    background_colours: tuple[Rgb, Rgb] = ((150, 170, 180), (84, 104, 122))
    clothes: Clothes = Clothes.CREW
    clothes_colour: Rgb = (70, 90, 120)
    face_height: float = 0.52
    """Brow line of the hair to chin, as a share of the picture's height."""
    centre: tuple[float, float] = (0.5, 0.52)
    """Middle of the face (x, y), as shares of the picture's sides."""
    noise_sigma: float = 2.0
    """Grain, in grey levels."""
    texture_seed: int = 0
    """Strands, grain and blurred shapes."""

    def as_dict(self) -> dict[str, Any]:
        """For a JSON sidecar beside the picture."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PortraitLimits:
    """How far the lot may go."""

    max_roll_deg: float = 8.0
    max_yaw_deg: float = 13.0
    max_pitch_deg: float = 5.0
    face_height: tuple[float, float] = (0.45, 0.53)
    max_shift: float = 0.03
    """Of the face's middle from the picture's, as a share of its sides."""
    max_noise_sigma: float = 3.5
    glasses_share: float = 0.22
    beard_share: float = 0.5
    """Of those whose hairstyle allows one."""


DEFAULT_LIMITS = PortraitLimits()

SKINS: tuple[Rgb, ...] = (
    (243, 210, 188),
    (240, 200, 172),
    (234, 190, 158),
    (228, 178, 142),
    (212, 158, 120),
    (190, 134, 98),
    (164, 111, 79),
    (140, 92, 65),
    (116, 75, 53),
)
DARK_HAIR: tuple[Rgb, ...] = ((30, 26, 28), (46, 32, 28), (66, 43, 32), (88, 56, 38))
LIGHT_HAIR: tuple[Rgb, ...] = (
    (112, 70, 44),
    (134, 66, 38),
    (166, 124, 78),
    (204, 164, 108),
    (226, 196, 146),
    (142, 138, 136),
    (208, 204, 200),
)
EYES: tuple[Rgb, ...] = (
    (78, 52, 34),
    (104, 72, 42),
    (92, 112, 70),
    (84, 118, 146),
    (110, 124, 132),
)
WALLS: tuple[tuple[Rgb, Rgb], ...] = (
    ((236, 218, 192), (176, 138, 108)),  # sand
    ((226, 176, 148), (150, 88, 74)),  # clay
    ((202, 212, 188), (112, 132, 108)),  # sage
    ((186, 208, 222), (82, 112, 142)),  # dusk
    ((156, 202, 198), (48, 98, 104)),  # teal
    ((222, 218, 214), (134, 132, 134)),  # stone
    ((240, 208, 140), (186, 126, 66)),  # ochre
    ((214, 190, 206), (118, 88, 116)),  # plum
    ((146, 160, 186), (44, 54, 82)),  # night
    ((238, 206, 204), (178, 116, 122)),  # rose
)
"""Towards the light, and away from it."""
GARMENTS: tuple[Rgb, ...] = (
    (38, 48, 72),
    (46, 66, 64),
    (122, 48, 50),
    (232, 226, 214),
    (62, 60, 64),
    (196, 150, 76),
    (94, 126, 152),
    (110, 122, 88),
    (178, 104, 80),
    (88, 68, 98),
    (206, 174, 168),
    (60, 104, 116),
)
BEARDED = (Hair.BALD, Hair.SHORT, Hair.SIDE_PART, Hair.CURLY)
STYLES = tuple(Hair)
STYLE_ODDS = (0.06, 0.17, 0.17, 0.1, 0.12, 0.12, 0.16, 0.1)
EXPRESSION_ODDS = (0.3, 0.32, 0.22, 0.08, 0.08)


def draw_attributes(
    rng: np.random.Generator, limits: PortraitLimits = DEFAULT_LIMITS
) -> PortraitAttributes:
    """Attributes drawn by lot within `limits`.

    >>> draw_attributes(np.random.default_rng(1)) == draw_attributes(np.random.default_rng(1))
    True
    """
    hair = Hair(str(rng.choice(STYLES, p=STYLE_ODDS)))
    tone = int(rng.integers(len(SKINS)))
    skin = _jitter(rng, SKINS[tone], 5)
    return PortraitAttributes(
        skin=skin,
        hair=hair,
        hair_colour=_draw_hair_colour(rng, tone),
        expression=Expression(str(rng.choice(tuple(Expression), p=EXPRESSION_ODDS))),
        **_draw_person(rng, hair, skin, tone, limits),
        **_draw_pose(rng, limits),
        **_draw_setting(rng, limits),
    )


def _draw_person(
    rng: np.random.Generator, hair: Hair, skin: Rgb, tone: int, limits: PortraitLimits
) -> dict[str, Any]:
    """Features of the face; a beard only with hairstyles that usually go with one."""
    may_have_beard = hair in BEARDED
    makeup = float(rng.uniform(0.0, 0.15) if may_have_beard else rng.uniform(0.35, 1.0))
    has_beard = may_have_beard and rng.random() < limits.beard_share
    has_glasses = rng.random() < limits.glasses_share
    eye = int(rng.integers(len(EYES))) if tone < 4 else int(rng.integers(2))
    return {
        "eye_colour": _jitter(rng, EYES[eye], 8),
        "lip_colour": _lip_colour(rng, skin, makeup),
        "makeup": makeup,
        "beard": Beard(str(rng.choice(tuple(Beard)[1:]))) if has_beard else Beard.NONE,
        "glasses": Glasses(str(rng.choice(tuple(Glasses)[1:]))) if has_glasses else Glasses.NONE,
        "jaw": float(rng.uniform(0.4, 1.0) if may_have_beard else rng.uniform(0.0, 0.6)),
        "face_length": float(rng.uniform(0.95, 1.05)),
        "eye_size": float(rng.uniform(0.92, 1.08) + 0.06 * makeup),
        "nose_size": float(rng.uniform(0.85, 1.15)),
        "lip_fullness": float(rng.uniform(0.75, 1.05) + 0.2 * makeup),
        "brow_weight": float(rng.uniform(0.75, 1.05) + (0.2 if may_have_beard else 0.0)),
    }


def _draw_pose(rng: np.random.Generator, limits: PortraitLimits) -> dict[str, Any]:
    shift_x, shift_y = rng.uniform(-limits.max_shift, limits.max_shift, 2)
    return {
        "roll_deg": float(rng.uniform(-limits.max_roll_deg, limits.max_roll_deg)),
        "yaw_deg": float(rng.uniform(-limits.max_yaw_deg, limits.max_yaw_deg)),
        "pitch_deg": float(rng.uniform(-limits.max_pitch_deg, limits.max_pitch_deg)),
        "face_height": float(rng.uniform(*limits.face_height)),
        "centre": (float(0.5 + shift_x), float(0.54 + shift_y)),
    }


def _draw_setting(rng: np.random.Generator, limits: PortraitLimits) -> dict[str, Any]:
    near, far = WALLS[int(rng.integers(len(WALLS)))]
    garment = GARMENTS[int(rng.integers(len(GARMENTS)))]
    side = rng.uniform(35, 75) if rng.random() < 0.5 else rng.uniform(105, 145)
    return {
        "light_deg": float(side),
        "light_strength": float(rng.uniform(0.35, 0.9)),
        "background": Background(str(rng.choice(tuple(Background), p=(0.15, 0.4, 0.45)))),
        "background_colours": (_jitter(rng, near, 9), _jitter(rng, far, 9)),
        "clothes": Clothes(str(rng.choice(tuple(Clothes)))),
        "clothes_colour": _jitter(rng, garment, 9),
        "noise_sigma": float(rng.uniform(0.5, limits.max_noise_sigma)),
        "texture_seed": int(rng.integers(2**31)),
    }


def _draw_hair_colour(rng: np.random.Generator, tone: int) -> Rgb:
    """Light hair is rarer the darker the skin."""
    choices = LIGHT_HAIR if rng.random() < 0.6 - 0.1 * tone else DARK_HAIR
    return _jitter(rng, choices[int(rng.integers(len(choices)))], 6)


def _lip_colour(rng: np.random.Generator, skin: Rgb, makeup: float) -> Rgb:
    """The skin's own colour towards red; with make-up towards a lipstick."""
    natural = np.array(skin) * (0.86, 0.62, 0.62)
    lipstick = np.array(_from_hsv(rng.uniform(0.95, 1.03), rng.uniform(0.5, 0.75), 0.72))
    share = 0.15 + 0.6 * makeup * rng.random()
    return _as_rgb(natural * (1 - share) + lipstick * share)


def _jitter(rng: np.random.Generator, colour: Rgb, sigma: float) -> Rgb:
    return _as_rgb(np.array(colour) + rng.normal(0, sigma) + rng.normal(0, sigma / 3, 3))


def _from_hsv(hue: float, saturation: float, value: float) -> Rgb:
    return _as_rgb(255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value)))


def _as_rgb(colour: np.ndarray[Any, Any]) -> Rgb:
    red, green, blue = np.clip(np.rint(colour), 0, 255).astype(int).tolist()
    return red, green, blue
