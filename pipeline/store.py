"""Original bytes on their way into the workspace: written by many threads, kept by one.

A worker writes and flushes a temporary file; the thread that holds the catalog gives it its name
once it is known that the image may be kept. What was taken out is thus never under its name again,
not even for a moment, and no thread holds an image's bytes for longer than its own download.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, content_path, sha256_of_file, write_error
from facegan.core.records import ImageRecord
from pipeline.fetch import Fetched

# The name is ours: a server's would be a stranger's.
SUFFIXES = {"jpeg": ".jpg", "tiff": ".tif"}


@dataclass(frozen=True, slots=True)
class Stored:
    """An image whose bytes are on disk."""

    image: ImageRecord
    temporary: str
    """Where they wait; a plain path, for pathlib takes longer than the disk."""
    ms: float
    """Wall time of the download."""


class Store:
    """The folder of originals.

    Args:
        workspace: locked by this process.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._arriving = workspace.images / ".arriving"
        self._numbers = itertools.count()

    def open(self) -> None:
        """Make the folder of temporary files, without those that a kill left there.

        Raises:
            WorkspaceError: it cannot be made.
        """
        self.close()
        try:
            self._arriving.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self._arriving, error) from error

    def close(self) -> None:
        """Remove the temporary files."""
        with contextlib.suppress(OSError):
            for path in self._arriving.iterdir():
                path.unlink()
            self._arriving.rmdir()

    def put(self, fetched: Fetched) -> Stored:
        """Write an image under a temporary name. Called in many threads at once.

        Raises:
            WorkspaceError: it cannot be written.
        """
        image = _record(fetched)
        temporary = f"{self._arriving}/.{next(self._numbers)}.tmp"
        try:
            _write(temporary, fetched.data)
        except OSError as error:
            raise write_error(self._root / image.path, error) from error
        return Stored(image, temporary, fetched.ms)

    def keep(self, stored: Stored) -> None:
        """Give the file its name; the same bytes, or damaged ones, may stand there.

        Raises:
            WorkspaceError: it cannot be renamed.
        """
        path = f"{self._root}/{stored.image.path}"
        try:
            try:
                os.replace(stored.temporary, path)  # noqa: PTH105
            except FileNotFoundError:  # the first of its folder
                Path(path).parent.mkdir(exist_ok=True)
                os.replace(stored.temporary, path)  # noqa: PTH105
        except OSError as error:
            raise write_error(Path(path), error) from error

    def drop(self, stored: Stored) -> None:
        """Remove the file, which is not to be kept.

        Raises:
            WorkspaceError: it cannot be removed.
        """
        try:
            Path(stored.temporary).unlink()
        except OSError as error:
            raise write_error(Path(stored.temporary), error) from error

    def is_there(self, image: ImageRecord) -> bool:
        """Whether a file of the right size stands under the image's name."""
        try:
            return (self._root / image.path).stat().st_size == image.bytes
        except OSError:
            return False

    def is_whole(self, image: ImageRecord) -> bool:
        """Whether the file holds the bytes that its name promises."""
        try:
            return sha256_of_file(self._root / image.path) == image.sha256
        except OSError:
            return False

    def remove(self, image: ImageRecord) -> None:
        """Remove what stands under an image's name.

        Raises:
            WorkspaceError: it cannot be removed.
        """
        path = self._root / image.path
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from error


def lose_what_is_gone(catalog: Catalog, store: Store, query: str, source: str) -> int:
    """Find stored images whose file is missing or damaged, so that they are fetched again.

    A call that did not end may have been cut off with the power, before everything had reached the
    disk: its images are read whole. All others of the query are looked up by name and size.

    Returns:
        How many were lost.

    Raises:
        WorkspaceError: a damaged file cannot be removed.
    """
    lost = 0
    for scrape in catalog.unended_scrapes():
        for image in catalog.fetched_images(scrape):
            if not store.is_whole(image):
                lost += _lose(catalog, store, image)
        catalog.end_scrape(scrape)
    for image in catalog.stored_images(query, source):
        if not store.is_there(image):
            lost += _lose(catalog, store, image)
    return lost


def _lose(catalog: Catalog, store: Store, image: ImageRecord) -> bool:
    """The file first: a kill between the two leaves an image without one, as it is found here."""
    store.remove(image)
    return catalog.lose_image(image.sha256)


def _record(fetched: Fetched) -> ImageRecord:
    form = fetched.info.format
    suffix = SUFFIXES.get(form, f".{form}")
    return ImageRecord(
        sha256=fetched.sha256,
        path=content_path("images", fetched.sha256, suffix),
        width=fetched.info.width,
        height=fetched.info.height,
        bytes=len(fetched.data),
        format=form,
    )


def _write(path: str, data: bytes) -> None:
    # Each call that leaves Python waits for the other threads: as few as there can be.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
