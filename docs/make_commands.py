"""Write docs/commands.md from the help pages: `python docs/make_commands.py`."""

from __future__ import annotations

from pathlib import Path

import click

import cli

PAGE = Path(__file__).with_name("commands.md")
WIDTH = 96


def page() -> str:
    """The whole page, as it should be."""
    width = {"max_content_width": WIDTH, "terminal_width": WIDTH}
    settings = cli.facegan.context_settings
    root = click.Context(cli.facegan, info_name="facegan", **settings, **width)
    parts = [
        "# Commands\n\nMade from the help pages by `docs/make_commands.py`; a test compares.\n",
        _section("facegan", cli.facegan.get_help(root)),
    ]
    for name in cli.COMMANDS:
        command = cli.facegan.get_command(root, name)
        assert command is not None
        ctx = click.Context(command, parent=root, info_name=name, **width)
        parts.append(_section(f"facegan {name}", command.get_help(ctx)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
