"""What every command shares: its common options, its result and how that is shown."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from facegan.commands._help import Command, Option
from facegan.commands._progress import progress
from facegan.core.events import Listener
from facegan.core.files import Workspace
from facegan.core.interrupt import stop_on_signals

JSON_SCHEMA = 1
HELP_OPTIONS = ["-h", "--help"]
EXIT_INTERRUPTED = 130
NESTED = "facegan.nested"
"""Key in Click's shared `ctx.meta`: set while `facegan run` shows the results itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command gives back: data for `--json`, lines for people."""

    data: Mapping[str, Any]
    lines: tuple[str, ...]
    next: str | None = None
    """The command to run next."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    workspace: Workspace
    listener: Listener
    should_stop: Callable[[], bool]
    quiet: bool = False
    dry_run: bool = False

    def flag(self, name: str) -> str:
        """` --workspace DIR`, for the commands that hints name, where it is not the default."""
        root = self.workspace.root
        return name if root == Path("data") else f"{name} --workspace {root}"


def command(
    name: str, *, examples: tuple[str, ...], dry_run: bool = False, workspace: str = "data"
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command of a function `(session, **options) -> Result`.

    Args:
        name: of the command.
        examples: complete command lines, shown first in the help.
        dry_run: give it `--dry-run`, which arrives as `session.dry_run`.
        workspace: the default of `--workspace`.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def wrapped(
            ctx: click.Context,
            /,
            workspace: Path,
            quiet: bool,
            json_: bool,
            debug: bool,  # noqa: ARG001 - read by cli.py from the arguments
            dry_run: bool = False,
            **options: Any,
        ) -> Result | int:
            with progress(quiet or json_) as listener, stop_on_signals(_announce) as should_stop:
                session = Session(
                    Workspace(workspace), listener, should_stop, quiet or json_, dry_run
                )
                result = function(session, **options)
            return result if ctx.meta.get(NESTED) else _show(name, result, json_)

        decorated: Callable[..., Any] = click.pass_context(wrapped)
        for option in reversed(_common_options(workspace, dry_run)):
            decorated = option(decorated)
        return click.command(
            name,
            cls=Command,
            examples=examples,
            context_settings={"help_option_names": HELP_OPTIONS},
        )(decorated)

    return decorate


def option(*names: str, group: str = "Options", **kwargs: Any) -> Callable[[Any], Any]:
    """`click.option` with a group of the help page and the default shown."""
    return click.option(*names, cls=Option, group=group, **kwargs)


def _common_options(workspace: str, dry_run: bool) -> list[Callable[[Any], Any]]:
    general = functools.partial(option, group="General")
    options = [
        general(
            "--workspace",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(workspace),
            envvar="FACEGAN_WORKSPACE",
            show_envvar=True,
            help="Folder in which the project lives.",
        ),
        general("-q", "--quiet", is_flag=True, help="No progress; warnings and errors only."),
        general("--json", "json_", is_flag=True, help="Print the result as JSON on stdout."),
        general("--debug", is_flag=True, help="Show the traceback of an error."),
    ]
    if dry_run:
        options.append(
            general("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
        )
    return options


def _announce() -> None:
    click.echo("\nfinishing what is in flight, then saving; Ctrl-C again stops at once", err=True)


def _show(name: str, result: Result, as_json: bool) -> int:
    if as_json:
        document = {
            "schema": JSON_SCHEMA,
            "command": name,
            "ok": True,
            "interrupted": result.interrupted,
            "result": result.data,
            "next": result.next,
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        show_lines(result)
    return EXIT_INTERRUPTED if result.interrupted else 0


def show_lines(result: Result) -> None:
    """Print a result for people: what changed, then what to run next."""
    for line in result.lines:
        click.echo(line)
    if result.next:
        verb = "go on" if result.interrupted else "next"
        click.echo(f"{verb}: {result.next}")
