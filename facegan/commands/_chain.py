"""Several commands, one after another, as `facegan run` and `facegan demo` want them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import click

from facegan.commands._session import NESTED, Result, Session
from facegan.core.errors import FaceganError


@dataclass(frozen=True, slots=True)
class Step:
    """One command with its arguments."""

    name: str
    args: tuple[str, ...] = ()


def run_steps(session: Session, steps: Sequence[Step]) -> list[tuple[str, Result]]:
    """Run `steps` in order, each parsed as if it had been typed, in the session's workspace.

    What each step gave the next is shown on stderr as soon as it is known. Stops after a step that
    was interrupted.

    Raises:
        FaceganError: a step's own error, with the step's name as its attribute `stage`.
    """
    ctx = click.get_current_context()
    results: list[tuple[str, Result]] = []
    for number, step in enumerate(steps, start=1):
        line = shlex.join(("facegan", step.name, *step.args))
        _tell(session, f"[{number}/{len(steps)}] {line}")
        result = _run(ctx, session, step)
        results.append((step.name, result))
        for text in result.lines:
            _tell(session, f"      {text}")
        if result.interrupted or session.should_stop():
            break
    return results


def chain_result(session: Session, results: Sequence[tuple[str, Result]], *, again: str) -> Result:
    """One result of many: the data by stage, the last line of each for people."""
    last = results[-1][1]
    data = {name: dict(result.data) for name, result in results}
    lines = tuple(f"{name:<7} {text}" for name, result in results for text in result.lines)
    following = session.flag(again) if last.interrupted else last.next
    return Result({"stages": data}, lines, following, interrupted=last.interrupted)


def _tell(session: Session, text: str) -> None:
    if not session.quiet:
        click.echo(text, err=True)


def _run(ctx: click.Context, session: Session, step: Step) -> Result:
    root = ctx.find_root()
    group = root.command
    assert isinstance(group, click.Group)  # noqa: S101 - it is cli.facegan
    command = group.get_command(root, step.name)
    assert command is not None  # noqa: S101 - the steps are ours
    args = [*step.args, "--workspace", str(session.workspace.root)]
    if session.quiet:
        args.append("--quiet")
    with command.make_context(step.name, args, parent=root) as sub:
        sub.meta[NESTED] = True
        try:
            result: Result = command.invoke(sub)
        except FaceganError as error:
            error.stage = step.name
            raise
        finally:
            sub.meta.pop(NESTED, None)
    return result
