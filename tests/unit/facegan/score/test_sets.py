import io

import numpy as np
import pytest
import torch
from PIL import Image

from facegan.core.errors import ScoreError
from facegan.core.shards import Entry, open_index, write_shards
from facegan.images import encode_png
from facegan.score.sets import Generated, Packed, batches, parts, pictures


def noise(count, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def write(folder, images, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        (folder / f"{number:03d}.{suffix}").write_bytes(encode_png(image))


def test_pictures_come_in_an_order_that_the_seed_draws_and_not_by_name(tmp_path):
    images = noise(30)
    write(tmp_path, images)
    found = pictures(tmp_path)
    numbers = [int(path.stem) for path in found.paths]
    assert sorted(numbers) == list(range(30)) != numbers
    assert np.array_equal(found.read(0, 30), images[numbers])
    assert np.array_equal(found.read(25, 9), images[numbers[25:]])
    assert pictures(tmp_path).paths == found.paths != pictures(tmp_path, seed=1).paths


def test_pictures_of_folders_below_are_found_and_other_files_passed_over(tmp_path):
    write(tmp_path / "a/b", noise(2))
    write(tmp_path, noise(1, seed=1))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"half written")
    assert len(pictures(tmp_path)) == 3


def test_a_limit_chooses_by_seed(tmp_path):
    images = noise(20)
    write(tmp_path, images)
    one, same, other = (pictures(tmp_path, limit=8, seed=seed) for seed in (1, 1, 2))
    assert one.paths == same.paths
    assert set(one.paths) != set(other.paths)
    assert len(one) == 8


def test_the_content_follows_the_bytes_and_not_the_names(tmp_path):
    write(tmp_path / "a", noise(3))
    write(tmp_path / "b", noise(3))
    write(tmp_path / "c", noise(3, seed=1))
    a, b, c = (pictures(tmp_path / name).content for name in "abc")
    assert a == b != c


def test_jpeg_webp_and_grey_pictures_become_rgb(tmp_path):
    grey = Image.fromarray(noise(1)[0]).convert("L")
    grey.save(tmp_path / "a.png")
    grey.save(tmp_path / "b.jpeg")
    grey.convert("RGB").save(tmp_path / "c.webp", lossless=True)
    found = pictures(tmp_path).read(0, 3)
    assert found.shape == (3, 32, 32, 3)
    assert (np.ptp(found, axis=3) == 0).all()


def test_mixed_sizes_are_refused_by_name(tmp_path):
    write(tmp_path, noise(2))
    (tmp_path / "z.png").write_bytes(encode_png(noise(1, 48)[0]))
    with pytest.raises(
        ScoreError, match=r"(32x32 px, z\.png 48x48 px|z\.png has 48x48 px, .* 32x32 px)"
    ):
        pictures(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_damaged_picture_is_named(tmp_path, content):
    write(tmp_path, noise(1))
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(ScoreError, match=r"cannot score .*broken.png: it is no "):
        pictures(tmp_path).read(0, 2)


def test_a_picture_cut_short_is_refused(tmp_path):
    write(tmp_path, noise(2, 64))
    path = tmp_path / "001.png"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ScoreError, match=r"001\.png"):
        pictures(tmp_path).read(0, 2)


def test_sixteen_bits_a_channel_are_refused_and_not_cut(tmp_path):
    deep = Image.fromarray(np.full((32, 32), 40_000, np.uint16))
    file = io.BytesIO()
    deep.save(file, format="PNG")
    (tmp_path / "deep.png").write_bytes(file.getvalue())
    with pytest.raises(ScoreError, match="16 bits a channel"):
        pictures(tmp_path).read(0, 1)


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(ScoreError, match="no pictures in"):
        pictures(tmp_path)


def test_packed_faces_are_those_that_training_sees(tmp_path):
    images = noise(4, 64)
    entries = [
        Entry(f"face{number}", encode_png(image), {}, "train" if number else "held_out")
        for number, image in enumerate(images)
    ]
    write_shards(tmp_path, entries, image_size=64, config={})
    index = open_index(tmp_path)
    whole = Packed("faces", index, index.split("train"), 64)
    half = Packed("faces", index, index.split("train"), 32)
    assert np.array_equal(whole.read(0, 3), images[1:])
    assert half.read(1, 5).shape == (2, 32, 32, 3)
    assert whole.content != half.content


class Painter(torch.nn.Module):
    """Images whose value is the latent's first number."""

    def forward(self, z):
        return z[:, :1, None, None].clamp(-1, 1).expand(-1, 3, 8, 8)


def test_generated_images_do_not_depend_on_how_they_are_read():
    z = torch.linspace(-1, 1, 50).reshape(50, 1)
    images = Generated("painter", Painter(), z, "content")
    whole = images.read(0, 50)
    assert np.array_equal(whole[7:20], images.read(7, 13))
    assert np.array_equal(whole, np.concatenate(list(batches(images, 0, 50, 7))))
    assert len(np.unique(whole)) == 50


def test_parts_cover_all_without_overlap():
    for count in (1, 255, 256, 257, 1000):
        found = parts(count, 256)
        assert sum(length for _, length in found) == count
        assert [first for first, _ in found] == list(range(0, count, 256))
