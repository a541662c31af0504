"""`facegan config`: each setting, its value and where it came from."""

from __future__ import annotations

from typing import Any

import click

from facegan.commands._session import Result, Session, option
from facegan.commands._session import command as facegan_command

SOURCES = {
    "COMMANDLINE": "flag",
    "ENVIRONMENT": "environment",
    "DEFAULT_MAP": "file",
    "DEFAULT": "default",
    "PROMPT": "prompt",
}


@facegan_command("config", examples=("facegan config", "facegan config train --json"))
@click.argument("name", required=False, metavar="[COMMAND]")
@option("--changed", is_flag=True, help="Only what is not a default.")
def command(session: Session, name: str | None, changed: bool) -> Result:  # noqa: ARG001
    """Show every setting, its value and where it came from.

    A flag comes before the environment (FACEGAN_TRAIN_BATCH), that before facegan.toml
    ([train] batch), that before the default.
    """
    root = click.get_current_context().find_root()
    group = root.command
    assert isinstance(group, click.Group)  # noqa: S101 - it is cli.facegan
    names = [name] if name else [n for n in group.list_commands(root) if n != "config"]
    rows = [row for each in names for row in _settings(root, group, each)]
    shown = [row for row in rows if row["source"] != "default" or not changed]
    lines = tuple(
        f"{row['command']}.{row['name']} = {row['value']!r}  ({row['from']})" for row in shown
    )
    return Result({"settings": shown}, lines or ("all settings are defaults",))


def _settings(root: click.Context, group: click.Group, name: str) -> list[dict[str, Any]]:
    found = group.get_command(root, name)
    if found is None:
        raise click.UsageError(f"No such command '{name}'.", root)
    ctx = found.make_context(name, [], parent=root, resilient_parsing=True)
    file = ctx.find_root().obj["config"]
    rows = []
    for parameter in found.params:
        if isinstance(parameter, click.Option) and parameter.name:
            source = ctx.get_parameter_source(parameter.name)
            kind = SOURCES[source.name] if source else "default"
            value = ctx.params.get(parameter.name)
            plain = value if isinstance(value, bool | int | float | None) else str(value)
            if value is None and kind != "default":
                raw, _ = parameter.consume_value(ctx, {})
                plain, kind = str(raw), f"not valid, {kind}"
            rows.append(
                {
                    "command": name,
                    "name": parameter.opts[-1].lstrip("-"),
                    "value": plain,
                    "source": kind,
                    "from": f"{kind} {file}" if kind.endswith("file") else kind,
                }
            )
    return rows
