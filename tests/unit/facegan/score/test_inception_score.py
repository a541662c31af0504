import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import log_softmax as scipy_log_softmax
from scipy.stats import entropy

from facegan.core.errors import ScoreError
from facegan.score.inception_score import inception_score, log_softmax


def peer(logits, splits, order):
    """The usual program (Salimans et al., Barratt): scipy's entropy, one image at a time."""
    p = np.exp(scipy_log_softmax(np.asarray(logits, np.float64), axis=1))[order]
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        scores.append(np.exp(np.mean([entropy(row, part.mean(axis=0)) for row in part])))
    return np.mean(scores), np.std(scores)


def one_hot(labels, classes):
    with np.errstate(divide="ignore"):
        return np.log(np.eye(classes)[labels])


def normal(samples=200, classes=20, scale=3.0, seed=0):
    return np.random.default_rng(seed).normal(0.0, scale, (samples, classes))


@pytest.mark.parametrize("level", [0.0, -700.0, 1e30])
def test_uniform_probabilities_score_one(level):
    score = inception_score(np.full((50, 1000), level), splits=5)
    assert score.mean == pytest.approx(1.0, abs=1e-12)
    assert score.std == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_balanced_one_hot_scores_the_number_of_classes(classes):
    labels = np.tile(np.arange(classes), 3)
    assert inception_score(one_hot(labels, classes), splits=1).mean == pytest.approx(classes)


def test_one_class_for_all_scores_one():
    assert inception_score(one_hot([3] * 40, 10), splits=4).mean == pytest.approx(1.0)


def test_logits_and_log_probabilities_score_alike():
    logits = normal()
    assert inception_score(logits).mean == pytest.approx(
        inception_score(scipy_log_softmax(logits, axis=1)).mean, rel=1e-12
    )


@pytest.mark.parametrize(("samples", "splits"), [(200, 10), (203, 10), (7, 7), (50, 1), (1000, 3)])
def test_agrees_with_the_usual_program(samples, splits):
    logits = normal(samples)
    score = inception_score(logits, splits=splits, seed=4)
    mean, std = peer(logits, splits, np.random.default_rng(4).permutation(samples))
    assert score.mean == pytest.approx(mean, rel=1e-12)
    assert score.std == pytest.approx(std, rel=1e-9, abs=1e-12)
    assert len(score.per_split) == splits


def test_float32_logits_are_summed_in_float64():
    logits = normal(3000, 100).astype(np.float32)
    double = inception_score(logits.astype(np.float64), splits=1).mean
    assert inception_score(logits, splits=1).mean == pytest.approx(double, rel=1e-14)


def test_classes_that_underflow_add_nothing():
    logits = np.zeros((20, 5))
    logits[:10, 0] = 2000.0  # every other class's probability is exactly 0
    logits[10:, 1] = 2000.0
    assert inception_score(logits, splits=1).mean == pytest.approx(2.0)


def test_a_class_whose_mean_alone_underflows_gives_no_infinity():
    logits = np.zeros((1000, 2))
    logits[:, 1] = -745.0  # exp(-745) is the smallest number there is; its mean would be 0
    logits[1:, 1] = -2000.0
    score = inception_score(logits, splits=1).mean
    assert score == pytest.approx(1.0)


def test_one_split_does_not_depend_on_the_order():
    logits = normal()
    shuffled = logits[np.random.default_rng(9).permutation(len(logits))]
    assert inception_score(logits, splits=1).mean == pytest.approx(
        inception_score(shuffled, splits=1).mean, rel=1e-13
    )


def test_the_seed_changes_the_splits_and_repeats():
    logits = normal()
    assert inception_score(logits, seed=1) == inception_score(logits, seed=1)
    assert inception_score(logits, seed=1).mean != inception_score(logits, seed=2).mean


def test_the_input_is_left_as_it_is():
    logits = normal()
    before = logits.copy()
    inception_score(logits)
    assert np.array_equal(logits, before)


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(2, 30), st.integers(2, 12)),
        elements=st.floats(-1e4, 1e4, width=32),
    ),
    st.integers(1, 5),
)
def test_score_lies_between_one_and_its_bounds(logits, splits):
    splits = min(splits, len(logits))
    score = inception_score(logits, splits=splits)
    largest = -(-len(logits) // splits)
    for value in score.per_split:
        assert 1 - 1e-12 <= value <= min(logits.shape[1], largest) * (1 + 1e-12)
    assert 1 - 1e-12 <= score.low <= score.mean <= score.high
    assert score.high <= min(logits.shape[1], largest) * (1 + 1e-12)
    assert np.isfinite([score.mean, score.std]).all()


@pytest.mark.parametrize("splits", [1, 4])
def test_the_interval_is_that_of_resamples_one_by_one(splits):
    """The products of counts give what resampled logits give, to the bootstrap's own spread."""
    logits = normal(240, 8)
    order = np.random.default_rng(0).permutation(240)
    generator = np.random.default_rng(1)
    size = 240 // splits
    p = np.exp(scipy_log_softmax(logits, axis=1))[order].reshape(splits, size, 8)
    means = []
    for _ in range(400):
        again = [part[generator.integers(size, size=size)] for part in p]
        kl = [entropy(part, part.mean(axis=0)[None], axis=1).mean() for part in again]
        means.append(np.exp(kl).mean())
    score = inception_score(logits, splits=splits)
    low, high = np.quantile(means, [0.025, 0.975]) + score.mean - np.mean(means)
    assert score.low == pytest.approx(low, abs=0.15 * (high - low))
    assert score.high == pytest.approx(high, abs=0.15 * (high - low))


def test_the_interval_holds_the_score_that_such_samples_get_on_average():
    """About 93 of 100 measured; plain percentiles, biased low, hold it in less than half."""
    population = normal(20_000, 50, scale=2.0, seed=7)
    generator = np.random.default_rng(8)
    scores = [
        inception_score(population[generator.integers(20_000, size=600)], splits=6)
        for _ in range(40)
    ]
    expected = np.mean([score.mean for score in scores])
    assert sum(score.low <= expected <= score.high for score in scores) >= 34


def test_the_interval_narrows_as_the_root_of_the_samples():
    few, many = (inception_score(normal(count, 10), splits=2) for count in (200, 5000))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(5, rel=0.25)


def test_the_interval_is_empty_where_all_samples_are_one():
    score = inception_score(np.tile(normal(1), (50, 1)), splits=5)
    assert (score.low, score.high) == pytest.approx((1, 1), abs=1e-12)


def test_the_interval_repeats_and_does_not_depend_on_chunks(monkeypatch):
    logits = normal()
    score = inception_score(logits, seed=3)
    assert score == inception_score(logits, seed=3)
    assert score.low < score.mean < score.high
    monkeypatch.setattr("facegan.score.inception_score._COUNTS", 100)
    chunked = inception_score(logits, seed=3)
    assert (chunked.low, chunked.high) == pytest.approx((score.low, score.high), rel=1e-12)


def test_log_softmax_of_minus_infinity_stays():
    assert log_softmax([[-np.inf, 0.0]]).tolist() == [[-np.inf, 0.0]]


@pytest.mark.parametrize(
    ("samples", "splits", "words"),
    [(100, 10, ["only 10 samples", "exceed 10"]), (4000, 10, ["only 400"]), (5000, 10, [])],
)
def test_few_samples_a_split_are_warned_of(samples, splits, words):
    warnings = inception_score(np.zeros((samples, 20)), splits=splits).warnings
    assert len(warnings) == bool(words)
    for word in words:
        assert word in warnings[0]


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (np.zeros(5), "shape (5,)"),
        (np.zeros((5, 1)), "shape (5, 1)"),
        (np.zeros((5, 3), int), "int64"),
        (np.zeros((2, 3, 4)), "shape (2, 3, 4)"),
    ],
)
def test_wrong_shapes_are_refused(logits, words):
    with pytest.raises(ScoreError) as caught:
        inception_score(logits, splits=1)
    assert words in caught.value.message


@pytest.mark.parametrize("splits", [0, -1, 6])
def test_splits_outside_the_samples_are_refused(splits):
    with pytest.raises(ScoreError, match=f"{splits} splits of 5 samples"):
        inception_score(np.zeros((5, 3)), splits=splits)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(bad):
    logits = normal()
    logits[7, 3] = bad
    with pytest.raises(ScoreError, match="1 of 200 samples are not finite"):
        inception_score(logits)


def test_a_row_without_any_probability_is_refused():
    logits = normal()
    logits[7] = -np.inf
    with pytest.raises(ScoreError, match="1 of 200"):
        inception_score(logits)
