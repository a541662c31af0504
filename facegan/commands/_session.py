"""What every command shares: its common options, its result and how that is shown."""

from __future__ import annotations

import contextlib
import functools
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from facegan.commands._help import Command, Option, typed_line
from facegan.commands._progress import progress
from facegan.core.errors import FaceganError
from facegan.core.events import Listener
from facegan.core.files import Workspace
from facegan.core.interrupt import default_signals, stop_on_signals
from facegan.core.processes import leads

JSON_SCHEMA = 1
EXIT_INTERRUPTED = 130
HELP_OPTIONS = ["-h", "--help"]
DEFAULT_WORKSPACE = "data"
CHAIN = "facegan.chain"
"""Key in Click's shared `ctx.meta`: the `should_stop` of the chain that runs this command and shows
its result."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command gives back: data for `--json`, lines for people."""

    data: Mapping[str, Any]
    lines: tuple[str, ...]
    next: str | None = None
    """The command to run next; where the command was interrupted, the one that goes on."""
    interrupted: bool = False
    exit_code: int = 0
    """Another one where the command did what it should and what it found is not well."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    workspace: Workspace
    listener: Listener
    should_stop: Callable[[], bool]
    quiet: bool = False
    dry_run: bool = False

    def flag(self, line: str) -> str:
        """A command line with ` --workspace DIR`, where that is not the default."""
        root = self.workspace.root
        if root == Path(DEFAULT_WORKSPACE) or "--workspace" in line:
            return line
        return f"{line} --workspace {shlex.quote(str(root))}"

    @property
    def again(self) -> str:
        """The running command as it was typed."""
        return typed_line(click.get_current_context())


def command(
    name: str,
    *,
    examples: tuple[str, ...],
    dry_run: bool = False,
    workspace: str = DEFAULT_WORKSPACE,
    stops_softly: bool = False,
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command of a function `(session, **options) -> Result`.

    Args:
        name: of the command.
        examples: complete command lines, shown first in the help.
        dry_run: give it `--dry-run`, which arrives as `session.dry_run`.
        workspace: the default of `--workspace`.
        stops_softly: the function asks `session.should_stop`, so that Ctrl-C finishes what is in
            flight; the others stop at once.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def wrapped(
            ctx: click.Context,
            /,
            workspace: Path,
            quiet: bool,
            json_: bool,
            debug: bool,
            dry_run: bool = False,
            **options: Any,
        ) -> Result | int:
            chain = ctx.meta.get(CHAIN)
            if chain is None:
                ctx.find_root().obj |= {"json": json_, "debug": debug}
            silent = quiet or json_ or not leads()
            with progress(silent) as listener, _stopping(stops_softly, chain) as stop:
                session = Session(Workspace(workspace), listener, stop, quiet or json_, dry_run)
                with _hints_for(session):
                    result = function(session, **options)
            if chain:
                return result
            return _show(name, result, json_) if leads() else _exit_code(result)

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


def given() -> set[str]:
    """The parameters of the running command that are no defaults."""
    from click.core import ParameterSource

    ctx = click.get_current_context()
    return {
        name for name in ctx.params if ctx.get_parameter_source(name) != ParameterSource.DEFAULT
    }


def option(*names: str, group: str = "Options", **kwargs: Any) -> Callable[[Any], Any]:
    """`click.option` with a group of the help page and the default shown."""
    return click.option(*names, cls=Option, group=group, **kwargs)


def _common_options(workspace: str, dry_run: bool) -> list[Callable[[Any], Any]]:
    general = functools.partial(option, group="General")
    # A command with a workspace of its own, the demo, never works in the user's.
    shared: dict[str, Any] = {"envvar": "FACEGAN_WORKSPACE", "show_envvar": True}
    options = [
        general(
            "--workspace",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(workspace),
            help="Folder in which the project lives.",
            **(shared if workspace == DEFAULT_WORKSPACE else {}),
        ),
        general(
            "-q", "--quiet", is_flag=True, help="No progress: only warnings, errors and the result."
        ),
        general("--json", "json_", is_flag=True, help="Print the result as JSON on stdout."),
        general("--debug", is_flag=True, help="Show the traceback of an error."),
    ]
    if dry_run:
        options.append(
            general("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
        )
    return options


@contextlib.contextmanager
def _stopping(softly: bool, chain: Callable[[], bool] | None) -> Iterator[Callable[[], bool]]:
    """How Ctrl-C ends the command: its own handler, its chain's, or Python's."""
    if not softly:
        with default_signals():
            yield lambda: False
    elif chain is not None:
        yield chain
    else:
        with stop_on_signals(_announce) as should_stop:
            yield should_stop


@contextlib.contextmanager
def _hints_for(session: Session) -> Iterator[None]:
    """Let the commands that errors name work in the session's workspace."""
    try:
        yield
    except FaceganError as error:
        if error.hint and error.hint.startswith("facegan "):
            error.hint = session.flag(error.hint)
        raise


def _announce() -> None:
    if leads():
        text = "\nfinishing what is in flight, then saving; Ctrl-C again stops at once"
        click.echo(text, err=True)


def _show(name: str, result: Result, as_json: bool) -> int:
    if as_json:
        document = {
            "schema": JSON_SCHEMA,
            "command": name,
            "ok": not result.exit_code,
            "interrupted": result.interrupted,
            "result": result.data,
            "next": result.next,
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        for line in result.lines:
            click.echo(line)
        if result.next:
            click.echo(f"{'go on' if result.interrupted else 'next'}: {result.next}")
    return _exit_code(result)


def _exit_code(result: Result) -> int:
    return EXIT_INTERRUPTED if result.interrupted else result.exit_code
