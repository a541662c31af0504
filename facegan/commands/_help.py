"""Help pages: examples first, then the options in groups."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click


class Option(click.Option):
    """An option that belongs to a named group of the help page."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        kwargs.setdefault("show_default", True)
        super().__init__(*args, **kwargs)
        self.group = group


TYPED = "facegan.typed"
"""Key in Click's shared `ctx.meta`: command name -> its words as they were typed."""


def typed_line(ctx: click.Context) -> str:
    """The command line of a context, quoted for a shell."""
    words: Sequence[str] = ctx.meta.get(TYPED, {}).get(ctx.info_name, ())
    return shlex.join(("facegan", str(ctx.info_name), *words))


class Command(click.Command):
    """A command whose help begins with examples."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the words, then parse them."""
        ctx.meta.setdefault(TYPED, {})[ctx.info_name] = tuple(args)
        return super().parse_args(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, then the text."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write_text(example)
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section a group, in the order in which the groups first appear; General last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", "General"), []).append(record)
        groups["General"] = groups.pop("General", [])
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)
