"""Which of several processes this one is, as torchrun's environment says. No torch here."""

from __future__ import annotations

import os


def leads() -> bool:
    """Whether this process is the one that speaks: the only one, or torchrun's first.

    >>> leads()
    True
    """
    return os.environ.get("RANK", "0") == "0"


def on_this_machine() -> int:
    """How many processes of this training share the machine.

    >>> on_this_machine()
    1
    """
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
