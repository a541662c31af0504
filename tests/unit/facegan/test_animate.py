import numpy as np
import pytest
from PIL import Image

from facegan.animate import animate, caption, find_grids, pick
from facegan.core import events
from facegan.core.errors import CheckpointError, WorkspaceError


def write_grids(folder, iterations, size=(130, 66), seed=0):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for iteration in iterations:
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"iter-{iteration:08d}.png")
    return folder


def frames(path):
    with Image.open(path) as gif:
        assert gif.format == "GIF"
        assert gif.info["loop"] == 0
        for index in range(gif.n_frames):
            gif.seek(index)
            yield gif.convert("RGB"), gif.info["duration"]


def test_the_gif_has_a_frame_a_grid_and_holds_the_last(tmp_path):
    grids = write_grids(tmp_path / "samples", [500, 1000, 1500])
    told = []
    made = animate(
        grids, tmp_path / "out" / "t.gif", frame_ms=100, hold_ms=900, listener=told.append
    )
    pictures = list(frames(made.path))
    assert [duration for _, duration in pictures] == [100, 100, 900]
    assert made.frames == 3
    assert (made.width, made.height) == pictures[0][0].size == (130, 66 + 28)
    assert made.bytes == made.path.stat().st_size
    assert [event.done for event in told if isinstance(event, events.Advanced)] == [1, 2, 3]
    assert told[-1] == events.Finished("animate")


def test_equal_grids_stay_frames_of_their_own(tmp_path):
    folder = tmp_path / "samples"
    for iteration in (500, 1000):
        write_grids(folder, [iteration], seed=1)
    assert len(list(frames(animate(folder, tmp_path / "t.gif").path))) == 2


def test_frames_show_their_grids_in_the_order_of_training(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    for iteration, grey in ((10_000, 200), (900, 100), (100, 20)):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(folder / f"iter-{iteration}.png")
    seen = [
        picture.getpixel((30, 30))[0] for picture, _ in frames(animate(folder, tmp_path / "t").path)
    ]
    assert np.allclose(seen, [20, 100, 200], atol=4)


def test_the_palette_keeps_colours_close(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    ramp = np.zeros((128, 128, 3), np.uint8)
    ramp[..., 0] = np.linspace(60, 220, 128).astype(np.uint8)
    ramp[..., 1] = np.linspace(40, 180, 128).astype(np.uint8)[:, None]
    ramp[..., 2] = 90
    Image.fromarray(ramp).save(folder / "iter-1.png")
    ((picture, _),) = frames(animate(folder, tmp_path / "t.gif").path)
    error = np.abs(np.asarray(picture)[:128].astype(int) - ramp)
    assert error.mean() < 5


def test_many_grids_are_thinned_evenly_with_both_ends(tmp_path):
    folder = write_grids(tmp_path / "samples", range(1, 41), size=(20, 20))
    assert animate(folder, tmp_path / "t.gif", max_frames=7).frames == 7
    picked = [iteration for iteration, _ in pick(find_grids(folder), 7)]
    assert (picked[0], picked[-1]) == (1, 40)
    assert set(np.diff(picked)) <= {6, 7}
    assert [n for n, _ in pick(find_grids(folder), 1)] == [40]
    assert len(pick(find_grids(folder), 100)) == 40


def test_large_grids_are_made_smaller(tmp_path):
    folder = write_grids(tmp_path / "samples", [1], size=(400, 200))
    made = animate(folder, tmp_path / "t.gif", max_px=100)
    assert (made.width, made.height) == (100, 50 + 28)


def test_grids_of_another_size_are_fitted(tmp_path):
    folder = write_grids(tmp_path / "samples", [1], size=(50, 50))
    write_grids(folder, [2], size=(60, 60))
    assert {picture.size for picture, _ in frames(animate(folder, tmp_path / "t.gif").path)} == {
        (60, 88)
    }


def test_the_strip_shows_number_and_progress():
    plain = Image.new("RGB", (400, 100))
    half, whole = (np.asarray(caption(plain, n, 50_000))[100:] for n in (25_000, 50_000))
    assert half.shape == (28, 400, 3)
    assert not np.array_equal(half[:, :110], whole[:, :110])  # the numbers differ
    blue = np.array((86, 180, 233))
    bars = [(strip == blue).all(axis=2).any(axis=0).sum() for strip in (half, whole)]
    assert bars[0] == pytest.approx(bars[1] / 2, abs=2)


def test_a_narrow_grid_has_room_for_the_number_alone():
    assert caption(Image.new("RGB", (32, 32)), 50_000, 50_000).size == (32, 60)


@pytest.mark.parametrize("name", [None, "grid.png", "iter-x.png"])
def test_no_grids_are_one_clear_error(tmp_path, name):
    if name:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        animate(tmp_path, tmp_path / "t.gif")
    assert str(tmp_path) in caught.value.message
    assert "facegan train" in str(caught.value.hint)
    assert not (tmp_path / "t.gif").exists()


def test_a_missing_folder_is_the_same_error(tmp_path):
    with pytest.raises(CheckpointError, match="no sample grids"):
        animate(tmp_path / "missing", tmp_path / "t.gif")


@pytest.mark.parametrize("keep", [0, 30, 2000])
def test_a_damaged_grid_is_named_and_nothing_is_written(tmp_path, keep):
    folder = write_grids(tmp_path / "samples", [1, 2])
    path = folder / "iter-00000001.png"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"iter-00000001\.png: it is damaged"):
        animate(folder, tmp_path / "t.gif")
    assert not (tmp_path / "t.gif").exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    folder = write_grids(tmp_path / "samples", [1])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError):
        animate(folder, tmp_path / "file" / "t.gif")
