"""Thumbnails: made once, made again when broken, never a reason to stop."""

import shutil

import cv2
import numpy as np
import pytest

from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from pipeline.images import encode_png
from pipeline.review.thumbs import FOLDER, thumb


def store(root, data):
    sha256 = sha256_of(data)
    write_bytes(root / content_path("faces", sha256, ".png"), data)
    return sha256


@pytest.mark.parametrize(("side", "shown"), [(256, 128), (128, 128), (64, 64)])
def test_crop_is_reduced_and_never_enlarged(tmp_path, side, shown):
    sha256 = store(tmp_path, encode_png(np.full((side, side, 3), (200, 40, 40), np.uint8)))
    image = cv2.imdecode(np.frombuffer(thumb(Workspace(tmp_path), sha256), np.uint8), 1)
    assert image.shape == (shown, shown, 3)
    assert abs(image[0, 0].astype(int) - (40, 40, 200)).max() < 8


def test_second_time_it_comes_from_the_cache(tmp_path):
    sha256 = store(tmp_path, encode_png(np.zeros((64, 64, 3), np.uint8)))
    first = thumb(Workspace(tmp_path), sha256)
    shutil.rmtree(tmp_path / "faces")
    assert thumb(Workspace(tmp_path), sha256) == first


def test_torn_cached_file_is_made_again(tmp_path):
    sha256 = store(tmp_path, encode_png(np.zeros((64, 64, 3), np.uint8)))
    whole = thumb(Workspace(tmp_path), sha256)
    cached = tmp_path / content_path(FOLDER, sha256, ".jpg")
    cached.write_bytes(whole[:100])
    assert thumb(Workspace(tmp_path), sha256) == whole == cached.read_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"no picture", encode_png(np.zeros((9, 9, 3), np.uint8))[:60]]
)
def test_broken_crop_gives_none(tmp_path, data):
    assert thumb(Workspace(tmp_path), store(tmp_path, data)) is None


def test_missing_crop_gives_none(tmp_path):
    assert thumb(Workspace(tmp_path), "0" * 64) is None


def test_cache_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    sha256 = store(tmp_path, encode_png(np.zeros((64, 64, 3), np.uint8)))
    assert thumb(Workspace(tmp_path), sha256).startswith(b"\xff\xd8")
