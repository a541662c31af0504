"""The truth table over 20 seeds, and what else a diagnosis tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facegan.core.errors import ScoreError
from facegan.score import verdict
from facegan.score.verdict import judge
from tests.truth_table import CASES, SEEDS, WORLDS, build, copied, part, verdicts


@pytest.mark.parametrize("structure", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_verdict_is_right_on_every_seed(case, structure):
    right, fault = CASES[case]
    assert verdicts(structure, fault, SEEDS) == {right: len(SEEDS)}


@pytest.mark.parametrize("structure", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_verdict_is_right_without_held_out_faces(case, structure):
    right, fault = CASES[case]
    assert verdicts(structure, fault, range(2), held_out=False) == {right: 2}


@pytest.fixture(scope="module")
def honest():
    return build("cloud", part(1.0), 0)


def test_all_measures_are_plain_json(honest):
    found = judge(honest.train, honest.samples, honest.held_out)
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["verdict"] == "healthy"
    assert told["train"] == 300
    assert told["held_out"] == 80
    assert told["samples"] == told["samples_used"] == 600
    assert told["copies"]["authenticity"] == 1 - told["copies"]["copied"]["value"]
    assert told["birthday"]["support"] is None
    assert [one["k"] for one in told["manifolds"]] == [3, 5]
    assert told["bins"]["missing"] == found.figures.bins.missing
    assert told["sentences"] == list(found.sentences)


def test_diagnosis_is_a_function_of_the_seed(honest):
    sets = honest.train, honest.samples, honest.held_out
    assert judge(*sets, seed=1) == judge(*sets, seed=1)
    assert judge(*sets, seed=1) != judge(*sets, seed=2)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_verdict_does_not_depend_on_the_unit_or_on_dimensions_without_content(factor):
    for case, (right, fault) in CASES.items():
        sets = build("mixture", fault, 1)
        wide = [
            np.pad(factor * rows, ((0, 0), (0, 60)), constant_values=7 * factor)
            for rows in (sets.train, sets.samples, sets.held_out)
        ]
        assert judge(*wide).verdict == right, case


def test_sentences_give_the_figures_of_the_verdict_first():
    sets = build("mixture", CASES["exact copies"][1], 0)
    found = judge(sets.train, sets.samples, sets.held_out)
    assert found.verdict == "memorised"
    assert "100% of the samples are copies" in found.sentences[0]
    assert "different outputs beside 300 training faces" in found.sentences[1]
    assert len(found.sentences) == 2


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("60 distinct outputs", "samples show 60"),
        ("nothing but noise", "lie off the faces: 0%"),
        ("modes shrunk to 0.3", "as wide as the training faces"),
        ("two modes", "whole kinds of faces are missing: 8"),
    ],
)
def test_each_verdict_says_why(case, words):
    right, fault = CASES[case]
    sets = build("mixture", fault, 0)
    found = judge(sets.train, sets.samples, sets.held_out)
    assert found.verdict == right
    assert words in found.sentences[0]


def test_few_copies_are_told_of_though_the_verdict_is_healthy():
    sets = build("cloud", copied(0.0, share=0.12), 0)
    found = judge(sets.train, sets.samples, sets.held_out)
    assert found.verdict == "healthy"
    assert any("12% of the samples are copies" in sentence for sentence in found.sentences)


def test_disturbed_copies_need_held_out_faces(honest):
    """Moved by 0.75 of the spacing: too far to be plain copies, yet never near an unseen face."""
    sets = build("cloud", copied(0.75), 0)
    assert judge(sets.train, sets.samples, sets.held_out).verdict == "memorised"
    alone = judge(sets.train, sets.samples)
    assert alone.verdict != "memorised"
    assert "no faces were held out" in alone.cannot_tell[0]
    few = judge(sets.train, sets.samples, sets.held_out[:19])
    assert few.verdict != "memorised"
    assert "only 19 faces were held out" in few.cannot_tell[0]
    assert not any("held out" in text for text in judge(*_sets(honest)).cannot_tell)


def test_a_healthy_set_has_at_least_a_number_of_outputs(honest):
    found = judge(*_sets(honest))
    least = f"{found.figures.birthday.support_low:,.0f}"
    assert any(f"more than {least} different outputs" in text for text in found.sentences)
    assert any(f"more than {least} different outputs" in text for text in found.cannot_tell)


def test_of_large_sets_a_part_is_looked_at(honest, monkeypatch):
    monkeypatch.setattr(verdict, "MOST", 250)
    found = judge(honest.train, honest.samples, honest.held_out)
    assert (found.figures.train, found.figures.train_used) == (300, 250)
    assert (found.figures.samples, found.figures.samples_used) == (600, 250)
    assert found.verdict == "healthy"
    assert any("beyond the 250 that were drawn" in text for text in found.cannot_tell)


def test_training_faces_themselves_have_the_expected_precision(honest):
    found = judge(honest.train, honest.samples, honest.held_out).figures
    unseen = judge(honest.train, honest.held_out).figures.manifolds[-1].precision
    assert found.precision_expected == pytest.approx(unseen, abs=0.06)
    assert found.precision_ratio == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(
    ("index", "name"), [(0, "the training faces"), (1, "the samples"), (2, "the held-out faces")]
)
def test_bad_sets_are_refused_by_name(honest, index, name):
    sets = list(_sets(honest))
    broken = sets[index].copy()
    broken[0, 0] = np.nan
    with pytest.raises(ScoreError, match=f"1 of .* {name} are not finite"):
        judge(*sets[:index], broken, *sets[index + 1 :])
    with pytest.raises(ScoreError, match=f"{name} are too few: 1"):
        judge(*sets[:index], sets[index][:1], *sets[index + 1 :])
    with pytest.raises(ScoreError, match=f"{name} must be features"):
        judge(*sets[:index], sets[index][0], *sets[index + 1 :])


def test_sets_of_two_networks_are_refused(honest):
    with pytest.raises(ScoreError, match="63 dimensions"):
        judge(honest.train, honest.samples[:, 1:])


def _sets(sets):
    return sets.train, sets.samples, sets.held_out
