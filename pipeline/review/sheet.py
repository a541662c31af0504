"""Contact sheets: the faces as PNG pages, kept and rejected apart, for people without a browser.

The doubtful ones come first: kept faces by their score, rejected ones by reason and score.
`facegan forget` removes the sheets of the workspace: they show faces.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from facegan.core.catalog import Catalog
from facegan.core.counted import counted
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Advanced, Finished, Listener, Started, silent
from facegan.core.files import Workspace, write_bytes, write_error
from facegan.core.lock import exclusive
from facegan.core.records import FaceRecord, Status
from pipeline.review.thumbs import SIDE_PX, thumb

STAGE = "sheets"
FOLDER = "review"
COLUMNS, ROWS = 10, 8
GAP, TITLE, CAPTION = 10, 34, 32
"""Pixels: round each cell, above the first row, below each face."""
TEXT_PX, TITLE_PX = 12, 15
PAPER, INK, FAINT, GONE = "#ffffff", "#1a1a1a", "#6b6b6b", "#d9d9d9"
NAME = re.compile(r"(kept|rejected)-\d{3,}\.png")


@dataclass(frozen=True, slots=True)
class Sheets:
    """The sheets of one status."""

    status: Status
    faces: int
    files: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        files = [str(path) for path in self.files]
        return {"status": self.status, "faces": self.faces, "files": files}


def write_sheets(
    workspace: Workspace, out: Path | None = None, *, listener: Listener = silent
) -> list[Sheets]:
    """Write the sheets; those of an earlier call in the same folder go.

    Args:
        workspace: that `facegan crop` has worked in.
        out: folder for the sheets; None is the workspace's own.
        listener: hears of each sheet.

    Returns:
        What was written; a status without crops has no entry.

    Raises:
        WorkspaceError: there is no catalog, or a sheet cannot be written.
        NothingProducedError: no face was cut.
    """
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no faces in {workspace.root}", hint="facegan crop")
    with exclusive(workspace):
        wanted = [(status, _faces(workspace, status)) for status in (Status.KEPT, Status.REJECTED)]
        total = sum(-(-len(faces) // (COLUMNS * ROWS)) for _, faces in wanted)
        if not total:
            raise NothingProducedError(f"no crops in {workspace.root}", hint="facegan crop")
        folder = out or workspace.root / FOLDER
        _clear(folder)
        listener(Started(STAGE, total, "sheet"))
        steps = count(1)
        written = [_write(workspace, folder, *one, listener, steps) for one in wanted if one[1]]
        listener(Finished(STAGE))
        return written


def _faces(workspace: Workspace, status: Status) -> list[FaceRecord]:
    with Catalog(workspace.catalog) as catalog:
        faces = [face for face in catalog.faces(status) if face.sha256 and face.path]
    return sorted(faces, key=lambda face: (face.reason or "", face.score or 0.0, face.id or 0))


def _clear(folder: Path) -> None:
    try:
        for path in folder.glob("*.png"):
            if NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def _write(
    workspace: Workspace,
    folder: Path,
    status: Status,
    faces: Sequence[FaceRecord],
    listener: Listener,
    steps: Iterator[int],
) -> Sheets:
    pages = [faces[at : at + COLUMNS * ROWS] for at in range(0, len(faces), COLUMNS * ROWS)]
    files = []
    for number, page in enumerate(pages, start=1):
        title = f"{status} · {counted(len(faces), 'face')} · sheet {number} of {len(pages)}"
        pictures = [thumb(workspace, face.sha256 or "") for face in page]
        file = io.BytesIO()
        draw_sheet(title, page, pictures).save(file, "PNG")
        files.append(folder / f"{status}-{number:03d}.png")
        write_bytes(files[-1], file.getvalue())
        listener(Advanced(STAGE, next(steps)))
    return Sheets(status, len(faces), tuple(files))


def draw_sheet(
    title: str, faces: Sequence[FaceRecord], pictures: Sequence[bytes | None]
) -> Image.Image:
    """One sheet; its last rows are left off where there are fewer faces.

    Args:
        title: of the sheet.
        faces: at most COLUMNS x ROWS.
        pictures: of each face an encoded thumbnail, or None where the crop is gone.

    Returns:
        A picture in RGB.
    """
    step_x, step_y = SIDE_PX + GAP, SIDE_PX + CAPTION + GAP
    rows = -(-len(faces) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * step_x + GAP, TITLE + rows * step_y + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    font, large = (ImageFont.load_default(size) for size in (TEXT_PX, TITLE_PX))
    pen.text((GAP, GAP), title, INK, large)
    for place, (face, picture) in enumerate(zip(faces, pictures, strict=True)):
        row, column = divmod(place, COLUMNS)
        x, y = GAP + column * step_x, TITLE + row * step_y
        _paste(sheet, picture, x, y)
        for line, (text, colour) in enumerate(zip(captions(face), (INK, FAINT), strict=True)):
            at = (x, y + SIDE_PX + 2 + line * (TEXT_PX + 2))
            pen.text(at, _fitting(text, font), colour, font)
    return sheet


def captions(face: FaceRecord) -> tuple[str, str]:
    """Two lines below a face: what became of it, and by what values."""
    said = (face.reason or face.status).replace("_", " ")
    if face.status is Status.KEPT and face.review is Status.KEPT:
        said = "kept by hand"
    size = f"{face.size_px:.0f} px" if face.size_px is not None else ""
    score = f"score {face.score:.2f}" if face.score is not None else ""
    detail = (face.detail or "").replace(", at most ", " > ").replace(", at least ", " < ")
    return said, detail or ", ".join(filter(None, (score, size)))


def _paste(sheet: Image.Image, picture: bytes | None, x: int, y: int) -> None:
    if picture is None:
        ImageDraw.Draw(sheet).rectangle((x, y, x + SIDE_PX - 1, y + SIDE_PX - 1), GONE)
        return
    with Image.open(io.BytesIO(picture)) as image:
        margin = (SIDE_PX - image.width) // 2  # a small crop is not enlarged
        sheet.paste(image.convert("RGB"), (x + margin, y + margin))


def _fitting(text: str, font: Any) -> str:
    """As much of a text as is no wider than a face."""
    if len(text) > SIDE_PX // 2:  # letters are wider than 2 px
        text = text[: SIDE_PX // 2] + "…"
    while text and font.getlength(text) > SIDE_PX:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    return text
