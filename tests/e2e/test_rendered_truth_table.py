"""Drawn portraits with known faults, the fixed feature and the verdict: each gets the right one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from facegan.commands._detector import face_counter
from facegan.score.face_share import face_share
from facegan.score.fixed import fixed_features
from facegan.score.verdict import judge
from tests.rendered_table import attributes, crops, noisy, rendered_sets

SEEDS = (0, 1)
CASES = (
    "faithful",
    "half the modes",
    "two modes",
    "shrunk modes",
    "60 distinct outputs",
    "exact copies",
    "noisy copies",
    "shifted copies",
    "faces under noise",
    "pure noise",
    "mirrored copies",
    "noisy mirrored copies",
    "mirrored faithful",
)


@cache
def table(seed):
    """Painted once a seed: half a minute of a core of its own, hence the long time limits."""
    sets = rendered_sets(seed)
    return sets, *map(fixed_features, (sets.train, sets.held_out, sets.mirrored))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_each_fault_gets_its_verdict(seed, name):
    sets, train, held_out, mirrored = table(seed)
    case = sets.cases[name]
    samples = fixed_features(case.images)
    diagnosis = judge(train, samples, held_out, seed=seed, mirrored=mirrored)
    assert diagnosis.verdict == case.verdict, diagnosis


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_table_has_no_other_case(seed):
    assert set(table(seed)[0].cases) == set(CASES)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_copies_and_noise_are_seen_without_held_out_faces(seed):
    sets, train, _, mirrored = table(seed)
    for name in ("faithful", "exact copies", "shifted copies", "mirrored copies", "pure noise"):
        case = sets.cases[name]
        told = judge(train, fixed_features(case.images), seed=seed, mirrored=mirrored)
        assert told.verdict == case.verdict, name


@pytest.fixture(scope="module")
def few():
    """120 crops: 60 to train on, 60 as honest samples."""
    return crops(attributes((5, 0), 120))


def test_few_faces_are_enough_for_the_plain_faults(few):
    rng = np.random.default_rng(0)
    known, made = few[:60], few[60:]
    train = fixed_features(known)
    verdicts = {
        "healthy": made,
        "memorised": known[rng.integers(0, 60, 100)],
        "noisy": noisy(made, 40.0, rng),
        "few distinct outputs": noisy(made[rng.integers(0, 12, 100)], 2.0, rng),
    }
    for verdict, images in verdicts.items():
        assert judge(train, fixed_features(images)).verdict == verdict


def test_mirrored_copies_are_found_among_mirrored_faces(few):
    """In the normal run, with few faces; without the mirrored faces they pass for others."""
    known, made = few[:60], few[60:]
    train, mirrored = fixed_features(known), fixed_features(known[:, :, ::-1])
    copies = fixed_features(noisy(known[:, :, ::-1], 2.0, np.random.default_rng(0)))
    assert judge(train, copies).verdict != "memorised"
    assert judge(train, copies, mirrored=mirrored).verdict == "memorised"
    assert judge(train, fixed_features(made), mirrored=mirrored).verdict == "healthy"


def test_the_same_arguments_render_the_same_sets():
    first, again = (rendered_sets(3, train=4, held_out=2, samples=4) for _ in range(2))
    assert np.array_equal(first.train, again.train)
    assert len(first.train) == 4
    assert len(first.held_out) == 2
    for name, case in first.cases.items():
        assert np.array_equal(case.images, again.cases[name].images)


def test_the_detector_finds_one_face_in_crops_and_none_in_noise(few, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))  # without YuNet's model
    count_faces, detector = face_counter()
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    assert detector == "haar"
    assert face_share(few[:30], count_faces).one >= 0.95
    assert face_share(noise, count_faces).none >= 0.9
