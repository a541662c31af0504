"""Settings from `facegan.toml`: below the environment and the flags, above the defaults.

The file has one table a command and, at the top, what all commands share:

    workspace = "data"

    [train]
    iters = "10k"
    batch = 32
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facegan.core.errors import ConfigError


def read_file(path: Path) -> dict[str, Any]:
    """Parse a settings file.

    Raises:
        ConfigError: it is missing, unreadable or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no settings file {path}", hint="leave out --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error


def default_map(
    path: Path,
    commands: Mapping[str, Iterable[str]],
    shared: Iterable[str],
    apart: Iterable[str] = (),
) -> dict[str, dict[str, Any]]:
    """Read a file into Click's `default_map`: command -> parameter -> value.

    Args:
        path: the settings file.
        commands: the parameters of each command; dashes and underscores are the same.
        shared: parameters that may stand at the top of the file, for every command.
        apart: commands that take nothing from the top of the file.

    Raises:
        ConfigError: as `read_file`, or a table or key that no command knows; all are named.
    """
    values = read_file(path)
    common = {_key(k): _plain(v) for k, v in values.items() if not isinstance(v, dict)}
    problems = _unknown(path, "", common, set(shared))
    result: dict[str, dict[str, Any]] = {
        name: {k: v for k, v in common.items() if k in set(parameters) and name not in set(apart)}
        for name, parameters in commands.items()
    }
    tables = {name: table for name, table in values.items() if isinstance(table, dict)}
    problems += _unknown(path, "", tables, set(commands))
    for name, table in tables.items():
        if name in commands:
            entries = {_key(k): _plain(v) for k, v in table.items()}
            problems += _unknown(path, f"{name}.", entries, set(commands[name]))
            result[name] |= entries
    if problems:
        raise ConfigError.of(problems)
    return result


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be.

    >>> nearest("iter", ["iters", "batch"])
    'iters'
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def _plain(value: Any) -> Any:
    """Numbers as text, as flags and the environment give them: the option's type judges them."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _key(name: str) -> str:
    return name.replace("-", "_")


def _unknown(path: Path, prefix: str, found: Iterable[str], known: set[str]) -> list[str]:
    problems = []
    for name in found:
        if name not in known:
            guess = nearest(name, known)
            meant = f"; did you mean {prefix}{guess}?" if guess else ""
            problems.append(f"{path}: there is no setting {prefix}{name}{meant}")
    return problems
