"""The command `facegan`: finds each command's file by name when it is called.

Nothing but Click is imported before a command runs. Expected errors end with one sentence, a hint
and the exit code of facegan.core.errors; only this file prints them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from facegan.core.errors import ConfigError, FaceganError
from facegan.core.processes import leads

FILE_NAME = "facegan.toml"
SHARED_SETTINGS = ("workspace", "quiet", "debug")
EXIT_BUG, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

COMMANDS = {
    "run": "Do scrape, crop, train, sample and score, one after another.",
    "scrape": "Gather images for a search term, with where they came from.",
    "sources": "Tell of the image sources, and check that they answer.",
    "crop": "Find the faces, cut them out and pack them into shards.",
    "review": "Look at the faces; keep and reject by hand.",
    "shard": "Pack the kept faces, or a folder of faces, into shards.",
    "train": "Train the generator on the packed faces.",
    "sample": "Draw images from a run, a checkpoint or a snapshot.",
    "score": "Judge samples: like the real faces? varied? copies?",
    "export": "Write a run's generator as safetensors and ONNX, with a model card.",
    "plot": "Draw a run's losses, accuracies and mean outputs.",
    "animate": "Show a run's sample grids through training, as a GIF.",
    "demo": "Run the whole chain offline, on drawn portraits.",
    "credits": "Write who made the pictures, and their licences.",
    "forget": "Take pictures out for good, and all that came from them.",
    "status": "Show what is in the workspace and what to run next.",
    "config": "Show every setting, its value and where it came from.",
    "doctor": "Check packages, devices, disk and downloaded files.",
}
"""Name -> its line in the help, so that `facegan --help` imports no command. Each is a file in
facegan/commands with an object `command`."""


class Commands(click.Group):
    """The command files of facegan/commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names, in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command's file."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"facegan.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click does it, with the nearest name for an unknown one."""
        if args and args[0] not in COMMANDS:
            from facegan.core.settings import nearest

            guess = nearest(args[0], COMMANDS)
            meant = f" Did you mean '{guess}'?" if guess else ""
            raise click.UsageError(f"No such command '{args[0]}'.{meant}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        from importlib.metadata import version

        click.echo(f"facegan {version('facegan')}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "FACEGAN"},
    epilog="The stages, one after another or all at once with `facegan run`: scrape, crop, train, "
    "score. Start with `facegan demo`: it needs no network. "
    "`facegan COMMAND -h` has examples.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Settings file.  [default: {FILE_NAME} in this folder, where there is one]",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and stop.",
)  # fmt: skip
@click.pass_context
def facegan(ctx: click.Context, config: Path | None) -> None:
    """From a search term to a trained and measured face generator."""
    path = config or Path(FILE_NAME)
    if config is not None or path.is_file():
        from facegan.core.settings import default_map

        commands = {name: _parameters(ctx, name) for name in COMMANDS}
        ctx.default_map = default_map(path, commands, SHARED_SETTINGS, apart=("demo",))
    ctx.obj["config"] = path


def _parameters(ctx: click.Context, name: str) -> list[str]:
    command = facegan.get_command(ctx, name)
    assert command is not None  # noqa: S101 - name is one of COMMANDS
    return [parameter.name for parameter in command.params if parameter.name]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with the exit code."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(args))


def _run(args: list[str]) -> int:
    # Before torch is imported: threads that wait by spinning made training 2.7 times slower where
    # another program wanted the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    flags = {"json": "--json" in args, "debug": "--debug" in args}
    try:
        result = facegan.main(args, prog_name="facegan", standalone_mode=False, obj=flags)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_USAGE
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx else "facegan --help"
        return _fail(flags, ConfigError(error.format_message() + _origin(error), hint=hint))
    except FaceganError as error:
        return _fail(flags, error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; the same command goes on", err=True)
        if flags["json"]:
            _print_json(None, "Interrupted", "interrupted", None, EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, and nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _bug(flags, error)


def _origin(error: click.UsageError) -> str:
    """Where a wrong value came from, when it was not typed."""
    parameter, ctx = getattr(error, "param", None), error.ctx
    if parameter is None or ctx is None or not parameter.name:
        return ""
    source = ctx.get_parameter_source(parameter.name)
    if source == click.core.ParameterSource.DEFAULT_MAP:
        return f" (from {ctx.find_root().obj['config']}, {ctx.info_name}.{parameter.name})"
    if source == click.core.ParameterSource.ENVIRONMENT:
        prefix = f"{ctx.auto_envvar_prefix}_{parameter.name}".upper()
        return f" (from the environment, {parameter.envvar or prefix})"
    return ""


def _fail(flags: dict[str, Any], error: FaceganError) -> int:
    if not leads() and error.process is None:
        return error.exit_code  # the first of the processes says it
    if flags["debug"]:
        import traceback

        traceback.print_exception(error)
    if flags["json"]:
        _print_json(error, error.code, error.message, error.hint, error.exit_code)
    where = f"{error.stage}: " if error.stage else ""
    where += f"process {error.process}: " if error.process else ""
    click.secho(f"error: {where}{error.message}", fg="red", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    return error.exit_code


def _bug(flags: dict[str, Any], error: Exception) -> int:
    import traceback

    traceback.print_exception(error)
    if flags["json"]:
        _print_json(error, type(error).__name__, str(error), None, EXIT_BUG)
    click.secho(
        "error: this is a bug in facegan; please report the lines above", fg="red", err=True
    )
    return EXIT_BUG


def _print_json(
    error: Exception | None, code: str, message: str, hint: str | None, exit_code: int
) -> None:
    import json

    details: dict[str, Any] = {
        "code": code,
        "message": message,
        "hint": hint,
        "exit_code": exit_code,
        "at_stage": getattr(error, "stage", None),
    }
    click.echo(json.dumps({"schema": 1, "ok": False, "error": details}, ensure_ascii=False))


if __name__ == "__main__":
    main()
