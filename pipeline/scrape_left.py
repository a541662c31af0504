"""What a source that lists its addresses still has for a search, counted without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from facegan.core.catalog import Catalog
from facegan.core.errors import MissingDependencyError, SourceError
from pipeline.config import ScrapeConfig
from pipeline.sources import Source

BATCH = 500
LOOKED_AT = 1_000_000
"""Addresses at most: of a longer list what comes after them is not counted."""


def end_of(
    source: Source,
    catalog: Catalog,
    config: ScrapeConfig,
    should_stop: Callable[[], bool],
    kept: int,
) -> int:
    """Images that a call counts to: its limit, or what there is where the source can tell.

    Args:
        source: as for `left_of`, and so the next three.
        catalog: open.
        config: of the search.
        should_stop: true ends the counting.
        kept: images that are here.
    """
    left = left_of(source, catalog, config, should_stop, config.limit - kept)
    return config.limit if left is None else kept + left


def left_of(
    source: Source,
    catalog: Catalog,
    config: ScrapeConfig,
    should_stop: Callable[[], bool],
    most: int = LOOKED_AT,
) -> int | None:
    """Addresses that a further call with other limits would try, those that failed among them.

    Args:
        source: with a method `addresses` where it can list all of them by itself.
        catalog: what the search has found before.
        config: of the search.
        should_stop: true ends the counting.
        most: so many are enough, and the rest is not counted.

    Returns:
        None where the source is asked over the net, or cannot be read: its search says why.
    """
    addresses: Callable[[], Iterator[str]] | None = getattr(source, "addresses", None)
    if addresses is None:
        return None
    found = catalog.count_pending(config.query, config.source, config.config_hash())
    try:
        listed = islice(addresses(), LOOKED_AT)
        while found < most and (batch := set(islice(listed, BATCH))):
            found += len(batch) - catalog.count_known(batch, config.query, config.source)
            if should_stop():
                return None
    except (SourceError, MissingDependencyError):
        return None
    return min(found, most)
