"""Sets of known truth: features of training faces, held-out faces, and samples with a known fault.

Three structures, so that the rules fit no toy: `mixture` has modes, `sheet` is one curved manifold
without clusters, `cloud` one Gaussian of slowly falling variances, as features of real faces have.
Thresholds were chosen on seeds from 100 on; seeds below belong to the tests and to the table in
docs/verdicts.md, which `python docs/make_verdicts.py` measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.score.distances import nearest
from facegan.score.verdict import judge

Rows = NDArray[np.float64]

DIMENSIONS = 64
SAMPLES = 600
SEEDS = range(20)
LEAST_PART = 0.15


@dataclass(frozen=True)
class Sets:
    train: Rows
    held_out: Rows
    samples: Rows
    mirrored: Rows | None = None
    """The training faces mirrored, in a world of faces that are as common mirrored."""


class World(Protocol):
    """What honest faces are drawn from."""

    def draw(self, count: int, part: float = 1.0, shrink: float = 1.0) -> Rows:
        """`part` of the modes or of a range alone; `shrink` makes each mode narrower."""


class Mixture:
    """8 to 20 modes, each of 5 to 15 intrinsic dimensions in directions of its own."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self.modes = int(generator.integers(8, 21))
        intrinsic = int(generator.integers(5, 16))
        lengths = 0.3 * np.geomspace(1.5, 0.5, intrinsic)[:, None]
        self.centres = generator.normal(size=(self.modes, DIMENSIONS))
        self.axes = generator.normal(size=(self.modes, intrinsic, DIMENSIONS)) * lengths
        self.weights = generator.dirichlet(np.full(self.modes, 20.0))

    def draw(self, count: int, part: float = 1.0, shrink: float = 1.0) -> Rows:
        kept = max(2, round(part * self.modes))
        weights = self.weights[:kept] / self.weights[:kept].sum()
        mode = self.generator.choice(kept, count, p=weights)
        latent = self.generator.normal(size=(count, self.axes.shape[1]))
        inner = np.einsum("ni,nid->nd", latent, self.axes[mode])
        thickness = 0.05 * self.generator.normal(size=(count, DIMENSIONS))
        return self.centres[mode] + shrink * (inner + thickness)


class Sheet:
    """Waves of a latent of 5 to 9 numbers; a part of it is a range of the first number."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        intrinsic = int(generator.integers(5, 10))
        self.waves = 0.5 * generator.normal(size=(intrinsic, DIMENSIONS))
        self.phases = generator.uniform(0, 2 * np.pi, DIMENSIONS)
        self.slopes = 0.5 * generator.normal(size=(intrinsic, DIMENSIONS))
        self.slopes[0] *= 2

    def draw(self, count: int, part: float = 1.0, shrink: float = 1.0) -> Rows:
        latent = self.generator.uniform(0, 1, (count, len(self.waves)))
        latent[:, 0] *= max(part, LEAST_PART)
        latent = shrink * 3 * (latent - 0.5)
        thickness = 0.05 * shrink * self.generator.normal(size=(count, DIMENSIONS))
        return latent @ self.slopes + np.sin(latent @ self.waves + self.phases) + thickness


class Cloud:
    """One Gaussian whose variances fall as 1 / rank; a part of it is a range of the first axis."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self.lengths = np.arange(1, DIMENSIONS + 1) ** -0.5
        self.lengths[0] *= 1.5

    def draw(self, count: int, part: float = 1.0, shrink: float = 1.0) -> Rows:
        part = max(part, LEAST_PART)
        rows = self.generator.normal(size=(round(count / part) + 1, DIMENSIONS))
        lowest = np.argsort(rows[:, 0])[:count] if part < 1 else slice(count)
        return shrink * rows[lowest] * self.lengths


class Symmetric:
    """Another world, where each face is as common as its mirror image."""

    def __init__(self, world: World, generator: np.random.Generator) -> None:
        self.world, self.generator = world, generator

    def draw(self, count: int, part: float = 1.0, shrink: float = 1.0) -> Rows:
        return turned(self.world.draw(count, part, shrink), self.generator)


WORLDS: Mapping[str, Callable[[np.random.Generator], World]] = {
    "mixture": Mixture,
    "sheet": Sheet,
    "cloud": Cloud,
}

Fault = Callable[[World, Rows, np.random.Generator], Rows]
"""From a world and the training faces to samples."""


def spacing(train: Rows) -> float:
    """Median distance of a training face to its neighbour: the unit of noise and jitter."""
    return float(np.median(nearest(train, train, exclude_self=True)[1]))


def shaken(points: Rows, radius: float, generator: np.random.Generator) -> Rows:
    """Moved by about `radius`, each in a direction of its own."""
    return points + generator.normal(size=points.shape) * radius / np.sqrt(points.shape[1])


def part(share: float) -> Fault:
    return lambda world, *_: world.draw(SAMPLES, part=share)


def shrunk(factor: float) -> Fault:
    return lambda world, *_: world.draw(SAMPLES, shrink=factor)


def distinct(count: int) -> Fault:
    def samples(world: World, train: Rows, generator: np.random.Generator) -> Rows:
        outputs = world.draw(count)
        repeated = outputs[generator.integers(count, size=SAMPLES)]
        return shaken(repeated, 0.05 * spacing(train), generator)

    return samples


def copied(noise: float, share: float = 1.0) -> Fault:
    """A share of the samples are training faces, moved by `noise` of their spacing."""

    def samples(world: World, train: Rows, generator: np.random.Generator) -> Rows:
        count = round(share * SAMPLES)
        some = train[generator.integers(len(train), size=count)]
        moved = shaken(some, noise * spacing(train), generator)
        return np.concatenate([moved, world.draw(SAMPLES)[count:]])

    return samples


def mirror(rows: Rows) -> Rows:
    """A reflection, as mirroring pictures is one of their features: twice gives them back."""
    return rows * np.where(np.arange(rows.shape[1]) % 2, -1.0, 1.0)


def turned(rows: Rows, generator: np.random.Generator) -> Rows:
    """Half of them mirrored, picked at random."""
    return np.where(generator.random((len(rows), 1)) < 0.5, mirror(rows), rows)


def mirrored(noise: float) -> Fault:
    """All samples are training faces mirrored, moved by `noise` of their spacing."""
    return lambda *given: mirror(copied(noise)(*given))


def flipped(noise: float) -> Fault:
    """Half of the copies are mirrored, as training with random flips teaches it."""
    return lambda world, train, generator: turned(copied(noise)(world, train, generator), generator)


def noisy(noise: float) -> Fault:
    return lambda world, train, generator: shaken(
        world.draw(SAMPLES), noise * spacing(train), generator
    )


def noise(_: World, train: Rows, generator: np.random.Generator) -> Rows:
    """As far from the mean as faces are, in any direction."""
    scale = np.sqrt(train.var(axis=0).mean())
    return train.mean(axis=0) + scale * generator.normal(size=(SAMPLES, DIMENSIONS))


CASES: Mapping[str, tuple[str, Fault]] = {
    "faithful": ("healthy", part(1.0)),
    "half of the modes": ("between-mode collapse", part(0.5)),
    "two modes": ("between-mode collapse", part(0.0)),
    "modes shrunk to 0.5": ("within-mode collapse", shrunk(0.5)),
    "modes shrunk to 0.3": ("within-mode collapse", shrunk(0.3)),
    "60 distinct outputs": ("few distinct outputs", distinct(60)),
    "exact copies": ("memorised", copied(0.0)),
    "noisy copies (0.25)": ("memorised", copied(0.25)),
    "faces and noise (1.5)": ("noisy", noisy(1.5)),
    "nothing but noise": ("noisy", noise),
}
"""Name -> the right verdict and the samples."""

MIRRORED: Mapping[str, tuple[str, Fault]] = {
    "faithful": ("healthy", part(1.0)),
    "exact copies": ("memorised", copied(0.0)),
    "mirrored copies": ("memorised", mirrored(0.0)),
    "noisy mirrored copies (0.25)": ("memorised", mirrored(0.25)),
    "copies, half of them mirrored": ("memorised", flipped(0.0)),
}
"""Cases of the symmetric worlds, judged with the training faces mirrored."""

BOUNDARY: Mapping[str, Fault] = {
    "three quarters of the modes": part(0.75),
    "modes shrunk to 0.6": shrunk(0.6),
    "modes shrunk to 0.7": shrunk(0.7),
    "modes shrunk to 0.8": shrunk(0.8),
    "modes shrunk to 0.2": shrunk(0.2),
    "300 distinct outputs": distinct(300),
    "600 distinct outputs": distinct(600),
    "a tenth are exact copies": copied(0.0, 0.1),
    "half are exact copies": copied(0.0, 0.5),
    "noisy copies (0.5)": copied(0.5),
    "noisy copies (0.75)": copied(0.75),
    "noisy copies (1.0)": copied(1.0),
    "faces and noise (0.5)": noisy(0.5),
    "faces and noise (0.75)": noisy(0.75),
    "faces and noise (1.0)": noisy(1.0),
}
"""Neighbours of the cases, for which no verdict is the right one by definition."""


def build(structure: str, fault: Fault, seed: int, faces: int = 300, held_out: int = 80) -> Sets:
    """One world of the structure, and samples with the fault; a function of its arguments."""
    generator = np.random.default_rng([seed, faces])
    world = WORLDS[structure](generator)
    train = world.draw(faces)
    return Sets(train, world.draw(held_out), fault(world, train, generator))


def build_mirrored(structure: str, fault: Fault, seed: int) -> Sets:
    """The same in the symmetric world of the structure, with the training faces mirrored."""
    generator = np.random.default_rng([seed, 300, 1])
    world = Symmetric(WORLDS[structure](generator), generator)
    train = world.draw(300)
    return Sets(train, world.draw(80), fault(world, train, generator), mirror(train))


def verdicts(
    structure: str,
    fault: Fault,
    seeds: Iterable[int] = SEEDS,
    *,
    faces: int = 300,
    held_out: bool = True,
) -> Counter[str]:
    """How often each verdict is given."""
    found: Counter[str] = Counter()
    for seed in seeds:
        sets = build(structure, fault, seed, faces)
        found[judge(sets.train, sets.samples, sets.held_out if held_out else None).verdict] += 1
    return found


def mirrored_verdicts(
    structure: str, fault: Fault, seeds: Iterable[int] = SEEDS, *, held_out: bool = True
) -> Counter[str]:
    """How often each verdict is given in a symmetric world."""
    found: Counter[str] = Counter()
    for seed in seeds:
        sets = build_mirrored(structure, fault, seed)
        fresh = sets.held_out if held_out else None
        found[judge(sets.train, sets.samples, fresh, mirrored=sets.mirrored).verdict] += 1
    return found
