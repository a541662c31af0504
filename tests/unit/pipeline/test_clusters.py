import time
import tracemalloc

import numpy as np

from facegan.core.records import Box, FaceRecord, Status
from pipeline.clusters import leaders, looks
from pipeline.split import splits

BITS = 8


def frames(count, rng):
    """Faces of a film: no two hashes the same, all near each other."""
    bits = np.repeat(rng.integers(0, 2, (1, 384), np.uint8), count, axis=0)
    for row in bits:
        for part, most in ((slice(0, 64), 3), (slice(64, 320), 10), (slice(320, 384), 3)):
            row[part][rng.choice(len(row[part]), most, replace=False)] ^= 1
    return [face(number, row) for number, row in enumerate(bits)]


def face(number, bits):
    return FaceRecord(
        image_sha256=f"{number:064x}",
        box=Box(0, 0, 40, 40),
        landmarks=None,
        score=0.9,
        detector="yunet",
        status=Status.PENDING,
        phash=np.packbits(bits).tobytes().hex(),
    )


def test_five_thousand_frames_of_a_film_are_copies_of_the_best_in_seconds_and_little_memory():
    faces = frames(5_000, np.random.default_rng(0))
    tracemalloc.start()
    begun = time.perf_counter()
    seen = looks(faces, {}, BITS)
    found = leaders(seen, range(len(faces)))
    sides = splits([one.image_sha256 for one in faces], seen.edges, 0.1)
    taken, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(found.values()) == {0}
    assert len(set(sides)) == 1
    assert peak < 250e6
    assert taken < 30


def test_where_all_copies_are_kept_by_hand_each_has_the_first_for_its_leader():
    faces = frames(1_200, np.random.default_rng(1))
    seen = looks(faces, {}, BITS)
    order = range(len(faces))[::-1]
    assert leaders(seen, order, frozenset(order)) == dict.fromkeys(order, order[0])
