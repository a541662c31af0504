"""What is said where a search was asked with other filters before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.config import ScrapeConfig

FILTERS: dict[str, str | tuple[str, str]] = {
    "license": "--license",
    "safe_search": "--safe-search",
    "min_size_px": "--min-size",
    "face": ("--face", "--any-pictures"),
    "portrait": ("--portrait", "no --portrait"),
    "photo": ("--photo", "--any-kind"),
}
"""Settings that choose among what a source has, and their options; of a switch for on and off."""
ASKED_OF = {
    "bing": FILTERS.keys(),
    "commons": {"license", "min_size_px"},
    "openverse": {"license", "safe_search", "min_size_px"},
}
"""The filters that a source knows; any image is judged by its size."""


def other_filters(
    config: ScrapeConfig, images: int, earlier: Iterable[Mapping[str, Any]]
) -> str | None:
    """A warning where calls before this one had other filters.

    Args:
        config: of this call.
        images: that its query has.
        earlier: the settings of the calls before it, as the catalog keeps them.

    Returns:
        None where they were asked as now, or where they brought no image.
    """
    known = ASKED_OF.get(config.source, {"min_size_px"})
    changes: dict[str, None] = {}
    for settings in earlier:
        for name in FILTERS:
            value, before = getattr(config, name), settings.get(name)
            if name in known and before is not None and before != value:
                changes[f"{_option(name, before)}, now {_option(name, value)}"] = None
    if not changes or not images:
        return None
    return (
        f"images of {config.query!r} were gathered with {'; '.join(changes)}: all {images} that are"
        " here count, and a higher --limit adds to them; for a set of its own choose another"
        " --workspace"
    )


def _option(name: str, value: object) -> str:
    """As it stands on a command line.

    >>> _option("license", "public"), _option("face", False)
    ('--license public', '--any-pictures')
    """
    option = FILTERS[name]
    return f"{option} {value}" if isinstance(option, str) else option[not value]
