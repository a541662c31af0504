from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.dedup import DIGITS, IMAGE_BITS, alike, as_words, mirror, phash
from pipeline.neighbours import FINE_PER_BIT
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
    assert found.part.tolist() == [*range(count), *range(count)]
    for at in range(count):
        for one, other in ((at, at + count), (at + count, at)):
            plain, flipped = found.near(one, np.array([one, other]))
            assert plain.tolist() == [True, False]
            assert flipped.tolist() == [False, True]


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


# likeness


def test_finer_bits_part_what_the_others_do_not():
    one = "12" * (DIGITS // 2)
    near = one[:72] + "edededed" + one[80:]  # 32 of the finer bits
    assert alike([one, near], 10).part.tolist() == [0, 1]
    assert alike([one, near], 11).part.tolist() == [0, 0]


def test_equal_hashes_are_joined_without_comparing_each_with_each():
    hashes = ["0" * DIGITS] * 20_000 + ["f" * DIGITS, None, None, "f" * DIGITS]
    found = alike(hashes, 8)
    assert found.first.tolist() == [0] * 20_000 + [20_000, 20_001, 20_002, 20_000]
    assert found.part.tolist() == found.first.tolist()


def test_nothing_is_alike_below_zero_bits():
    found = alike(["0" * DIGITS] * 3, -1)
    assert found.first.tolist() == found.part.tolist() == [0, 1, 2]
    assert alike([], 8).part.size == 0


def test_shorter_hashes_count_as_filled_up_with_zeros():
    assert as_words(["12" * 8]).tolist() == as_words(["12" * 8 + "0" * (DIGITS - 16)]).tolist()
