"""A forgetting that is killed at any moment, and taken up by the next one."""

import shutil
from pathlib import Path

import pytest

from facegan.core import files, shards
from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, write_bytes
from facegan.core.shards import open_index
from pipeline import forget as forget_module
from pipeline.forget import forget
from tests.forget_helpers import began, bytes_in, crop, filled, hash_of, picture


class Killed(BaseException):
    pass


@pytest.mark.parametrize("then", [1, 3])
def test_a_kill_at_any_moment_serves_nothing_again_and_the_next_call_completes(tmp_path, then):
    """The same call again, or one of another target, takes up what was broken off."""
    made, steps = filled(tmp_path / "made"), 0
    while True:
        workspace = Workspace(shutil.copytree(made.root, tmp_path / str(steps)))
        write_bytes(workspace.root / "cache/features/x", b"x")
        began(workspace, "00001-a", open_index(workspace.shards).selection)
        if not killed(workspace, steps):
            break
        with Catalog(workspace.catalog) as catalog:
            assert hash_of(1) not in {face.image_sha256 for face in catalog.faces()}
            assert catalog.is_opted_out(hash_of(1))
        assert forget(hash_of(then), workspace).plan.trained == ("00001-a",)
        left = bytes_in(workspace)
        assert not [n for n in (1, then) if crop(n) in left or picture(n) in left]
        assert crop(0) in left
        assert not (workspace.root / "cache/features").exists()
        steps += 1
    assert steps >= 8


def killed(workspace, after):
    """Whether a call of forget was ended before its step `after`."""
    left = after

    def step(function):
        def stepped(*args, **options):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return function(*args, **options)

        return stepped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", step(Path.unlink))
        patch.setattr(files, "write_json", step(files.write_json))
        patch.setattr(shards, "_remove_others", step(shards._remove_others))
        patch.setattr(Path, "rmdir", step(Path.rmdir))
        patch.setattr(forget_module, "pack", step(forget_module.pack))
        patch.setattr(forget_module.TakingOut, "finish", step(forget_module.TakingOut.finish))
        try:
            forget(hash_of(1), workspace)
        except Killed:
            return True
    return False
