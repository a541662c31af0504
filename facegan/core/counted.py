"""A number of things, in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number and the thing's name, in the plural where it is not one.

    >>> counted(1, "new result"), counted(0, "image"), counted(1200, "kept face")
    ('1 new result', '0 images', '1,200 kept faces')
    >>> counted(2, "address")
    '2 addresses'
    """
    return f"{number:,} {thing}{'' if number == 1 else 'es' if thing.endswith('s') else 's'}"
