"""Contact sheets: the faces as PNG pages, kept and rejected apart, for people without a browser.

The doubtful ones come first: kept faces by their score, rejected ones by reason and score. Each has
a number, and `faces.csv` beside the sheets tells the files behind it.
`facegan forget` removes the sheets of the workspace, and the list: they show faces.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
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
from pipeline.review import listing
from pipeline.review.listing import Numbered, captions
from pipeline.review.thumbs import SIDE_PX, thumb

STAGE = "sheets"
FOLDER = "review"
COLUMNS, ROWS = 10, 8
GAP, TITLE, CAPTION = 10, 34, 32
"""Pixels: round each cell, above the first row, below each face."""
TEXT_PX, TITLE_PX = 12, 15
PAPER, INK, FAINT, GONE = "#ffffff", "#1a1a1a", "#6b6b6b", "#d9d9d9"


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


@dataclass(frozen=True, slots=True)
class SheetReport:
    """What `write_sheets` has written."""

    sheets: tuple[Sheets, ...]
    listing: Path
    """faces.csv: what each number on the sheets is."""
    not_cut: Mapping[str, int]
    """Faces on no sheet, since there is no crop of them, by their reasons; the commonest first."""
    pending: int
    """Faces on no sheet, since a `facegan crop` that was killed has not judged them."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "sheets": [sheets.as_dict() for sheets in self.sheets],
            "list": str(self.listing),
            "not_cut": dict(self.not_cut),
            "pending": self.pending,
        }


def write_sheets(
    workspace: Workspace, out: Path | None = None, *, listener: Listener = silent
) -> SheetReport:
    """Write the sheets and their list; those of an earlier call in the same folder go.

    Args:
        workspace: that `facegan crop` has worked in.
        out: folder for the sheets; None is the workspace's own.
        listener: hears of each sheet.

    Returns:
        What was written; a status without crops has no sheets.

    Raises:
        WorkspaceError: there is no catalog, a file cannot be written, or one of the same name that
            no earlier call has written stands in the folder.
        NothingProducedError: no face was cut and judged.
    """
    if not workspace.catalog.exists():
        raise WorkspaceError(f"no faces in {workspace.root}", hint="facegan crop")
    with exclusive(workspace):
        folder = out or workspace.root / FOLDER
        with Catalog(workspace.catalog) as catalog:
            faces = catalog.faces(None, landmarks=False)
            images, origins = catalog.image_paths(), catalog.origins()
        pages = list(_pages([face for face in faces if face.sha256 and face.path]))
        if not pages:
            raise NothingProducedError(f"no judged crops in {workspace.root}", hint="facegan crop")
        on_sheets = listing.numbered(pages)
        _clear(listing.check(folder, [name for name, _ in pages]))
        listener(Started(STAGE, len(pages), "sheet"))
        # First the list: a sheet that a kill leaves is known as ours.
        path = listing.write(folder, on_sheets, images, origins)
        sheets = tuple(_write(workspace, folder, on_sheets, listener))
        listener(Finished(STAGE))
    uncut = Counter(face.reason or "no reason" for face in faces if not (face.sha256 and face.path))
    pending = sum(face.status is Status.PENDING for face in faces)
    return SheetReport(sheets, path, dict(uncut.most_common()), pending)


def _pages(faces: Sequence[FaceRecord]) -> Iterator[tuple[str, Sequence[FaceRecord]]]:
    """Each sheet's file name and faces, those that are kept first."""
    for status in (Status.KEPT, Status.REJECTED):
        ordered = sorted(
            (face for face in faces if face.status is status),
            key=lambda face: (face.reason or "", face.score or 0.0, face.id or 0),
        )
        for number, at in enumerate(range(0, len(ordered), COLUMNS * ROWS), start=1):
            yield f"{status}-{number:03d}.png", ordered[at : at + COLUMNS * ROWS]


def _clear(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from error


def _write(
    workspace: Workspace, folder: Path, faces: Sequence[Numbered], listener: Listener
) -> Iterator[Sheets]:
    done = count(1)
    for status, group in groupby(faces, key=lambda one: one.face.status):
        members = list(group)
        pages = [list(page) for _, page in groupby(members, key=lambda one: one.sheet)]
        for number, page in enumerate(pages, start=1):
            title = f"{status} · {counted(len(members), 'face')} · sheet {number} of {len(pages)}"
            pictures = [thumb(workspace, one.face.sha256 or "") for one in page]
            file = io.BytesIO()
            draw_sheet(title, page, pictures).save(file, "PNG")
            write_bytes(folder / page[0].sheet, file.getvalue())
            listener(Advanced(STAGE, next(done)))
        yield Sheets(status, len(members), tuple(folder / page[0].sheet for page in pages))


def draw_sheet(
    title: str, faces: Sequence[Numbered], pictures: Sequence[bytes | None]
) -> Image.Image:
    """One sheet; its last rows are left off where there are fewer faces.

    Cells are as high as the largest face that is drawn, and never narrower than SIDE_PX, so that
    there is room for words.

    Args:
        title: of the sheet.
        faces: at most COLUMNS x ROWS.
        pictures: of each face an encoded thumbnail, or None where the crop is gone.

    Returns:
        A picture in RGB.
    """
    drawn = [_drawn(picture) for picture in pictures]
    side = max((max(image.size) for image in drawn if image), default=SIDE_PX)
    step_x, step_y = SIDE_PX + GAP, side + CAPTION + GAP
    rows = -(-len(faces) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * step_x + GAP, TITLE + rows * step_y + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    font, large = (ImageFont.load_default(size) for size in (TEXT_PX, TITLE_PX))
    pen.text((GAP, GAP), title, INK, large)
    for place, (one, image) in enumerate(zip(faces, drawn, strict=True)):
        row, column = divmod(place, COLUMNS)
        x, y = GAP + column * step_x, TITLE + row * step_y
        if image:
            sheet.paste(image, (x, y))
        else:
            pen.rectangle((x, y, x + side - 1, y + side - 1), GONE)
        for line, (text, colour) in enumerate(
            zip(captions(one.number, one.face), (INK, FAINT), strict=True)
        ):
            at = (x, y + side + 2 + line * (TEXT_PX + 2))
            pen.text(at, _fitting(text, font), colour, font)
    return sheet


def _drawn(picture: bytes | None) -> Image.Image | None:
    """A thumbnail, enlarged as often as it goes whole into SIDE_PX."""
    if picture is None:
        return None
    with Image.open(io.BytesIO(picture)) as image:
        times = max(1, SIDE_PX // max(image.size))
        size = image.width * times, image.height * times
        return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def _fitting(text: str, font: Any) -> str:
    """As much of a text as is no wider than a cell."""
    if len(text) > SIDE_PX // 2:  # letters are wider than 2 px
        text = text[: SIDE_PX // 2] + "…"
    while text and font.getlength(text) > SIDE_PX:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    return text
