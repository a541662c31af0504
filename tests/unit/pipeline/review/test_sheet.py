"""Contact sheets."""

import numpy as np
import pytest
from PIL import Image, ImageFont

import pipeline.review.sheet as sheet
from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, WorkspaceError
from facegan.core.events import Advanced, Event
from facegan.core.files import Workspace
from facegan.core.records import Status
from pipeline.forget_files import made_of_images
from pipeline.review.listing import Numbered
from pipeline.review.sheet import draw_sheet, write_sheets
from tests.review_helpers import face_of


def test_kept_and_rejected_faces_have_sheets_of_their_own(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, "ROWS", 1)
    heard: list[Event] = []
    report = write_sheets(filled, tmp_path, listener=heard.append)
    assert [event.done for event in heard if isinstance(event, Advanced)] == [1, 2, 3]
    told = [(one.status, one.faces, [path.name for path in one.files]) for one in report.sheets]
    assert told == [
        (Status.KEPT, 14, ["kept-001.png", "kept-002.png"]),
        (Status.REJECTED, 4, ["rejected-001.png"]),
    ]
    with (
        Image.open(tmp_path / "kept-001.png") as first,
        Image.open(report.sheets[0].files[1]) as second,
    ):
        assert first.size == second.size == (1390, 214)
        picture = np.asarray(second)
    assert picture[40:160, 600:].min() == 255  # four faces, then white
    assert picture[40:160, 50:500].min() < 150


def test_faces_that_were_not_cut_are_on_no_sheet(filled, tmp_path):
    with Catalog(filled.catalog) as catalog:
        assert catalog.count_faces(Status.REJECTED) == 6
    report = write_sheets(filled, tmp_path)
    assert (report.sheets[1].faces, report.not_cut) == (4, {"too_small": 2})


def test_sheets_of_an_earlier_call_go_and_other_files_stay(filled, tmp_path):
    for name in ("kept-009.png", "rejected-002.png", "kept-mine.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"old")
    write_sheets(filled, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"kept-001.png", "rejected-001.png", "kept-mine.png", "notes.txt", "faces.csv"}


def test_missing_crop_leaves_a_grey_place():
    face = face_of(0, "a", "b")
    picture = np.asarray(draw_sheet("title", [Numbered(1, "kept-001.png", face)], [None]))
    middle = picture[sheet.TITLE + sheet.SIDE_PX // 2, sheet.GAP + sheet.SIDE_PX // 2]
    assert tuple(middle) == (0xD9, 0xD9, 0xD9)


@pytest.mark.parametrize("text", ["", "short", "a" * 500, "\u00e4\u00df" * 60, "W"])
def test_caption_is_no_wider_than_its_face(text):
    font = ImageFont.load_default(sheet.TEXT_PX)
    fitting = sheet._fitting(text, font)
    assert font.getlength(fitting) <= sheet.SIDE_PX
    assert fitting == text or fitting.endswith("…")


def test_sheets_of_nothing_are_refused(tmp_path):
    with pytest.raises(WorkspaceError, match="no faces"):
        write_sheets(Workspace(tmp_path))
    Catalog(tmp_path / "catalog.db").close()
    with pytest.raises(NothingProducedError, match="no crops"):
        write_sheets(Workspace(tmp_path))


def test_forget_knows_what_shows_faces_here(workspace):
    write_sheets(workspace)
    shown = {path for paths in made_of_images(workspace).values() for path in paths}
    assert workspace.root / "cache/thumbs" in shown
    assert set((workspace.root / "review").iterdir()) <= shown
