"""The first thing a user types."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import cli

HEAVY = ("torch", "torchvision", "numpy", "cv2", "scipy", "matplotlib", "rich", "requests", "PIL")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "scrape" in done.stdout


@pytest.mark.timed
def test_help_answers_within_a_fifth_of_a_second() -> None:
    console_script = str(Path(sys.executable).parent / "facegan")
    best = min(seconds([console_script, "--help"]) for _ in range(5))
    assert best < 0.2


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    ctx = click.Context(cli.facegan)
    command = cli.facegan.get_command(ctx, name)
    assert command is not None
    assert command.get_short_help_str()
    assert getattr(command, "examples", ())
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name}: {parameter.opts}"


def test_command_files_and_the_list_of_commands_agree() -> None:
    files = Path(cli.__file__).parent.glob("facegan/commands/*.py")
    assert {path.stem for path in files if not path.stem.startswith("_")} == set(cli.COMMANDS)


def test_the_thresholds_of_crop_are_those_of_its_settings() -> None:
    from facegan.commands.crop import command
    from pipeline.config import CropConfig

    config = CropConfig()
    shown = {p.name: p.default for p in command.params if hasattr(config, p.name or "")}
    assert {"min_sharpness", "max_yaw", "duplicates", "max_upscale"} <= shown.keys()
    shown.pop("workers")
    differing = {name for name, value in shown.items() if value != getattr(config, name)}
    assert differing <= {"max_pixels"}  # written 100m
