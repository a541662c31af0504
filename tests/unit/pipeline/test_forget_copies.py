"""Copies of a picture go with it, whatever the rules have said of their faces."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facegan.core.catalog import Catalog
from facegan.core.files import sha256_of
from facegan.core.records import Reason
from pipeline.config import CropConfig
from pipeline.crop_stage import crop as cut
from pipeline.executors import Serial
from pipeline.forget import forget, plan_forget
from pipeline.portraits import portraits
from pipeline.select import select
from tests.crop_helpers import as_jpeg, faces_of, fill
from tests.forget_helpers import bytes_in, crop, filled, hash_of, kept, result

PASSING = {
    "auto_reason": None, "phash": "5" * 96, "size_px": 100.0, "sharpness": 0.5, "exposure": 0.5,
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return filled(tmp_path)


def be_copies(workspace, *numbers):
    """As the last crop would tell it: the first is the best of them."""
    with Catalog(workspace.catalog) as catalog:
        for number in numbers:
            catalog._db.all(
                "UPDATE faces SET cluster = ? WHERE image_sha256 = ?",
                (sha256_of(crop(numbers[0])), hash_of(number)),
            )


@pytest.mark.parametrize("meant", [0, 2])
def test_copies_of_a_picture_go_with_it(workspace, meant):
    be_copies(workspace, 0, 2)
    report = forget(result(meant).url, workspace)
    plan = report.plan
    assert (plan.images, plan.faces, plan.addresses, plan.copies) == (2, 2, 2, 1)
    assert kept(workspace) == [1, 3]
    assert b"Title-0" not in bytes_in(workspace)


def test_of_a_query_copies_that_another_one_has_found_stay(tmp_path):
    workspace = filled(tmp_path, results=[result(0, "other"), result(2, "other")])
    be_copies(workspace, 0, 1)
    plan = plan_forget("artist", workspace)
    assert (plan.images, plan.copies, plan.staying) == (2, 0, 2)
    every = plan_forget("artist", workspace, every=True)
    assert (every.images, every.copies) == (4, 0)


@pytest.mark.parametrize(
    ("missed", "reason"),
    [
        ({"exposure": 0.02}, Reason.TOO_DARK),
        ({"padding": 0.9}, Reason.PADDED),
        ({"size_px": 30.0}, Reason.TOO_SMALL),
    ],
)
@pytest.mark.parametrize("meant", [0, 2])
def test_copies_that_a_threshold_has_rejected_go_too(workspace, missed, reason, meant):
    change_faces(workspace, {0: PASSING, 2: PASSING | missed})
    assert [found[2] for found in said_of(workspace, 2)] == [reason]
    plan = plan_forget(result(meant).url, workspace)
    assert (plan.images, plan.faces, plan.copies) == (2, 1, 1)
    forget(result(meant).url, workspace)
    assert kept(workspace) == [1, 3]
    assert said_of(workspace, 0, 2) == []
    assert crop(2) not in bytes_in(workspace)


def test_a_bystander_takes_no_picture_of_other_people_with_it(tmp_path):
    """The same small face beside two people: each picture is of its larger one."""
    one, other, both = (portrait.image for portrait in portraits(3, seed=51, size_px=300))
    small = np.full((300, 200, 3), 128, np.uint8)
    small[:200] = cv2.resize(both, (200, 200), interpolation=cv2.INTER_AREA)
    pictures = [as_jpeg(np.hstack([large, small])) for large in (one, other)]
    workspace = fill(tmp_path / "data", pictures)
    cut(CropConfig(detector="haar", size=64, min_face_px=32), workspace, executor=Serial())
    assert len(faces_of(workspace)) == 2
    plan = plan_forget(sha256_of(pictures[0]), workspace)
    assert (plan.images, plan.copies) == (1, 0)


def test_copies_all_of_which_a_threshold_has_rejected_go_too(workspace):
    dark = PASSING | {"exposure": 0.02}
    change_faces(workspace, {1: dark, 2: dark})
    assert plan_forget(result(1).url, workspace).copies == 1


def test_a_threshold_s_reason_stays_with_copies_of_what_goes(tmp_path):
    workspace = filled(tmp_path, results=[result(2, "other")])
    change_faces(workspace, {0: PASSING, 2: PASSING | {"exposure": 0.02}})
    forget("artist", workspace)
    too_dark = "exposure 0.02, at least 0.12"
    assert said_of(workspace, 2) == [(None, too_dark, Reason.TOO_DARK, too_dark)]


def test_copies_that_only_another_query_has_found_stay_and_are_counted(workspace):
    be_copies(workspace, 0, 1)
    with Catalog(workspace.catalog) as catalog:
        catalog._db.all("UPDATE search_results SET query = 'other' WHERE url = ?", (result(1).url,))
    plan = plan_forget("artist", workspace)
    assert (plan.images, plan.copies, plan.staying) == (3, 0, 1)
    every = plan_forget("artist", workspace, every=True)
    assert (every.images, every.copies, every.staying) == (4, 1, 0)


def change_faces(workspace, changes):
    """Other measures of the pictures' faces, and what the rules say of all faces then."""
    with Catalog(workspace.catalog) as catalog:
        for number, one in changes.items():
            for name, value in one.items():
                sql = f"UPDATE faces SET {name} = ? WHERE image_sha256 = ?"  # noqa: S608
                catalog._db.all(sql, (value, hash_of(number)))
        faces = [replace(one, score=0.9) for one in catalog.faces(None)]
        catalog.update_faces(select(faces, CropConfig(), 0.0))


def said_of(workspace, *numbers):
    """Cluster, detail, the rules' reason and its detail."""
    images = {hash_of(number) for number in numbers}
    with Catalog(workspace.catalog) as catalog:
        faces = [one for one in catalog.faces(None) if one.image_sha256 in images]
    return [(one.cluster, one.detail, one.auto_reason, one.auto_detail) for one in faces]
