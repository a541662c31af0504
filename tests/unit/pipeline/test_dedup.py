import time
from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.dedup import (
    DIGITS,
    FINE_PER_BIT,
    IMAGE_BITS,
    alike,
    as_words,
    components,
    mirror,
    neighbours,
    phash,
)
from pipeline.portraits import portraits


@cache
def pictures():
    return tuple(portrait.image for portrait in portraits(12, seed=61, size_px=160))


def bits_between(one, other):
    coarse, finer = (bin(int(one[part], 16) ^ int(other[part], 16)).count("1") for part in PARTS)
    return max(coarse, -(-finer // FINE_PER_BIT))


PARTS = (slice(0, 16), slice(16, 80))


def mirrored(image):
    return np.ascontiguousarray(image[:, ::-1])


def as_jpeg(image, quality):
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


COPIES = {
    "jpeg": lambda image: as_jpeg(image, 30),
    "halved": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "doubled": lambda image: cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=1.0, beta=20),
    "flatter": lambda image: cv2.convertScaleAbs(image, alpha=0.7, beta=30),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.0),
    "grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
}


# hashes


@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
def test_copies_have_nearly_the_same_hash(made):
    for image in pictures():
        assert bits_between(phash(image), phash(made(image))) <= IMAGE_BITS


def test_different_portraits_and_mirror_images_have_others():
    hashes = [phash(image) for image in pictures()]
    for at, one in enumerate(hashes):
        assert bits_between(one, phash(mirrored(pictures()[at]))) > IMAGE_BITS
        assert all(bits_between(one, other) > IMAGE_BITS for other in hashes[:at])


@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
def test_mirrored_copies_are_alike_and_said_to_be_mirrored(made):
    hashes = [phash(image) for image in pictures()]
    hashes += [phash(made(mirrored(image))) for image in pictures()]
    found = alike(hashes, IMAGE_BITS)
    count = len(pictures())
    assert sorted(zip(found.one, found.other, strict=True)) == [
        (n, n + count) for n in range(count)
    ]
    assert found.mirrored.all()
    assert found.near()[0] == [(count, True)]


def test_the_hash_of_a_mirror_image_is_known_without_looking_at_it():
    for image in pictures():
        words = as_words([phash(mirrored(image))])
        assert (mirror(as_words([phash(image)]))[:, (0, -1)] == words[:, (0, -1)]).all()
        apart = np.bitwise_count(mirror(as_words([phash(image)])) ^ words)
        assert apart.sum() <= 2  # a frequency that is not there has any sign


def test_pictures_that_show_nothing_are_all_alike():
    noise = np.random.default_rng(1)
    blank = [np.full((90, 60, 3), level, np.uint8) for level in (0, 128, 255)]
    noisy = noise.integers(126, 131, (200, 300, 3), np.uint8)
    assert {phash(image) for image in (*blank, noisy)} == {"0" * DIGITS}


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (33, 7, 3)])
def test_pictures_of_any_shape_have_a_hash(shape):
    image = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    assert len(phash(image)) == len(bytes.fromhex(phash(image))) * 2 == DIGITS


# neighbours


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
    blocks = neighbours(words, bits, mirrored=True)
    found = [pair for one, other in blocks for pair in zip(one, other, strict=True)]
    assert len(found) == len(set(found)) >= 100
    assert set(found) == by_comparing_all(words, bits, mirror(words))


def test_finer_bits_part_what_the_others_do_not():
    one = "12" * (DIGITS // 2)
    near = one[:72] + "edededed" + one[80:]  # 32 of the finer bits
    assert alike([one, near], 10).one.size == 0
    assert alike([one, near], 11).one.size == 1


def test_equal_hashes_are_joined_without_comparing_each_with_each():
    hashes = ["0" * DIGITS] * 20_000 + ["f" * DIGITS, None, None, "f" * DIGITS]
    found = alike(hashes, 8)
    assert found.one.size == 0
    assert found.first.tolist() == [0] * 20_000 + [20_000, 20_001, 20_002, 20_000]


def test_nothing_is_alike_below_zero_bits():
    found = alike(["0" * DIGITS] * 3, -1)
    assert found.first.tolist() == [0, 1, 2]
    assert alike([], 8).first.size == 0


def test_shorter_hashes_count_as_filled_up_with_zeros():
    assert as_words(["12" * 8]).tolist() == as_words(["12" * 8 + "0" * (DIGITS - 16)]).tolist()


@pytest.mark.slow
def test_a_hundred_thousand_hashes_like_those_of_faces_take_less_than_a_minute():
    """Faces are no random bits: each hash here is of two portraits, half by half, and noise."""
    words = as_words([phash(one.image) for one in portraits(300, seed=62, size_px=96)])
    rng = np.random.default_rng(3)
    count = 100_000
    one, other, parts = (rng.integers(0, high, count) for high in (300, 300, 16))
    masks = np.packbits(rng.random((16, 4 * DIGITS)) < 0.5, axis=1).view(np.uint64)[parts]
    noise = np.packbits(rng.random((count, 4 * DIGITS)) < 0.05, axis=1).view(np.uint64)
    made = (words[one] & masks | words[other] & ~masks) ^ noise
    made[50_000:60_000] = made[:10_000]
    made[50_000:60_000, 0] ^= np.uint64(0b111)
    begun = time.perf_counter()
    pairs = sum(len(one) for flip in (False, True) for one, _ in neighbours(made, 8, mirrored=flip))
    assert time.perf_counter() - begun < 60
    assert pairs >= 10_000


# groups


def test_components_are_what_is_joined_by_any_chain():
    chain = np.arange(999)
    ring = (np.array([5, 7, 1003]), np.array([1001, 1002, 1002]))
    label = components(1006, [(chain, chain + 1), ring])
    assert set(label[:1000].tolist()) == {0}
    assert label[1000:].tolist() == [1000, 0, 0, 0, 1004, 1005]
    assert components(3, []).tolist() == [0, 1, 2]
