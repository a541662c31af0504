"""Option values with units: `10k`, `2GiB`, `30m`."""

from __future__ import annotations

import math
import re
from typing import Any

import click

_COUNTS = {"": 1, "k": 1_000, "m": 1_000_000}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_quantity(text: str, units: dict[str, int]) -> float | None:
    """A number with one of `units` behind it; None when `text` is none.

    >>> parse_quantity("1.5k", {"": 1, "k": 1000})
    1500.0
    """
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    if not match or match[2].lower() not in units:
        return None
    return float(match[1].replace("_", "")) * units[match[2].lower()]


class Quantity(click.ParamType[int]):
    """A whole number with a unit."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        self.name = name
        self.units = units
        self.example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse one value; a number is taken as it is."""
        number = value if isinstance(value, int | float) else None
        if number is None:
            number = parse_quantity(str(value), self.units)
        if number is None or not math.isfinite(number) or number != int(number):
            self.fail(f"{value!r} is no {self.name}, such as {self.example}", param, ctx)
        return int(number)


COUNT = Quantity("count", _COUNTS, "500 or 10k")
BYTES = Quantity("size", _BYTES, "500kB or 20MiB")
DURATION = Quantity("duration", _SECONDS, "90s, 30m or 2h")


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the text; a sequence is taken as it is."""
        words = value.split(",") if isinstance(value, str) else value
        names = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if not names:
            self.fail(f"{value!r} holds no name", param, ctx)
        return names


NAMES = Names()
