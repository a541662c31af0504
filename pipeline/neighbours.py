"""The search for perceptual hashes that are near each other, and what they join.

References:
    M. Norouzi, A. Punjani, D. Fleet: Fast Search in Hamming Space with Multi-Index Hashing,
        CVPR 2012 (the search in bands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

FINER_BITS = 256
FINE_PER_BIT = 3
"""Finer bits that may differ for each of the 64 that may."""

BAND_BITS, SPARSE_BITS = 20, 6
"""Of a band at most; and by how many it has more than it takes to number the hashes."""
AT_ONCE = 1_000_000
"""Candidates that are compared together: bounds the memory."""
FINER = slice(1, -1)
"""Where the finer bits stand among the words of a hash."""
CROWD = 1_000
"""Candidates of one hash at least before it is compared with all."""

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Keys = NDArray[np.uint32]
Bools = NDArray[np.bool_]


def parts(words: Words, mirrors: Words, bits: int) -> Ints:
    """(N,) for each hash the first of those that a chain of alike ones joins it with.

    Args:
        words: (N, 6) uint64, all different.
        mirrors: (N, 6) uint64, those of the mirror images.
        bits: as in `neighbours`.
    """
    part = np.arange(len(words))
    for asked in (words, mirrors):
        found, count = [], 0
        for one, other in neighbours(words, bits, asked=asked, part=part):
            found.append((one, other))
            count += len(one)
            if count >= len(words):
                _join(part, found)
                found, count = [], 0
        _join(part, found)
    return part


def _join(part: Ints, pairs: Iterable[tuple[Ints, Ints]]) -> None:
    part[:] = components(len(part), ((part[one], part[other]) for one, other in pairs))[part]


def neighbours(
    words: Words,
    bits: int,
    at_once: int = AT_ONCE,
    *,
    asked: Words | None = None,
    part: Ints | None = None,
) -> Iterator[tuple[Ints, Ints]]:
    """All pairs of hashes that are alike, exactly, as far as can be without comparing all with all.

    The finer bits are dealt out to so many bands that of two hashes that differ in at most d of
    them one band differs in a single bit at most: would each differ in two, it were more than d. So
    only hashes are compared that share a band but for a bit. Of faces that are not alike one pair
    in a hundred does (1,200 real ones, d = 24). Of pHash's own bits in four bands it would be one
    in seven: aligned faces are alike in what is coarse. A hash that shares bands with so many, as a
    film's frames do, that the bands save nothing is compared with all.

    Args:
        words: (N, 6) uint64, all different.
        bits: of pHash's 64 that may differ, 0 or more; d is FINE_PER_BIT times as many.
        at_once: candidates that are compared together, about.
        asked: (N, 6) uint64, those of the mirror images, if i's is to be compared with j's picture.
        part: (N,) what is known to belong together: pairs with the same number may be left out.
            Whoever takes the pairs may change it meanwhile.

    Yields:
        Pairs of positions (i, j), i < j, each once.
    """
    if not len(words):
        return
    asked = words if asked is None else asked
    part = np.arange(len(words)) if part is None else part
    bands = _bands(words, asked, FINE_PER_BIT * bits)
    load = sum((band.load() for band in bands), np.zeros(len(words), np.int64))
    crowded = load > max(CROWD, len(words) // 2)
    for at in np.flatnonzero(crowded):
        other = at + 1 + np.flatnonzero(part[at + 1 :] != part[at])
        yield _near(words, asked, np.full(len(other), at), other, bits)
    rows = np.flatnonzero(~crowded)
    ends = np.cumsum(load[rows])
    first = 0
    while first < len(rows):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + at_once, side="right")))
        asking = rows[first:last]
        found = [_near(words, asked, *band.candidates(asking), bits) for band in bands]
        coded = np.unique(np.concatenate([one * len(words) + other for one, other in found]))
        yield coded // len(words), coded % len(words)
        first = last


def _near(words: Words, asked: Words, one: Ints, other: Ints, bits: int) -> tuple[Ints, Ints]:
    """Of pairs of positions those that are alike."""
    near = np.flatnonzero(are_near(asked, words, one, other, bits))
    return one[near], other[near]


def are_near(asked: Words, words: Words, one: Ints, other: Ints, bits: int) -> Bools:
    """Which pairs of positions are alike."""
    near: Bools = np.bitwise_count(asked[one, 0] ^ words[other, 0]) <= bits
    maybe = np.flatnonzero(near)
    apart = np.bitwise_count(asked[one[maybe], FINER] ^ words[other[maybe], FINER])
    near[maybe] = apart.sum(axis=1, dtype=np.int64) <= FINE_PER_BIT * bits
    return near


class _Band:
    """Some of the finer bits of every hash, and who has which value.

    Args:
        keys: (N,) the bits.
        asked: (N,) the bits that are looked for.
        width: bits of a key.
        radius: of these bits that may differ, 0 or 1.
    """

    def __init__(self, keys: Keys, asked: Keys, width: int, radius: int) -> None:
        self._asked = asked
        self._order = np.argsort(keys, kind="stable")
        sizes = np.bincount(keys, minlength=2**width)
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._masks = np.array([0, *(1 << bit for bit in range(width * radius))], np.uint32)

    def load(self) -> Ints:
        """(N,) how much there is to do for each hash: values to look up and candidates."""
        sizes = np.diff(self._starts)
        found = np.full(len(self._asked), len(self._masks), np.int64)
        for mask in self._masks:
            found += sizes[self._asked ^ mask]
        return found

    def candidates(self, rows: Ints) -> tuple[Ints, Ints]:
        """(i, j), i of the rows and i < j, that share the band but for `radius` bits."""
        wanted = (self._asked[rows, None] ^ self._masks[None]).ravel()
        starts = self._starts[wanted]
        counts = self._starts[wanted + 1] - starts
        one = np.repeat(np.repeat(rows, len(self._masks)), counts)
        steps = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
        other = self._order[np.repeat(starts, counts) + steps]
        later = other > one
        return one[later], other[later]


def _bands(words: Words, asked: Words, differing: int) -> list[_Band]:
    """Bands of which one differs in no more than its radius where no more bits than that differ."""
    count = differing // 2 + 1  # two bits for each but perhaps one are more than that
    width = min(BAND_BITS, SPARSE_BITS + len(words).bit_length(), FINER_BITS // count)
    radii = [1] * count if differing % 2 else [1] * (count - 1) + [0]
    keys, wanted = (_keys(hashes, count, width) for hashes in (words, asked))
    return [_Band(keys[:, at], wanted[:, at], width, radius) for at, radius in enumerate(radii)]


def _keys(words: Words, count: int, width: int) -> Keys:
    """(N, count): the finer bits, dealt out so that frequencies beside each other part."""
    finer = np.ascontiguousarray(words[:, FINER]).view(np.uint8).reshape(len(words), -1)
    bits = np.unpackbits(finer, axis=1)
    places = np.uint32(1) << np.arange(width, dtype=np.uint32)
    keys = [bits[:, at::count][:, :width].astype(np.uint32) @ places for at in range(count)]
    return np.stack(keys, axis=1)


def _joined(blocks: Iterable[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    ones, others = [_none()], [_none()]
    for one, other in blocks:
        ones.append(one)
        others.append(other)
    return np.concatenate(ones), np.concatenate(others)


def _none() -> Ints:
    return np.empty(0, np.int64)


def components(count: int, edges: Iterable[tuple[Ints, Ints]]) -> Ints:
    """The connected parts of a graph.

    Args:
        count: of its nodes.
        edges: pairs of nodes, in any number of arrays.

    Returns:
        (count,) the smallest node of each node's part.
    """
    one, other = _joined(edges)
    label = np.arange(count)
    while True:
        low = np.minimum(label[one], label[other])
        before = label.copy()
        # The labels' own labels too: chains shrink by halves, not by one.
        for ends in (one, other):
            np.minimum.at(label, before[ends], low)
            np.minimum.at(label, ends, low)
        label = label[label]
        if np.array_equal(label, before):
            return label
