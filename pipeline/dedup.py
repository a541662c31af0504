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
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.images import Pixels
from pipeline.neighbours import Bools, Ints, Words, are_near, parts

PHASH_PX, FINE_PX = 32, 64
"""Sides that the two parts look at; pictures are reduced by area, so that nothing aliases."""
FINE_SIDE = 16
"""Frequencies in each direction of which the finer part keeps the signs."""
FLAT_LEVELS = 2.0
"""Standard deviation of a picture's levels below which it shows nothing."""
ODD = np.uint64(0x5555555555555555)
"""Of the finer bits those of odd horizontal frequencies, whose signs a mirror turns round."""
IMAGE_BITS = 8
"""Bits of 64 in which two images may differ that are copies of each other."""
DIGITS = (2 * 64 + FINE_SIDE**2) // 4


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
    """Which of some pictures look alike.

    Their pairs are not held: 20,000 frames of one film make 200 million.
    """

    words: Words
    """(N, 6) the pictures' hashes, as `as_words` gives them."""
    mirrors: Words
    """(N, 6) those of their mirror images."""
    bits: int
    first: Ints
    """(N,) for each picture the first with the same hash; itself where it has none."""
    part: Ints
    """(N,) for each the first of those that a chain of pictures that look alike joins it with."""

    @property
    def edges(self) -> Iterator[tuple[Ints, Ints]]:
        """Pairs that join all that are alike: 10,000 such are joined by 9,999."""
        yield np.arange(len(self.part)), self.part

    def near(self, one: int, others: Ints) -> tuple[Bools, Bools]:
        """Which of other pictures of its part look like one, and whose mirror images do."""
        own, theirs = self.first[one], self.first[others]
        low, high = np.minimum(own, theirs), np.maximum(own, theirs)
        same = own == theirs
        plain = are_near(self.words, self.words, low, high, self.bits)
        return same | plain, ~same & are_near(self.mirrors, self.words, low, high, self.bits)


def alike(hashes: Sequence[str | None], bits: int) -> Likeness:
    """Find the pictures that look alike.

    Args:
        hashes: perceptual hashes; None where there is none, which is like nothing.
        bits: of 64 in which two may differ; below 0 none are alike.
    """
    firsts: dict[str, int] = {}
    wanted = hashes if bits >= 0 else [None] * len(hashes)
    first = np.array([firsts.setdefault(h, n) if h else n for n, h in enumerate(wanted)], np.int64)
    place = np.fromiter(firsts.values(), np.int64, len(firsts))
    words = as_words(h or "" for h in wanted)
    mirrors = mirror(words)
    part = np.arange(len(hashes))
    part[place] = place[parts(words[place], mirrors[place], bits)]
    return Likeness(words, mirrors, bits, first, part[first])


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
