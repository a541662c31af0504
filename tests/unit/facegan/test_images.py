from __future__ import annotations

import numpy as np
import pytest
import torch

from facegan.images import GAP_PX, Pixels, decode_png, encode_png, grid, to_float, to_uint8


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_png_gives_the_image_back() -> None:
    image = noise(7, 5, 3)
    np.testing.assert_array_equal(decode_png(encode_png(image)), image)


def test_png_bytes_are_the_same_every_time() -> None:
    assert encode_png(noise(7, 5, 3)) == encode_png(noise(7, 5, 3))


def test_reduction_takes_the_mean_of_the_area() -> None:
    image = noise(8, 8, 3)
    means = image.reshape(2, 4, 2, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(decode_png(encode_png(image), 2), means, atol=0.5)


@pytest.mark.parametrize("data", [b"", b"no picture", encode_png(noise(64, 64, 3))[:-2000]])
def test_broken_png_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a whole PNG"):
        decode_png(data)


def test_every_pixel_value_survives_the_float_scale() -> None:
    values = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 3, 16, 16)
    floats = to_float(values)
    assert floats.min() == -1
    assert floats.max() == 1
    np.testing.assert_array_equal(to_uint8(floats), values.permute(0, 2, 3, 1).numpy())


def test_floats_round_to_the_nearest_value_and_are_cut() -> None:
    values = torch.tensor([0.4, 0.6, 127.5, -1, 256, 127.4], dtype=torch.float64)
    whole = to_uint8((values / 127.5 - 1).reshape(1, 3, 1, 2)).transpose(0, 3, 1, 2).ravel()
    assert whole.tolist() == [0, 1, 128, 0, 255, 127]


def test_conversion_leaves_its_input_alone() -> None:
    floats = torch.zeros(1, 3, 2, 2)
    to_uint8(floats)
    assert not floats.any()


def test_grid_places_images_row_by_row() -> None:
    images = noise(5, 4, 6, 3)
    picture = grid(images, columns=3)
    assert picture.shape == (2 * 4 + GAP_PX, 3 * 6 + 2 * GAP_PX, 3)
    np.testing.assert_array_equal(picture[:4, 6 + GAP_PX : 12 + GAP_PX], images[1])
    np.testing.assert_array_equal(picture[4 + GAP_PX :, :6], images[3])
    assert (picture[4 + GAP_PX :, -6:] == 255).all()


def test_few_images_make_one_short_row() -> None:
    assert grid(noise(2, 4, 4, 3), columns=8).shape == (4, 8 + GAP_PX, 3)
