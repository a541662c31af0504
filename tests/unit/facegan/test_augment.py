from __future__ import annotations

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facegan.augment import DRAWS, augment, colour_jitter, flip_some


def batch(seed: int = 0, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 5, 6, generator=generator, dtype=torch.float64) * 2 - 1


def by_hand(image: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    """The definition, pixel by pixel through HSV."""
    scaled = (image + 1) / 2
    changed = (contrast * scaled + (brightness - 1) * scaled.mean()).clamp(0, 1)
    result = torch.empty_like(image)
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            h, s, v = colorsys.rgb_to_hsv(*changed[:, row, column].tolist())
            rgb = colorsys.hsv_to_rgb(h, min(s * saturation, 1), v)
            result[:, row, column] = torch.tensor(rgb, dtype=image.dtype)
    return result * 2 - 1


@given(
    seed=st.integers(0, 1000),
    factors=st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(0, 2)),
)
def test_jitter_equals_its_definition(seed: int, factors: tuple[float, float, float]) -> None:
    images = batch(seed, 1)
    changed = colour_jitter(images, torch.tensor([factors], dtype=torch.float64))
    torch.testing.assert_close(changed[0], by_hand(images[0], *factors), rtol=0, atol=1e-12)


def test_factor_1_changes_nothing() -> None:
    torch.testing.assert_close(
        colour_jitter(batch(), torch.ones(3, 3, dtype=torch.float64)), batch()
    )


@given(st.integers(0, 1000), st.floats(0, 1))
def test_jitter_keeps_images_in_range(seed: int, radius: float) -> None:
    uniforms = torch.rand(3, DRAWS, generator=torch.Generator().manual_seed(seed))
    changed = augment(batch(seed).float(), uniforms, flip=True, jitter=radius)
    assert changed.dtype == torch.float32
    assert changed.min() >= -1
    assert changed.max() <= 1


@pytest.mark.parametrize(("uniform", "factor"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_radius_spans_the_factors(uniform: float, factor: float) -> None:
    uniforms = torch.full((3, DRAWS), uniform, dtype=torch.float64)
    factors = torch.full((3, 3), factor, dtype=torch.float64)
    changed = augment(batch(), uniforms, flip=False, jitter=0.2)
    torch.testing.assert_close(changed, colour_jitter(batch(), factors))


@pytest.mark.parametrize("value", [-1.0, 1.0, 0.0])
def test_grey_images_stay_finite_and_grey(value: float) -> None:
    images = torch.full((1, 3, 2, 2), value)
    changed = colour_jitter(images, torch.full((1, 3), 1.2))
    assert torch.isfinite(changed).all()
    assert (changed == changed[:, :1]).all()


def test_flip_mirrors_the_chosen_images_only() -> None:
    changed = flip_some(batch(), torch.tensor([True, False, True]))
    assert torch.equal(changed[0], batch()[0].flip(2))
    assert torch.equal(changed[1], batch()[1])
    assert torch.equal(changed[2], batch()[2].flip(2))


def test_half_of_the_uniforms_mirror() -> None:
    uniforms = torch.tensor([[0.49, 0, 0, 0], [0.5, 0, 0, 0], [0.99, 0, 0, 0]])
    changed = augment(batch(), uniforms, flip=True, jitter=0)
    assert torch.equal(changed[0], batch()[0].flip(2))
    assert torch.equal(changed[1:], batch()[1:])


def test_nothing_switched_on_changes_nothing() -> None:
    assert torch.equal(augment(batch(), torch.zeros(3, DRAWS), flip=False, jitter=0), batch())


def test_images_are_changed_one_by_one() -> None:
    factors = torch.tensor([[1.2, 0.8, 1.1], [1, 1, 1], [0.9, 1.1, 0.8]], dtype=torch.float64)
    together = colour_jitter(batch(), factors)
    for place in range(3):
        alone = colour_jitter(batch()[place : place + 1], factors[place : place + 1])
        torch.testing.assert_close(together[place], alone[0])
