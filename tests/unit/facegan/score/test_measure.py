import numpy as np
import pytest

from facegan.core.errors import ScoreError
from facegan.score import measure as room
from facegan.score.gather import Gathered
from facegan.score.measure import FEW_REAL, Settings, all_measures
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
    names += [f"{name}_k{k}" for name in ("precision", "recall", "density", "coverage")
              for k in (3, 5)]  # fmt: skip
    assert sorted(by_name(found)) == sorted(names)
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


def test_features_of_two_networks_are_refused():
    real = gathered(80, 1)
    other = Gathered(real.fixed, real.features[:, :5], real.logits, real.pixels)
    with pytest.raises(ScoreError, match="dimensions"):
        all_measures(gathered(80), other, None, WITH, lambda _: 1)
