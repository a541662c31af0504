import random
from dataclasses import replace

import pytest

from facegan.core.face_tables import HashedImage
from facegan.core.files import sha256_of
from facegan.core.records import Box, FaceRecord, Reason, Status
from facegan.core.shard_index import HELD_OUT, TRAIN
from pipeline.config import CropConfig
from pipeline.dedup import DIGITS, as_words, mirror
from pipeline.select import select, split_anew

ALL = CropConfig(
    faces="all", min_face_px=20, min_score=0, min_sharpness=0, min_exposure=0, max_exposure=1,
    max_yaw=90, max_roll=180, max_padding=1,
)  # fmt: skip
BOX = Box(10, 20, 110, 120)


def hash_of(text):
    return sha256_of(str(text).encode())


def own_phash(text):
    """Of other texts at least 30 % of the bits are others."""
    return (hash_of(text) * 2)[:DIGITS]


def changed(phash, bits):
    """The hash with some of the first 64 bits changed."""
    return f"{int(phash[:16], 16) ^ ((1 << bits) - 1):016x}{phash[16:]}"


def face(name, image=None, **changes):
    image = name if image is None else image
    known = FaceRecord(
        image_sha256=hash_of(f"image {image}"),
        box=BOX,
        landmarks=None,
        score=0.9,
        detector="yunet",
        status=Status.PENDING,
        path=f"faces/{name}.png",
        sha256=hash_of(name),
        size_px=100.0,
        sharpness=0.3,
        exposure=0.5,
        yaw=-10.0,
        roll=15.0,
        padding=0.05,
        upscale=1.0,
        phash=own_phash(name),
    )
    return replace(known, **changes)


def judged(faces, config=ALL, hold_out=0.0, images=None):
    """All faces as they are afterwards, by the names of their crops."""
    changed = {id_of(one): one for one in select(faces, config, hold_out, images)}
    return [changed.get(id_of(one), one) for one in faces]


def id_of(one):
    return one.sha256, one.image_sha256, one.box


def reasons(faces, config=ALL, **more):
    return [one.reason for one in judged(faces, config, **more)]


def test_another_threshold_takes_a_face_back():
    (rejected,) = judged([face("a")], replace(ALL, min_sharpness=0.5))
    assert reasons([rejected]) == [None]
    assert select(judged([rejected]), ALL, 0.0) == []


def test_faces_without_a_crop_keep_the_reason_that_they_have():
    small = face(
        "a", path=None, sha256=None, status=Status.REJECTED, reason=Reason.TOO_SMALL,
        detail="9 px", auto_reason=Reason.TOO_SMALL, auto_detail="9 px",
    )  # fmt: skip
    assert judged([small]) == [small]


@pytest.mark.parametrize("reason", [Reason.OPTED_OUT, Reason.FORGOTTEN])
def test_faces_that_were_taken_out_are_left_alone_and_count_for_nothing(reason):
    gone = face("a", status=Status.REJECTED, reason=reason, size_px=500.0)
    copy = face("b", phash=gone.phash)
    assert [one.sha256 for one in select([gone, copy], ALL, 0.0)] == [copy.sha256]
    assert reasons([gone, copy]) == [reason, None]


# the largest


def test_of_one_image_the_largest_face_that_passes_is_kept():
    blurred = face("a", "i", box=Box(0, 0, 90, 90), sharpness=0.1)
    large = face("b", "i", box=Box(100, 0, 200, 130))
    small = face("c", "i", box=Box(200, 0, 260, 999), size_px=60.0)
    config = replace(ALL, faces="largest", min_sharpness=0.2)
    found = judged([small, large, blurred], config)
    assert [one.reason for one in found] == [Reason.NOT_LARGEST, None, Reason.BLURRED]
    assert found[0].detail == "60 px, the largest 100"
    assert reasons([small, large, blurred]) == [None, None, None]


# duplicates


def test_of_copies_the_best_is_kept_and_the_others_name_it():
    best = face("a", size_px=200.0)
    worse = face("b", phash=changed(best.phash, 5))
    found = judged([worse, best, face("c")])
    assert [one.reason for one in found] == [Reason.DUPLICATE, None, None]
    assert found[0].detail == f"of {best.sha256}"
    assert [one.cluster for one in found] == [best.sha256, best.sha256, None]


def test_of_copies_of_about_one_size_and_sharpness_that_of_the_least_compressed_image_is_kept():
    first = face("a", size_px=99.0, sharpness=0.3)
    again = face("b", phash=first.phash, size_px=101.0, sharpness=0.31, score=0.99)
    images = {
        first.image_sha256: HashedImage(own_phash("one"), 100, 100, 4000),
        again.image_sha256: HashedImage(own_phash("two"), 100, 100, 1300),
    }
    assert reasons([again, first], images=images) == [Reason.DUPLICATE, None]
    assert reasons([replace(again, sharpness=0.42), first], images=images)[0] is None
    assert reasons([again, first]) == [None, Reason.DUPLICATE]


@pytest.mark.parametrize(("upscale", "kept"), [(0.4, False), (0.9, False), (1.4, True)])
def test_a_copy_is_no_better_for_more_pixels_than_the_crop_needs(upscale, kept):
    """The first is more compressed, and has as many pixels as the crop, or too few."""
    first = face("a", size_px=100.0, upscale=upscale)
    larger = face("b", phash=first.phash, size_px=300.0, upscale=upscale / 3)
    images = {
        first.image_sha256: HashedImage(own_phash("one"), 100, 100, 4000),
        larger.image_sha256: HashedImage(own_phash("two"), 300, 300, 9000),
    }
    assert (reasons([larger, first], images=images)[0] is None) is kept


def test_likeness_is_not_handed_on():
    row = [face("a", size_px=300.0)]
    for number, size in enumerate((200.0, 100.0)):
        row.append(face(f"{number}", size_px=size, phash=changed(row[0].phash, 6 * (number + 1))))
    assert reasons(row) == [None, Reason.DUPLICATE, None]


@pytest.mark.parametrize(("bits", "rejected"), [(-1, 0), (0, 1), (4, 1), (5, 2), (16, 2)])
def test_the_setting_says_in_how_many_bits_copies_may_differ(bits, rejected):
    best = face("a", size_px=200.0)
    faces = [best, face("b", phash=best.phash), face("c", phash=changed(best.phash, 5))]
    config = replace(ALL, duplicates=bits)
    assert reasons(faces, config).count(Reason.DUPLICATE) == rejected


def test_rejected_faces_have_no_copies():
    blurred = face("a", size_px=500.0, sharpness=0.1)
    copy = face("b", phash=blurred.phash)
    assert reasons([blurred, copy], replace(ALL, min_sharpness=0.2)) == [Reason.BLURRED, None]


def test_copies_that_a_rule_has_rejected_are_known_and_keep_its_reason():
    best = face("a", "i", size_px=200.0)
    dark = face("b", phash=best.phash, exposure=0.01)
    small = face("c", "j", phash=best.phash, box=Box(200, 0, 260, 60), size_px=60.0)
    large = face("d", "j")
    other = face("e", size_px=200.0, exposure=0.01)
    copy = face("f", phash=other.phash, exposure=0.02)
    config = replace(ALL, faces="largest", min_exposure=0.1)
    found = judged([best, dark, small, large, other, copy], config)
    assert [one.cluster for one in found] == [
        best.sha256, best.sha256, best.sha256, None, other.sha256, other.sha256,
    ]  # fmt: skip
    too_dark = Reason.TOO_DARK
    assert [one.reason for one in found] == [
        None, too_dark, Reason.NOT_LARGEST, None, too_dark, too_dark,
    ]  # fmt: skip
    assert found[1].detail == "exposure 0.01, at least 0.1"


def test_copies_too_small_to_be_cut_are_known_by_their_images():
    best = face("a", "i", size_px=200.0)
    uncut = [
        face(
            name, box=Box(1, 2, 11, 12), path=None, sha256=None, phash=None,
            auto_reason=Reason.TOO_SMALL, status=Status.REJECTED, reason=Reason.TOO_SMALL,
        )
        for name in "bc"
    ]  # fmt: skip
    images = {best.image_sha256: HashedImage(own_phash("picture"), 800, 400)}
    images |= {one.image_sha256: HashedImage(own_phash("picture"), 80, 40) for one in uncut}
    found = judged([*uncut, best], images=images)
    assert [(one.cluster, one.reason) for one in found] == [
        (best.sha256, Reason.TOO_SMALL), (best.sha256, Reason.TOO_SMALL), (best.sha256, None),
    ]  # fmt: skip
    one, other = judged(uncut, images=images)
    assert one.cluster == other.cluster is not None


def test_faces_of_one_image_are_copies_only_where_they_overlap():
    first = face("a", "i", size_px=200.0)
    beside = face("b", "i", phash=first.phash, box=Box(200, 20, 300, 120))
    over = face("c", "i", phash=first.phash, box=Box(12, 20, 112, 120))
    assert reasons([first, beside, over]) == [None, None, Reason.DUPLICATE]
    there = face("d", "j", phash=first.phash, size_px=50.0)
    assert reasons([first, beside, there]) == [None, None, Reason.DUPLICATE]


def test_a_face_beside_its_like_still_joins_another_images():
    best = face("a", "i", size_px=300.0)
    other = face("b", "j", size_px=200.0, phash=changed(best.phash, 16))
    beside = face("c", "i", phash=changed(best.phash, 8), box=Box(200, 20, 300, 120))
    found = judged([best, other, beside])
    assert [one.reason for one in found] == [None, None, Reason.DUPLICATE]
    assert found[2].cluster == other.sha256


def test_copies_of_an_image_give_copies_of_its_faces_at_the_same_place():
    first, second = face("a", "i", size_px=200.0), face("b", "i", box=Box(300, 20, 400, 120))
    halves = [Box(5, 10, 55, 60), Box(150, 10, 200, 60), Box(80, 10, 130, 60)]
    copies = [face(f"c{at}", "j", box=box, size_px=50.0) for at, box in enumerate(halves)]
    hashed = own_phash("picture")
    images = {
        first.image_sha256: HashedImage(hashed, 800, 400),
        copies[0].image_sha256: HashedImage(changed(hashed, 8), 400, 200),
    }
    found = judged([first, second, *copies], images=images)
    assert [one.cluster for one in found] == [
        first.sha256, second.sha256, first.sha256, second.sha256, None,
    ]  # fmt: skip
    images[copies[0].image_sha256] = HashedImage(changed(hashed, 9), 400, 200)
    assert reasons([first, second, *copies], images=images) == [None] * 5


def test_mirrored_copies_of_an_image_give_copies_of_its_faces_at_the_mirrored_place():
    left, right = face("a", "i", size_px=200.0), face("b", "i", box=Box(300, 20, 400, 120))
    copies = [
        face("c", "j", box=Box(300, 20, 400, 120)),
        face("d", "j", box=Box(690, 20, 790, 120)),
    ]
    hashed = own_phash("picture")
    turned = mirror(as_words([hashed])).tobytes().hex()
    images = {
        left.image_sha256: HashedImage(hashed, 800, 400),
        copies[0].image_sha256: HashedImage(changed(turned, 8), 800, 400),
    }
    found = judged([left, right, *copies], images=images)
    assert [one.cluster for one in found] == [left.sha256, None, None, left.sha256]


def test_images_that_show_nothing_are_no_copies():
    blank = HashedImage("0" * DIGITS, 100, 100)
    faces = [face("a"), face("b")]
    assert reasons(faces, images={one.image_sha256: blank for one in faces}) == [None, None]


# by hand


def test_what_was_decided_by_hand_stands_above_the_rules():
    config = replace(ALL, min_sharpness=0.2)
    rescued = face("a", sharpness=0.1, review=Status.KEPT)
    thrown = face("b", review=Status.REJECTED)
    found = judged([rescued, thrown], config)
    assert [(one.status, one.reason) for one in found] == [
        (Status.KEPT, None),
        (Status.REJECTED, Reason.REVIEWED),
    ]
    assert [one.auto_reason for one in found] == [Reason.BLURRED, None]


def test_copies_of_a_face_that_was_rejected_by_hand_stay_out():
    thrown = face("a", size_px=300.0, review=Status.REJECTED)
    copy = face("b", phash=thrown.phash)
    assert reasons([thrown, copy]) == [Reason.REVIEWED, Reason.DUPLICATE]


# the split


def test_copies_and_faces_of_one_image_are_on_one_side():
    faces = [face(n) for n in range(300)]
    faces += [face(f"copy {n}", phash=changed(own_phash(n), 4), sharpness=0.1) for n in range(300)]
    faces += [face(f"beside {n}", n, box=Box(200, 0, 260, 60)) for n in range(300)]
    for bits in (-1, 8):
        config = replace(ALL, duplicates=bits, min_sharpness=0.2)
        found = judged(faces, config, hold_out=0.3)
        sides = [one.split for one in found]
        assert sides[:300] == sides[300:600] == sides[600:]
        assert 0.2 < sides.count(HELD_OUT) / len(sides) < 0.4
        assert split_anew(found, 0.3, {}) == []
        back = split_anew(found, 0.0, {})
        assert len(back) == sides.count(HELD_OUT)
        assert {one.split for one in back} == {TRAIN}


def test_copies_of_an_image_are_on_one_side():
    faces = [face(n) for n in range(200)] + [face(f"c{n}", box=None) for n in range(200)]
    images = {
        one.image_sha256: HashedImage(own_phash(at % 200), 9, 9) for at, one in enumerate(faces)
    }
    sides = [one.split for one in judged(faces, hold_out=0.4, images=images)]
    assert sides[:200] == sides[200:]
    assert HELD_OUT in sides


# as a whole


def test_order_and_ids_say_nothing_and_a_second_look_changes_nothing():
    faces = [
        face(n, n % 40, phash=changed(own_phash(n % 25), n % 11), size_px=50.0 + n % 7)
        for n in range(120)
    ]
    once = {id_of(one): one for one in judged(faces, hold_out=0.3)}
    assert {one.reason for one in once.values()} == {None, Reason.DUPLICATE}
    shuffled = [replace(one, id=at) for at, one in enumerate(faces)]
    random.Random(5).shuffle(shuffled)
    again = judged(shuffled, hold_out=0.3)
    assert {id_of(one): replace(one, id=None) for one in again} == once
    assert select(again, ALL, 0.3) == []
