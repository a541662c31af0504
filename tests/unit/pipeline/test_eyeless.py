"""Faces of Haar's whose eyes were not found are framed as the eyes of others would frame them."""

import numpy as np
import pytest

from facegan.core.records import Box, Face
from pipeline import crop as crop_module
from pipeline.align import ffhq_framing
from pipeline.crop import EYELESS_SIDE, EYELESS_UP, crop_image
from pipeline.detect import ResolvedDetector, build
from pipeline.images import ImageLimits, decode
from pipeline.portraits import portraits
from pipeline.windows import crop_face
from tests.unit.pipeline.test_crop import faces_at, ramp, task_of

BOX = Box(100, 90, 200, 190)


def framed(tmp_path, monkeypatch, face, image, **settings):
    faces_at(monkeypatch, face)
    (crop,) = crop_image(task_of(tmp_path, image, size=64, **settings)).faces
    return crop, decode(crop.png, ImageLimits())


def test_a_face_without_eyes_is_wider_than_its_box_and_lies_higher(tmp_path, monkeypatch):
    crop, pixels = framed(tmp_path, monkeypatch, Face(BOX, 1.0), ramp(250, 250))
    middle, step = pixels[31:33, 31:33].mean((0, 1)), EYELESS_SIDE * 100 / 64
    assert middle[:2] == pytest.approx([149.5, 139.5 - 100 * EYELESS_UP], abs=1)
    assert pixels[32, 63, 0] - float(pixels[32, 0, 0]) == pytest.approx(63 * step, abs=2)
    assert crop.quality.upscale == pytest.approx(1 / step)
    assert (crop.quality.roll, crop.quality.padding) == (None, 0)


@pytest.mark.parametrize("settings", [{"align": False}, {"margin": 0.1}, {"margin": 0.0}])
def test_without_aligning_and_with_a_margin_the_box_counts(tmp_path, monkeypatch, settings):
    image = np.random.default_rng(2).integers(0, 256, (250, 250, 3), np.uint8)
    _, pixels = framed(tmp_path, monkeypatch, Face(BOX, 1.0), image, **settings)
    own = crop_face(image, BOX, margin=settings.get("margin", 0.1), size=64)
    assert np.array_equal(pixels, own)


def test_what_lies_beyond_the_picture_is_counted_as_of_any_aligned_face(tmp_path, monkeypatch):
    crop, _ = framed(tmp_path, monkeypatch, Face(Box(0, 0, 100, 100), 1.0), ramp(250, 250))
    side = EYELESS_SIDE * 100
    left, top = side / 2 - 50, side / 2 - 50 + EYELESS_UP * 100
    assert crop.quality.padding == pytest.approx(1 - (1 - left / side) * (1 - top / side), abs=0.03)


def test_the_framing_is_about_that_of_the_eyes_of_drawn_portraits(tmp_path):
    found = []
    for portrait in portraits(20, seed=9, size_px=256):
        task = task_of(tmp_path, portrait.image)
        for face in build(ResolvedDetector("haar"), task.config)(portrait.image):
            if face.landmarks:
                by_eyes = ffhq_framing(face.landmarks, 0)
                as_eyes = crop_module._as_eyes_would(face.box)
                lower = (as_eyes.centre[1] - by_eyes.centre[1]) / by_eyes.side_px
                found.append((as_eyes.side_px / by_eyes.side_px, lower))
    assert len(found) >= 10
    assert np.median(found, 0) == pytest.approx([1.0, 0.0], abs=0.1)
