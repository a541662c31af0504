"""Of copies one is kept, and they are never on both sides of the split."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.records import Box, FaceRecord, Reason, Status
from pipeline.clusters import SAME_PLACE_IOU
from pipeline.config import CropConfig
from pipeline.dedup import DIGITS
from pipeline.select import best_first, select

CENTRES = (0x0, 0x0000FFFF0000FFFF, 0x5A5A5A5A5A5A5A5A)
BOXES = (Box(0, 0, 40, 40), Box(5, 0, 45, 40), Box(80, 0, 130, 50))


def like(centre, bits, mirrored):
    coarse = centre ^ sum(1 << bit for bit in bits)
    finer = "5" * 64 if mirrored else "0" * 64
    parts = (f"{coarse:016x}", f"{coarse ^ (2**64 - 1):016x}")
    return finer.join(reversed(parts) if mirrored else parts)


PHASHES = st.builds(
    like, st.sampled_from(CENTRES), st.sets(st.integers(0, 63), max_size=7), st.booleans()
)


@st.composite
def catalogs(draw):
    count = draw(st.integers(0, 14))
    return [
        FaceRecord(
            image_sha256=f"{draw(st.integers(0, 9)) * 0x1357:064x}",
            box=draw(st.sampled_from(BOXES)),
            landmarks=None,
            score=0.9,
            detector="yunet",
            status=Status.PENDING,
            path=f"faces/{number}.png",
            sha256=f"{number:064x}",
            size_px=draw(st.sampled_from((50.0, 60.0))),
            phash=draw(PHASHES),
        )
        for number in range(count)
    ]


def may_be_one(one, other, bits):
    if one.image_sha256 == other.image_sha256:
        return bits >= 0 and one.box.iou(other.box) > SAME_PLACE_IOU
    place = 0 if one.phash[16:80] == other.phash[16:80] else DIGITS - 16
    return (int(one.phash[place:][:16], 16) ^ int(other.phash[:16], 16)).bit_count() <= bits


@settings(max_examples=40, deadline=None)
@given(catalogs(), st.integers(-1, 8), st.sampled_from((0.1, 0.5, 0.9)))
def test_a_face_is_kept_unless_a_better_one_is_its_like(faces, bits, hold_out):
    config = CropConfig(faces="all", duplicates=bits)
    found = {face.sha256: face for face in select(faces, config, hold_out)}
    kept = []
    for face in sorted(found.values(), key=best_first):
        leader = next((best for best in kept if may_be_one(best, face, bits)), None)
        if leader is None:
            assert face.status == Status.KEPT
            kept.append(face)
        else:
            assert (face.reason, face.cluster) == (Reason.DUPLICATE, leader.sha256)
            assert found[leader.sha256].cluster == leader.sha256
    assert len(found) == len(faces)


@settings(max_examples=60, deadline=None)
@given(catalogs(), st.integers(-1, 8), st.data())
def test_of_copies_those_kept_by_hand_stay_and_no_other_does(faces, bits, data):
    verdicts = st.sampled_from((None, None, Status.KEPT, Status.REJECTED))
    config = CropConfig(faces="all", duplicates=bits, min_face_px=55)
    faces = [replace(face, review=data.draw(verdicts)) for face in faces]
    found = {face.sha256: face for face in faces}
    found |= {face.sha256: face for face in select(faces, config, 0.1)}
    kept = [face for face in found.values() if face.status == Status.KEPT]
    chosen = [face for face in found.values() if face.review == Status.KEPT]
    assert all(face in kept for face in chosen)
    assert not any(face.review == Status.REJECTED for face in kept)
    for face in kept:
        if face.review is None:
            others = [one for one in kept if one is not face]
            assert not any(may_be_one(one, face, bits) for one in others)
    for face in found.values():
        passes = face.size_px >= 55 and face.review is None
        if passes and face not in kept:
            assert any(may_be_one(one, face, bits) for one in found.values() if one is not face)
    again = select(list(found.values()), config, 0.1)
    assert again == []


@settings(max_examples=40, deadline=None)
@given(catalogs(), st.integers(-1, 8), st.sampled_from((0.1, 0.5, 0.9)))
def test_no_two_that_are_alike_or_of_one_image_are_parted(faces, bits, hold_out):
    found = select(faces, CropConfig(faces="all", duplicates=bits), hold_out)
    for one in found:
        for other in found:
            same_cluster = one.cluster is not None and one.cluster == other.cluster
            same_image = one.image_sha256 == other.image_sha256
            if same_cluster or same_image or may_be_one(one, other, 8):
                assert one.split == other.split
