import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.core.errors import WorkspaceError
from facegan.core.records import Box, Face, Reason
from pipeline import crop as crop_module
from pipeline.config import CropConfig
from pipeline.crop import CropTask, crop_image
from pipeline.dedup import phash
from pipeline.detect import ResolvedDetector
from pipeline.images import ImageLimits, decode, encode_png
from pipeline.portraits import portraits
from pipeline.windows import Window, crop_face, cut, resize, window_of

HAAR = ResolvedDetector("haar")


def ramp(width, height):
    """Red is the column, green the row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def found(*faces):
    return lambda *_: lambda _image: list(faces)


def failing(error):
    def fail(*_values, **_settings):
        raise error

    return fail


def task_of(tmp_path, image, **settings):
    path = tmp_path / "image.png"
    path.write_bytes(image if isinstance(image, bytes) else encode_png(image))
    return CropTask(path, "sha", CropConfig(detector="haar", **settings), HAAR)


def test_a_window_inside_the_picture_is_cut_without_resampling():
    crop = crop_face(ramp(100, 90), Box(20, 30, 60, 70), margin=0, size=40)
    assert np.array_equal(crop, ramp(100, 90)[30:70, 20:60])


def test_a_taller_box_gives_a_square_round_its_centre():
    assert window_of(Box(20, 10, 40, 50), 0, 100, 100) == Window(10, 10, 40)


def test_margin_is_a_share_of_the_longer_side_on_each_side():
    assert window_of(Box(40, 40, 60, 60), 0.25, 100, 100) == Window(35, 35, 30)


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        (Box(-5, 40, 15, 60), 0, 40),
        (Box(90, 40, 110, 60), 80, 40),
        (Box(40, -9, 60, 11), 40, 0),
        (Box(40, 95, 60, 115), 40, 80),
    ],
)
def test_a_window_that_leaves_the_picture_is_moved_inside(box, left, top):
    assert window_of(box, 0, 100, 100) == Window(left, top, 20)


def test_a_window_larger_than_the_picture_spans_it_and_is_filled_by_reflection():
    image = ramp(10, 6)
    window = window_of(Box(2, 0, 8, 6), 0.5, 10, 6)
    assert window == Window(-1, -3, 12)
    part = cut(image, window)
    assert part.shape == (12, 12, 3)
    assert np.array_equal(part[3:9, 1:11], image)
    assert np.array_equal(part[2], part[3])
    assert np.array_equal(part[0], part[5])
    assert np.array_equal(part[:, 0], part[:, 1])


def test_a_picture_of_one_pixel_can_be_cut():
    assert crop_face(ramp(1, 1), Box(0, 0, 60, 60), margin=1, size=32).shape == (32, 32, 3)


def test_shrinking_is_by_area():
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2, ::2] = 200
    assert (resize(image, 2) == 50).all()


def test_enlarging_keeps_edges_on_edges():
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, 5:] = 255
    large = resize(image, 40)
    assert (large[:, :17] <= 12).all()
    assert (large[:, 23:] >= 243).all()
    assert np.array_equal(large[:, ::-1] // 2, 127 - large // 2)


def test_item_function_and_its_parts_are_picklable(tmp_path):
    task = task_of(tmp_path, next(portraits(1, seed=5, size_px=192)).image, size=64)
    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301
    result = crop_image(task)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301
    assert pickle.loads(pickle.dumps(crop_image)) is crop_image  # noqa: S301


def test_a_portrait_gives_one_crop_of_its_face(tmp_path):
    portrait = next(portraits(1, seed=5, size_px=256))
    result = crop_image(task_of(tmp_path, portrait.image, size=64, align=False))
    (crop,) = result.faces
    assert result.rejection is None
    assert result.ms > 0
    assert crop.face.box.iou(portrait.box) > 0.5
    pixels = decode(crop.png, ImageLimits())
    assert pixels.shape == (64, 64, 3)
    own = crop_face(portrait.image, crop.face.box, margin=0.1, size=64)
    assert np.array_equal(pixels, own)


def test_the_crop_is_cut_from_the_originals_pixels(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
    box = Box(300, 300, 556, 556)
    monkeypatch.setattr(crop_module, "build", found(Face(box, 1.0)))
    result = crop_image(task_of(tmp_path, noise, size=256, margin=0, search_px=100))
    assert np.array_equal(decode(result.faces[0].png, ImageLimits()), noise[300:556, 300:556])


def faces_at(monkeypatch, *faces):
    monkeypatch.setattr(crop_module, "build", found(*faces))


def eyes_of(left, right, down):
    """Five landmarks of an upright face."""
    middle = (left[0] + right[0]) / 2
    mouth = left[1] + down
    return (left, right, (middle, left[1] + down / 2), (middle - 9, mouth), (middle + 9, mouth))


def test_every_face_is_cut_that_is_large_enough(tmp_path, monkeypatch):
    boxes = [Box(0, 0, 90, 90), Box(0, 0, 80, 80), Box(0, 0, 30, 30), Box(0, 0, 30, 19)]
    faces_at(monkeypatch, *(Face(box, 1.0) for box in boxes))
    for settings in ({"faces": "largest"}, {"faces": "all"}, {"min_face_px": 900}):
        cut_ = crop_image(task_of(tmp_path, ramp(100, 100), size=32, **settings)).faces
        assert [face.reason for face in cut_] == [None, None, None, Reason.TOO_SMALL]
        assert [face.png is not None for face in cut_] == [True, True, True, False]
        assert cut_[3].detail == "19 px, at least 20"
        assert cut_[3].quality is None


def test_a_face_that_would_be_enlarged_too_much_is_too_small(tmp_path, monkeypatch):
    faces_at(monkeypatch, Face(Box(0, 0, 100, 100), 1.0))
    large = crop_image(task_of(tmp_path, ramp(200, 200), margin=0, max_upscale=2.57)).faces[0]
    assert large.quality.upscale == 2.56
    small = crop_image(task_of(tmp_path, ramp(200, 200), margin=0)).faces[0]
    assert (small.reason, small.png) == (Reason.TOO_SMALL, None)
    assert small.detail == "enlarged 2.56 times, at most 1.5"


def test_a_face_with_landmarks_is_framed_by_them(tmp_path, monkeypatch):
    face = Face(Box(60, 50, 140, 160), 0.9, eyes_of((80.0, 90.0), (120.0, 90.0), 40.0))
    faces_at(monkeypatch, face)
    (crop,) = crop_image(task_of(tmp_path, ramp(240, 240), size=160)).faces
    pixels = decode(crop.png, ImageLimits())
    # The framing's centre is (100, 94) and its side 160: a pixel of the crop for one of the picture
    assert np.array_equal(pixels, ramp(240, 240)[14:174, 20:180])
    assert crop.quality.roll == 0
    assert crop.quality.padding == 0
    assert crop.quality.size_px == 80


@pytest.mark.parametrize("settings", [{"align": False}, {}])
def test_a_face_that_cannot_or_must_not_be_aligned_is_cut_by_its_box(
    tmp_path, monkeypatch, settings
):
    landmarks = eyes_of((80.0, 90.0), (120.0, 98.0), 40.0) if settings else ((7.0, 7.0),) * 5
    face = Face(Box(60, 50, 140, 130), 0.9, landmarks)
    faces_at(monkeypatch, face)
    image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    (crop,) = crop_image(task_of(tmp_path, image, size=96, **settings)).faces
    own = crop_face(image, face.box, margin=0.1, size=96)
    assert np.array_equal(decode(crop.png, ImageLimits()), own)
    assert (crop.quality.roll is None) == (not settings)


def test_the_same_crop_of_another_picture_has_the_same_hash(tmp_path, monkeypatch):
    portrait = next(portraits(1, seed=5, size_px=256))
    faces_at(monkeypatch, Face(portrait.box, 0.9, portrait.landmarks))
    one = crop_image(task_of(tmp_path, portrait.image, size=128))
    wider = np.pad(portrait.image, ((40, 40), (40, 40), (0, 0)), "reflect")
    points = tuple((x + 40, y + 40) for x, y in portrait.landmarks)
    box = portrait.box
    moved = Box(box.left + 40, box.top + 40, box.right + 40, box.bottom + 40)
    faces_at(monkeypatch, Face(moved, 0.9, points))
    other = crop_image(task_of(tmp_path, wider, size=128))
    assert one.faces[0].phash == other.faces[0].phash
    assert one.faces[0].phash == phash(decode(one.faces[0].png, ImageLimits()))
    assert (one.phash, other.phash) == (phash(portrait.image), phash(wider))
    assert one.phash != other.phash


def test_the_hash_of_a_large_image_is_near_that_of_the_small_one(tmp_path, monkeypatch):
    faces_at(monkeypatch)
    portrait = next(portraits(1, seed=6, size_px=1000)).image
    small = np.ascontiguousarray(resize(portrait, 300))
    hashes = [crop_image(task_of(tmp_path, image)).phash for image in (portrait, small)]
    assert (int(hashes[0], 16) ^ int(hashes[1], 16)).bit_count() <= 4


def test_a_face_whose_landmarks_lie_beyond_the_picture_is_no_crop(tmp_path, monkeypatch):
    face = Face(Box(0, 0, 90, 90), 0.9, eyes_of((500.0, 500.0), (560.0, 500.0), 60.0))
    faces_at(monkeypatch, face)
    (crop,) = crop_image(task_of(tmp_path, ramp(100, 100), size=64)).faces
    assert (crop.reason, crop.png) == (Reason.BAD_CROP, None)


def test_padding_is_told_of_windows_larger_than_the_picture(tmp_path, monkeypatch):
    faces_at(monkeypatch, Face(Box(0, 0, 100, 100), 1.0))
    (crop,) = crop_image(task_of(tmp_path, ramp(100, 80), size=64, margin=0)).faces
    assert crop.quality.padding == pytest.approx(0.2)


def test_an_image_whose_faces_are_all_too_small_says_so(tmp_path, monkeypatch):
    faces_at(monkeypatch, Face(Box(0, 0, 30, 30), 1.0))
    result = crop_image(task_of(tmp_path, ramp(100, 100)))
    assert result.rejection.reason is Reason.TOO_SMALL


@pytest.mark.parametrize(
    ("cutter", "landmarks"), [("cut", None), ("warp", eyes_of((30.0, 40.0), (70.0, 40.0), 40.0))]
)
def test_a_crop_that_cannot_be_cut_costs_that_face(tmp_path, monkeypatch, cutter, landmarks):
    faces_at(monkeypatch, Face(Box(0, 0, 60, 60), 1.0, landmarks))
    monkeypatch.setattr(crop_module, cutter, failing(cv2.error("no such border")))
    result = crop_image(task_of(tmp_path, ramp(100, 100), size=64, margin=0.1))
    assert result.rejection.reason is Reason.BAD_CROP
    assert "no such border" in result.rejection.detail


def without_memory():
    """As OpenCV raises it."""
    try:
        cv2.copyMakeBorder(ramp(10, 10), 2**29, 2**29, 2**10, 2**10, cv2.BORDER_REFLECT)
    except cv2.error as error:
        return error
    pytest.fail("there is memory for 6.6 TB")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), Reason.OUT_OF_MEMORY),
        (without_memory(), Reason.OUT_OF_MEMORY),
        (cv2.error("bad"), Reason.SEARCH_FAILED),
        (OverflowError("bad"), Reason.SEARCH_FAILED),
        (IndexError("bad"), Reason.SEARCH_FAILED),
    ],
)
@pytest.mark.parametrize("place", ["build", "_second_look", "phash", "_thinned", "detector"])
def test_whatever_goes_wrong_with_a_picture_is_its_outcome(
    tmp_path, monkeypatch, place, error, reason
):
    faces_at(monkeypatch)
    if place == "detector":
        monkeypatch.setattr(crop_module, "build", lambda *_: failing(error))
    else:
        monkeypatch.setattr(crop_module, place, failing(error))
    result = crop_image(task_of(tmp_path, ramp(100, 100), size=64))
    assert (result.faces, result.rejection.reason) == ((), reason)
    assert result.rejection.detail


@pytest.mark.parametrize("place", ["look_again", "_cut", "measure", "encode_png"])
def test_too_little_memory_for_a_face_is_no_verdict_on_it(tmp_path, monkeypatch, place):
    faces_at(monkeypatch, Face(Box(0, 0, 60, 60), 1.0))
    monkeypatch.setattr(crop_module, "_second_look", lambda _: object())
    monkeypatch.setattr(crop_module, "look_again", lambda _image, face, _again: face)
    monkeypatch.setattr(crop_module, place, failing(MemoryError()))
    task = task_of(tmp_path, ramp(100, 100), size=64)
    assert crop_image(task).rejection.reason is Reason.OUT_OF_MEMORY


def test_a_model_that_is_missing_stops_the_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_module, "build", failing(WorkspaceError("the model is gone")))
    with pytest.raises(WorkspaceError, match="the model is gone"):
        crop_image(task_of(tmp_path, ramp(100, 100)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_AN_IMAGE),
        (b"text", Reason.NOT_AN_IMAGE),
        (encode_png(ramp(60, 60))[:150], Reason.DECODE_FAILED),
        (encode_png(ramp(60, 60)), Reason.NO_FACE),
    ],
)
def test_images_without_a_crop_have_a_reason(tmp_path, data, reason):
    result = crop_image(task_of(tmp_path, data))
    assert result.faces == ()
    assert result.rejection.reason is reason


def test_an_image_that_is_gone_is_unreadable():
    task = CropTask(Path("/nowhere/x.jpg"), "sha", CropConfig(detector="haar"), HAAR)
    assert crop_image(task).rejection.reason is Reason.UNREADABLE
