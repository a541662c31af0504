"""Help pages: examples first, then the options in groups."""

from __future__ import annotations

from typing import Any

import click


class Option(click.Option):
    """An option that belongs to a named group of the help page."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        kwargs.setdefault("show_default", True)
        super().__init__(*args, **kwargs)
        self.group = group


class Command(click.Command):
    """A command whose help begins with examples."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

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
