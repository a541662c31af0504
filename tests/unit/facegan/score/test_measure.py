import numpy as np
import pytest

from facegan.score import measure_pixels as room
from facegan.score.found import Settings
from facegan.score.gather import Gathered
from facegan.score.measure import FEW_REAL, STEPS, all_measures
from facegan.score.network import FeatureProtocol


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    monkeypatch.setattr(room, "PAIRS", 10)


PROTOCOL = FeatureProtocol("fake", "fake", "ab" * 32, True, "none", "none", 8, 5)
WITH = Settings(splits=2, seed=3, protocol=PROTOCOL)
WITHOUT = Settings(splits=2, no_network="there is no network here")


def gathered(count, seed=0, *, network=True, size=32):
    rng = np.random.default_rng(seed)
    return Gathered(
        rng.normal(size=(count, 6)).astype(np.float32),
        rng.normal(size=(count, 8)).astype(np.float32) if network else None,
        rng.normal(size=(count, 5)).astype(np.float32) if network else None,
        rng.integers(0, 256, (min(count, 40), size, size, 3), dtype=np.uint8),
    )


def by_name(found):
    return {measure.name: measure for measure in found.measures}


def left_out(found):
    return {one.what: one.why for one in found.left_out}


def test_with_a_network_everything_is_measured():
    found, diagnosis = all_measures(
        gathered(120), gathered(80, 1), gathered(40, 2), WITH, lambda _: 1
    )
    names = ["inception_score", "inception_score_as_real", "kid", "fid", "swd", "spectrum"]
    names += ["ms_ssim", "one_face"]
    names += ["authenticity", "close_copies", "distance_ratio", "copies_z", "ndb"]
    names += ["missing", "spread"]
    names += [f"{name}_k{k}" for name in ("precision", "recall", "density", "coverage")
              for k in (3, 5)]  # fmt: skip
    assert set(by_name(found)) - {"distinct"} == set(names)
    assert found.measures[0].name == "kid"
    assert not found.left_out
    assert diagnosis.verdict
    assert by_name(found)["precision_k3"].features == "fake"


def test_the_inception_score_stands_beside_that_of_as_many_real_images():
    samples, real = gathered(120), gathered(80, 1)
    found, _ = all_measures(samples, real, None, WITH)
    whole, alike = (by_name(found)[name] for name in ("inception_score", "inception_score_as_real"))
    assert (whole.details["samples"], alike.details["samples"]) == (120, 80)
    assert whole.real is None
    assert alike.real is not None
    same, _ = all_measures(gathered(80), real, None, WITH)
    assert by_name(same)["inception_score"].real == alike.real
    assert "inception_score_as_real" not in by_name(same)


def test_more_real_images_than_samples_are_cut_to_as_many():
    found, _ = all_measures(gathered(60), gathered(200, 1), None, WITH)
    assert by_name(found)["inception_score"].real is not None


def test_without_a_network_it_is_said_what_is_left_out_and_why():
    found, diagnosis = all_measures(
        gathered(80, network=False), gathered(80, 1, network=False), None, WITHOUT, lambda _: 1
    )
    assert left_out(found) == {
        "Inception Score": "there is no network here",
        "KID and FID": "there is no network here",
    }
    assert by_name(found)["precision_k5"].features == "fixed"
    assert diagnosis is not None


def test_without_real_images_only_what_stands_alone_is_measured():
    found, diagnosis = all_measures(gathered(80), None, None, WITH, lambda _: 1)
    assert set(by_name(found)) == {"inception_score", "ms_ssim", "one_face"}
    assert diagnosis is None
    assert "there are no real images" in left_out(found).values()


def test_a_handful_of_real_images_is_no_yardstick():
    few = gathered(FEW_REAL - 1)
    found, diagnosis = all_measures(gathered(80), few, None, WITH, lambda _: 1)
    assert diagnosis is None
    assert any(f"there are {FEW_REAL - 1} real images" in why for why in left_out(found).values())


def test_too_few_for_a_verdict_still_get_the_distances():
    found, diagnosis = all_measures(gathered(40), gathered(40, 1), None, WITH, lambda _: 1)
    assert diagnosis is None
    assert "kid" in by_name(found)
    assert any("too few" in why for why in left_out(found).values())


def test_images_of_different_sizes_are_not_compared_by_pixels():
    found, _ = all_measures(gathered(80), gathered(80, 1, size=48), None, WITH, lambda _: 1)
    assert "swd" not in by_name(found)
    assert any("32x32 and 48x48 px" in why for why in left_out(found).values())
    assert "ms_ssim" in by_name(found)


def test_a_missing_detector_is_said():
    found, _ = all_measures(gathered(80), gathered(80, 1), None, WITH)
    assert "share with one face" in left_out(found)


def test_grey_samples_of_coloured_faces_are_a_warning():
    grey = gathered(80)
    grey.pixels[...] = grey.pixels[..., :1]
    found, _ = all_measures(grey, gathered(80, 1), None, WITH, lambda _: 1)
    assert any("the samples are grey" in text for text in found.warnings)
    both, _ = all_measures(grey, grey, None, WITH, lambda _: 1)
    assert not any("grey" in text for text in both.warnings)


def test_each_warning_is_said_once():
    found, _ = all_measures(gathered(120), gathered(80, 1), None, WITH, lambda _: 1)
    assert len(set(found.warnings)) == len(found.warnings)


def test_what_these_images_do_not_allow_is_left_out_and_the_rest_measured():
    real = gathered(80, 1)
    other = Gathered(real.fixed, real.features[:, :5], real.logits, real.pixels)
    found, diagnosis = all_measures(gathered(80), other, None, WITH, lambda _: 1)
    assert "dimensions" in left_out(found)["KID"]
    assert "swd" in by_name(found)
    assert diagnosis is not None
    same = Gathered(np.repeat(real.fixed[:1], 80, axis=0), real.features, real.logits, real.pixels)
    found, diagnosis = all_measures(gathered(80), same, None, WITH, lambda _: 1)
    assert diagnosis is None
    assert "copies, collapse and the verdict" in left_out(found)


def test_a_handful_of_samples_gets_what_a_handful_allows():
    found, _ = all_measures(gathered(4), gathered(80, 1), None, WITH, lambda _: 1)
    assert "precision, recall, density and coverage" in left_out(found)
    assert {"swd", "ms_ssim", "one_face", "inception_score"} <= set(by_name(found))


def test_coverage_does_not_grow_with_the_number_of_samples():
    """Samples of a half of the faces' range cover about half, however many there are."""
    rng = np.random.default_rng(0)
    real = gathered(100, 1)
    half = rng.normal(size=(4000, 8)).astype(np.float32)
    half[:, 0] = np.abs(half[:, 0])
    values = []
    for count in (100, 4000):
        samples = gathered(count)
        samples.features[...] = half[:count]
        found, _ = all_measures(samples, real, None, WITH, lambda _: 1)
        values.append(by_name(found)["coverage_k5"].value)
        assert by_name(found)["coverage_k5"].details["generated"] == 100
    assert values[1] == pytest.approx(values[0], abs=0.15)


def test_shares_have_intervals():
    found, _ = all_measures(gathered(120), gathered(80, 1), gathered(40, 2), WITH, lambda _: 1)
    for name in ("precision_k3", "recall_k5", "coverage_k3", "authenticity", "one_face", "kid"):
        one = by_name(found)[name]
        assert one.low <= one.value <= one.high, name
        assert one.low < one.high, name


def test_the_seed_reaches_what_is_drawn():
    sets = gathered(120), gathered(80, 1)
    results = [
        by_name(all_measures(*sets, None, Settings(2, seed, PROTOCOL), lambda _: 1)[0])
        for seed in (1, 1, 2)
    ]
    for name in ("ms_ssim", "swd"):
        assert results[0][name].value == results[1][name].value != results[2][name].value
    assert [one["kid"].details["seed"] for one in results] == [1, 1, 2]


def test_each_step_is_told():
    told = []
    all_measures(
        gathered(60), gathered(60, 1), None, WITH, lambda _: 1, done=lambda: told.append(1)
    )
    assert len(told) == STEPS
