"""What is forgotten is gone from the disk, is not served again and does not come back."""

import shutil

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import NothingProducedError
from facegan.core.files import Workspace, sha256_of, write_bytes
from facegan.core.shards import Entry, open_index, write_shards
from pipeline.config import CropConfig, ScrapeConfig, ShardConfig
from pipeline.credits_text import as_csv
from pipeline.crop_stage import crop as crop_stage
from pipeline.executors import Serial
from pipeline.forget import forget, plan_forget
from pipeline.gallery import Gallery
from pipeline.pack import pack, record
from pipeline.scrape import scrape
from tests.forget_helpers import began, bytes_in, crop, filled, hash_of, keep, kept, picture, result
from tests.servers import pictures

DERIVED = (
    "cache/decoded-abc-64.u8",
    "cache/features/x/y.safetensors",
    "cache/answers/1/2",
    "answers/bing.html",
    "answers/met.json",
    "runs/00001-a/plots/scores.png",
    "scores/x-1/scores.png",
    "CREDITS.md",
    "shards/credits.csv",
)
STAYS = (
    "runs/00001-a/plots/losses.png",
    "runs/00001-a/checkpoints/iter-1.json",
    "cache/other",
    "answers/notes.html",
    "answers/mine.json",
    "credits.csv",
    "shards/CREDITS.md",
)
OURS = {
    "CREDITS.md": b"# Credits\n\nMade by `facegan credits`; ...",
    "shards/credits.csv": as_csv([]).encode(),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("made") / "data")


@pytest.fixture
def workspace(made, tmp_path):
    return Workspace(shutil.copytree(made.root, tmp_path / "data"))


# what goes


def test_a_picture_goes_with_all_that_came_from_it(workspace):
    told = [b"Title-1", b"Creator-1", b"By-1", b"pages.example/1", b"Phash-1"]
    traces = [crop(1), picture(1), *told]
    assert all(trace in bytes_in(workspace) for trace in traces)
    report = forget(result(1).url, workspace)
    assert (report.plan.images, report.plan.faces, report.plan.addresses) == (1, 1, 1)
    assert (report.files, report.shards, report.shard_images) == (2, "packed", 3)
    assert kept(workspace) == [0, 2, 3]
    there = bytes_in(workspace)
    assert [trace for trace in traces if trace in there] == []
    assert b"Title-0" in there
    assert crop(0) in there


def test_the_journal_of_an_open_catalog_keeps_nothing(workspace):
    with Catalog(workspace.catalog) as beside:
        forget(result(1).url, workspace)
        assert beside.rows("images") == 4
        assert b"Title-1" not in bytes_in(workspace)


def test_half_written_files_and_tars_that_no_index_names_go_too(workspace):
    path = next(workspace.faces.glob("*/*"))
    half = path.with_name(f".{path.name}.0a1b.tmp")
    stray = workspace.shards / "faces-000000-0badcafe.tar"
    for one in (half, stray):
        one.write_bytes(b"x")
    forget("artist", workspace)
    assert not half.exists()
    assert not stray.exists()


def test_landmarks_and_boxes_go_from_the_catalog(workspace):
    forget(hash_of(1), workspace)
    with Catalog(workspace.catalog) as catalog:
        assert len(catalog.faces(None)) == 3
        assert catalog.is_opted_out(hash_of(1))
        assert catalog.tally("search_results").rejected == {"forgotten": 1}
        pending = {image.sha256 for image in catalog.pending_images("crop", "other")}
        assert pending == {hash_of(number) for number in (0, 2, 3)}


def test_what_was_made_of_real_faces_goes_and_no_more(workspace):
    for name in (*DERIVED, *STAYS):
        write_bytes(workspace.root / name, OURS.get(name, b"x"))
    kinds = ("cache", "answers of sources", "figures of scores", "CREDITS.md", "credits.csv")
    assert plan_forget(result(1).url, workspace).also == kinds
    report = forget(result(1).url, workspace)
    assert [name for name in DERIVED if (workspace.root / name).exists()] == []
    assert [name for name in STAYS if not (workspace.root / name).exists()] == []
    assert report.files == 2 + len(DERIVED)
    made = dict(zip(kinds, (3, 2, 2, 1, 1), strict=True))
    assert report.removed == {"images": 1, "faces": 1} | made


def test_links_are_not_followed_out_of_the_workspace(workspace, tmp_path):
    write_bytes(tmp_path / "elsewhere/mine.txt", b"x")
    write_bytes(workspace.root / "cache/features/a", b"x")
    (workspace.root / "cache/features/link").symlink_to(tmp_path / "elsewhere")
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE images SET path = '../elsewhere/mine.txt'")
    forget(hash_of(1), workspace)
    assert (tmp_path / "elsewhere/mine.txt").exists()
    assert not (workspace.root / "cache/features").exists()


def test_a_host_goes_with_those_below_it(workspace):
    report = forget("img.example", workspace)
    assert (report.plan.images, kept(workspace)) == (2, [0, 2])
    assert report.plan.addresses == 3  # one of them failed or waits


def test_a_page_goes_with_its_pictures(workspace):
    assert forget("https://pages.example/2", workspace).plan.images == 1
    assert kept(workspace) == [0, 1, 3]


@pytest.mark.parametrize("digits", [8, 20, 64])
@pytest.mark.parametrize("of", ["image", "face"])
def test_some_digits_of_a_hash_suffice(workspace, digits, of):
    sha256 = hash_of(2) if of == "image" else sha256_of(crop(2))
    assert forget(sha256[:digits].upper(), workspace).plan.images == 1
    assert kept(workspace) == [0, 1, 3]


def test_a_crop_that_two_pictures_gave_stays_with_the_other(workspace):
    with Catalog(workspace.catalog) as catalog:
        keep(workspace, catalog, 4, face=0)
    pack(workspace, ShardConfig())
    forget(hash_of(0), workspace)
    assert kept(workspace) == [1, 2, 3, 4]
    assert b"Title-0" not in bytes_in(workspace)
    forget(sha256_of(crop(0)), workspace)
    assert crop(0) not in bytes_in(workspace)


def test_a_query_goes_but_for_what_another_one_has_found(tmp_path):
    workspace = filled(tmp_path / "data", results=[result(0, "poet"), result(5, "poet")])
    plan = plan_forget("artist", workspace)
    assert (plan.images, plan.staying, plan.addresses) == (3, 1, 4)
    forget("artist", workspace)
    assert kept(workspace) == [0]
    forget("artist", workspace, every=True)
    assert not workspace.shards.joinpath("index.json").exists()


def test_without_a_face_left_the_shards_go(workspace):
    told = []
    report = forget("artist", workspace, listener=told.append)
    assert (report.shards, report.shard_images, told) == ("removed", 0, [])
    assert list(workspace.shards.iterdir()) == []
    with Catalog(workspace.catalog) as catalog:
        assert catalog.rows("shards") == 0
    pngs = [crop(number) for number in range(4)]
    assert not any(png in bytes_in(workspace) for png in pngs)


def test_a_crop_of_nothing_but_taken_out_pictures_says_so(workspace):
    forget("artist", workspace)
    with pytest.raises(NothingProducedError, match="all 4 images were taken out") as caught:
        crop_stage(CropConfig(detector="haar"), workspace, executor=Serial())
    assert caught.value.hint == 'facegan scrape "artist"'


# the shards


def test_shards_are_packed_with_the_settings_that_they_had(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE images SET phash = NULL")  # else to be compared
    pack(workspace, ShardConfig(max_bytes=2**20 + 512, hold_out=0.5))
    before = open_index(workspace.shards)
    forget(hash_of(1), workspace)
    after = open_index(workspace.shards)
    assert after.image_size == before.image_size
    assert (after.config["max_bytes"], after.config["hold_out"]) == (2**20 + 512, 0.5)


def test_shards_that_hold_none_of_it_are_left_alone(workspace):
    before = {path: path.stat().st_mtime_ns for path in workspace.shards.iterdir()}
    report = forget("https://nowhere.example/x.jpg", workspace, kind="url")
    assert (report.shards, report.shard_images, report.files) == (None, 4, 0)
    assert {path: path.stat().st_mtime_ns for path in workspace.shards.iterdir()} == before


def test_shards_that_cannot_be_packed_are_removed_with_a_word(workspace):
    with Catalog(workspace.catalog) as catalog:
        other = next(face for face in catalog.faces() if face.image_sha256 == hash_of(2))
    (workspace.root / other.path).unlink()
    told = []
    assert forget(hash_of(1), workspace, listener=told.append).shards == "removed"
    assert any("cannot be packed anew" in getattr(event, "text", "") for event in told)
    assert crop(1) not in bytes_in(workspace)


def test_damaged_shards_are_packed_anew(workspace):
    (workspace.shards / "index.json").write_bytes(b"{")
    assert forget(hash_of(1), workspace).shards == "packed"
    assert kept(workspace) == [0, 2, 3]


def test_shards_of_a_folder_go_where_they_hold_such_a_face(workspace):
    def packed(*numbers):
        entries = [Entry(f"k{number}", crop(number), {}) for number in numbers]
        index = write_shards(workspace.shards, entries, image_size=32, config={"source": "folder"})
        record(workspace, index)

    packed(0, 2)
    assert forget(hash_of(1), workspace).shards is None
    assert forget(hash_of(2), workspace).shards == "removed"


# what stays known


def test_runs_that_saw_it_are_named_and_others_are_not(workspace):
    first = open_index(workspace.shards).selection
    began(workspace, "00001-a", first)
    began(workspace, "00002-b", "f" * 64)
    forget(hash_of(1), workspace)
    began(workspace, "00003-c", open_index(workspace.shards).selection)
    plan = plan_forget(hash_of(2), workspace)
    assert plan.trained == ("00001-a", "00003-c")
    assert plan.unknown == ("00002-b",)
    assert plan_forget(hash_of(1), workspace).trained == ("00001-a",)


def test_what_earlier_shards_held_stays_on_record(workspace):
    began(workspace, "00001-a", open_index(workspace.shards).selection)
    with Catalog(workspace.catalog) as catalog:
        keep(workspace, catalog, 1, face=5)  # cut anew, with other settings
    pack(workspace, ShardConfig())
    assert plan_forget(hash_of(1), workspace).trained == ("00001-a",)
    assert plan_forget(sha256_of(crop(1)), workspace).images == 1


def test_shards_of_an_earlier_facegan_tell_what_they_hold(workspace):
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("DELETE FROM selections")
    began(workspace, "00001-a", open_index(workspace.shards).selection)
    plan = plan_forget(hash_of(1), workspace)
    assert (plan.trained, plan.unknown) == (("00001-a",), ())


def test_a_plan_changes_nothing_but_the_record(workspace):
    before = {p: p.read_bytes() for p in workspace.root.rglob("*") if p.suffix in {".jpg", ".png"}}
    plan = plan_forget("artist", workspace)
    assert (plan.images, plan.faces) == (4, 4)
    assert {path: path.read_bytes() for path in before} == before
    assert kept(workspace) == [0, 1, 2, 3]


# the next scrape


def test_no_later_scrape_fetches_it_or_keeps_the_same_bytes_from_elsewhere(tmp_path):
    workspace, offered = Workspace(tmp_path / "data"), pictures(3)
    with Gallery(offered) as gallery:
        config = ScrapeConfig(
            "artist", limit=3, base_url=gallery.base_url, allow_hosts=(gallery.host,)
        )
        scrape(config, workspace)
        gone = gallery.address("0001.jpg")
        assert forget(gone, workspace).plan.images == 1
        before = dict(gallery.requests)
        for changed in ({}, {"query": "poet"}, {"min_size_px": 33}):
            report = scrape(ScrapeConfig(**(config.to_dict() | changed)), workspace)
            assert report.images == 2
        asked = [path for path in gallery.requests if path.startswith("/pictures/0001")]
        assert {path: gallery.requests[path] for path in asked} == {
            path: before[path] for path in asked
        }
    with Gallery({"other.jpg": offered["0001.jpg"]}) as gallery:
        config = ScrapeConfig("new", base_url=gallery.base_url, allow_hosts=(gallery.host,))
        with pytest.raises(NothingProducedError, match="forgotten 1"):
            scrape(config, workspace)
    with Catalog(workspace.catalog) as catalog:
        assert catalog.is_opted_out(sha256_of(offered["0001.jpg"]))
    assert not list(workspace.images.glob(f"*/{sha256_of(offered['0001.jpg'])}*"))
