"""Do samples repeat the training set? Pure functions of features, in float64.

Three questions of copies, each with what an honest generator would give beside it, because that is
never 0: how many samples are nearer to a training face than that face's own neighbour is
(authenticity), how many are nearer than half of that, and, where faces were held out of the
training, whether samples prefer the training faces to the held-out ones. Where the training
mirrors its faces, copies are looked for among the mirror images too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr
from scipy.stats import rankdata

from facegan.core.errors import ScoreError
from facegan.score.distances import (
    Doubles,
    Indices,
    check_features,
    check_pair,
    nearest,
    neighbours,
)

CLOSE = 0.5
"""A copy is nearer than this part of the training face's own neighbour distance.

Balls of half that radius around the training faces do not meet, so a sample lies in one at most;
and a sample in the middle of a cloud of many dimensions, no copy of anything, comes to 0.71."""
_SAME = 1e-5
"""Faces nearer to each other than this part of their distance to the mean are one."""
_Z = 1.959964
"""Of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of some faces, with its Wilson interval of 95 %."""

    value: float
    low: float
    high: float
    count: int
    """Faces of which it is a share."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Samples beside faces that the training never saw; 1, 0 and the expected share if honest."""

    distance_ratio: float
    """Median of distance to training / distance to held-out faces, over the same median for the
    training faces themselves: 1 for an honest generator, near 0 for copies."""
    z: float
    """Of the Mann-Whitney test of d(sample, training) against d(held-out, training): below 0
    samples are nearer to the training faces than unseen faces are."""
    p: float
    """One-sided: how often an honest generator comes as low."""
    nearest_share: float
    """Samples whose nearest face, of all, is a held-out one."""
    nearest_expected: float
    """Held-out faces among all faces, mirror images of training faces included."""


@dataclass(frozen=True, slots=True)
class Copies:
    """How near samples are to training faces, with what honest samples give beside it."""

    copied: Share
    """Nearer to a training face than that face's own neighbour is: 1 - authenticity."""
    copied_expected: Share
    """The same of unseen faces, or of each training face against the others."""
    close: Share
    """Nearer than half of that."""
    close_expected: Share
    unseen: Unseen | None
    """None without held-out faces."""
    spacing: float
    """Median distance of training faces to their neighbours, in the features' own unit."""

    @property
    def authentic(self) -> Share:
        """The samples that are not copied, with the interval."""
        return _rest(self.copied)

    @property
    def authentic_expected(self) -> Share:
        """The same of real faces."""
        return _rest(self.copied_expected)

    @property
    def authenticity(self) -> float:
        """1 - the copied share."""
        return self.authentic.value

    @property
    def memorised(self) -> float:
        """Estimated share of samples that are copies: the close ones beyond what is expected."""
        return _excess(self.close.value, self.close_expected.value)


@dataclass(frozen=True, slots=True)
class _Known:
    """Training faces that differ, and what is near them."""

    faces: Doubles
    images: Doubles
    """(I, D): the faces, and after them their mirror images where these are looked at."""
    others: Indices
    """(N, 2), or (N, 3) with mirror images: the faces that the nearest images of others show."""
    near: Doubles
    """Distances to those."""

    def parts(self, made: Doubles) -> tuple[Doubles, Doubles]:
        """(M,) distance to the nearest image; and over the neighbour distance of its face.

        Mirroring keeps distances, so a mirror image has the neighbour distance of its face.
        """
        who, far = nearest(made, self.images)
        return far, far / self.near[who % len(self.faces), 0]

    def own_parts(self) -> Doubles:
        """(N,) the same of each face against the others, which do not know it either."""
        theirs = self.others[self.others[:, 0]] != np.arange(len(self.faces))[:, None]
        first = theirs.argmax(axis=1)
        parts: Doubles = self.near[:, 0] / self.near[self.others[:, 0], first]
        return parts


def copies(
    train: ArrayLike,
    samples: ArrayLike,
    held_out: ArrayLike | None = None,
    *,
    mirrored: ArrayLike | None = None,
    name: str = "the training faces",
) -> Copies:
    """How many samples are copies of training faces, or nearly.

    Args:
        train: (N, D) features; at least 4 different ones. Exact duplicates count once.
        samples: (M, D), at least 1.
        held_out: (H, D) faces of the same kind that were not trained on, at least 2. With None the
            expected shares come from the training faces, each against the others.
        mirrored: (N, D) features of the training faces mirrored, in their order. A copy may then
            be one of a mirror image. A face's neighbour distance is to the others and their mirror
            images, never to its own; a face that is another's mirror image counts once.
        name: of the training faces, for messages.

    Raises:
        ScoreError: wrong shapes, too few, NaN; most of the held-out faces are training faces.

    References:
        A. Alaa et al., "How Faithful is your Synthetic Data?", 2022, arXiv:2102.08921, section 4.3
        (authenticity; here on raw features, not on a learnt hypersphere). C. Meehan et al., "A
        Non-Parametric Test to Detect Data-Copying in Generative Models", 2020, arXiv:2004.05675,
        section 3.1: the global test, without its cells, because a cell of a few hundred faces
        holds too few held-out ones.
    """
    known = _known(train, mirrored, name)
    made = check_features(samples, "the samples", 1)
    check_pair(made, known.faces, ("the samples", name))
    to_known, parts = known.parts(made)
    unseen = None
    if held_out is None:
        honest = known.own_parts()
    else:
        fresh = check_features(held_out, "the held-out faces", 2)
        check_pair(fresh, known.faces, ("the held-out faces", name))
        fresh_to_known, honest = known.parts(fresh)
        unseen = _unseen(known, made, fresh, to_known, fresh_to_known)
    return Copies(
        copied=share(parts < 1),
        copied_expected=share(honest < 1),
        close=share(parts < CLOSE),
        close_expected=share(honest < CLOSE),
        unseen=unseen,
        spacing=float(np.median(nearest(known.faces, known.faces, exclude_self=True)[1])),
    )


def check_mirrored(mirrored: ArrayLike, faces: Doubles, name: str) -> Doubles:
    """Features of mirror images: (N, D) float64, as many as faces.

    Raises:
        ScoreError: they are not as many, of another network, or not finite.
    """
    flipped = check_features(mirrored, f"{name}, mirrored,")
    if flipped.shape != faces.shape:
        raise ScoreError(f"{name} are {faces.shape}, and mirrored they are {flipped.shape}")
    return flipped


def share(true: NDArray[np.bool_]) -> Share:
    """The share of True, with its interval.

    >>> found = share(np.array([True, True, False, False]))
    >>> found.value, round(found.low, 3), round(found.high, 3), found.count
    (0.5, 0.15, 0.85, 4)
    """
    n, value = len(true), float(true.mean())
    middle = (value + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(value * (1 - value) / n + _Z**2 / (4 * n * n))
    return Share(value, max(0.0, middle - half), min(1.0, middle + half), n)


def _rest(of: Share) -> Share:
    """The share of all others."""
    return Share(1 - of.value, 1 - of.high, 1 - of.low, of.count)


def _known(train: ArrayLike, mirrored: ArrayLike | None, name: str) -> _Known:
    """The faces without repetitions: a face that is there twice has no neighbour distance."""
    faces = check_features(train, name, 4)
    flipped = faces[:0] if mirrored is None else check_mirrored(mirrored, faces, name)
    same = _SAME * float(np.median(np.linalg.norm(faces - faces.mean(axis=0), axis=1)))
    while len(faces) >= 4:
        images = np.concatenate([faces, flipped])
        others, near = _others(faces, images)
        twins = np.flatnonzero(near[:, 0] <= same)
        if not len(twins):
            return _Known(faces, images, others, near)
        pairs = coo_array((np.ones(len(twins)), (twins, others[twins, 0])), shape=[len(faces)] * 2)
        kept = np.unique(connected_components(pairs, directed=False)[1], return_index=True)[1]
        faces, flipped = faces[kept], flipped[kept] if len(flipped) else flipped
    raise ScoreError(f"{name} are too few: only {len(faces)} of them differ")


def _others(faces: Doubles, images: Doubles) -> tuple[Indices, Doubles]:
    """Which other faces are nearest, at least two different ones, and their distances.

    Of the nearest images one or two are the face's own, and one or two of its first neighbour.
    """
    a_face = len(images) // len(faces)
    who, near = neighbours(faces, images, 2 * a_face + 1)
    who = who % len(faces)
    own = who == np.arange(len(faces))[:, None]
    order = np.argsort(own, axis=1, kind="stable")[:, : a_face + 1]
    return np.take_along_axis(who, order, 1), np.take_along_axis(near, order, 1)


def _unseen(
    known: _Known, made: Doubles, fresh: Doubles, to_known: Doubles, fresh_to_known: Doubles
) -> Unseen:
    to_fresh, known_to_fresh = nearest(made, fresh)[1], nearest(known.faces, fresh)[1]
    if not np.median(known_to_fresh) or not np.median(fresh_to_known):
        raise ScoreError(
            f"{int((fresh_to_known == 0).sum())} of {len(fresh)} held-out faces are training faces",
            hint="hold out other faces, or none",
        )
    z, p = _mann_whitney(to_known, fresh_to_known)
    return Unseen(
        distance_ratio=_median_ratio(to_known, to_fresh)
        / _median_ratio(known.near[:, 0], known_to_fresh),
        z=z,
        p=p,
        nearest_share=float((to_fresh < to_known).mean()),
        nearest_expected=len(fresh) / (len(fresh) + len(known.images)),
    )


def _median_ratio(first: Doubles, second: Doubles) -> float:
    """At most 1e9: the second set may be copies."""
    above, below = float(np.median(first)), float(np.median(second))
    return above / max(below, 1e-9 * above) if above else 0.0


def _mann_whitney(first: Doubles, second: Doubles) -> tuple[float, float]:
    """z, corrected for ties, and the p of `first` being as small, with half a rank's correction."""
    m, n = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    deviation = math.sqrt(m * n * float(ranks.var()) / (m + n - 1))
    if not deviation:
        return 0.0, 0.5
    above = float(ranks[:m].sum()) - m * (m + 1) / 2 - m * n / 2
    return above / deviation, float(ndtr((above + 0.5) / deviation))


def _excess(value: float, expected: float) -> float:
    """Of a mixture of copies and honest samples the part that is copies, from 0 to 1."""
    return max(0.0, (value - expected) / (1 - expected)) if expected < 1 else 0.0
