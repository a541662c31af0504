"""Several commands, one after another, as `facegan run` and `facegan demo` want them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from facegan.commands._session import CHAIN, Result, Session
from facegan.core.errors import FaceganError

ISOLATED = {"default_map": {}, "auto_envvar_prefix": "FACEGAN_ISOLATED"}
"""For `make_context`: neither facegan.toml nor the environment sets an option."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command with its arguments."""

    name: str
    args: tuple[str, ...] = ()
    of_the_run: bool = False
    """Whether the run that the step `train` gave is its first argument."""


def parse_steps(
    session: Session, steps: Sequence[Step], *, isolated: bool = False
) -> dict[str, dict[str, Any]]:
    """Parse every step before the first one runs; each step's parameters by its name.

    Raises:
        click.UsageError: an option of a step cannot be.
    """
    return {step.name: _context(session, step, step.args, isolated).params for step in steps}


def run_steps(
    session: Session, steps: Sequence[Step], *, isolated: bool = False
) -> dict[str, Result]:
    """Run `steps` in order, each parsed as if it had been typed, in the session's workspace.

    What each step gave the next is shown on stderr as soon as it is known. Stops before the next
    step once it should.

    Args:
        session: of the command that runs the chain.
        steps: what to run.
        isolated: keep facegan.toml and the environment out of the steps' options.

    Raises:
        FaceganError: a step's own error, with the step's name as its attribute `stage`.
    """
    results: dict[str, Result] = {}
    for number, step in enumerate(steps, start=1):
        if session.should_stop() or any(result.interrupted for result in results.values()):
            break
        run = (str(results["train"].data["run"]),) if step.of_the_run else ()
        args = (*run, *step.args)
        line = shlex.join(("facegan", step.name, *args))
        _tell(session, f"[{number}/{len(steps)}] {session.flag(line)}")
        results[step.name] = _run(session, step, args, isolated)
        for text in results[step.name].lines:
            _tell(session, f"      {text}")
    return results


def chain_result(session: Session, steps: Sequence[Step], results: dict[str, Result]) -> Result:
    """One result of many; interrupted when a step was, or when steps are missing."""
    interrupted = len(results) < len(steps) or any(r.interrupted for r in results.values())
    data = {name: dict(result.data) for name, result in results.items()}
    lines = tuple(f"{name:<7} {text}" for name, r in results.items() for text in r.lines if text)
    last = list(results.values())[-1].next if results else None
    return Result({"stages": data}, lines, session.again if interrupted else last, interrupted)


def _tell(session: Session, text: str) -> None:
    if not session.quiet:
        click.echo(text, err=True)


def _context(session: Session, step: Step, args: Sequence[str], isolated: bool) -> click.Context:
    root = click.get_current_context().find_root()
    group = root.command
    assert isinstance(group, click.Group)  # noqa: S101 - it is cli.facegan
    command = group.get_command(root, step.name)
    assert command is not None  # noqa: S101 - the steps are ours
    words = [*args, "--workspace", str(session.workspace.root)]
    if session.quiet:
        words.append("--quiet")
    extra: dict[str, Any] = ISOLATED if isolated else {}
    return command.make_context(step.name, words, parent=root, **extra)


def _run(session: Session, step: Step, args: Sequence[str], isolated: bool) -> Result:
    with _context(session, step, args, isolated) as ctx:
        ctx.meta[CHAIN] = session.should_stop
        try:
            result: Result = ctx.command.invoke(ctx)
        except FaceganError as error:
            error.stage = step.name
            raise
        finally:
            ctx.meta.pop(CHAIN, None)
    return result
