"""Contact sheets."""

import io

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
from tests.review_helpers import face_of, kill_crop


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


def test_faces_that_were_not_judged_are_on_no_sheet_and_counted(workspace):
    kill_crop(workspace, 1, 2)
    report = write_sheets(workspace)
    assert (report.pending, report.as_dict()["pending"], report.sheets[0].faces) == (2, 2, 5)


def test_sheets_of_an_earlier_call_go_and_other_files_stay(filled, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sheet, "ROWS", 1)
        write_sheets(filled, tmp_path)
    mine = ("kept-009.png", "rejected-777.png", "notes.txt")
    for name in mine:
        (tmp_path / name).write_bytes(b"mine")
    write_sheets(filled, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"kept-001.png", "rejected-001.png", "faces.csv", *mine}  # no kept-002.png
    assert {(tmp_path / name).read_bytes() for name in mine} == {b"mine"}


@pytest.mark.parametrize("earlier", [True, False])
def test_picture_of_ones_own_is_not_overwritten(filled, tmp_path, monkeypatch, earlier):
    if earlier:
        write_sheets(filled, tmp_path)
    names = {path.name for path in tmp_path.iterdir()} | {"kept-002.png"}
    (tmp_path / "kept-002.png").write_bytes(b"mine")
    monkeypatch.setattr(sheet, "ROWS", 1)
    with pytest.raises(WorkspaceError, match=r"kept-002\.png is there already") as caught:
        write_sheets(filled, tmp_path)
    assert "--out" in str(caught.value.hint)
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "kept-002.png").read_bytes() == b"mine"


def test_sheets_of_a_call_that_was_killed_are_known_as_ours(filled, tmp_path, monkeypatch):
    def dies(*_):
        if (tmp_path / "kept-001.png").exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sheet, "thumb", dies)
        with pytest.raises(KeyboardInterrupt):
            write_sheets(filled, tmp_path)
    assert (tmp_path / "kept-001.png").exists()
    assert len(write_sheets(filled, tmp_path).sheets) == 2


def test_missing_crop_leaves_a_grey_place():
    face = face_of(0, "a", "b")
    picture = np.asarray(draw_sheet("title", [Numbered(1, "kept-001.png", face)], [None]))
    middle = picture[sheet.TITLE + sheet.SIDE_PX // 2, sheet.GAP + sheet.SIDE_PX // 2]
    assert tuple(middle) == (0xD9, 0xD9, 0xD9)


@pytest.mark.parametrize(("size_px", "side"), [(40, 120), (64, 128), (96, 96), (128, 128)])
def test_cells_are_as_high_as_their_faces_which_are_enlarged_by_whole_factors(size_px, side):
    face, picture = Numbered(1, "kept-001.png", face_of(0, "a", "b")), io.BytesIO()
    Image.new("RGB", (size_px, size_px), (0, 0, 200)).save(picture, "PNG")
    drawn = draw_sheet("title", [face] * 11, [picture.getvalue()] * 11)
    step = side + sheet.CAPTION + sheet.GAP
    assert drawn.size == (1390, sheet.TITLE + 2 * step + sheet.GAP)
    blue = (np.asarray(drawn) == (0, 0, 200)).all(axis=2)
    assert blue.sum() == 11 * side * side
    top = sheet.TITLE + step
    assert blue[top : top + side, sheet.GAP : sheet.GAP + side].all()
    caption = np.asarray(drawn)[top + side : top + side + 16, sheet.GAP : sheet.GAP + 128]
    assert caption.min() < 128  # its words begin right below


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
    with pytest.raises(NothingProducedError, match="no judged crops"):
        write_sheets(Workspace(tmp_path))


def test_forget_knows_what_shows_faces_here(workspace):
    write_sheets(workspace)
    shown = {path for paths in made_of_images(workspace).values() for path in paths}
    assert workspace.root / "cache/thumbs" in shown
    assert set((workspace.root / "review").iterdir()) <= shown
