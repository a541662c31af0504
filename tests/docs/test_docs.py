"""What the pages show must parse, and what is marked must run."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?P<mark><!-- run -->\n)?```(?P<kind>sh|python)\n(?P<body>.*?)```", re.DOTALL)


def blocks() -> Iterator[tuple[str, bool, str]]:
    """(kind, marked to run, body) of every code block of the pages."""
    for path in PAGES:
        for match in BLOCK.finditer(path.read_text()):
            yield match["kind"], bool(match["mark"]), match["body"]


def commands() -> list[str]:
    """Every command line of facegan's that a page shows."""
    found = []
    for kind, _, body in blocks():
        if kind == "sh":
            lines = body.replace("\\\n", " ").splitlines()
            found += [line.strip() for line in lines if line.strip().startswith("facegan")]
    return sorted(set(found))


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("line", commands())
def test_shown_commands_parse(line: str) -> None:
    args = words(line)
    root = click.Context(cli.facegan, info_name="facegan")
    if not args or args[0].startswith("-"):
        return
    command = cli.facegan.get_command(root, args[0])
    assert command is not None, args[0]
    if "-h" in args or "--help" in args:
        return
    command.make_context(args[0], args[1:], parent=root)


def test_pages_show_commands() -> None:
    assert len(commands()) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("body", [body for kind, mark, body in blocks() if mark and kind == "sh"])
def test_marked_shell_blocks_run(body: str, tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    program = f"set -eu\nPATH={folder}:$PATH\n{body}"
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "body", [body for kind, mark, body in blocks() if mark and kind == "python"]
)
def test_marked_python_blocks_run(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(body, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102


def test_reference_of_commands_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs/make_commands.py"))["page"]()
    assert (ROOT / "docs/commands.md").read_text() == page, "run: python docs/make_commands.py"


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in cli.COMMANDS if f"`facegan {name}`" not in text] == []


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name in re.findall(r"make (\w+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_the_tables_of_the_performance_page_are_those_of_the_results() -> None:
    made = runpy.run_path(str(ROOT / "docs/make_performance.py"))
    page = (ROOT / "docs/performance.md").read_text()
    assert made["filled"](page) == page, "run python docs/make_performance.py"
