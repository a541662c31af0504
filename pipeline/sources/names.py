"""Names of files as text."""

from __future__ import annotations

import os


def as_text(name: str | os.PathLike[str]) -> str:
    r"""A file's name or path as text that UTF-8 can hold; what is no UTF-8 becomes U+FFFD.

    For the catalog, JSON and messages. The name itself opens the file, its text may not.

    >>> as_text(os.fsdecode(b"caf\xe9.jpg")) == "caf\ufffd.jpg"
    True
    """
    return os.fsencode(name).decode("utf-8", "replace")
