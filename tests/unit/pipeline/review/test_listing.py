"""The numbers on the sheets, and the list of what they are."""

import csv
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import WorkspaceError
from facegan.core.records import Reason, SearchResult, Status
from pipeline.review.listing import COLUMNS, captions, check, numbered, write
from pipeline.review.sheet import write_sheets
from tests.review_helpers import face_of

KEPT = replace(face_of(0, "image", "crop"), score=0.913, size_px=181.6)


def duplicate(of):
    return replace(
        KEPT, sha256="copy", status=Status.REJECTED, reason=Reason.DUPLICATE,
        auto_reason=Reason.DUPLICATE, detail=f"of {of}", cluster=of,
    )  # fmt: skip


def test_captions_tell_the_number_the_reason_and_its_value_or_score_and_size():
    assert captions(17, KEPT) == ("17", "score 0.91, 182 px")
    assert captions(17, replace(KEPT, review=Status.KEPT))[0] == "17 · kept by hand"
    dark = "exposure 0.1, at least 0.2"
    rejected = replace(KEPT, status=Status.REJECTED, reason=Reason.TOO_DARK, detail=dark)
    assert captions(17, rejected) == ("17 · too dark", "exposure 0.1 < 0.2")
    tilted = replace(rejected, reason=Reason.TILTED, detail="tilted 48.7, at most 45")
    assert captions(17, tilted) == ("17 · tilted", "tilted 48.7 > 45")
    by_hand = replace(rejected, reason=Reason.REVIEWED, review=Status.REJECTED, detail=None)
    assert captions(3, by_hand) == ("3 · rejected by hand", "score 0.91, 182 px")
    assert captions(3, replace(KEPT, score=None, size_px=None)) == ("3", "")


def test_numbers_run_through_all_sheets_and_duplicates_name_theirs():
    other = replace(KEPT, sha256="other")
    found = numbered([("kept-001.png", [other, KEPT]), ("rejected-001.png", [duplicate("crop")])])
    assert [(one.number, one.sheet) for one in found] == [
        (1, "kept-001.png"), (2, "kept-001.png"), (3, "rejected-001.png"),
    ]  # fmt: skip
    assert captions(3, found[2].face) == ("3 · duplicate", "copy of 2")


def test_copy_of_the_very_same_crop_names_the_other_one():
    same = replace(duplicate("crop"), sha256="crop")
    found = numbered([("rejected-001.png", [same]), ("rejected-002.png", [KEPT])])
    assert found[0].face.detail == "copy of 2"


def test_duplicate_of_a_face_on_no_sheet_keeps_its_words():
    (found,) = numbered([("rejected-001.png", [duplicate("elsewhere")])])
    assert found.face.detail == "of elsewhere"


def test_list_tells_each_face_its_files_and_where_it_came_from(filled, tmp_path):
    report = write_sheets(filled, tmp_path)
    with report.listing.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 19)]
    assert {row["sheet"] for row in rows} == {"kept-001.png", "rejected-001.png"}
    for row in rows:
        assert (filled.root / row["crop"]).is_file()
        assert row["sha256"] in row["crop"]
        assert row["image"].startswith("images/")
    pages = {row["came_from"] for row in rows}
    with Catalog(filled.catalog) as catalog:
        hashes = {str(face.id): face.sha256 for face in catalog.faces(None)}
    assert [hashes[row["face"]] for row in rows] == [row["sha256"] for row in rows]
    assert len({row["face"] for row in rows}) == 18
    assert "https://example.org/page/0" in pages


def test_cell_of_a_stranger_is_no_formula_and_no_page_is_its_address(tmp_path):
    origins = {"image": SearchResult("=1+1", "q", "s", 0, page_url=None)}
    path = write(tmp_path, numbered([("kept-001.png", [KEPT])]), {}, origins)
    head, row = csv.reader(path.read_text().splitlines())
    assert tuple(head) == COLUMNS
    assert dict(zip(head, row, strict=True))["came_from"] == "'=1+1"


def test_list_of_ones_own_is_not_overwritten(filled, tmp_path):
    (tmp_path / "faces.csv").write_text("name,age\n")
    with pytest.raises(WorkspaceError, match="is there already") as caught:
        write_sheets(filled, tmp_path)
    assert "--out" in str(caught.value.hint)
    assert [path.name for path in tmp_path.iterdir()] == ["faces.csv"]
    (tmp_path / "faces.csv").unlink()
    write_sheets(filled, tmp_path)
    ours = [tmp_path / "kept-001.png", tmp_path / "rejected-001.png"]
    assert check(tmp_path, ["kept-001.png"]) == ours  # written anew


def test_list_of_an_older_version_is_ours(tmp_path):
    older = "sheet,number,status,reason,detail,image,came_from,crop,sha256"
    (tmp_path / "faces.csv").write_text(f"{older}\nkept-001.png,1\n")
    assert check(tmp_path, ["kept-001.png"]) == [tmp_path / "kept-001.png"]


@pytest.mark.parametrize("name", ["../kept-001.png", "/kept-001.png", "notes.txt", ""])
def test_list_that_was_changed_names_no_other_file_as_ours(tmp_path, name):
    (tmp_path / "faces.csv").write_text(f"{','.join(COLUMNS)}\n{name}\n\n")
    assert check(tmp_path, []) == []


def test_list_that_is_none_is_somebody_elses(tmp_path):
    (tmp_path / "faces.csv").write_text(f"{','.join(COLUMNS)}\n{'x' * 200_000}\n")
    with pytest.raises(WorkspaceError, match="is there already"):
        check(tmp_path, [])
