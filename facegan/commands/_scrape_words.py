"""What was typed for `facegan scrape`: search terms, and options that do not fit the sources."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from facegan.core.errors import ConfigError


def one_query(words: Sequence[str], sources: Sequence[str], command: str = "scrape") -> str | None:
    """The search term, which is one word for the shell.

    Args:
        words: that stand where it belongs.
        sources: that are named.
        command: that they were typed after.

    Raises:
        ConfigError: there are several.
    """
    from pipeline.sources import SOURCES

    if len(words) < 2:
        return words[0] if words else None
    if set(words[1:]) <= set(SOURCES):
        names = ",".join([*sources, *words[1:]])
        text, hint = "the names of sources stand without blanks", f"write {names}"
    else:
        text = f"{len(words)} search terms are given: {', '.join(map(repr, words))}"
        # As people quote, whatever a shell would do without.
        term = " ".join(words)
        line = shlex.quote(term) if set(term) & set('"\\$`!') else f'"{term}"'
        hint = f"put it in quotes: facegan {command} {line}"
        if command == "scrape":
            hint += "; several stand in a file (--queries FILE)"
    raise ConfigError(text, hint=hint)


def refuse_what_does_not_fit(
    term: str, sources: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Keep a name that is nobody's business from being searched for in public.

    Raises:
        ConfigError: an option was typed whose source is not asked, or that is for one source; or
            the search term is a folder of this machine, and somebody would be asked for its name.
    """
    from pipeline.scrape_config import NO_SEARCH
    from pipeline.sources.check import CHECKED

    asking = [source for source in sources if source not in NO_SEARCH]
    if asking and (folder := _folder(term)):
        text = f"{term} is a folder: {', '.join(asking)} would be asked for its name"
        hint = f"facegan scrape --source folder --folder {shlex.quote(folder)}"
        raise ConfigError(text, hint=hint)

    typed = click.get_current_context().get_parameter_source
    for option, source in (("list", "urls"), ("folder", "folder")):
        if typed(option) == ParameterSource.COMMANDLINE and source not in sources:
            path = str(settings[option])
            line = ("facegan", "scrape", term, "--source", source, f"--{option}", path)
            text = f"--{option} is for --source {source}, not for {', '.join(sources)}"
            raise ConfigError(text, hint=shlex.join(line))
    asked = [source for source in sources if source in CHECKED]
    if settings["base_url"] and len(asked) > 1:
        text = f"--base-url is for one source, not for {', '.join(asked)}"
        raise ConfigError(text, hint=f"--source {asked[0]}")


def name_of_the_folder(sources: Sequence[str], folder: Path | None) -> str | None:
    """What the images of a folder are gathered under where no search term is given.

    None where another source is asked, too: nobody else is to hear of the name; or without one.
    """
    from pipeline.sources.names import as_text
    from pipeline.sources.text import clean

    if folder is None or tuple(sources) != ("folder",):
        return None
    return clean(as_text(Path(os.path.normpath(folder.absolute())).name))


def _folder(term: str) -> str | None:
    """The directory that a search term is the path of; a name without a slash may be a word."""
    path = os.path.expanduser(term)  # noqa: PTH111 - pathlib refuses a user that nobody knows
    is_path = os.sep in path or term in {os.curdir, os.pardir}
    return path if is_path and os.path.isdir(path) else None  # noqa: PTH112 - never raises


def search_terms(query: str | None, queries: Path | None) -> list[str]:
    """The search terms of the argument or of the file.

    Raises:
        UsageError: there is none, or both are given, or the file cannot be read.
    """
    if (query is None) == (queries is None):
        text = "give a search term or --queries FILE, one of the two"
        raise click.UsageError(text, click.get_current_context())
    if queries is None:
        return [query or ""]
    if not queries.exists():
        raise click.UsageError(f"--queries is {str(queries)!r}: there is no such file")
    try:
        lines = [line.strip() for line in queries.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise click.UsageError(f"--queries is {str(queries)!r}: it is no text in UTF-8") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise click.UsageError(f"cannot read {queries} (--queries): {why}") from error
    terms = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not terms:
        raise click.UsageError(f"{queries} holds no search term")
    return terms
