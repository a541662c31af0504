"""Images of a local directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from facegan.core.errors import SourceError
from facegan.core.records import Outcome, Reason, SearchResult, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, judge
from pipeline.sources.names import as_text
from pipeline.sources.text import clean

UNNAMED = "unnamed"
"""Title of a file whose name has no letter that can be shown."""


class FolderSource:
    """Every file below a directory, hidden ones left out, in the order of their paths.

    Whether a file is an image its content decides when it is fetched, never its name. A result's
    address is the file's `file://` address. Links to files are followed, wherever they lead; links
    to directories are not. Nothing else outside the directory is read.

    Args:
        config: `folder` is set.
    """

    name = "folder"
    gives = frozenset({"title"})

    def __init__(self, config: ScrapeConfig) -> None:
        self._config = config
        self._root = (config.folder or Path()).absolute().resolve()

    def search(self, query: str) -> Iterator[SearchResult]:
        """See Source. The query does not choose: it is what the images are gathered under.

        Raises:
            SourceError: the directory cannot be read.
        """
        for rank, path in enumerate(_files(self._root)):
            title = clean(as_text(path.stem)) or UNNAMED
            yield SearchResult(path.as_uri(), query, self.name, rank, title=title)

    def addresses(self) -> Iterator[str]:
        """All that `search` gives.

        Raises:
            SourceError: as `search`.
        """
        return (path.as_uri() for path in _files(self._root))

    def fetch(self, result: SearchResult) -> Fetched | Outcome:
        """See Source. A file is copied, so the original may go."""
        path = _path(result.url)
        if path is None or not _unlinked(path).is_relative_to(self._root):
            detail = f"not below {as_text(self._root)}"
            return Outcome(Status.REJECTED, Reason.BLOCKED_ADDRESS, detail)
        if path.is_symlink() and not _leads_somewhere(path):
            detail = "a link that leads nowhere"
            return Outcome(Status.REJECTED, Reason.UNREADABLE, detail)
        limit = self._config.max_bytes
        try:
            with _open_regular(path) as file:
                data = file.read(limit + 1)
        except OSError as error:
            # What is no regular file stays so; all else may be mended by the next call.
            status = Status.REJECTED if error.errno == errno.ENXIO else Status.FAILED
            return Outcome(status, Reason.UNREADABLE, error.strerror or str(error))
        if len(data) > limit:
            return Outcome(Status.REJECTED, Reason.TOO_LARGE, f"more than {limit:,} bytes")
        return judge(data, self._config)


def _files(folder: Path) -> Iterator[Path]:
    """Depth first; one directory's names in memory at a time on each level."""
    levels = [_entries(folder)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
        elif found[1]:
            levels.append(_entries(found[0]))
        else:
            yield found[0]


def _entries(folder: Path) -> Iterator[tuple[Path, bool]]:
    """What lies in a directory, by name, and whether it is one itself."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(".") and not _leads_to_a_folder(entry)
            )
    except OSError as error:
        raise SourceError(
            f"cannot read {as_text(folder)}: {error.strerror}",
            hint="name another one: --folder DIR",
        ) from error
    return ((folder / name, is_folder) for name, is_folder in found)


def _leads_to_a_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a directory's entry is a link to a directory, which may be one above it."""
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a link to itself, or to where nobody may look
        return False


def _leads_somewhere(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
    return True


def _unlinked(path: Path) -> Path:
    """Where a file lies, or the link that stands for it."""
    return path.parent.resolve() / path.name


def _path(url: str) -> Path | None:
    """The path of a `file://` address of this machine.

    >>> _path("file:///tmp/a%20b.jpg"), _path("https://example.org/a.jpg")
    (PosixPath('/tmp/a b.jpg'), None)
    """
    start = "file:///"
    raw = unquote_to_bytes(url.removeprefix(start)) if url.startswith(start) else b"\0"
    return None if b"\0" in raw else Path("/", os.fsdecode(raw))


def _open_regular(path: Path) -> BinaryIO:
    """Opened for reading without waiting; ENXIO for pipes, devices, folders, as for sockets."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not os.path.isfile(descriptor):  # noqa: PTH113 - of the open file, not of its name
        os.close(descriptor)
        raise OSError(errno.ENXIO, "not a regular file")
    return os.fdopen(descriptor, "rb")
