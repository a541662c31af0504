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
    assert "4 images with 4 faces, 1 of them copies" in said
    assert " stay" not in said
