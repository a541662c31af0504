"""What a call of `facegan crop` remembers of those before it, and says before it replaces them."""

import itertools
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Note
from facegan.core.records import Outcome, Reason, Status
from pipeline import choose_detector, crop_stage, model_file
from pipeline.config import CropConfig
from pipeline.crop_plan import Recut, plan, words_of
from pipeline.crop_stage import crop
from pipeline.detect import MODEL_SHA256, ResolvedDetector
from pipeline.executors import Serial
from tests.crop_helpers import Unused, as_jpeg, drawn, faces_of, fill, rows_of

CONFIG = CropConfig(detector="haar", size=64)
HAAR = ResolvedDetector("haar")
NO_FACE = Outcome(Status.REJECTED, Reason.NO_FACE)
BLANK = as_jpeg([[[90, 120, 90]] * 80] * 80)
SMALLER = replace(CONFIG, size=32)


@pytest.fixture
def workspace(tmp_path):
    return fill(tmp_path / "data", drawn(5))


def run(workspace, config=CONFIG, **more):
    return crop(config, workspace, executor=more.pop("executor", Serial()), **more)


def warnings_of(workspace, config, **more):
    events = []
    run(workspace, config, listener=events.append, **more)
    return [event.text for event in events if isinstance(event, Note) and event.warning]


def after(images):
    asked = itertools.count()
    return lambda: next(asked) == images


def unfinished(workspace):
    with Catalog(workspace.catalog) as catalog:
        words, ended = catalog.last_crop()
        return None if ended else words


# what is cut anew


def test_other_settings_are_named_before_faces_are_cut_anew(workspace):
    assert warnings_of(workspace, CONFIG) == []
    assert warnings_of(workspace, CONFIG) == []
    (text,) = warnings_of(workspace, replace(SMALLER, align=False, margin=0.5))
    assert text == "cutting 5 faces anew: size 64 -> 32, align on -> off, margin default -> 0.5"
    assert warnings_of(workspace, replace(SMALLER, align=False, margin=0.5, max_yaw=9)) == []


def test_faces_of_an_older_catalog_are_cut_anew_with_a_word(workspace):
    run(workspace)
    database = Database(workspace.catalog)
    with database.transaction() as db:
        db.execute("DELETE FROM crops")
    database.close()
    (text,) = warnings_of(workspace, SMALLER)
    assert text == "cutting 5 faces anew: an earlier facegan cut them"


def test_the_faces_of_another_detector_are_replaced_with_a_warning(workspace):
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        kept = catalog.faces()[0]
    database = Database(workspace.catalog)
    with database.transaction() as db:
        db.execute("UPDATE faces SET detector = 'yunet' WHERE id = ?", (kept.id,))
        db.execute("UPDATE outcomes SET config_hash = 'y' WHERE item = ?", (kept.image_sha256,))
    database.close()
    (text,) = warnings_of(workspace, CONFIG)
    assert text == "cutting 1 face anew: detector yunet -> haar"


def test_kept_faces_whose_images_give_none_any_more_are_told(workspace):
    run(workspace)
    said = []
    with pytest.raises(NothingProducedError, match="no face in 5 images: 5 too_many_pixels") as why:
        run(workspace, replace(CONFIG, max_pixels=100), listener=said.append)
    assert Note("crop", "5 kept faces are gone: too_many_pixels 5", warning=True) in said
    assert why.value.hint == "facegan crop --size 64 --detector haar"


# going on


def test_an_interrupted_call_tells_the_words_that_go_on_and_what_is_left(workspace):
    run(workspace)
    assert unfinished(workspace) is None
    report = run(workspace, SMALLER, should_stop=after(2))
    assert (report.total, report.pending) == (5, 3)
    assert report.cut_before == (Recut(3, "size 64 -> 32"),)
    assert report.faces.kept == 5
    assert unfinished(workspace) == ("crop", "--size", "32", "--detector", "haar")
    report = run(workspace, SMALLER)
    assert (report.pending, report.cut_before, unfinished(workspace)) == (0, (), None)


def test_a_call_that_is_stopped_at_once_is_unfinished(workspace):
    class Stopped:
        def run(self, _work, _items):
            raise KeyboardInterrupt
            yield

    with pytest.raises(KeyboardInterrupt):
        run(workspace, executor=Stopped())
    assert unfinished(workspace) == ("crop", "--size", "64", "--detector", "haar")


def test_a_call_that_keeps_nothing_has_ended(workspace):
    with pytest.raises(NothingProducedError):
        run(workspace, replace(CONFIG, min_face_px=5000))
    assert unfinished(workspace) is None


def test_words_give_the_same_settings_back(tmp_path):
    config = CropConfig(
        size=96, detector="yunet", model=tmp_path / "m.onnx", align=False, margin=0.25, workers=7,
        max_upscale=2.0, max_pixels=10**6,
    )  # fmt: skip
    assert words_of(config, ResolvedDetector("yunet", config.model, "abc"), 0.2) == (
        "crop", "--size", "96", "--detector", "yunet", "--model", str(tmp_path / "m.onnx"),
        "--no-align", "--margin", "0.25", "--max-upscale", "2.0", "--max-pixels", "1000000",
        "--hold-out", "0.2",
    )  # fmt: skip
    assert words_of(CropConfig(), HAAR) == ("crop",)
    named = {"size", "align", "hold_out", "workspace", "margin"}
    assert words_of(CropConfig(), HAAR, named=named) == (
        "crop", "--size", "256", "--align", "--hold-out", "0.1",
    )  # fmt: skip


def test_a_model_that_is_in_the_cache_needs_no_words(tmp_path, monkeypatch):
    given = CropConfig(model=tmp_path / "m.onnx")
    zoo = ResolvedDetector("yunet", given.model, MODEL_SHA256)
    monkeypatch.setattr("pipeline.crop_plan.cached_model", lambda: None)
    assert words_of(given, zoo) == ("crop", "--model", str(given.model))
    monkeypatch.setattr("pipeline.crop_plan.cached_model", lambda: tmp_path / "cached.onnx")
    assert words_of(given, zoo) == ("crop",)


# plans


def test_a_plan_writes_nothing_and_tells_what_would_be_cut_anew(workspace):
    assert plan(CONFIG, workspace, 0.1).images == 5
    run(workspace)
    before = rows_of(workspace)
    told = plan(SMALLER, workspace, 0.1)
    assert (told.images, told.detector, told.certain) == (5, "haar", True)
    assert (told.cut_anew, told.then) == ((Recut(5, "size 64 -> 32"),), None)
    assert rows_of(workspace) == before


def test_a_plan_tells_what_other_thresholds_keep(workspace):
    run(workspace)
    values = sorted(face.sharpness for face in faces_of(workspace))
    strict = replace(CONFIG, min_sharpness=(values[1] + values[2]) / 2)
    before = rows_of(workspace)
    told = plan(strict, workspace, 0.1)
    assert (told.images, told.cut_anew, told.kept) == (0, (), 5)
    assert (told.then.kept, told.then.rejected) == (3, {"blurred": 2})
    assert rows_of(workspace) == before
    assert run(workspace, strict, executor=Unused()).faces == told.then


def test_a_plan_without_yunets_model_says_what_it_does_not_know(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    told = plan(CropConfig(), workspace, 0.1)
    assert (told.detector, told.certain, told.goes_on) == ("yunet", False, True)
    assert not plan(CropConfig(detector="yunet"), workspace, 0.1).goes_on
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        kept = catalog.faces()[0]
        found = [replace(kept, detector="yunet")]
        catalog.record_faces(kept.image_sha256, found, Outcome(Status.KEPT), "x")
    assert not plan(CropConfig(), workspace, 0.1).goes_on


# nothing is kept


def test_another_least_size_cuts_nothing_anew_and_loses_nothing(workspace):
    before = run(workspace)
    sides = sorted(face.size_px for face in faces_of(workspace))
    with pytest.raises(NothingProducedError) as caught:
        run(workspace, replace(CONFIG, min_face_px=5000), executor=Unused())
    assert caught.value.message == "none of 5 faces is kept: 5 too_small"
    line = f"facegan crop --size 64 --detector haar --min-face-px {int(sides[2])}"
    assert caught.value.hint == line
    assert run(workspace, replace(CONFIG, min_face_px=int(sides[2]))).faces.kept == 3
    assert run(workspace, executor=Unused()).shards == before.shards


def test_where_all_are_blurred_the_hint_is_a_threshold_that_half_of_them_pass(workspace):
    run(workspace)
    values = sorted(face.sharpness for face in faces_of(workspace))
    with pytest.raises(NothingProducedError, match="none of 5 faces is kept: 5 blurred") as caught:
        run(workspace, replace(CONFIG, min_sharpness=1))
    words = caught.value.hint.split()
    assert words[-2] == "--min-sharpness"
    assert values[2] - 0.01 <= float(words[-1]) <= values[2]


def test_where_all_would_be_enlarged_too_much_the_hint_is_a_size_that_can_be_cut(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:3])
    with pytest.raises(NothingProducedError, match="none of 3 faces is kept: 3 too_small") as why:
        run(workspace, replace(CONFIG, size=512))
    size = why.value.hint.removeprefix("facegan crop --size ").removesuffix(" --detector haar")
    assert run(workspace, replace(CONFIG, size=int(size))).faces.kept >= 2


def test_where_none_was_found_the_hint_is_the_other_detector(tmp_path):
    workspace = fill(tmp_path / "data", [BLANK, b"bad"])
    with pytest.raises(NothingProducedError, match="no face in 2 images") as caught:
        run(workspace)
    assert caught.value.hint == "facegan crop --size 64 --detector yunet"


def test_where_all_were_rejected_by_hand_the_hint_is_the_review(tmp_path):
    workspace = fill(tmp_path / "data", drawn(5)[:1])
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        catalog.review_face(catalog.faces()[0].id, Status.REJECTED)
    with pytest.raises(NothingProducedError, match="none of 1 face is kept: 1 reviewed") as caught:
        run(workspace)
    assert caught.value.hint == "facegan review"


# by hand


def test_decisions_that_match_no_face_are_counted(workspace):
    run(workspace)
    with Catalog(workspace.catalog) as catalog:
        for face in catalog.faces()[:2]:
            catalog.review_face(face.id, Status.KEPT)
    assert (run(workspace).strays, run(workspace).decisions) == (0, 2)
    with Catalog(workspace.catalog) as catalog:
        gone = next(face.image_sha256 for face in catalog.faces() if face.review)
        catalog.record_faces(gone, [], NO_FACE, CONFIG.config_hash("haar", None))
    report = run(workspace, executor=Unused())
    assert (report.strays, report.decisions) == (1, 2)


# models


def test_without_images_no_model_is_fetched(tmp_path, monkeypatch):
    def asked(*_, **__):
        raise AssertionError("the model was asked for")

    monkeypatch.setattr(choose_detector, "yunet_model", asked)
    empty = fill(tmp_path / "data", [])
    with pytest.raises(WorkspaceError, match="no images in"):
        run(empty, CropConfig())


def test_a_given_model_is_kept_and_that_is_said_once(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(choose_detector, "load", lambda *_: None)
    (tmp_path / "m.onnx").write_bytes(b"model")
    sha256 = model_file.files.sha256_of(b"model")
    for module in (model_file, choose_detector):
        monkeypatch.setattr(module, "MODEL_SHA256", sha256)
    config, said = CropConfig(model=tmp_path / "m.onnx"), []
    for _ in range(2):
        run(workspace, config, executor=Serial(), should_stop=lambda: True, listener=said.append)
    texts = [event.text for event in said if isinstance(event, Note)]
    assert texts.count("kept a copy of YuNet's model: later calls need no --model") == 1


class Looking:
    """Does the work, and remembers how many threads each item was given."""

    def __init__(self):
        self.threads = []

    def run(self, work, items):
        for item in items:
            self.threads.append(item.threads)
            yield item, work(item)


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (3, 2), (8, 1), (16, 1)])
def test_workers_share_the_cores_out(workspace, monkeypatch, workers, threads):
    monkeypatch.setattr(crop_stage, "available_cpus", lambda: 8)
    looking = Looking()
    crop(replace(CONFIG, workers=workers), workspace, executor=looking)
    assert looking.threads == [threads] * 5
