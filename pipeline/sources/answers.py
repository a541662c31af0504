"""Answers that nobody understood, kept to be looked at."""

from __future__ import annotations

from pathlib import Path

from facegan.core.files import write_bytes


def keep(answers: Path, name: str, body: str | bytes) -> Path:
    """Put an answer into the folder `answers`; the one before it under this name goes.

    Args:
        answers: made where it is missing.
        name: of the file: ours, such as bing.html, never a server's.
        body: as it came.

    Returns:
        Where it is.

    Raises:
        WorkspaceError: it cannot be written.
    """
    path = answers / name
    # JSON can spell halves of characters, which UTF-8 cannot.
    write_bytes(path, body if isinstance(body, bytes) else body.encode("utf-8", "replace"))
    return path
