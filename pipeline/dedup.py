"""Near duplicates: pictures that look alike, by perceptual hashes.

A hash has three parts. The first is pHash's 64 bits. They do not do alone: aligned faces are alike,
and of 1,200 faces of different people 1,365 pairs differ in 6 of these bits or fewer. So 256 finer
bits must agree as well, and by them a search finds neighbours. The last part is pHash of the mirror
image, whose finer bits follow from those of the picture: a mirrored copy is a copy too, for
training mirrors at random.

At the default of 8 (and 24 finer) bits none of those 719,400 pairs is joined, by their crops or by
their images, mirrored or not; copies of an image that were compressed, resized, brightened, marked
or made grey are found by their images in 94 to 100 of 100 cases, mirrored ones in as many. Copies
that were trimmed or turned look different as images; by their crops, which go by eyes and mouth as
found anew, 4 to 57 of 100 are found.

References:
    C. Zauner: Implementation and Benchmarking of Perceptual Image Hash Functions, 2010 (pHash, as
        OpenCV's img_hash computes it).
    M. Norouzi, A. Punjani, D. Fleet: Fast Search in Hamming Space with Multi-Index Hashing,
        CVPR 2012 (the search in bands).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images import Pixels

PHASH_PX, FINE_PX = 32, 64
"""Sides that the two parts look at; pictures are reduced by area, so that nothing aliases."""
FINE_SIDE = 16
"""Frequencies in each direction of which the finer part keeps the signs."""
FLAT_LEVELS = 2.0
"""Standard deviation of a picture's levels below which it shows nothing."""
ODD = np.uint64(0x5555555555555555)
"""Of the finer bits those of odd horizontal frequencies, whose signs a mirror turns round."""
FINE_PER_BIT = 3
"""Finer bits that may differ for each of the 64 that may."""
IMAGE_BITS = 8
"""Bits of 64 in which two images may differ that are copies of each other."""

BAND_BITS, SPARSE_BITS = 20, 6
"""Of a band at most; and by how many it has more than it takes to number the hashes."""
AT_ONCE = 1_000_000
"""Candidates that are compared together: bounds the memory."""
FINER = slice(1, -1)
"""Where the finer bits stand among the words of a hash."""
DIGITS = (2 * 64 + FINE_SIDE**2) // 4

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Keys = NDArray[np.uint32]
Bools = NDArray[np.bool_]


def phash(image: Pixels) -> str:
    """The perceptual hash of a picture.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.

    Returns:
        96 hexadecimal digits: 16 of pHash, 64 of the finer part, 16 of the mirror image's pHash;
        all 0 where the picture shows nothing.
    """
    small = cv2.resize(image, (FINE_PX, FINE_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    if grey.std() < FLAT_LEVELS:
        return "0" * DIGITS
    coarse = cv2.resize(grey, (PHASH_PX, PHASH_PX), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(grey.astype(np.float32))[:FINE_SIDE, :FINE_SIDE]
    waves[0, 0] = 0
    signs = np.packbits(waves > 0).tobytes().hex()
    return _coarse_hash(coarse) + signs + _coarse_hash(cv2.flip(coarse, 1))


def _coarse_hash(image: cv2.typing.MatLike) -> str:
    return np.asarray(cv2.img_hash.pHash(image), np.uint8).tobytes().hex()


@dataclass(frozen=True, slots=True)
class Likeness:
    """Which of some pictures look alike."""

    first: Ints
    """(N,) for each picture the first with the same hash; itself where it has none."""
    one: Ints
    other: Ints
    """Pairs of such first pictures whose hashes are near each other."""
    mirrored: Bools
    """For each pair whether one is near the other's mirror image."""

    @property
    def edges(self) -> Iterator[tuple[Ints, Ints]]:
        """Pairs that join all that are alike: 10,000 with the same hash are joined by 9,999."""
        yield np.arange(len(self.first)), self.first
        yield self.one, self.other

    def near(self) -> dict[int, list[tuple[int, bool]]]:
        """For a first picture, the others that are near it, and whether mirrored."""
        found: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
        pairs = zip(self.one.tolist(), self.other.tolist(), self.mirrored.tolist(), strict=True)
        for one, other, mirrored in pairs:
            found[one].append((other, mirrored))
            found[other].append((one, mirrored))
        return found


def alike(hashes: Sequence[str | None], bits: int) -> Likeness:
    """Find the pictures that look alike.

    Args:
        hashes: perceptual hashes; None where there is none, which is like nothing.
        bits: of 64 in which two may differ; below 0 none are alike.
    """
    firsts: dict[str, int] = {}
    wanted = hashes if bits >= 0 else [None] * len(hashes)
    first = [firsts.setdefault(h, at) if h else at for at, h in enumerate(wanted)]
    place = np.fromiter(firsts.values(), np.int64, len(firsts))
    words = as_words(firsts)
    if not len(words):
        return Likeness(np.array(first, np.int64), _none(), _none(), np.empty(0, np.bool_))
    one, other = _joined(neighbours(words, bits))
    left, right = _joined(neighbours(words, bits, mirrored=True))
    return Likeness(
        np.array(first, np.int64),
        place[np.concatenate([one, left])],
        place[np.concatenate([other, right])],
        np.repeat([False, True], [len(one), len(left)]),
    )


def as_words(hashes: Iterable[str]) -> Words:
    """(N, 6) uint64: pHash's 64 bits, the finer ones, the mirror image's 64, of `phash`'s hashes.

    A hash of another length, as an older facegan wrote it, has zeros there.
    """
    data = b"".join(bytes.fromhex(h[:DIGITS].ljust(DIGITS, "0")) for h in hashes)
    return np.frombuffer(data, np.uint64).reshape(-1, DIGITS // 16)


def mirror(words: Words) -> Words:
    """The hashes of the pictures' mirror images.

    >>> words = as_words(["12" * 48])
    >>> bool((mirror(mirror(words)) == words).all())
    True
    """
    return np.concatenate([words[:, -1:], words[:, 1:-1] ^ ODD, words[:, :1]], axis=1)


def neighbours(
    words: Words, bits: int, at_once: int = AT_ONCE, *, mirrored: bool = False
) -> Iterator[tuple[Ints, Ints]]:
    """All pairs of hashes that are alike, exactly, without comparing all with all.

    The finer bits are dealt out to so many bands that of two hashes that differ in at most d of
    them one band differs in a single bit at most: would each differ in two, it were more than d. So
    only hashes are compared that share a band but for a bit. Of faces that are not alike one pair
    in a hundred does (1,200 real ones, d = 24). Of pHash's own bits in four bands it would be one
    in seven: aligned faces are alike in what is coarse.

    Args:
        words: (N, 6) uint64, all different.
        bits: of pHash's 64 that may differ, 0 or more; d is FINE_PER_BIT times as many.
        at_once: candidates that are compared together, about.
        mirrored: whether j's picture is compared with i's mirror image.

    Yields:
        Pairs of positions (i, j), i < j, each once.
    """
    asked = mirror(words) if mirrored else words
    bands = _bands(words, asked, FINE_PER_BIT * bits)
    ends = np.cumsum(sum((band.load() for band in bands), np.zeros(len(words), np.int64)))
    first = 0
    while first < len(words):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + at_once, side="right")))
        found = [_near(words, asked, *band.candidates(first, last), bits) for band in bands]
        coded = np.unique(np.concatenate([one * len(words) + other for one, other in found]))
        yield coded // len(words), coded % len(words)
        first = last


def _near(words: Words, asked: Words, one: Ints, other: Ints, bits: int) -> tuple[Ints, Ints]:
    """Of pairs of positions those that are alike."""
    good = np.bitwise_count(asked[one, 0] ^ words[other, 0]) <= bits
    one, other = one[good], other[good]
    apart = np.bitwise_count(asked[one, FINER] ^ words[other, FINER])
    finer = apart.sum(axis=1, dtype=np.int64)
    good = finer <= FINE_PER_BIT * bits
    return one[good], other[good]


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

    def candidates(self, first: int, last: int) -> tuple[Ints, Ints]:
        """(i, j), first <= i < last and i < j, that share the band but for `radius` bits."""
        wanted = (self._asked[first:last, None] ^ self._masks[None]).ravel()
        starts = self._starts[wanted]
        counts = self._starts[wanted + 1] - starts
        one = np.repeat(np.repeat(np.arange(first, last), len(self._masks)), counts)
        steps = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
        other = self._order[np.repeat(starts, counts) + steps]
        later = other > one
        return one[later], other[later]


def _bands(words: Words, asked: Words, differing: int) -> list[_Band]:
    """Bands of which one differs in no more than its radius where no more bits than that differ."""
    count = differing // 2 + 1  # two bits for each but perhaps one are more than that
    width = min(BAND_BITS, SPARSE_BITS + len(words).bit_length(), FINE_SIDE**2 // count)
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
