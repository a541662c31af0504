"""The import rules of the house, read off the source."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "facegan/core").glob("*.py"))
COMMANDS = sorted((ROOT / "facegan/commands").glob("*.py"))
MODEL_HALF = sorted(p for p in (ROOT / "facegan").rglob("*.py") if p not in CORE + COMMANDS)
DATA_HALF = sorted((ROOT / "pipeline").rglob("*.py"))
LIGHT = set(sys.stdlib_module_names) | {"click", "facegan"}
MAX_LINES = 300


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = top_level(tree) if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run on import; `if TYPE_CHECKING` does not."""
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=identify)
def test_core_stands_on_the_standard_library_alone(path: Path) -> None:
    names = imports(path)
    assert packages(names) <= set(sys.stdlib_module_names) | {"facegan"}
    ours = {name for name in names if name.startswith("facegan")}
    assert all(name.startswith("facegan.core") for name in ours)


@pytest.mark.parametrize("path", DATA_HALF, ids=identify)
def test_data_half_knows_neither_torch_nor_the_model_half(path: Path) -> None:
    names = imports(path)
    assert not packages(names) & {"torch", "torchvision", "cli"}
    ours = {name for name in names if name.startswith("facegan")}
    assert all(name.startswith("facegan.core") for name in ours)


@pytest.mark.parametrize("path", MODEL_HALF, ids=identify)
def test_model_half_does_not_know_the_data_half(path: Path) -> None:
    names = imports(path)
    assert not packages(names) & {"pipeline", "cv2", "cli"}
    assert not any(name.startswith("facegan.commands") for name in names)


@pytest.mark.parametrize("path", [*COMMANDS, ROOT / "cli.py"], ids=identify)
def test_commands_import_nothing_heavy_before_they_run(path: Path) -> None:
    names = imports(path, top_level_only=True)
    assert packages(names) <= LIGHT
    ours = {name for name in names if name.startswith("facegan.")}
    assert all(name.startswith(("facegan.core", "facegan.commands")) for name in ours)


@pytest.mark.parametrize("path", [*CORE, *COMMANDS, *MODEL_HALF, *DATA_HALF], ids=identify)
def test_a_room_has_one_job(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
