"""What all settings share: frozen dataclasses whose fields know their option and allowed values.

    @dataclass(frozen=True, slots=True)
    class TrainConfig(Config):
        batch: int = setting(16, low=1, high=65_536)

`validate` gathers every problem into one ConfigError; `to_dict` and `from_dict` are the way to JSON
and back.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from facegan.core.errors import ConfigError

T = TypeVar("T")

_LONGEST_SHOWN = 10**20
"""Whole numbers from here on are told by their magnitude: Python refuses to print the largest."""


def limits(
    *,
    option: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[int | str] = (),
) -> dict[str, Any]:
    """The metadata of a field: its option's name (default: the field's) and its allowed values."""
    return {"option": option, "low": low, "high": high, "choices": tuple(choices)}


def setting(
    default: T,
    *,
    option: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[int | str] = (),
) -> T:
    """A dataclass field with `limits`; where the default is None, None is allowed."""
    metadata = limits(option=option, low=low, high=high, choices=choices)
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


class Config:
    """Base of all configs."""

    __slots__ = ()

    def problems(self) -> list[str]:
        """One sentence for each value that cannot be, nested configs included."""
        found: list[str] = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Config):
                found += value.problems()
            elif problem := _problem(field, value):
                found.append(problem)
        return found

    def validate(self) -> Self:
        """This config, when every value is allowed.

        Raises:
            ConfigError: names every option whose value is not, and what is allowed.
        """
        if found := self.problems():
            raise ConfigError.of(found)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, paths as text; `from_dict` is the way back."""
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A validated config of plain values; what is missing takes its default.

        Raises:
            ConfigError: names every unknown key, every value of a wrong type and every value that
                is not allowed.
        """
        found: list[str] = []
        config = _parse(cls, data, "", found)
        if config is None or found:
            raise ConfigError.of(found)
        return config.validate()


def option_of(field: dataclasses.Field[Any]) -> str:
    """The command line's name of a config's field, such as `--size`."""
    return field.metadata.get("option") or "--" + field.name.replace("_", "-")


def shown(value: Any) -> str:
    """A value for a sentence, however large it is.

    >>> shown("x"), shown(16), shown(10**400)
    ("'x'", '16', 'about 10^400')
    """
    if isinstance(value, int) and abs(value) >= _LONGEST_SHOWN:
        return f"about {'-' if value < 0 else ''}10^{value.bit_length() * math.log10(2):.0f}"
    return repr(value)


def _problem(field: dataclasses.Field[Any], value: Any) -> str | None:
    """What is wrong with one value, or None."""
    choices, low, high = (field.metadata.get(key) for key in ("choices", "low", "high"))
    if value is None and field.default is None:
        return None
    if choices and value not in choices:
        allowed = ", ".join(map(str, choices))
        near = _near(value, choices)
        return f"{option_of(field)} is {shown(value)}: one of {allowed} is allowed{near}"
    if low is not None and high is not None and not low <= value <= high:
        no_number = isinstance(value, float) and math.isnan(value)
        allowed = f"{option_of(field)} is {shown(value)}: {low:,} to {high:,} is allowed"
        nearest = field.default if no_number else min(max(value, low), high)
        return allowed if nearest is None else f"{allowed}; the nearest is {nearest:,}"
    return None


def _near(value: Any, choices: Sequence[Any]) -> str:
    """The choice most like `value`, as the end of a sentence: by ratio or by spelling."""
    if isinstance(value, str):
        near = difflib.get_close_matches(value, choices, 1)
        return f"; did you mean {near[0]}?" if near else ""
    within = min(max(value, 1), 2 * max(choices))
    nearest = min(choices, key=lambda choice: abs(math.log(choice / within)))
    return f"; the nearest is {nearest}"


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    return str(value) if isinstance(value, Path) else value


def _parse(cls: type[T], data: Any, path: str, found: list[str]) -> T | None:
    """A `cls` of plain values; problems go to `found`."""
    if not isinstance(data, Mapping):
        found.append(f"{path or cls.__name__} is {shown(data)}: a table of settings is needed")
        return None
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(f"unknown setting {path + str(key)!r}{hint}")
    found += [f"{path}{name} is missing" for name in _required(cls) if name not in data]
    values = {
        key: _parse(hint, data[key], f"{path}{key}.", found)
        if isinstance(hint, type) and issubclass(hint, Config)
        else _typed(hint, data[key], path + key, found)
        for key, hint in hints.items()
        if key in data
    }
    return None if found else cls(**values)


def _required(cls: Any) -> list[str]:
    nothing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is nothing and field.default_factory is nothing
    ]


def _typed(hint: Any, value: Any, path: str, found: list[str]) -> Any:
    """`value` as `hint`: whole numbers pass for floats, true and false for nothing else."""
    allowed = (tuple,) if typing.get_origin(hint) is tuple else typing.get_args(hint) or (hint,)
    if hint is float and type(value) is int and abs(value) < _LONGEST_SHOWN:
        return float(value)
    if Path in allowed and type(value) is str:
        return Path(value)
    if tuple in allowed and type(value) is list and all(type(item) is str for item in value):
        return tuple(value)
    if type(value) not in allowed and not (Path in allowed and isinstance(value, Path)):
        names = " or ".join(kind.__name__ for kind in allowed)
        found.append(f"{path} is {shown(value)}: {names} is needed")
    return value
