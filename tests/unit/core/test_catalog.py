import contextlib
import sqlite3
import threading

import pytest

from facegan.core import database
from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.errors import CatalogError
from facegan.core.records import (
    Box,
    FaceRecord,
    Outcome,
    Reason,
    Status,
    Tally,
)
from facegan.core.schema import MIGRATIONS

from .conftest import image, result

KEPT = Outcome(Status.KEPT, ms=2.5)
FAILED = Outcome(Status.FAILED, Reason.TIMEOUT)
NO_FACE = Outcome(Status.REJECTED, Reason.NO_FACE, "none seen")


def face(sha="a", crop="c", **changes):
    values = {
        "image_sha256": sha,
        "box": Box(1.5, 2, 30, 40),
        "landmarks": tuple((float(n), n + 0.5) for n in range(5)),
        "score": 0.75,
        "detector": "yunet",
        "status": Status.KEPT,
        "path": f"faces/{crop}.png",
        "sha256": crop,
    }
    return FaceRecord(**values | changes)


def fetched(catalog, *shas):
    for number, sha in enumerate(shas):
        catalog.add_results([result(f"http://x/{sha}", number)])
        catalog.record_fetch(f"http://x/{sha}", KEPT, "s", image(sha))


# faces


def test_faces_come_back_as_they_were_recorded(catalog):
    fetched(catalog, "a")
    rejected = face(
        crop=None, status=Status.REJECTED, reason=Reason.TOO_SMALL, detail="9 px", path=None,
        landmarks=None, score=None, box=None,
    )  # fmt: skip
    catalog.record_faces("a", [face(), rejected], KEPT, "c")
    (kept,) = catalog.faces()
    assert (kept.box, kept.landmarks, kept.score) == (face().box, face().landmarks, 0.75)
    assert kept == FaceRecord(**{n: getattr(face(), n) for n in FACE_FIELDS}, id=kept.id)
    assert len(catalog.faces(None)) == 2
    (other,) = catalog.faces(Status.REJECTED)
    assert (other.reason, other.detail, other.box, other.path) == (
        Reason.TOO_SMALL,
        "9 px",
        None,
        None,
    )


FACE_FIELDS = [name for name in FaceRecord.__dataclass_fields__ if name != "id"]


def test_faces_of_an_image_are_replaced(catalog):
    fetched(catalog, "a", "b")
    catalog.record_faces("a", [face(crop="1"), face(crop="2")], KEPT, "c")
    catalog.record_faces("b", [face("b", "0")], KEPT, "c")
    catalog.record_faces("a", [face(crop="3")], KEPT, "d")
    assert [f.sha256 for f in catalog.faces()] == ["0", "3"]


def test_a_face_of_an_unknown_image_is_refused_and_nothing_is_written(catalog):
    with pytest.raises(CatalogError, match="FOREIGN KEY"):
        catalog.record_faces("nowhere", [face("nowhere")], KEPT, "c")
    assert catalog.rows("outcomes") == 0


# resume


def test_images_without_an_outcome_of_this_configuration_are_pending(catalog):
    fetched(catalog, "d", "a", "c", "b")
    assert [i.sha256 for i in catalog.pending_images("crop", "c1")] == ["a", "b", "c", "d"]
    catalog.record_faces("a", [face("a")], KEPT, "c1")
    catalog.record_faces("b", [], NO_FACE, "c1")
    catalog.record_faces("c", [], FAILED, "c1")
    assert [i.sha256 for i in catalog.pending_images("crop", "c1")] == ["c", "d"]
    assert [i.sha256 for i in catalog.pending_images("crop", "c2")] == ["a", "b", "c", "d"]
    assert [i.sha256 for i in catalog.pending_images("other", "c1")] == ["a", "b", "c", "d"]


def test_status_is_the_projection_of_the_outcome(catalog):
    fetched(catalog, "a", "b")
    catalog.record_faces("a", [face()], KEPT, "c")
    catalog.record_faces("b", [], NO_FACE, "c")
    assert catalog.tally("images") == Tally(1, {"no_face": 1}, {})
    assert catalog.tally("faces") == Tally(1)
    assert catalog.tally("search_results") == Tally(2)


def test_tallies_of_other_tables_are_refused(catalog):
    with pytest.raises(ValueError, match="outcomes"):
        catalog.tally("outcomes")
    with pytest.raises(ValueError, match="DROP"):
        catalog.rows("images; DROP TABLE images")


# shards, runs, scores


def test_shards_are_replaced(catalog):
    catalog.record_shards([("one.tar", "s", 3, 99), ("two.tar", "t", 1, 9)], "sel")
    catalog.record_shards([("one.tar", "u", 2, 98)], "sel2")
    assert catalog.rows("shards") == 1


def test_runs_and_checkpoints_are_brought_up_to_date(catalog):
    for at in (10, 20):
        catalog.record_run(
            "00001-x", iteration=at, iterations=50, seconds=1.5, selection="s", status="running",
            checkpoints=[(at, f"c{at}")],
        )  # fmt: skip
    assert catalog.rows("runs") == catalog.rows("checkpoints") == 1
    assert catalog.runs()[0]["iteration"] == 20


def test_scores_are_added(catalog):
    for value in (1.5, 2.5):
        catalog.record_score("r", 10, "is", value, {"splits": 10})
    assert catalog.rows("scores") == 2


# origins


def test_the_result_that_names_a_licence_is_the_origin(catalog):
    catalog.add_results([result("a", 0), result("b", 1, license="CC0"), result("c", 2)])
    for url in "ab":
        catalog.record_fetch(url, KEPT, "c", image("s"))
    assert catalog.origins() == {"s": result("b", 1, license="CC0")}


# the file


def test_what_was_written_is_there_after_closing(tmp_path):
    with Catalog(tmp_path / "c.db") as catalog:
        fetched(catalog, "a")
    with Catalog(tmp_path / "c.db") as catalog:
        assert catalog.rows("images") == 1
        version = Database(tmp_path / "c.db")
        assert version.one("PRAGMA user_version")[0] == len(MIGRATIONS)
        version.close()


def test_a_newer_catalog_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    raw.close()
    with pytest.raises(CatalogError, match="newer facegan") as caught:
        Catalog(tmp_path / "c.db")
    assert caught.value.hint == "update facegan"


def test_migrations_run_once_each_and_keep_the_rows(tmp_path, monkeypatch):
    with Catalog(tmp_path / "c.db") as catalog:
        fetched(catalog, "a")
    more = "ALTER TABLE images ADD COLUMN extra TEXT;"
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, more))
    for _ in range(2):
        with Catalog(tmp_path / "c.db") as catalog:
            assert catalog.rows("images") == 1


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    broken = "CREATE TABLE half (x) STRICT; SELECT nonsense;"
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(CatalogError):
        Catalog(tmp_path / "c.db")
    raw = sqlite3.connect(tmp_path / "c.db")
    assert raw.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert raw.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    raw.close()


@pytest.mark.parametrize("data", [b"no database, just words " * 99, b"\0" * 5000])
def test_a_corrupt_file_is_named_with_a_remedy(tmp_path, data):
    (tmp_path / "c.db").write_bytes(data)
    with pytest.raises(CatalogError, match="is corrupt") as caught:
        Catalog(tmp_path / "c.db")
    assert "mv " in caught.value.hint


def test_a_folder_in_the_way_is_said_in_words(tmp_path):
    with pytest.raises(CatalogError, match="cannot write"):
        Catalog(tmp_path)


def test_a_closed_catalog_raises(tmp_path):
    catalog = Catalog(tmp_path / "c.db")
    catalog.close()
    with pytest.raises(CatalogError, match="closed"):
        catalog.faces()


def test_what_is_removed_leaves_no_bytes(tmp_path, monkeypatch):
    def connect(*args, **options):  # some builds of SQLite have it on
        db = sqlite3.Connection(*args, **options)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr(database.sqlite3, "connect", connect)
    with Catalog(tmp_path / "c.db") as catalog:
        fetched(catalog, "a", "b")
        catalog.record_faces("a", [face(detail="Ada's nose")], KEPT, "c1")
        catalog.record_faces("a", [], NO_FACE, "c2")
        assert catalog._db.one("PRAGMA secure_delete")[0] == 1
    assert b"Ada's nose" not in (tmp_path / "c.db").read_bytes()


def test_a_transaction_is_all_or_nothing(tmp_path):
    opened = Database(tmp_path / "c.db")
    with contextlib.suppress(KeyError), opened.transaction() as db:
        db.execute("INSERT INTO outcomes VALUES ('s', 'i', 'c', 'kept', NULL, NULL, 1.0)")
        raise KeyError
    assert opened.one("SELECT count(*) FROM outcomes")[0] == 0
    with opened.transaction() as db:
        db.execute("INSERT INTO outcomes VALUES ('s', 'i', 'c', 'kept', NULL, NULL, 1.0)")
    assert opened.one("SELECT count(*) FROM outcomes")[0] == 1
    opened.close()


def test_a_full_disk_is_said_in_words_and_the_catalog_stays_usable(tmp_path):
    opened = Database(tmp_path / "c.db")
    pages = opened.one("PRAGMA page_count")[0]
    opened.one(f"PRAGMA max_page_count = {pages + 2}")
    row = "INSERT INTO scores (run, iteration, measure, value, details, created_at)"
    with pytest.raises(CatalogError, match="the disk is full"), opened.transaction() as db:
        db.execute(f"{row} VALUES ('r', 1, 'm', 1.0, ?, 'now')", ("x" * 100_000,))
    opened.one("PRAGMA max_page_count = 100000")
    with opened.transaction() as db:
        db.execute(f"{row} VALUES ('r', 1, 'm', 1.0, ?, 'now')", ("x" * 100_000,))
    opened.close()


def test_another_writer_is_said_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    first, second = Database(tmp_path / "c.db"), Database(tmp_path / "c.db")
    with first.transaction(), pytest.raises(CatalogError, match="in use by another facegan"):
        second.transaction().__enter__()
    with second.transaction() as db:
        db.execute("DELETE FROM scores")
    first.close()
    second.close()


def test_readers_see_the_last_whole_state_while_one_writes(tmp_path):
    writer, reader = Database(tmp_path / "c.db"), Database(tmp_path / "c.db")
    with writer.transaction() as db:
        db.execute("INSERT INTO outcomes VALUES ('s', 'i', 'c', 'kept', NULL, NULL, 1.0)")
        assert reader.one("SELECT count(*) FROM outcomes")[0] == 0
    assert reader.one("SELECT count(*) FROM outcomes")[0] == 1
    writer.close()
    reader.close()


def test_two_processes_may_make_the_catalog_at_the_same_time(tmp_path):
    errors = []

    def make():
        try:
            Catalog(tmp_path / "c.db").close()
        except CatalogError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
