"""Who made the pictures: what strangers wrote stays text, and nothing is left out."""

import csv
import json
import re
import shutil

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError, ShardError, WorkspaceError
from facegan.core.files import Workspace
from facegan.core.records import Outcome, SearchResult, Status
from facegan.core.shards import INDEX_NAME, Entry, write_shards
from pipeline.config import ShardConfig
from pipeline.credits import FILES, write_credits
from pipeline.credits_text import Credit
from pipeline.forget import forget
from pipeline.pack import pack
from tests.forget_helpers import crop, filled, hash_of, result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    twice = [
        result(2, "poet"),
        result(8, license=None, title="Again"),
        result(1, "poet", license=None),
    ]
    workspace = filled(tmp_path_factory.mktemp("made") / "data", results=twice)
    with Catalog(workspace.catalog) as catalog:
        # Two more addresses of the picture 0, of which nobody had told a licence.
        image = next(one for one in catalog.pending_images("x", "") if one.sha256 == hash_of(0))
        catalog.add_results([result(9, license="CC BY 4.0", title="Named")])
        for number in (8, 9):
            duplicate = Outcome(Status.REJECTED)
            catalog.record_fetch(result(number).url, duplicate, "config", image)
    pack(workspace, ShardConfig())
    return workspace


@pytest.fixture
def workspace(made, tmp_path):
    return Workspace(shutil.copytree(made.root, tmp_path / "data"))


def cells(folder):
    with (folder / FILES[1]).open(newline="") as file:
        return list(csv.DictReader(file))


def page(folder):
    return (folder / FILES[0]).read_text()


# what is told


def test_each_picture_is_told_once_with_all_that_is_known(workspace):
    report = write_credits(workspace)
    rows = {row["sha256"]: row for row in cells(workspace.root)}
    assert set(rows) == {hash_of(number) for number in range(4)}
    one = rows[hash_of(1)]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", one.pop("fetched_at"))
    assert one == {
        "sha256": hash_of(1),
        "title": "Title-1",
        "creator": "Creator-1",
        "license": "CC0",
        "license_url": "",
        "other_licenses": "",
        "attribution": "By-1",
        "source": "bing",
        "query": "artist",
        "filters": "",
        "page_url": "https://pages.example/1",
        "url": result(1).url,
        "also_found_at": "",
    }
    assert (report.images, report.unknown) == (4, 0)
    assert report.licences == (("CC0", 3), ("CC BY 4.0", 1))


def test_a_result_that_names_a_licence_stands_for_the_picture(workspace):
    write_credits(workspace)
    row = next(row for row in cells(workspace.root) if row["sha256"] == hash_of(0))
    assert (row["title"], row["license"], row["url"]) == ("Named", "CC BY 4.0", result(9).url)
    assert row["also_found_at"] == f"{result(0).url} {result(8).url}"


def tell(workspace, number, **told):
    """Change what the source has told of a picture."""
    with Catalog(workspace.catalog) as catalog:
        for name, value in told.items():
            sql = f"UPDATE search_results SET {name} = ? WHERE url = ?"  # noqa: S608
            catalog._db.all(sql, (value, result(number).url))


def test_sources_that_disagree_are_named_with_all_that_they_said(workspace):
    tell(
        workspace,
        8,
        source="openverse",
        license="CC BY-NC-ND 4.0",
        license_url="https://c.example/nd",
    )
    tell(workspace, 0, source="urls", license="cc-by 4.0")  # the same in other letters
    report = write_credits(workspace)
    assert (report.disagreeing, report.unknown) == (1, 0)
    assert report.licences == (("CC0", 3),)
    other = "CC BY-NC-ND 4.0 (openverse, https://c.example/nd)"
    assert [row["other_licenses"] for row in cells(workspace.root)].count(other) == 1
    _, told, rest = re.split("^## .*", page(workspace.root), flags=re.MULTILINE)
    assert "## 1 picture whose sources disagree" in page(workspace.root)
    assert r"other sources say: CC BY-NC-ND 4.0 (openverse, https\://c.example/nd)" in told
    assert "cc-by 4.0 (urls), other sources" in told
    assert "CC BY" not in rest


def test_shards_tell_of_sources_that_disagree_too(workspace):
    tell(workspace, 8, license="CC BY-NC-ND 4.0")
    pack(workspace, ShardConfig())
    report = write_credits(workspace, shards=workspace.shards)
    assert (report.disagreeing, report.licences) == (1, (("CC0", 3),))
    assert "CC BY-NC-ND 4.0 (bing)" in page(workspace.shards)


def test_passwords_in_addresses_are_told_nowhere(workspace):
    private = "https://ada:pa55word@a.example/x.jpg"
    names = ("url", "page_url", "license_url", "attribution")
    tell(workspace, 1, **dict.fromkeys(reversed(names), private))
    tell(workspace, 8, url=f"{private}?8", license="CC BY-ND 4.0", license_url=private)
    pack(workspace, ShardConfig())
    for shards in (None, workspace.shards):
        report = write_credits(workspace, shards=shards)
        row = next(row for row in cells(report.folder) if row["sha256"] == hash_of(1))
        assert {row[name] for name in names} == {"https://a.example/x.jpg"}
    told = [path for path in workspace.root.rglob("*") if path.suffix in {".md", ".csv", ".tar"}]
    assert len(told) == 5
    assert not [path for path in told if b"pa55word" in path.read_bytes()]


def test_pictures_of_a_folder_are_not_called_somebodys_copyright(workspace, tmp_path):
    for number in (0, 8, 9):
        tell(workspace, number, source="folder", license=None)
    report = write_credits(workspace)
    assert report.unknown == 1
    assert "## 1 picture from a folder" in page(workspace.root)
    assert "somebody's copyright" not in page(workspace.root)
    shards_of(tmp_path, [{"file": "a/b.jpg"}])
    write_credits(workspace, shards=tmp_path)
    assert "## 1 picture from a folder" in page(tmp_path)
    assert "somebody's copyright" not in page(tmp_path)


def test_a_drawn_portrait_is_told_in_words(workspace):
    truth = json.dumps({"jaw": 1.0, "box": [1, 2, 3, 4]})
    told = {"source": "portraits", "title": truth, "attribution": None}
    tell(workspace, 1, **told, url="portrait:7/3?size=64")
    pack(workspace, ShardConfig())
    for shards in (None, workspace.shards):
        report = write_credits(workspace, shards=shards)
        assert "“drawn portrait 3 of seed 7”" in page(report.folder)
        assert "jaw" not in page(report.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_ones_own_is_never_overwritten(workspace, tmp_path, name):
    write_credits(workspace, out=tmp_path)
    write_credits(workspace, out=tmp_path)  # ours, and so replaced
    for each in FILES:
        (tmp_path / each).unlink()
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(WorkspaceError, match=f"{name} is there already") as caught:
        write_credits(workspace, out=tmp_path)
    assert "--out" in caught.value.hint
    assert [path.read_bytes() for path in tmp_path.glob("*.*")] == [b"old"]


def test_unknown_licences_come_first_and_plainly(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE search_results SET license = NULL WHERE url = ?", (result(3).url,))
    assert write_credits(workspace).unknown == 1
    heads = re.findall("^## .*", page(workspace.root), re.MULTILINE)
    assert heads == [
        "## 1 picture whose licence nobody told",
        "## CC BY 4.0, 1 picture",
        "## CC0, 2 pictures",
    ]


def test_only_kept_faces_are_told_of_unless_all_are_asked_for(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog.record_faces(hash_of(2), [], Outcome(Status.REJECTED), "config")
    assert write_credits(workspace).images == 3
    assert write_credits(workspace, every=True).images == 4
    forget(hash_of(1), workspace)
    assert not (workspace.root / FILES[0]).exists()
    assert write_credits(workspace, every=True).images == 3
    assert "Title-1" not in page(workspace.root)


def test_shards_tell_the_same(workspace, tmp_path):
    write_credits(workspace)
    here = cells(workspace.root)
    report = write_credits(Workspace(tmp_path / "none"), shards=workspace.shards)
    assert report.folder == workspace.shards
    there = cells(workspace.shards)
    same = ("sha256", "title", "creator", "license", "attribution", "source", "page_url", "url")
    assert [[row[name] for name in same] for row in there] == [
        [row[name] for name in same] for row in here
    ]


def test_the_same_pictures_give_the_same_bytes(workspace, tmp_path):
    for name in ("a", "b"):
        write_credits(workspace, out=tmp_path / name)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_to_tell_of_is_said(tmp_path):
    with pytest.raises(WorkspaceError, match="no images"):
        write_credits(Workspace(tmp_path / "none"))
    empty = Workspace(tmp_path / "empty")
    empty.create()
    Catalog(empty.catalog).close()
    for every in (True, False):
        with pytest.raises(NothingProducedError):
            write_credits(empty, every=every)
    with pytest.raises(ShardError):
        write_credits(empty, shards=tmp_path)
    shards = tmp_path / "shards"
    shards_of(shards, [{}])
    index = json.loads((shards / INDEX_NAME).read_text())
    (shards / INDEX_NAME).write_text(json.dumps(index | {"shards": [], "members": []}))
    with pytest.raises(NothingProducedError, match=f"no images in {shards}"):
        write_credits(empty, shards=shards)
    assert not (empty.root / FILES[0]).exists()


# strangers


def shards_of(folder, facts):
    """Shards that someone else has made."""
    entries = [Entry(f"k{n}", crop(n), each) for n, each in enumerate(facts)]
    return write_shards(folder, entries, image_size=32, config={})


def test_shards_of_others_may_tell_anything(tmp_path):
    facts = [
        {"origin": {"title": "=1+1", "license": ["x"], "url": 7, "creator": "a\ud800\0b"}},
        {"origin": "text", "image_sha256": {"a": 1}},
        {"origin": {"url": "javascript:alert(1)", "page_url": "file:///etc/passwd"}},
        {"file": "a/b.jpg"},
    ]
    entries = [json.loads(json.dumps(each).replace("\\ud800", "")) for each in facts]
    shards_of(tmp_path, entries)
    assert write_credits(Workspace(tmp_path / "none"), shards=tmp_path).unknown == 4
    titles = sorted(row["title"] for row in cells(tmp_path))
    assert titles == ["", "", "'=1+1", "a/b.jpg"]
    assert "](<javascript" not in page(tmp_path)
    assert "](<file" not in page(tmp_path)


def test_a_search_result_fills_its_columns():
    shared = set(SearchResult.__dataclass_fields__) & set(Credit.__dataclass_fields__)
    left = set(SearchResult.__dataclass_fields__) - shared
    assert left == {"rank", "width", "height"}
