"""Files written whole or not at all, and the places of the workspace."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from facegan.core.errors import WorkspaceError


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder in which one project lives; each stage finds what the last one left there."""

    root: Path

    @property
    def catalog(self) -> Path:
        """The SQLite file."""
        return self.root / "catalog.db"

    @property
    def images(self) -> Path:
        """Original bytes by SHA-256."""
        return self.root / "images"

    @property
    def faces(self) -> Path:
        """Crops by SHA-256."""
        return self.root / "faces"

    @property
    def shards(self) -> Path:
        """Tar shards and their index."""
        return self.root / "shards"

    @property
    def runs(self) -> Path:
        """One folder a training run."""
        return self.root / "runs"

    def create(self) -> None:
        """Make the folder.

        Raises:
            WorkspaceError: it cannot be made or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise write_error(self.root, error) from error


def write_error(path: Path, error: OSError) -> WorkspaceError:
    """A WorkspaceError that says in words why `path` could not be written."""
    reasons = {
        errno.ENOSPC: ("the disk is full", "free some space, then run the same command again"),
        errno.EDQUOT: ("the disk quota is used up", "free some space, then run it again"),
        errno.EROFS: ("the file system is read-only", "choose another folder with --workspace DIR"),
        errno.EACCES: ("permission is denied", "choose another folder with --workspace DIR"),
        errno.EPERM: ("permission is denied", "choose another folder with --workspace DIR"),
        errno.EEXIST: ("a file stands in the way", "choose another folder with --workspace DIR"),
        errno.ENOTDIR: ("a file stands in the way", "choose another folder with --workspace DIR"),
    }
    why, hint = reasons.get(error.errno or 0, (error.strerror or str(error), None))
    return WorkspaceError(f"cannot write {path}: {why}", hint=hint)


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` only when the block ends without an error.

    Written under a temporary name in the same folder, flushed to disk, then renamed.

    Raises:
        WorkspaceError: the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` under `path`, whole or not at all.

    Raises:
        WorkspaceError: it cannot be written.
    """
    with atomic_writer(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Put `value` under `path` as indented JSON, whole or not at all.

    Raises:
        WorkspaceError: it cannot be written.
    """
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def keep_damaged(path: Path) -> Path:
    """Give a damaged file another name, `.broken` after its own, so that nothing in it is lost.

    Returns:
        Where it lies now.

    Raises:
        WorkspaceError: it cannot be renamed.
    """
    broken = path.with_name(f"{path.name}.broken")
    try:
        path.replace(broken)
    except OSError as error:
        raise write_error(broken, error) from error
    return broken


def sha256_of(data: bytes) -> str:
    """64 hexadecimal digits.

    >>> sha256_of(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """64 hexadecimal digits of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_path(folder: str, sha256: str, suffix: str) -> str:
    """Where content lies, relative to the workspace.

    >>> content_path("images", "abcd", ".jpg")
    'images/ab/abcd.jpg'
    """
    return f"{folder}/{sha256[:2]}/{sha256}{suffix}"
