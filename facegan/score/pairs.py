"""Samples beside their nearest training face, as pictures: what the copy test counts, to look at.

Features choose the pairs; only the few images that are shown are read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from facegan.core.errors import ScoreError
from facegan.score.distances import (
    Doubles,
    Features,
    Indices,
    check_pair,
    checked,
    nearest,
    neighbours,
)
from facegan.score.network import Pixels

if TYPE_CHECKING:
    from facegan.score.sets import ImageSet

COUNT = 8
"""Pairs in a figure."""
MOST = 5000
"""Samples that are looked at; of more a seeded part is."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A sample and the training face that is nearest to it."""

    sample: Pixels
    """(H, W, 3) uint8 in [0, 255], RGB."""
    real: Pixels
    """(H, W, 3) uint8 in [0, 255], RGB; the size may be another one."""
    distance: float
    """Between the features."""
    ratio: float
    """Distance over that from the training face to the nearest other one; below 1 the copy test
    counts the sample."""
    kind: Literal["nearest", "random"]
    """Chosen because it is so near, or at random."""
    sample_index: int
    real_index: int


def nearest_pairs(
    samples: ImageSet,
    real: ImageSet,
    sample_features: ArrayLike,
    real_features: ArrayLike,
    *,
    count: int = COUNT,
    seed: int = 0,
) -> tuple[Pair, ...]:
    """The samples that are most like a training face, then some at random.

    Args:
        samples: N images.
        real: M training faces.
        sample_features: (N, D) float of the same images in the same order.
        real_features: (M, D) float; at least two different rows.
        count: pairs, 1 or more: half of them (the larger one) are the samples of the lowest ratio,
            lowest first and at most one a training face; the others are drawn from the rest. Fewer
            where there are fewer samples.
        seed: of what is drawn, 0 or more.

    Returns:
        At most `count` pairs, no sample twice.

    Raises:
        ScoreError: `count` is below 1, the features are not of these sets, wrong or not finite, or
            the training faces do not differ; and as `ImageSet.read`.

    References:
        A. Alaa et al., "How Faithful is your Synthetic Data?", 2022, arXiv:2102.08921, section 4.3
        (authenticity). Deviation: exact duplicates among the training faces count once, because a
        face that is there twice has no distance to its neighbour.
    """
    if count < 1:
        raise ScoreError(f"cannot show {count} pairs; 1 is the least")
    made = _features_of(samples, sample_features, "the samples")
    known = _features_of(real, real_features, "the training faces")
    check_pair(made, known, ("the samples", "the training faces"))
    generator = np.random.default_rng(seed)
    looked_at = _some(len(made), MOST, generator)
    who, far = nearest(made[looked_at], known)
    ratios = far / _own_distance(known, who)
    alike = _most_alike(ratios, who, (min(count, len(ratios)) + 1) // 2)
    rest = np.setdiff1d(np.arange(len(ratios)), alike)
    drawn = rest[_some(len(rest), count // 2, generator)]

    def pair(place: int, kind: Literal["nearest", "random"]) -> Pair:
        sample, face = int(looked_at[place]), int(who[place])
        return Pair(
            sample=samples.read(sample, 1)[0],
            real=real.read(face, 1)[0],
            distance=float(far[place]),
            ratio=float(ratios[place]),
            kind=kind,
            sample_index=sample,
            real_index=face,
        )

    return (*(pair(i, "nearest") for i in alike), *(pair(i, "random") for i in drawn))


def _features_of(images: ImageSet, features: ArrayLike, name: str) -> Features:
    rows = checked(features, name)
    if len(rows) != len(images):
        raise ScoreError(f"{name} are {len(images)} images with {len(rows)} features")
    return rows


def _some(count: int, most: int, generator: np.random.Generator) -> Indices:
    """All of `count` places in their order, or `most` of them at random."""
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, most, replace=False))


def _own_distance(known: Features, who: Indices) -> Doubles:
    """(N,) from each face of `who` to the nearest one that is not the same."""
    different = np.unique(known, axis=0)
    if len(different) < 2:
        raise ScoreError(
            "the training faces do not differ from each other, so none has a neighbour"
        )
    faces, places = np.unique(who, return_inverse=True)
    distances: Doubles = neighbours(known[faces], different, 2)[1][:, 1]
    return distances[places]


def _most_alike(ratios: Doubles, who: Indices, count: int) -> Indices:
    """The places of the lowest ratios, lowest first, at most one a training face."""
    order = np.argsort(ratios, kind="stable")
    _, first = np.unique(who[order], return_index=True)
    return order[np.sort(first)[:count]]
