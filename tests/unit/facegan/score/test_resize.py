"""Rules by hand and against their peers; parity of `tf1` with torch-fidelity is in
test_parity_inception."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegan.score.resize import CLEAN, TF1, TORCHVISION

RULES = [TF1, TORCHVISION, CLEAN]
SIDES = st.integers(1, 40)


def pictures(height=20, width=30, count=2, seed=0):
    shape = (count, height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(pixels)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@settings(max_examples=15, deadline=None)
@given(height=SIDES, width=SIDES, side=SIDES)
def test_shape_range_and_layout(rule, height, width, side):
    resized = rule.apply(pictures(height, width), side)
    assert resized.shape == (2, 3, side, side)
    assert resized.dtype == torch.float32
    assert resized.is_contiguous(memory_format=torch.channels_last)
    assert resized.min() >= 0
    assert resized.max() <= 255 + 1e-4


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("side", [7, 24, 60])
def test_one_colour_stays_that_colour(rule, side):
    images = torch.tensor([0, 127, 255], dtype=torch.uint8).expand(1, 24, 24, 3)
    wanted = torch.tensor([0.0, 127.0, 255.0]).view(1, 3, 1, 1).expand(1, 3, side, side)
    assert torch.allclose(rule.apply(images, side), wanted, atol=1e-3)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_images_of_the_wanted_size_are_left_as_they_are(rule):
    images = pictures(24, 24)
    wanted = images.permute(0, 3, 1, 2).float()
    assert torch.allclose(rule.apply(images, 24), wanted, atol=1e-4)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_given_images_are_not_changed(rule):
    images = pictures()
    before = images.clone()
    rule.apply(images, 9)
    assert torch.equal(images, before)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_images_are_resized_one_by_one(rule):
    images = pictures(count=3)
    alone = torch.cat([rule.apply(image[None], 13) for image in images])
    assert torch.equal(rule.apply(images, 13), alone)


def ramp(values):
    """A row of grey values as one image, two rows high."""
    row = torch.tensor(values, dtype=torch.uint8)
    return row.view(1, 1, -1, 1).expand(1, 2, -1, 3)


def test_tf1_by_hand():
    """Twice as wide: every other pixel is a source pixel, the last one is repeated."""
    widened = TF1.apply(ramp([0, 100, 200]), 6)[0, 0, 0]
    assert widened.tolist() == [0, 50, 100, 150, 200, 200]


def test_tf1_takes_no_mean_where_the_image_shrinks():
    """Every second pixel, whatever lies between: what `On Aliased Resizing` warns of."""
    assert TF1.apply(ramp([10, 255, 20, 255]), 2)[0, 0, 0].tolist() == [10, 20]
    smooth = TORCHVISION.apply(ramp([10, 255, 20, 255]), 2)[0, 0, 0]
    assert smooth.min() > 50


def test_rows_and_columns_are_treated_alike():
    images = pictures(17, 17)
    for rule in RULES:
        turned = rule.apply(images.transpose(1, 2), 29)
        assert torch.allclose(turned, rule.apply(images, 29).transpose(2, 3), atol=1e-3)


@pytest.mark.parametrize("size", [(40, 40), (20, 31)])
def test_torchvisions_rule_equals_its_own_transforms(size):
    from torchvision.transforms import v2

    images = pictures(*size)
    peer = v2.Compose([v2.ToDtype(torch.float32), v2.Resize((29, 29), antialias=True)])
    wanted = peer(images.permute(0, 3, 1, 2))
    assert torch.allclose(TORCHVISION.apply(images, 29), wanted, atol=1e-3)


def test_clean_rounds_nothing_and_cuts_the_overshoot():
    images = ramp([0, 0, 255, 255, 0, 0])
    exact = np.asarray(
        Image.fromarray(images[0, :, :, 0].numpy().astype(np.float32)).resize(
            (29, 29), Image.Resampling.BICUBIC
        )
    )
    assert exact.min() < -1
    assert exact.max() > 256
    ours = CLEAN.apply(images, 29)[0, 1].numpy()
    assert np.array_equal(ours, exact.clip(0, 255))
    assert (ours != ours.round()).any()
