"""What `facegan forget` says of a search."""

from pathlib import Path

import pytest

import cli
from facegan.core.catalog import Catalog
from facegan.core.files import sha256_of
from tests.forget_helpers import crop, filled, hash_of, result


def test_the_plan_of_a_search_counts_what_stays_of_it_and_copies_that_others_have_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = filled(tmp_path, results=[result(0, "poet")])
    with Catalog(workspace.catalog) as catalog:
        for number in (1, 2):
            catalog._db.all(
                "UPDATE faces SET cluster = ? WHERE image_sha256 = ?",
                (sha256_of(crop(1)), hash_of(number)),
            )
        catalog._db.all("UPDATE search_results SET query = 'poet' WHERE url = ?", (result(2).url,))
    words = ("forget", "artist", "--workspace", str(tmp_path), "--dry-run")
    with pytest.raises(SystemExit):
        cli.main(words)
    said = capsys.readouterr().out
    assert "\n2 images stay that another search term has led to: of it, or copies (--all" in said
    with pytest.raises(SystemExit):
        cli.main([*words, "--all"])
    said = capsys.readouterr().out
    assert "4 images with 4 kept faces, 1 of them copies" in said
    assert " stay" not in said


def test_kept_faces_are_called_so_where_rejected_ones_go_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = filled(tmp_path)
    with Catalog(workspace.catalog) as catalog:
        rejected = "UPDATE faces SET status = 'rejected', reason = 'blurred' WHERE sha256 = ?"
        catalog._db.all(rejected, (sha256_of(crop(1)),))
    with pytest.raises(SystemExit):
        cli.main(["forget", "img.example", "--workspace", str(tmp_path), "--yes"])
    planned, removed, *_ = capsys.readouterr().out.splitlines()
    assert planned == "forgot host img.example: 2 images with 1 kept face"
    assert removed == "removed 2 images, 2 faces"


def test_a_picture_of_ones_own_is_forgotten_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my pictures" / "ada.jpg"
    workspace = filled(tmp_path / "data")
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all(
            "UPDATE search_results SET url = ? WHERE url = ?", (path.as_uri(), result(1).url)
        )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(["forget", "my pictures/ada.jpg", "--yes"])
    said = capsys.readouterr().out
    assert said.startswith(f"forgot url {path.as_uri()}: 1 image with 1 kept face\n")
