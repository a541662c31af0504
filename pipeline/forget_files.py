"""The files that go with a picture: its own, its faces', and what was made of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from facegan.core.files import Workspace, write_error
from pipeline.credits import FILES as CREDITS
from pipeline.credits import is_ours
from pipeline.sources import SOURCES

OF_REAL_FACES = {
    "cache": ("cache/decoded-*.u8", "cache/.decoded-*", "cache/features*", "cache/answers"),
    "thumbnails": ("cache/thumbs",),
    "contact sheets": ("review/kept-*.png", "review/rejected-*.png", "review/faces.csv"),
    "answers of sources": (
        *(f"answers/{source}.{ending}" for source in SOURCES for ending in ("html", "json")),
        *(f"answers/.{source}.*.tmp" for source in SOURCES),
    ),
    # They show real faces beside samples; a run can be scored against any faces.
    "figures of scores": ("runs/*/*/scores*.png", "scores/*/scores*.png"),
    **{name: (name, f"shards/{name}") for name in CREDITS},
}
"""What was made of images, below the workspace; facegan makes it again when it is wanted. Files of
one's own that are called so are none of it."""


def files_of(workspace: Workspace, paths: Iterable[str]) -> Iterator[Path]:
    """Paths of the catalog, and what a kill left half written beside them.

    What leads out of the workspace is none of ours.
    """
    for name in paths:
        path = workspace.root / name
        if name and not Path(name).is_absolute() and ".." not in Path(name).parts:
            yield path
            yield from path.parent.glob(f".{path.name}.*.tmp")


def made_of_images(workspace: Workspace) -> dict[str, list[Path]]:
    """What there is of OF_REAL_FACES: files and folders, by what they are."""
    found: dict[str, list[Path]] = {}
    for what, patterns in OF_REAL_FACES.items():
        paths = [path for pattern in patterns for path in sorted(workspace.root.glob(pattern))]
        if ours := [path for path in paths if path.name not in CREDITS or is_ours(path)]:
            found[what] = ours
    return found


def remove(path: Path, *, inside: bool = False) -> int:
    """Delete a file, or a folder with all that is in it; how many files that were.

    A folder that lies elsewhere, behind a link, is emptied; links inside it are not followed.
    """
    try:
        if path.is_dir() and not (inside and path.is_symlink()):
            count = sum(remove(one, inside=True) for one in path.iterdir())
            if not path.is_symlink():
                path.rmdir()
            return count
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise write_error(path, error) from error
    return 1
