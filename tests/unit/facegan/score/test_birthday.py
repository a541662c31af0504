"""The birthday test where the number of outputs is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.core.errors import ScoreError
from facegan.score.birthday import birthday


def normal(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 8))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 80), st.integers(0, 100))
def test_birthday_finds_the_number_of_equally_frequent_outputs(outputs, seed):
    """Each output 8 times: m * 28 pairs of 8 m * (8 m - 1) / 2, so a little above m."""
    rows = np.repeat(100 * np.eye(outputs), 8, axis=0)
    rows += np.random.default_rng(seed).uniform(-0.1, 0.1, rows.shape) / outputs
    found = birthday(rows, 1.0)
    assert found.distinct == outputs
    assert found.pairs == 28 * outputs
    assert found.support == pytest.approx((8 * outputs - 1) / 7)


def test_birthday_estimates_outputs_drawn_at_random():
    outputs = np.random.default_rng(0).normal(size=(500, 16))
    drawn = outputs[np.random.default_rng(1).integers(500, size=600)]
    found = birthday(drawn, 1e-3)
    assert found.support == pytest.approx(500, rel=0.15)
    assert found.support_low < 500 < found.support_high
    assert found.distinct < 400


def test_birthday_without_pairs_gives_a_lower_bound():
    found = birthday(normal(100, 0), 1e-6)
    assert found.pairs == 0
    assert found.support is None
    assert found.support_high is None
    assert found.distinct == 100
    assert found.support_low == pytest.approx(4950 / 3.689, rel=1e-3)


def test_birthday_of_one_output():
    found = birthday(np.ones((50, 3)), 0.1)
    assert (found.distinct, found.support) == (1, 1)


def test_too_few_samples_are_refused():
    with pytest.raises(ScoreError, match="samples are too few: 1"):
        birthday(normal(1, 0), 1.0)
