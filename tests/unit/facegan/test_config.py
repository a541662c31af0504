from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.config import (
    IMAGE_SIZES,
    ModelConfig,
    SampleConfig,
    ScoreConfig,
    TrainConfig,
    largest_size,
)
from facegan.core.errors import ConfigError


def test_defaults_are_the_reference() -> None:
    config = TrainConfig().validate()
    assert (config.model.image_size, config.model.width, config.model.latent_size) == (256, 1, 100)
    assert (config.iters, config.batch) == (50_000, 16)
    assert (config.learning_rate, config.beta1, config.beta2) == (1e-4, 0.5, 0.999)
    assert (config.flip, config.jitter) == (True, 0.2)


@pytest.mark.parametrize("config", [ModelConfig(), TrainConfig(), SampleConfig(), ScoreConfig()])
def test_every_default_is_allowed(config: ModelConfig) -> None:
    assert config.problems() == []


@given(
    size=st.sampled_from(IMAGE_SIZES),
    width=st.floats(0.0625, 4),
    iters=st.integers(1, 10**9),
    seed=st.integers(0, 2**63 - 1),
    rate=st.floats(1e-9, 1),
    flip=st.booleans(),
)
def test_json_gives_the_same_config_back(
    size: int, width: float, iters: int, seed: int, rate: float, flip: bool
) -> None:
    model = ModelConfig(size, width)
    config = TrainConfig(model=model, iters=iters, seed=seed, learning_rate=rate, flip=flip)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_score_config_survives_json() -> None:
    config = ScoreConfig(weights="inception.pth")
    assert ScoreConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_values_take_their_defaults() -> None:
    config = TrainConfig.from_dict({"batch": 8, "model": {"image_size": 64}})
    assert config == TrainConfig(batch=8, model=ModelConfig(image_size=64))


def test_unknown_keys_are_refused_by_name() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"batches": 8, "model": {"widht": 1.0}})
    assert "unknown setting 'batches'; did you mean 'batch'?" in caught.value.message
    assert "unknown setting 'model.widht'; did you mean 'width'?" in caught.value.message


def test_wrong_types_are_refused_by_name() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"batch": "16", "flip": 1, "iters": True, "model": 3})
    lines = caught.value.message.splitlines()
    assert "batch is '16': int is needed" in lines
    assert "flip is 1: bool is needed" in lines
    assert "iters is True: int is needed" in lines
    assert "model. is 3: a table of settings is needed" in lines


def test_whole_numbers_pass_for_floats() -> None:
    assert TrainConfig.from_dict({"jitter": 0}).jitter == 0.0


def test_all_problems_are_gathered_with_range_and_nearest_value() -> None:
    config = TrainConfig(
        model=ModelConfig(image_size=100, width=9.0), batch=0, beta1=1.5, device="gpu", name="a/b"
    )
    with pytest.raises(ConfigError) as caught:
        config.validate()
    lines = caught.value.message.splitlines()
    assert lines[0] == (
        "--size is 100: one of 32, 64, 128, 256, 512 is allowed; the nearest is 128"
    )
    assert lines[1] == "--width is 9.0: 0.0625 to 4.0 is allowed; the nearest is 4.0"
    assert lines[2] == "--batch is 0: 1 to 65,536 is allowed; the nearest is 1"
    assert lines[3].startswith("--beta1 is 1.5")
    assert lines[4].startswith("--device is 'gpu': one of auto, cuda, mps, cpu is allowed")
    assert "'a-b'" in lines[5]
    assert len(lines) == 6


@pytest.mark.parametrize(("size", "nearest"), [(0, 32), (-5, 32), (33, 32), (96, 128), (4096, 512)])
def test_sizes_suggest_the_nearest_power_of_two(size: int, nearest: int) -> None:
    (problem,) = ModelConfig(image_size=size).problems()
    assert problem.endswith(f"the nearest is {nearest}")


@pytest.mark.parametrize(
    ("shards_px", "size"), [(32, 32), (48, 32), (96, 64), (256, 256), (768, 512), (1024, 512)]
)
def test_largest_size_never_exceeds_the_shards(shards_px: int, size: int) -> None:
    assert largest_size(shards_px) == size


def test_shards_below_the_smallest_size_are_refused() -> None:
    with pytest.raises(ConfigError, match="31 px") as caught:
        largest_size(31)
    assert "--size 32" in str(caught.value.hint)


@pytest.mark.parametrize("digits", [400, 5000])
def test_huge_numbers_are_refused_in_words(digits: int) -> None:
    huge = 10**digits
    config = TrainConfig(model=ModelConfig(image_size=huge, width=huge), batch=huge, seed=huge)
    with pytest.raises(ConfigError) as caught:
        config.validate()
    lines = caught.value.message.splitlines()
    assert [line.split(" is ")[0] for line in lines] == ["--size", "--width", "--batch", "--seed"]
    assert all("about" in line and len(line) < 120 for line in lines)


def test_huge_numbers_in_json_are_refused() -> None:
    with pytest.raises(ConfigError, match="jitter is about 10\\^400"):
        TrainConfig.from_dict({"jitter": 10**400})


def test_nan_is_no_allowed_value() -> None:
    (problem,) = TrainConfig(learning_rate=float("nan")).problems()
    assert problem.endswith("the nearest is 0.0001")


def test_more_splits_than_samples_are_refused() -> None:
    (problem,) = ScoreConfig(samples=5, splits=10).problems()
    assert "--samples is 5" in problem


def test_run_name_defaults_to_the_size() -> None:
    config = TrainConfig(model=ModelConfig(image_size=64))
    assert config.run_name == "64px"
    assert replace(config, name="faces").run_name == "faces"


def test_config_and_run_folders_load_no_torch() -> None:
    code = "import facegan.config, facegan.resume, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
