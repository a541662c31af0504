"""Where files are kept that any workspace may use: `weights/` and `models/` lie in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir(system: str = sys.platform) -> Path:
    """`$FACEGAN_CACHE`, else `facegan` in the user's cache folder, as the system has it.

    Args:
        system: as `sys.platform` names it.
    """
    if chosen := os.environ.get("FACEGAN_CACHE"):
        return Path(chosen).expanduser()
    if system == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local, "facegan", "Cache")
    if system == "darwin":
        return Path.home() / "Library" / "Caches" / "facegan"
    users = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one does not count: https://specifications.freedesktop.org/basedir-spec
    return (users if users.is_absolute() else Path.home() / ".cache") / "facegan"
