"""Source pictures for the page: reduced, cut, and never the strangers' bytes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace
from facegan.core.records import Box, ImageRecord, Outcome, Reason, Status
from pipeline.executors import Processes, Serial, WorkerDied
from pipeline.images import ImageLimits, encode_png
from pipeline.review.app import create_app
from pipeline.review.desk import Desk
from pipeline.review.gate import Gate
from pipeline.review.pictures import WHOLE_PX, Pictures, PictureTask, reduced, surroundings
from pipeline.review.thumbs import SIDE_PX

GATE = Gate(8123, "the-token", "the-room")
HERE = "http://127.0.0.1:8123"
IMAGE = ImageRecord("a" * 64, "picture.png", 2400, 600, 10, "png")


def usual_is(limit, monkeypatch):
    monkeypatch.setattr(
        "pipeline.review.pictures.ImageLimits", lambda most=limit: ImageLimits(max_pixels=most)
    )


def picture(height, width):
    """Left half red, right half blue."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 255
    image[:, width // 2 :, 2] = 255
    return image


def decoded(jpeg):
    assert jpeg.startswith(b"\xff\xd8")
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1), cv2.COLOR_BGR2RGB)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encode_png(picture(600, 2400)))
    return path


def test_whole_picture_is_reduced_in_its_colours(path):
    made = decoded(reduced(PictureTask(path, 0, WHOLE_PX)))
    assert made.shape == (256, 1024, 3)
    assert made[128, 100, 0] > 200 > 100 > made[128, 100, 2]
    assert made[128, 900, 2] > 200 > 100 > made[128, 900, 0]


def test_small_picture_is_not_enlarged(tmp_path):
    path = tmp_path / "small.png"
    path.write_bytes(encode_png(picture(30, 50)))
    assert decoded(reduced(PictureTask(path, 0, WHOLE_PX))).shape == (30, 50, 3)


def test_part_lies_round_the_box_as_far_as_there_are_pixels():
    image = np.arange(100 * 100 * 3, dtype=np.uint32).reshape(100, 100, 3).astype(np.uint8)
    middle = surroundings(image, Box(40, 45, 60, 55))
    assert np.array_equal(middle, image[34:66, 34:66])
    assert surroundings(image, Box(-10, -10, 10, 10)).shape == (16, 16, 3)
    assert surroundings(image, Box(200, 200, 220, 220)).size == 0


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_not_shown(tmp_path, data):
    path = tmp_path / "odd.jpg"
    path.write_bytes(data)
    assert reduced(PictureTask(path, 0, WHOLE_PX)) is None
    assert reduced(PictureTask(tmp_path / "gone.jpg", 0, WHOLE_PX)) is None


def test_too_many_pixels_are_not_unpacked(path, monkeypatch):
    for limit, shown in ((600 * 2400, True), (600 * 2400 - 1, False)):
        usual_is(limit, monkeypatch)
        assert (reduced(PictureTask(path, 0, WHOLE_PX)) is not None) is shown


def test_picture_that_a_higher_limit_let_in_is_shown(path, tmp_path, monkeypatch):
    usual_is(600 * 2400 - 1, monkeypatch)
    for width, shown in ((2400, True), (2399, False)):
        image = ImageRecord("a" * 64, "", width, 600, 10, "png")
        pictures = Pictures(Workspace(tmp_path / str(width)), Serial())
        assert (pictures.whole(path, image) is not None) is shown
        assert (pictures.part(path, image, Box(0, 0, 9, 9)) is not None) is shown


def test_decoder_that_crashes_costs_one_picture(path, tmp_path):
    class Crashing:
        def run(self, _, items):
            for item in items:
                yield item, WorkerDied()

    pictures = Pictures(Workspace(tmp_path / "data"), Crashing())
    assert pictures.whole(path, IMAGE) is None
    assert pictures.turn.acquire(timeout=0)  # its place is free again


def test_part_is_kept_in_the_cache_by_picture_and_box(path, tmp_path):
    workspace = Workspace(tmp_path / "data")
    pictures = Pictures(workspace, Serial())
    first = pictures.part(path, IMAGE, Box(0, 100, 100, 200))
    second = pictures.part(path, IMAGE, Box(2200, 100, 2300, 200))
    assert decoded(first).shape[1] <= SIDE_PX
    assert decoded(first)[50, 50, 0] > 200 > decoded(second)[50, 50, 0]
    assert len([*(workspace.root / "cache/thumbs").rglob("*.jpg")]) == 2
    path.write_bytes(encode_png(picture(10, 10)))
    assert pictures.part(path, IMAGE, Box(0, 100, 100, 200)) == first


# the page's addresses


@pytest.fixture
def asked(workspace):
    """Asks the page; the first face's picture lies in the workspace."""
    with Catalog(workspace.catalog) as catalog:
        (face,) = catalog.page_of_faces(limit=1)
        name = catalog.image_paths()[face.image_sha256]
    file = workspace.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_png(picture(480, 640)))
    with Desk(workspace) as desk:
        client = create_app(desk, GATE, Pictures(workspace, Serial())).test_client()
        client.get("/?token=the-token", base_url=HERE)
        yield (lambda path: client.get(f"{HERE}/the-room{path}")), face.image_sha256, client


def test_picture_and_part_are_encoded_here_and_not_kept_by_the_browser(asked):
    ask, sha256, _ = asked
    for path, shape in ((f"/picture/{sha256}.jpg", (480, 640, 3)),
                        (f"/part/{sha256}.jpg?box=300,200,340,240", (64, 64, 3))):  # fmt: skip
        answer = ask(path)
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        assert answer.headers["Cache-Control"] == "no-store"
        assert decoded(answer.data).shape == shape


@pytest.mark.parametrize("box", ["", "1,2,3", "a,b,c,d", "1,2,3,4,5", "1e3,2,3,4", "1234567,2,3,4"])
def test_part_without_a_box_is_refused(asked, box):
    ask, sha256, _ = asked
    assert ask(f"/part/{sha256}.jpg?box={box}").status_code == 400


def test_picture_that_is_not_ours_is_not_shown(asked, workspace):
    ask, sha256, client = asked
    assert ask(f"/picture/{'0' * 64}.jpg").status_code == 404
    assert ask("/picture/..%2f..%2fcatalog.jpg").status_code == 404
    other = client.application.test_client()
    assert other.get(f"{HERE}/the-room/picture/{sha256}.jpg").status_code == 403
    with Catalog(workspace.catalog) as catalog:
        gone = Outcome(Status.REJECTED, Reason.OPTED_OUT)
        catalog._db.all(
            "UPDATE images SET status = ?, reason = ? WHERE sha256 = ?",
            (gone.status, gone.reason, sha256),
        )
    assert ask(f"/picture/{sha256}.jpg").status_code == 404


def test_picture_that_leads_out_of_the_workspace_is_not_shown(asked, workspace, path):
    ask, sha256, _ = asked
    with Catalog(workspace.catalog) as catalog:
        for name in (str(path), f"../{Path(path).name}"):
            catalog._db.all("UPDATE images SET path = ? WHERE sha256 = ?", (name, sha256))
            assert ask(f"/picture/{sha256}.jpg").status_code == 404


def test_real_worker_gives_the_same_picture(path, tmp_path):
    pictures = Pictures(Workspace(tmp_path / "data"), Processes(1))
    assert pictures.whole(path, IMAGE) == reduced(PictureTask(path, 0, WHOLE_PX))
