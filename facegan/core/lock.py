"""One facegan at a time works in a workspace: a lock that the kernel gives back at any end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from facegan.core.errors import WorkspaceError
from facegan.core.files import Workspace, write_error

NAME = ".lock"
PID_BYTES = 20

_mutex = threading.Lock()
_held: dict[tuple[Path, int], int] = {}
"""How deep each thread is in the locks that it holds."""


@contextlib.contextmanager
def exclusive(workspace: Workspace) -> Iterator[None]:
    """Keep every other facegan from changing the workspace for the block.

    Blocks of one thread may stand inside each other: `crop` packs. Reading needs no lock.

    Args:
        workspace: its folder is there.

    Raises:
        WorkspaceError: another process or thread holds it, or the lock cannot be made.
    """
    key = (workspace.root.resolve() / NAME, threading.get_ident())
    with _mutex:
        depth = _held.get(key, 0)
        file = None if depth else _locked(key[0], workspace.root)
        _held[key] = depth + 1
    try:
        yield
    finally:
        with _mutex:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]
            if file is not None:
                file.close()


def _locked(path: Path, folder: Path) -> IO[bytes]:
    """The open file, which holds the lock and the number of this process."""
    try:
        file = path.open("a+b")
    except OSError as error:
        raise write_error(path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
    except OSError as error:
        with file:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise write_error(path, error) from error
            raise _in_use(file, folder) from None
    return file


def _in_use(file: IO[bytes], folder: Path) -> WorkspaceError:
    file.seek(0)
    number = file.read(PID_BYTES)
    who = f" (pid {int(number)})" if number.isdigit() else ""
    return WorkspaceError(
        f"another facegan{who} is working in {folder}",
        hint="wait until that one has ended, or choose another folder with --workspace DIR",
    )
