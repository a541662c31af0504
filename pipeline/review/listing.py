"""What is on the contact sheets: a number for each face, and `faces.csv` that tells its files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facegan.core.errors import WorkspaceError
from facegan.core.files import write_bytes
from facegan.core.records import FaceRecord, Reason, SearchResult, Status
from pipeline.credits_text import defused
from pipeline.sources.text import showable

NAME = "faces.csv"
COLUMNS = (
    "sheet",
    "number",
    "face",
    "status",
    "reason",
    "detail",
    "image",
    "came_from",
    "crop",
    "sha256",
)
"""Of faces.csv: `number` stands on the sheet, `face` on the review page; `image` and `crop` are
files in the workspace, `sha256` is the crop's."""
EARLIER = tuple(name for name in COLUMNS if name != "face")
"""Of lists that older versions wrote."""
SHEET = re.compile(r"(kept|rejected)-\d{3,}\.png")
"""A sheet's file name."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A face on a sheet."""

    number: int
    """From 1, through all sheets."""
    sheet: str
    """The sheet's file name."""
    face: FaceRecord


def numbered(pages: Iterable[tuple[str, Sequence[FaceRecord]]]) -> list[Numbered]:
    """The faces of all sheets; a duplicate's detail names the number that it is a copy of.

    Args:
        pages: each sheet's file name and faces, in order.
    """
    places = [(name, face) for name, faces in pages for face in faces]
    numbers: dict[str, int] = {}
    for number, (_, face) in enumerate(places, start=1):
        if face.sha256 and face.auto_reason is not Reason.DUPLICATE:
            numbers.setdefault(face.sha256, number)
    return [
        Numbered(number, name, _naming(face, numbers))
        for number, (name, face) in enumerate(places, start=1)
    ]


def _naming(face: FaceRecord, numbers: Mapping[str, int]) -> FaceRecord:
    original = numbers.get(face.cluster or "")
    if face.reason is not Reason.DUPLICATE or original is None:
        return face
    return replace(face, detail=f"copy of {original}")


def captions(number: int, face: FaceRecord) -> tuple[str, str]:
    """Two lines below a face: its number and what became of it, and by what values."""
    said = "" if face.status is Status.KEPT else (face.reason or "rejected").replace("_", " ")
    if face.review is face.status:
        said = f"{face.status} by hand"
    size = f"{face.size_px:.0f} px" if face.size_px is not None else ""
    score = f"score {face.score:.2f}" if face.score is not None else ""
    detail = (face.detail or "").replace(", at most ", " > ").replace(", at least ", " < ")
    first = " · ".join(filter(None, (str(number), said)))
    return first, detail or ", ".join(filter(None, (score, size)))


def check(folder: Path, sheets: Iterable[str]) -> list[Path]:
    """Before anything is written: that it takes the place of no file of one's own.

    Args:
        folder: where the sheets and their list go.
        sheets: the file names of the sheets.

    Returns:
        The sheets of an earlier call, as its list names them.

    Raises:
        WorkspaceError: a faces.csv that is not ours stands there, or a sheet that ours does not
            name.
    """
    ours = _listed(folder / NAME)
    wanted = [NAME] if ours is None else [name for name in sheets if name not in ours]
    for path in (folder / name for name in wanted):
        if path.exists():
            raise WorkspaceError(
                f"{path} is there already, and not made by `facegan review --sheet`",
                hint="name another folder: --out DIR",
            )
    return [folder / name for name in sorted(ours or ())]


def _listed(path: Path) -> set[str] | None:
    """The sheets that a list names: none where there is no list; None where it is not ours."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) not in {COLUMNS, EARLIER}:
                return None
            return {row[0] for row in rows if row and SHEET.fullmatch(row[0])}
    except csv.Error:
        return None
    except OSError:  # there is none; if it cannot be written either, writing says so
        return set()


def write(
    folder: Path,
    faces: Iterable[Numbered],
    images: Mapping[str, str],
    origins: Mapping[str, SearchResult],
) -> Path:
    """Write faces.csv.

    Args:
        folder: where the sheets are.
        faces: in the order of their numbers.
        images: the files of the pictures in the workspace, by their hashes.
        origins: where the pictures came from, by their hashes.

    Raises:
        WorkspaceError: it cannot be written.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in faces:
        face, origin = one.face, origins.get(one.face.image_sha256)
        came_from = (showable(origin.page_url) or showable(origin.url)) if origin else None
        cells = (
            *(
                one.sheet,
                str(one.number),
                str(face.id or ""),
                face.status,
                face.reason,
                face.detail,
            ),
            *(images.get(face.image_sha256), came_from, face.path, face.sha256),
        )
        writer.writerow(defused(cell or "") for cell in cells)
    write_bytes(folder / NAME, file.getvalue().encode())
    return folder / NAME
