"""Originals that were deleted to save room: their faces are as easily forgotten and credited."""

import contextlib
import shutil
import sqlite3

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, SourceError
from facegan.core.files import Workspace
from facegan.core.records import Outcome, Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.credits import of_workspace
from pipeline.forget import forget
from pipeline.scrape import scrape
from tests.forget_helpers import bytes_in, crop, filled, hash_of, result
from tests.scrape_helpers import GONE, fetched, lists

UNREACHABLE = Outcome(Status.FAILED, Reason.CONNECTION)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("made") / "data", count=2)


@pytest.fixture(params=["unreachable", "gone", "changed"])
def workspace(request, made, tmp_path, monkeypatch):
    """Without originals, after a scrape that could not fetch them again."""
    root = shutil.copytree(made.root, tmp_path / "data")
    shutil.rmtree(root / "images")
    again = {"unreachable": lambda _: UNREACHABLE, "gone": lambda _: GONE, "changed": fetched}
    lists(monkeypatch, [], again[request.param])
    scrape_again(Workspace(root))
    return Workspace(root)


def scrape_again(workspace):
    with contextlib.suppress(SourceError, NothingProducedError):  # of no image at all
        scrape(ScrapeConfig("artist"), workspace)


@pytest.mark.parametrize("what", [result(0).url, "0.example", "artist"])
def test_faces_go_by_address_host_and_query(workspace, what):
    assert crop(0) in bytes_in(workspace)
    report = forget(what, workspace)
    assert report.plan.faces == (2 if what == "artist" else 1)
    left = bytes_in(workspace)
    assert crop(0) not in left
    assert (crop(1) in left) is (what != "artist")


def test_credits_know_the_licence(workspace):
    told = {credit.sha256: credit.license for credit in of_workspace(workspace)}
    assert told == {hash_of(0): None, hash_of(1): "CC0"}


def test_a_forgotten_picture_stays_so_when_it_is_scraped_again(workspace):
    forget(result(1).url, workspace)
    scrape_again(workspace)
    with Catalog(workspace.catalog) as catalog:
        assert catalog.is_opted_out(hash_of(1))
        assert [face.image_sha256 for face in catalog.faces()] == [hash_of(0)]


def test_what_an_earlier_facegan_removed_leaves_the_file_too(made, tmp_path):
    workspace = Workspace(shutil.copytree(made.root, tmp_path / "data"))
    db = sqlite3.connect(workspace.catalog)
    db.execute("PRAGMA secure_delete = OFF")
    for sql in ("UPDATE faces SET detail = 'Ada''s nose'", "DELETE FROM faces"):
        db.execute(sql)
        db.commit()
    db.close()
    assert b"Ada's nose" in workspace.catalog.read_bytes()
    forget("https://nowhere.example/x.jpg", workspace, kind="url")
    assert b"Ada's nose" not in bytes_in(workspace)
