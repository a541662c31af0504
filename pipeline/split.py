"""Which faces no training sees: a share of them, held out for the scores.

Faces go together: those of one image, of images that are copies, and all that look alike. Else a
score against held-out faces would praise a model for what it has learned by heart. Where a group
goes is decided by the hash of an image of it, so that every call and every machine agrees.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from facegan.core.files import sha256_of
from facegan.core.shard_index import HELD_OUT, TRAIN
from pipeline.neighbours import Ints, components


def splits(names: Sequence[str], edges: Iterable[tuple[Ints, Ints]], hold_out: float) -> list[str]:
    """Share pictures out between training and the scores.

    A group of more pictures than are to be held out stays in training, and so does everything
    where nothing would be left there.

    Args:
        names: the hash of the image that each comes from, hexadecimal.
        edges: pairs of positions that must not be parted.
        hold_out: share to hold out, about.

    Returns:
        For each, in the same order, TRAIN or HELD_OUT.
    """
    group_of = components(len(names), chain(edges, [_of_one_name(names)])).tolist()
    least: defaultdict[int, str] = defaultdict(lambda: "g")  # after every digit
    for name, group in zip(names, group_of, strict=True):
        least[group] = min(least[group], name)
    sizes = Counter(group_of)
    held = {
        group
        for group, name in least.items()
        if place(name) < hold_out and sizes[group] <= hold_out * len(names)
    }
    if len(held) == len(least):
        held = set()
    return [HELD_OUT if group in held else TRAIN for group in group_of]


def place(name: str) -> float:
    """Where in [0, 1) a group goes by its least hash.

    Hashed once more: the least of many hashes is small, and large groups would all be held out.

    >>> 0 <= place("00ff") < 1
    True
    """
    return int(sha256_of(f"split {name}".encode())[:8], 16) / 2**32


def _of_one_name(names: Sequence[str]) -> tuple[Ints, Ints]:
    """Pairs that join those of one name."""
    firsts: dict[str, int] = {}
    first = [firsts.setdefault(name, at) for at, name in enumerate(names)]
    return np.arange(len(names)), np.array(first, np.int64)
