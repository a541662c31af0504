import contextlib
import itertools
import shutil
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.errors import ConfigError, ShardError, WorkspaceError
from facegan.core.face_tables import judged
from facegan.core.files import Workspace
from facegan.core.records import Reason, Status
from facegan.core.shard_index import HELD_OUT
from facegan.core.shards import open_index, read_members, selection_hash
from pipeline.config import CropConfig, ShardConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial
from pipeline.pack import pack
from pipeline.portraits import portraits
from tests.crop_helpers import as_jpeg, drawn, fill


@pytest.fixture(scope="module")
def cropped(tmp_path_factory):
    images = [as_jpeg(portrait.image) for portrait in portraits(4, seed=31, size_px=160)]
    workspace = fill(tmp_path_factory.mktemp("cropped") / "data", images)
    crop(CropConfig(detector="haar", size=32), workspace, executor=Serial())
    return workspace


@pytest.fixture
def workspace(cropped, tmp_path):
    return Workspace(shutil.copytree(cropped.root, tmp_path / "data"))


def test_the_same_faces_give_the_same_bytes(workspace):
    before = {path.name: path.read_bytes() for path in workspace.shards.iterdir()}
    shutil.rmtree(workspace.shards)
    pack(workspace, ShardConfig())
    assert {path.name: path.read_bytes() for path in workspace.shards.iterdir()} == before


def test_selection_is_that_of_the_kept_faces(workspace):
    with Catalog(workspace.catalog) as catalog:
        kept = [face.sha256 for face in catalog.faces()]
        assert catalog.rows("shards") == 1
    assert open_index(workspace.shards).selection == selection_hash(kept)


def test_a_changed_selection_is_written_anew(workspace):
    with Catalog(workspace.catalog) as catalog:
        gone = catalog.faces()[0]
        outcome = type("O", (), {"status": "rejected", "reason": None, "detail": None, "ms": 0})
        catalog.record_faces(gone.image_sha256, [], outcome, "c")
    index = pack(workspace, ShardConfig())
    assert index.count == 3
    assert len(list(workspace.shards.glob("*.tar"))) == 1


def test_altered_shards_are_mended(workspace):
    (tar,) = workspace.shards.glob("*.tar")
    good = tar.read_bytes()
    tar.write_bytes(good[:600] + b"\xff" + good[601:])
    index = pack(workspace, ShardConfig())
    assert tar.read_bytes() == good
    assert len(list(read_members(index, index.members))) == 4


def test_a_crop_that_is_gone_or_altered_is_named_with_a_remedy(workspace):
    path = sorted(workspace.faces.glob("*/*.png"))[0]
    good = path.read_bytes()
    shutil.rmtree(workspace.shards)
    for bad, words in ((good[:-9], "its bytes are not"), (b"", "no square PNG"), (None, "No such")):
        path.unlink() if bad is None else path.write_bytes(bad)
        with pytest.raises(ShardError, match=words) as caught:
            pack(workspace, ShardConfig())
        assert str(path) in caught.value.message
        assert "facegan crop" in caught.value.hint
    crop(CropConfig(detector="haar", size=32), workspace, executor=Serial())
    assert path.read_bytes() == good


def test_another_size_than_the_crops_is_refused(workspace):
    with pytest.raises(ShardError, match="the crops are 32 px, --size is 64") as caught:
        pack(workspace, ShardConfig(size=64))
    assert caught.value.hint == "facegan crop --size 64"
    crop(CropConfig(detector="haar", size=64), workspace, executor=Serial())
    with pytest.raises(ShardError, match="`facegan train --size 32` takes") as caught:
        pack(workspace, ShardConfig(size=32))
    assert caught.value.hint == "facegan train --size 32"


def stopped(workspace, images, *, killed=False, **settings):
    """A `facegan crop` that ends at this image, and what is said when its faces are packed."""
    asked = itertools.count()

    def stop():
        if next(asked) < images:
            return False
        if killed:
            raise KeyboardInterrupt
        return True

    config = CropConfig(**{"detector": "haar", "size": 32} | settings)
    with contextlib.suppress(KeyboardInterrupt):
        crop(config, workspace, executor=Serial(), should_stop=stop)
    said = []
    return lambda: (pack(workspace, ShardConfig(), listener=said.append).count, said[0].text)


def test_mixed_sizes_are_refused_and_the_remedy_is_to_go_on_or_the_commonest_size(workspace):
    packing = stopped(workspace, 1, size=64)
    text = r"different sizes \(3 of 32 px, 1 of 64 px\): the last `facegan crop` was stopped$"
    with pytest.raises(ShardError, match=text) as caught:
        packing()
    assert caught.value.hint == "facegan crop --size 64 --detector haar"
    with Catalog(workspace.catalog) as catalog:
        catalog.end_crop(2)
    with pytest.raises(ShardError, match=r"px\)$") as caught:
        packing()
    assert caught.value.hint == "facegan crop --size 32"


def test_packing_after_a_stopped_crop_warns_of_two_framings_in_the_shards(workspace):
    count, warning = stopped(workspace, 1, margin=0.2)()
    assert (count, warning) == (
        4,
        "the last `facegan crop` was stopped: 3 kept faces still of other settings",
    )


def test_packing_after_a_killed_crop_warns_of_the_faces_that_are_left_out(workspace):
    count, warning = stopped(workspace, 3, margin=0.2, killed=True)()
    assert (count, warning) == (
        1,
        "the last `facegan crop` was stopped:"
        " 3 faces not judged yet, 1 kept face still of other settings",
    )


def test_where_a_killed_crop_has_judged_nothing_the_error_says_so_and_goes_on(tmp_path):
    packing = stopped(fill(tmp_path / "data", drawn(2)), 1, killed=True)
    with pytest.raises(WorkspaceError, match=r"stopped: 1 face not judged yet$") as caught:
        packing()
    assert caught.value.hint == "facegan crop --size 32 --detector haar"


def test_without_faces_the_error_names_the_command(tmp_path):
    for root in (Workspace(tmp_path / "nowhere"), fill(tmp_path / "data", [b"x"])):
        with pytest.raises(WorkspaceError) as caught:
            pack(root, ShardConfig())
        assert caught.value.hint == "facegan crop"


def test_where_all_faces_were_rejected_the_error_leads_to_the_review_and_tells_the_reasons(
    workspace,
):
    with Catalog(workspace.catalog) as catalog:
        blurred = {"auto_reason": Reason.BLURRED}
        catalog.update_faces([judged(replace(face, **blurred)) for face in catalog.faces()])
    with pytest.raises(WorkspaceError, match=r"none of 4 faces in .* is kept: 4 blurred") as caught:
        pack(workspace, ShardConfig())
    assert caught.value.hint == "facegan review"


def test_settings_are_checked(workspace):
    with pytest.raises(ConfigError, match="--size"):
        pack(workspace, ShardConfig(size=7))


def test_a_share_to_hold_out_is_of_this_packing_and_the_next_one_is_as_cropped(workspace):
    cropped = pack(workspace, ShardConfig())
    assert cropped.split(HELD_OUT) == ()
    half = pack(workspace, ShardConfig(hold_out=0.5))
    assert 0 < len(half.split(HELD_OUT)) < 4
    assert open_index(workspace.shards) == half
    assert pack(workspace, ShardConfig(hold_out=0.5)) == half
    assert half.selection == cropped.selection
    assert pack(workspace, ShardConfig()) == cropped
    with Catalog(workspace.catalog) as catalog:
        catalog.update_faces([replace(face, split=HELD_OUT) for face in catalog.faces()[:2]])
    assert len(pack(workspace, ShardConfig()).split(HELD_OUT)) == 2
    assert pack(workspace, ShardConfig(hold_out=0.0)).split(HELD_OUT) == ()
    assert len(pack(workspace, ShardConfig()).split(HELD_OUT)) == 2


def test_a_decision_by_hand_changes_what_is_packed(workspace):
    with Catalog(workspace.catalog) as catalog:
        thrown = catalog.review_face(catalog.faces()[0].id, Status.REJECTED)
    index = pack(workspace, ShardConfig())
    assert index.count == 3
    assert thrown.sha256 not in {member.sha256 for member in index.members}
