"""The figures of the comparison of precisions, and its sets of images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.precision import figures_of
from benchmarks.quality import Quality, Reference


def test_difference_is_in_standard_deviations_of_the_fp32_seeds() -> None:
    found = {
        "fp32": [Quality(10, 0.1), Quality(12, 0.2), Quality(14, 0.3)],
        "bf16": [Quality(13, 0.1), Quality(13, 0.2), Quality(13, 0.3)],
    }
    figures = figures_of(found, Quality(3, 0.05))
    assert figures["fp32_swd_mean"] == 12
    assert figures["fp32_swd_sd"] == 2
    assert figures["swd_difference_in_sd"] == 0.5
    assert figures["ms_ssim_difference_in_sd"] == pytest.approx(0)
    assert figures["bf16_swd_seed_2"] == 13
    assert figures["real_swd"] == 3


@pytest.mark.parametrize(("count", "most", "half"), [(10, 1000, 5), (11, 1000, 5), (40, 7, 7)])
def test_reference_is_two_disjoint_sets_of_equal_size(count: int, most: int, half: int) -> None:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    reference = Reference.of(images, most)
    near, far = (set(part.ravel().tolist()) for part in (reference.near, reference.far))
    assert len(near) == len(far) == half
    assert not near & far


def test_quality_knows_the_reference_itself() -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    reference = Reference.of(images, 4)
    assert reference.quality(reference.near, pairs=4).swd == 0
    assert reference.quality(reference.far, pairs=4).swd > 0
