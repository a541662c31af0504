import json
from pathlib import Path

import pytest

from facegan.core.errors import ConfigError
from pipeline.config import CropConfig, ShardConfig


def test_defaults_are_allowed():
    assert CropConfig().validate() == CropConfig()
    assert ShardConfig().validate() == ShardConfig()


def test_all_problems_are_named_at_once_with_what_is_allowed():
    with pytest.raises(ConfigError) as caught:
        CropConfig(size=100, detector="yunnet", margin=-1, min_face_px=3, faces="best").validate()
    lines = caught.value.message.splitlines()
    assert len(lines) == 5
    for option in ("--size", "--detector", "--margin", "--min-face-px", "--faces"):
        assert sum(option in line for line in lines) == 1
    assert "did you mean yunet?" in caught.value.message
    assert "20 to 10,000 is allowed" in caught.value.message


def test_nan_is_refused():
    assert CropConfig(margin=float("nan")).problems()


def test_a_model_for_haar_is_refused():
    assert "--model" in CropConfig(detector="haar", model=Path("x.onnx")).problems()[0]


def test_shard_config_names_option_and_range():
    problems = ShardConfig(size=300, max_bytes=10).problems()
    assert ["--size" in problems[0], "--max-bytes" in problems[1]] == [True, True]


def test_hash_is_of_resolved_values():
    auto, named = CropConfig(detector="auto"), CropConfig(detector="yunet", model=Path("elsewhere"))
    assert auto.config_hash("yunet", "abc") == named.config_hash("yunet", "abc")
    assert auto.config_hash("yunet", "abc") != auto.config_hash("yunet", "abd")
    assert auto.config_hash("yunet", "abc") != auto.config_hash("haar", None)


def test_hash_ignores_what_decides_nothing():
    base = CropConfig().config_hash("haar", None)
    assert CropConfig(workers=7).config_hash("haar", None) == base
    assert CropConfig(score_threshold=0.9).config_hash("haar", None) == base
    assert CropConfig(faces="all", max_yaw=10, duplicates=2).config_hash("haar", None) == base
    assert CropConfig(min_face_px=400).config_hash("haar", None) == base
    yunet = CropConfig().config_hash("yunet", "a")
    assert CropConfig(min_face_px=30).config_hash("yunet", "a") == yunet
    for other in (
        CropConfig(size=64),
        CropConfig(margin=0.3),
        CropConfig(align=False),
        CropConfig(max_upscale=2),
        CropConfig(neighbours=3),
        CropConfig(search_px=320),
        CropConfig(min_face_px=40),
    ):
        assert other.config_hash("haar", None) != base


def test_whole_and_float_margin_are_one():
    one, same = CropConfig(margin=1), CropConfig(margin=1.0)
    assert one.config_hash("haar", None) == same.config_hash("haar", None)


def test_to_dict_is_plain():
    assert CropConfig(model=Path("m.onnx")).to_dict()["model"] == "m.onnx"
    assert ShardConfig().to_dict()["size"] is None


def test_huge_numbers_are_refused_in_words():
    problems = CropConfig(size=10**400, workers=10**400).problems()
    assert [problem.split(":")[0] for problem in problems] == [
        "--size is about 10^400",
        "--workers is about 10^400",
    ]
    assert len(ShardConfig(size=10**5000, max_bytes=10**5000).problems()) == 2


def test_hashes_stay_so_that_what_was_decided_stays_decided():
    assert CropConfig().config_hash("haar", None) == "9b2e78bf1591c3db"
    assert CropConfig().config_hash("yunet", "ab") == "5bd994d40e4baf24"


def test_json_gives_the_same_config_back():
    for config in (CropConfig(model=Path("m.onnx"), workers=3), ShardConfig(size=64)):
        assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config
