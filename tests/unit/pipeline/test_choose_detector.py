"""What `auto` comes to where faces are there, and a given model that is kept."""

import pytest

from facegan.core.errors import MissingDependencyError, SourceError, WorkspaceError
from facegan.core.files import sha256_of, write_bytes
from pipeline import choose_detector, model_file
from pipeline.config import CropConfig
from pipeline.detect import ResolvedDetector, planned, resolve
from pipeline.model_file import MODEL_NAME, MODEL_URL, cached_model, keep_model

MODEL, OTHER = b"the Zoo's model", b"another model"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; MODEL passes for the Zoo's, and both for networks."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    for module in (model_file, choose_detector):
        monkeypatch.setattr(module, "MODEL_SHA256", sha256_of(MODEL))
    monkeypatch.setattr(choose_detector, "load", lambda *_: None)
    return tmp_path / "cache" / "models" / MODEL_NAME


def offline(_):
    raise SourceError(f"{MODEL_URL}: the name has no address (no internet?)")


def file_of(tmp_path, data):
    path = tmp_path / "given.onnx"
    path.write_bytes(data)
    return path


def auto(found_by, **more):
    return resolve(CropConfig(), found_by=found_by, **more)


@pytest.mark.parametrize("found_by", [{"yunet"}, {"yunet", "haar"}, {"yunet:0123456789ab"}])
def test_auto_leaves_what_yunet_has_found_to_no_other_detector(found_by):
    with pytest.raises(MissingDependencyError, match="found by YuNet, whose model can") as caught:
        auto(found_by, fetch=offline)
    assert "cannot be fetched: the name has no address (no internet?);" in caught.value.message
    assert "--detector haar" in caught.value.message
    assert caught.value.hint == "facegan crop --model FILE"
    assert resolve(CropConfig(detector="haar"), found_by=found_by) == ResolvedDetector("haar")


@pytest.mark.parametrize("found_by", [(), {"haar"}])
def test_auto_is_haar_where_yunet_has_found_nothing(found_by):
    assert auto(found_by, fetch=offline) == ResolvedDetector("haar")


def test_auto_goes_from_haar_to_yunet():
    assert auto({"haar"}, fetch=lambda path: write_bytes(path, MODEL)).label == "yunet"


def test_auto_leaves_what_another_model_has_found_to_no_other(tmp_path, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(MODEL)
    given = CropConfig(model=file_of(tmp_path, OTHER))
    label = resolve(given).label
    assert label.startswith("yunet:")
    for ask in (auto, lambda found_by: planned(CropConfig(), found_by)):
        with pytest.raises(MissingDependencyError, match=f"by another model, {label}; --det"):
            ask({label})
        assert ask({label, "yunet"}).label == "yunet"
    for config in (given, CropConfig(detector="yunet")):
        assert resolve(config, found_by={"yunet:ffffffffffff"}).name == "yunet"


def test_the_zoos_model_is_kept_where_later_calls_find_it(tmp_path, cache):
    given = file_of(tmp_path, MODEL)
    assert keep_model(given)
    given.unlink()
    assert cached_model() == cache
    assert auto({"yunet"}, fetch=None).model == cache


def test_what_is_kept_already_is_not_written_again(tmp_path, cache):
    given = file_of(tmp_path, MODEL)
    keep_model(given)
    before = cache.stat().st_mtime_ns
    assert not keep_model(given)
    assert cache.stat().st_mtime_ns == before


def test_a_damaged_copy_is_replaced(tmp_path, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"<html>")
    assert keep_model(file_of(tmp_path, MODEL))
    assert cache.read_bytes() == MODEL


def test_another_model_is_not_kept(tmp_path, cache):
    assert not keep_model(file_of(tmp_path, OTHER))
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    assert not keep_model(file_of(tmp_path, MODEL))


def test_a_cache_that_cannot_be_written_is_why_nothing_is_fetched():
    def fails(_):
        raise WorkspaceError("cannot write /c: the disk is full")

    said = []
    auto((), fetch=fails, listener=said.append)
    assert said[0].text.startswith(
        "YuNet's model cannot be fetched: cannot write /c: the disk is full; searching"
    )
