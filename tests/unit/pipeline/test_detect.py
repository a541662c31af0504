import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.core.errors import MissingDependencyError, WorkspaceError
from facegan.core.records import Box
from pipeline import detect
from pipeline.config import CropConfig
from pipeline.crop import CropTask, crop_image
from pipeline.detect import MODEL_NAME, MODEL_SHA256, ResolvedDetector, build, resolve
from pipeline.images import ImageLimits, decode, encode_png, read
from pipeline.portraits import portraits

SHARED = Path(__file__).parents[4] / "shared"
MODEL = SHARED / "models" / MODEL_NAME
DATA = SHARED / "data"
needs_model = pytest.mark.skipif(not MODEL.exists(), reason=f"no {MODEL}")
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"no {DATA}")


HAAR = ResolvedDetector("haar")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def detector(name, **settings):
    config = CropConfig(detector=name, model=MODEL if name == "yunet" else None, **settings)
    return build(resolve(config), config)


@pytest.mark.usefixtures("cache")
def test_auto_is_haar_where_there_is_no_model():
    resolved = resolve(CropConfig(), fetch=None)
    assert resolved == ResolvedDetector("haar")
    assert resolved.label == "haar"


def test_yunet_without_its_model_says_where_to_get_it_and_where_to_put_it(cache):
    with pytest.raises(MissingDependencyError, match="YuNet's model is not in") as caught:
        resolve(CropConfig(detector="yunet"), fetch=None)
    assert str(cache) in caught.value.message
    assert "https://" in caught.value.hint
    assert "--model FILE" in caught.value.hint


def test_a_cached_file_that_is_not_yunets_is_never_used(cache):
    (cache / MODEL_NAME).write_bytes(b"<html>")
    with pytest.raises(MissingDependencyError, match=r"is not what .* holds"):
        resolve(CropConfig(detector="yunet"), fetch=None)
    assert resolve(CropConfig(), fetch=None) == ResolvedDetector("haar")


@needs_model
@pytest.mark.parametrize("held", [None, b"<html>"])
def test_a_model_that_is_not_here_or_damaged_is_fetched_once(cache, held):
    if held:
        (cache / MODEL_NAME).write_bytes(held)
    places = []

    def fetch(path):
        places.append(path)
        path.write_bytes(MODEL.read_bytes())

    for _ in range(2):
        assert resolve(CropConfig(), fetch=fetch).model_sha256 == MODEL_SHA256
    assert places == [cache / MODEL_NAME]


@pytest.mark.usefixtures("cache")
def test_a_given_file_that_is_missing_or_no_model_is_named(tmp_path):
    with pytest.raises(WorkspaceError, match=r"gone\.onnx: No such file"):
        resolve(CropConfig(model=tmp_path / "gone.onnx"))
    (tmp_path / "text.onnx").write_bytes(b"no model")
    with pytest.raises(WorkspaceError, match="is no YuNet model"):
        resolve(CropConfig(model=tmp_path / "text.onnx"))


def test_model_lies_under_the_cache_folder_with_a_tilde_spelled_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACEGAN_CACHE", "~/c")
    assert detect.model_path() == tmp_path / "c" / "models" / MODEL_NAME


@needs_model
def test_auto_is_yunet_where_its_model_is_cached(cache):
    (cache / MODEL_NAME).write_bytes(MODEL.read_bytes())
    resolved = resolve(CropConfig())
    assert resolved == ResolvedDetector("yunet", cache / MODEL_NAME, MODEL_SHA256)
    assert resolved.label == "yunet"


def test_another_model_is_recorded_by_its_hash():
    assert ResolvedDetector("yunet", Path("m"), "abcdef012345678").label == "yunet:abcdef012345"


@needs_model
def test_a_model_that_changes_during_the_run_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(MODEL.read_bytes())
    resolved = resolve(CropConfig(model=path))
    path.write_bytes(b"other")
    with pytest.raises(WorkspaceError, match="has changed"):
        build(resolved, CropConfig(model=path))


@pytest.mark.parametrize("name", ["haar", pytest.param("yunet", marks=needs_model)])
def test_drawn_portraits_are_found_where_they_are(name):
    find, hits, shown = detector(name), 0, list(portraits(20, seed=11, size_px=256))
    for portrait in shown:
        faces = find(portrait.image)
        hits += bool(faces) and faces[0].box.iou(portrait.box) >= 0.3
    assert hits >= 18


@needs_model
def test_yunets_landmarks_are_as_seen_in_the_picture():
    find = detector("yunet")
    for portrait in portraits(5, seed=12, size_px=256):
        found = np.array(find(portrait.image)[0].landmarks)
        true = np.array(portrait.landmarks)
        assert found.shape == (5, 2)
        assert np.abs(found - true).mean() < 0.04 * 256
        assert found[0, 0] < found[1, 0]
        assert found[3, 0] < found[4, 0]


@pytest.mark.parametrize("name", ["haar", pytest.param("yunet", marks=needs_model)])
def test_a_large_image_is_searched_small_and_boxes_are_mapped_back(name):
    small = next(portraits(1, seed=13, size_px=320)).image
    large = cv2.resize(small, (1600, 1600), interpolation=cv2.INTER_CUBIC)
    find = detector(name, search_px=320)
    ((near,), (far,)) = find(small), find(large)
    assert near.box.iou(far.box.scaled(0.2)) > 0.9
    if near.landmarks:
        assert np.allclose(near.landmarks, np.array(far.landmarks) / 5, atol=4)


def test_haar_keeps_to_the_least_size():
    image = next(portraits(1, seed=13, size_px=256)).image
    (face,) = detector("haar")(image)
    assert face.score == 1.0
    small = cv2.resize(image, (72, 72), interpolation=cv2.INTER_AREA)
    assert face.box.width * 72 / 256 < 50
    assert detector("haar")(small) == []
    assert len(detector("haar", min_face_px=30)(small)) == 1


def test_the_gate_of_size_changes_nothing_for_haar_above_its_own_least_size():
    image = next(portraits(1, seed=13, size_px=256)).image
    assert detector("haar", min_face_px=900)(image) == detector("haar")(image) != []


@pytest.mark.parametrize("name", ["haar", pytest.param("yunet", marks=needs_model)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (900, 2), (20, 20)])
def test_tiny_and_thin_images_have_no_face(name, shape):
    assert detector(name)(np.full((*shape, 3), 127, np.uint8)) == []


@pytest.mark.parametrize("name", ["haar", pytest.param("yunet", marks=needs_model)])
def test_the_largest_comes_first(name):
    one, two = (p.image for p in portraits(2, seed=15, size_px=256))
    image = np.zeros((384, 640, 3), np.uint8)
    image[:192, :192] = cv2.resize(one, (192, 192), interpolation=cv2.INTER_AREA)
    image[:, 256:] = cv2.resize(two, (384, 384))
    faces = detector(name)(image)
    assert len(faces) >= 2
    areas = [face.box.area for face in faces]
    assert areas == sorted(areas, reverse=True)
    assert faces[0].box.centre[0] > 256


def test_the_references_setting_cuts_what_a_bare_opencv_loop_does(tmp_path):
    one, two = (p.image for p in portraits(2, seed=15, size_px=320))
    image = np.ascontiguousarray(np.hstack([one, two]))
    (tmp_path / "a.png").write_bytes(encode_png(image))
    config = CropConfig(detector="haar", margin=0, align=False, faces="all", size=64)
    task = CropTask(tmp_path / "a.png", "sha", config, resolve(config))
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}{detect.CASCADE}")
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    boxes = sorted(
        cascade.detectMultiScale(grey, 1.1, 5, minSize=(50, 50)).tolist(), key=lambda b: -b[2]
    )
    assert len(boxes) >= 2
    crops = [decode(crop.png, ImageLimits()) for crop in crop_image(task).faces]
    for crop, (x, y, w, h) in zip(crops, boxes, strict=True):
        bare = cv2.resize(image[y : y + h, x : x + w], (64, 64), interpolation=cv2.INTER_AREA)
        assert np.array_equal(crop, bare)


def test_haar_has_one_thread_whatever_there_is():
    detect._haar.cache_clear()
    cv2.setNumThreads(2)
    build(HAAR, CropConfig(detector="haar"), threads=2)
    assert cv2.getNumThreads() == 1


@needs_model
def test_yunets_threads_change_no_bit_of_a_crop(tmp_path):
    config = CropConfig(detector="yunet", model=MODEL)
    images = [portrait.image for portrait in portraits(6, seed=16, size_px=700)]
    found = []
    for threads in (1, 2):
        detect._yunet.cache_clear()
        for number, image in enumerate(images):
            path = tmp_path / f"{number}.png"
            path.write_bytes(encode_png(image))
            result = crop_image(CropTask(path, "sha", config, resolve(config), threads))
            found.append((result.faces, result.phash))
        assert cv2.getNumThreads() == threads
    cv2.setNumThreads(1)
    assert len(found) == 12
    assert found[:6] == found[6:]
    assert all(faces for faces, _ in found)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("haar", 0.98), ("yunet", 1.0)])
def test_recall_on_annotated_photographs(name, least):
    find, hits = detector(name), 0
    with (DATA / "annotated/boxes.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        image = read(DATA / "annotated/images" / row["image"], ImageLimits())
        true = Box(*(float(row[side]) for side in ("left", "top", "right", "bottom")))
        hits += any(face.box.iou(true) >= 0.3 for face in find(image))
    assert hits / len(rows) >= least
