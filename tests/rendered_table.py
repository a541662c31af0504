"""Sets of drawn portraits with known faults: what a verdict must say of each is known.

    sets = rendered_sets(seed=0)
    sets.train, sets.held_out, sets.cases["half the modes"].images, .verdict

A kind is a level of skin colour with a length of hair: eight kinds, which a generator may keep or
lose. Painting takes nearly all the time (20 ms a face), so most cases are made of pictures that are
there already; a table of 300 + 100 + 400 faces paints 1,200, in about 25 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.portrait_attributes import BEARDED, PortraitAttributes, draw_attributes
from pipeline.portraits import paint
from pipeline.windows import crop_face

Pixels = NDArray[np.uint8]
Kind = tuple[int, bool]
"""Level of the skin colour, 0 dark to 3 light, and whether the hair is long."""

PORTRAIT_PX = 128
CROP_PX = 64
MARGIN = 0.1
"""As `facegan crop` has it."""
DISTINCT = 60
SKIN_STEPS = (120, 155, 190)
"""Green of the skin at which a lighter level begins: about a quarter of the faces in each."""
KINDS: tuple[Kind, ...] = tuple((level, long) for level in range(4) for long in (False, True))
HALF: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind[0] >= 2)
TWO: tuple[Kind, ...] = ((0, False), (3, True))
LOOKS = ("skin", "hair", "hair_colour", "beard", "background_colours")
"""What all faces of a mode share, where there are but two."""
SHRUNK_TO = 0.25
"""Part of the differences within a kind that is left."""
SLIGHT, STRONG = 6.0, 32.0
"""Grey levels of the noise on noisy copies, and of that which drowns a face."""


@dataclass(frozen=True, slots=True)
class Case:
    """Samples with a fault that is known."""

    images: Pixels
    verdict: str


@dataclass(frozen=True, slots=True)
class RenderedSets:
    """Faces to train on, faces held out, and what generators might make of them."""

    train: Pixels
    held_out: Pixels
    cases: dict[str, Case]

    @property
    def mirrored(self) -> Pixels:
        """The training faces mirrored: training flips its images, so its copies may be of these."""
        return self.train[:, :, ::-1]


def rendered_sets(
    seed: int, train: int = 300, held_out: int = 100, samples: int = 400
) -> RenderedSets:
    """All cases of one seed; (N, 64, 64, 3) uint8, the same for the same arguments.

    Args:
        seed: of people, noise and picks.
        train: faces to train on.
        held_out: of the same lot.
        samples: in most cases; half as many in those that are painted or picked for themselves.
    """
    rng = np.random.default_rng((seed, 1))
    people = attributes((seed, 0), train + held_out + samples)
    faces = crops(people)
    known, fresh, made = np.split(faces, [train, train + held_out])
    kinds = [kind_of(person) for person in people[train + held_out :]]
    collapsed = {
        "half the modes": Case(made[[kind in HALF for kind in kinds]], "between-mode collapse"),
        "two modes": Case(crops(two_looks(seed, samples // 2)), "between-mode collapse"),
        "shrunk modes": Case(crops(shrunk(seed, samples // 2)), "within-mode collapse"),
    }
    return RenderedSets(known, fresh, collapsed | _of_pixels(known, made, rng))


def _of_pixels(known: Pixels, made: Pixels, rng: np.random.Generator) -> dict[str, Case]:
    """The cases that need no new painting."""
    count = len(made)
    copies = known[rng.integers(0, len(known), count)]
    few = made[rng.integers(0, min(DISTINCT, count), count)]
    return {
        "faithful": Case(made, "healthy"),
        f"{DISTINCT} distinct outputs": Case(noisy(few, 2.0, rng), "few distinct outputs"),
        "exact copies": Case(copies, "memorised"),
        "noisy copies": Case(noisy(recoloured(copies, rng), SLIGHT, rng), "memorised"),
        "shifted copies": Case(shifted(copies, rng), "memorised"),
        "faces under noise": Case(noisy(made, STRONG, rng), "noisy"),
        "pure noise": Case(rng.integers(0, 256, made.shape, dtype=np.uint8), "noisy"),
        "mirrored copies": Case(copies[:, :, ::-1], "memorised"),
        "noisy mirrored copies": Case(
            noisy(recoloured(copies[:, :, ::-1], rng), SLIGHT, rng), "memorised"
        ),
        "mirrored faithful": Case(made[:, :, ::-1], "healthy"),
    }


def attributes(stream: tuple[int, int], count: int) -> list[PortraitAttributes]:
    """Different people; number i depends on the stream and i alone."""
    return [draw_attributes(np.random.default_rng((*stream, index))) for index in range(count)]


def kind_of(person: PortraitAttributes) -> Kind:
    """Which of the eight kinds a person is of."""
    level = sum(person.skin[1] >= step for step in SKIN_STEPS)
    return level, person.hair not in BEARDED


def two_looks(seed: int, count: int) -> list[PortraitAttributes]:
    """New people with one of two looks; pose, light, mimic, clothes and the rest are their own."""
    found = _models(seed)
    looks = [{name: getattr(found[kind], name) for name in LOOKS} for kind in TWO]
    people = attributes((seed, 4), count)
    return [replace(person, **looks[index % 2]) for index, person in enumerate(people)]


def shrunk(seed: int, count: int) -> list[PortraitAttributes]:
    """New people, each close to the model of its kind, who is nobody of the training.

    What is a number comes to a quarter of its difference; what is a name (hairstyle, expression)
    becomes the other's. Grain and blurred shapes stay each picture's own.
    """
    models = _models(seed)
    return [_towards(person, models[kind_of(person)]) for person in attributes((seed, 3), count)]


def _models(seed: int) -> dict[Kind, PortraitAttributes]:
    """One person of each kind."""
    return {kind_of(person): person for person in attributes((seed, 2), 200)}


def _towards(person: PortraitAttributes, model: PortraitAttributes) -> PortraitAttributes:
    theirs = model.as_dict()
    mixed = {name: _mixed(value, theirs[name]) for name, value in person.as_dict().items()}
    return replace(person, **(mixed | {"texture_seed": person.texture_seed}))


def _mixed(own: Any, model: Any) -> Any:
    if isinstance(own, tuple):
        return tuple(_mixed(a, b) for a, b in zip(own, model, strict=True))
    if isinstance(own, str):
        return model
    between = model + SHRUNK_TO * (own - model)
    return round(between) if isinstance(own, int) else between


def crops(people: Iterable[PortraitAttributes]) -> Pixels:
    """Paint and crop by the true box; (N, 64, 64, 3) uint8."""
    painted = (paint(person, PORTRAIT_PX) for person in people)
    return np.stack([crop_face(p.image, p.box, margin=MARGIN, size=CROP_PX) for p in painted])


def noisy(images: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """With Gaussian noise of `sigma` grey levels."""
    return _as_pixels(images + rng.normal(0, sigma, images.shape))


def recoloured(images: Pixels, rng: np.random.Generator) -> Pixels:
    """With each channel of each image up to 3 % brighter or darker."""
    return _as_pixels(images * rng.uniform(0.97, 1.03, (len(images), 1, 1, 3)))


def shifted(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Moved by up to one pixel along each axis, edges repeated."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    side = images.shape[1]
    places = rng.integers(0, 3, (len(images), 2))
    pairs = zip(padded, places, strict=True)
    return np.stack([image[y : y + side, x : x + side] for image, (y, x) in pairs])


def _as_pixels(values: NDArray[np.float64]) -> Pixels:
    clipped: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped
