from pathlib import Path

import pytest

from facegan.core.errors import ConfigError
from facegan.core.settings import default_map, nearest

COMMANDS = {"train": ["iters", "batch", "workspace"], "crop": ["size", "workspace"]}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "facegan.toml"
    path.write_text(text)
    return path


def test_shared_settings_reach_every_command_and_tables_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, 'workspace = "w"\n[train]\niters = "10k"\n')
    assert default_map(path, COMMANDS, ["workspace"]) == {
        "train": {"workspace": "w", "iters": "10k"},
        "crop": {"workspace": "w"},
    }


def test_dashes_and_underscores_are_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, "[train]\nsample-every = 5\n")
    assert default_map(path, {"train": ["sample_every"]}, [])["train"] == {"sample_every": "5"}


def test_every_unknown_setting_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "worspace = 1\n[train]\niter = 3\n[tarin]\nx = 1\n")
    with pytest.raises(ConfigError) as caught:
        default_map(path, COMMANDS, ["workspace"])
    problems = caught.value.message.splitlines()
    assert len(problems) == 3
    assert "did you mean workspace?" in problems[0]
    assert "did you mean train?" in problems[1]
    assert "did you mean train.iters?" in problems[2]


def test_broken_and_missing_files_are_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no settings file"):
        default_map(tmp_path / "none.toml", COMMANDS, [])
    with pytest.raises(ConfigError, match="is no TOML"):
        default_map(write(tmp_path, "iters ="), COMMANDS, [])


def test_nearest_is_none_when_nothing_is_near() -> None:
    assert nearest("zzz", ["iters"]) is None
