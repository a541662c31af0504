import time

import numpy as np
import pytest

from pipeline.dedup import DIGITS, as_words, mirror, phash
from pipeline.neighbours import FINE_PER_BIT, components, neighbours, parts
from pipeline.portraits import portraits


def made_hashes(count, rng, copies=0.5, most=20):
    """Random hashes, some of which are others with a few bits changed."""
    words = rng.integers(0, 2**64, (count, DIGITS // 16), np.uint64)
    for at in range(1, count):
        if rng.random() < copies:
            words[at] = words[rng.integers(at)]
            for bit in rng.choice(64, rng.integers(1, most), replace=False):
                words[at, 0] ^= np.uint64(1 << int(bit))
    return np.unique(words, axis=0)


def by_comparing_all(words, bits, asked=None):
    asked = words if asked is None else asked
    apart = np.bitwise_count(asked[:, None] ^ words[None]).astype(int)
    near = (apart[..., 0] <= bits) & (apart[..., 1:-1].sum(axis=2) <= FINE_PER_BIT * bits)
    return set(zip(*np.nonzero(np.triu(near, 1)), strict=True))


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4, 6, 8, 11])
@pytest.mark.parametrize("at_once", [1, 10**7])
def test_neighbours_are_exactly_those_that_comparing_all_finds(bits, at_once):
    words = made_hashes(100 if at_once == 1 else 400, np.random.default_rng(bits))
    blocks = neighbours(words, bits, at_once)
    found = [pair for one, other in blocks for pair in zip(one, other, strict=True)]
    assert len(found) == len(set(found))
    assert set(found) == by_comparing_all(words, bits)
    assert bits < 2 or found


@pytest.mark.parametrize("bits", [0, 3, 8])
def test_mirrored_neighbours_are_exactly_those_that_comparing_all_finds(bits):
    words = made_hashes(300, np.random.default_rng(bits))
    words = np.unique(np.concatenate([words, mirror(words[::2])]), axis=0)
    np.random.default_rng(9).shuffle(words)
    blocks = neighbours(words, bits, asked=mirror(words))
    found = [pair for one, other in blocks for pair in zip(one, other, strict=True)]
    assert len(found) == len(set(found)) >= 100
    assert set(found) == by_comparing_all(words, bits, mirror(words))


def frames(count, rng):
    """Hashes like those of a film, all near each other: with 12 finer bits changed at most."""
    words = np.repeat(rng.integers(0, 2**64, (1, DIGITS // 16), np.uint64), count, axis=0)
    for at in range(count):
        for bit in rng.choice(256, 12, replace=False).tolist():
            words[at, 1 + bit // 64] ^= np.uint64(1 << bit % 64)
    return np.unique(words, axis=0)


def film_and_others():
    rng = np.random.default_rng(5)
    words = np.concatenate([frames(500, rng), made_hashes(300, rng)])
    words = np.concatenate([words, mirror(words[::9])])
    rng.shuffle(words)
    return words


def test_neighbours_in_a_crowd_are_exactly_those_that_comparing_all_finds():
    words = film_and_others()
    for asked in (words, mirror(words)):
        blocks = list(neighbours(words, 8, asked=asked))
        found = [pair for one, other in blocks for pair in zip(one, other, strict=True)]
        assert len(found) == len(set(found))
        assert set(found) == by_comparing_all(words, 8, asked)
        assert len(blocks) > 50  # one for each hash that is like many


def test_what_is_joined_in_a_crowd_is_not_compared_again():
    words = frames(400, np.random.default_rng(6))
    part = np.arange(len(words))
    found = 0
    for one, _ in neighbours(words, 8, part=part):
        part[:] = 0
        found += len(one)
    assert found == len(words) - 1


@pytest.mark.slow
def test_a_hundred_thousand_hashes_like_those_of_faces_take_less_than_a_minute():
    """Faces are no random bits: each hash here is of two portraits, half by half, and noise."""
    words = as_words([phash(one.image) for one in portraits(300, seed=62, size_px=96)])
    rng = np.random.default_rng(3)
    count = 100_000
    one, other, masked = (rng.integers(0, high, count) for high in (300, 300, 16))
    masks = np.packbits(rng.random((16, 4 * DIGITS)) < 0.5, axis=1).view(np.uint64)[masked]
    noise = np.packbits(rng.random((count, 4 * DIGITS)) < 0.05, axis=1).view(np.uint64)
    made = (words[one] & masks | words[other] & ~masks) ^ noise
    made[50_000:60_000] = made[:10_000]
    made[50_000:60_000, 0] ^= np.uint64(0b111)
    begun = time.perf_counter()
    joined = parts(made, mirror(made), 8)
    assert time.perf_counter() - begun < 60
    assert len(set(joined.tolist())) <= 90_000


def test_parts_are_what_chains_of_alike_hashes_join_mirrored_or_not():
    words = film_and_others()
    pairs = by_comparing_all(words, 8) | by_comparing_all(words, 8, mirror(words))
    one, other = (np.array(ends) for ends in zip(*pairs, strict=True))
    joined = parts(words, mirror(words), 8).tolist()
    assert joined == components(len(words), [(one, other)]).tolist()
    assert 100 < len(set(joined)) < 300


def test_components_are_what_is_joined_by_any_chain():
    chain = np.arange(999)
    ring = (np.array([5, 7, 1003]), np.array([1001, 1002, 1002]))
    label = components(1006, [(chain, chain + 1), ring])
    assert set(label[:1000].tolist()) == {0}
    assert label[1000:].tolist() == [1000, 0, 0, 0, 1004, 1005]
    assert components(3, []).tolist() == [0, 1, 2]
