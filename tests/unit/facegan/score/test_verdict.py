"""The truth table over 20 seeds, and what else a diagnosis tells."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from facegan.core.errors import ScoreError
from facegan.score import verdict
from facegan.score.verdict import judge
from tests.truth_table import (
    CASES,
    MIRRORED,
    SEEDS,
    WORLDS,
    build,
    build_mirrored,
    copied,
    mirrored_verdicts,
    part,
    verdicts,
)

FIRST, REST = SEEDS[:3], SEEDS[3:]
"""In the normal run, where one structure has all seeds; the rest is slow."""
PARTS = [
    pytest.param("mixture", SEEDS, id="mixture"),
    *(pytest.param(other, FIRST, id=other) for other in ("sheet", "cloud")),
    *(
        pytest.param(other, REST, id=f"{other}-rest", marks=pytest.mark.slow)
        for other in ("sheet", "cloud")
    ),
]


@pytest.mark.parametrize(("structure", "seeds"), PARTS)
@pytest.mark.parametrize("case", CASES)
def test_verdict_is_right_on_every_seed(case, structure, seeds):
    right, fault = CASES[case]
    assert verdicts(structure, fault, seeds) == {right: len(seeds)}


@pytest.mark.parametrize("structure", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_verdict_is_right_without_held_out_faces(case, structure):
    right, fault = CASES[case]
    assert verdicts(structure, fault, range(1), held_out=False) == {right: 1}


@pytest.mark.parametrize("structure", WORLDS)
@pytest.mark.parametrize("case", MIRRORED)
def test_mirrored_faces_show_mirrored_copies_and_nothing_else(case, structure):
    right, fault = MIRRORED[case]
    assert mirrored_verdicts(structure, fault, SEEDS[:2]) == {right: 2}
    assert mirrored_verdicts(structure, fault, SEEDS[2:3], held_out=False) == {right: 1}


@pytest.mark.slow
@pytest.mark.parametrize("structure", WORLDS)
@pytest.mark.parametrize("case", MIRRORED)
def test_mirrored_faces_show_mirrored_copies_on_every_seed(case, structure):
    right, fault = MIRRORED[case]
    assert mirrored_verdicts(structure, fault) == {right: len(SEEDS)}


def test_mirrored_copies_pass_for_others_where_mirrored_faces_are_not_given():
    sets = build_mirrored("mixture", MIRRORED["noisy mirrored copies (0.25)"][1], 0)
    found = judge(*_sets(sets))
    assert found.verdict == "healthy"
    assert any("mirrored copies" in clause for clause in found.cannot_tell)
    told = judge(*_sets(sets), mirrored=sets.mirrored)
    assert "copies of the training faces, as they are or mirrored" in told.sentences[0]
    assert not any("mirrored" in clause for clause in told.cannot_tell)


def test_mirrored_faces_change_nothing_but_the_copies():
    sets = build_mirrored("sheet", part(1.0), 0)
    without = judge(*_sets(sets)).figures
    found = judge(*_sets(sets), mirrored=sets.mirrored).figures
    assert found.mirrored
    for name in ("birthday", "bins", "manifolds", "precision_expected", "train_used"):
        assert getattr(found, name) == getattr(without, name)
    assert found.copies.spacing == without.copies.spacing
    assert found.copies.copied != without.copies.copied


def test_mirrored_faces_must_belong_to_the_training_faces(honest):
    with pytest.raises(ScoreError, match=r"\(300, 64\), and mirrored they are \(299, 64\)"):
        judge(*_sets(honest), mirrored=honest.train[1:])
    with pytest.raises(ScoreError, match=r"the training faces, mirrored, are not finite"):
        judge(*_sets(honest), mirrored=honest.train * np.nan)


@pytest.mark.parametrize("case", list(CASES)[::2] + list(CASES)[-1:])
def test_real_images_are_not_called_what_was_trained_on(case):
    """Each verdict's sentences; the figures stay what they were."""
    sets = build("mixture", CASES[case][1], 0)
    told = [judge(*_sets(sets), trained_on=trained_on) for trained_on in (True, False)]
    assert told[0].verdict == told[1].verdict
    assert "training faces" in str(told[0].sentences + told[0].cannot_tell)
    assert "real image" in str(told[1].sentences)
    assert "training face" not in str(told[1].as_dict())
    assert any("the real images may be others" in clause for clause in told[1].cannot_tell)
    assert not any("may be others" in clause for clause in told[0].cannot_tell)


def test_shares_of_the_figures_have_intervals(honest):
    found = judge(*_sets(honest)).figures
    authentic, expected = found.copies.authentic, found.copies.authentic_expected
    assert authentic.low < authentic.value == found.copies.authenticity < authentic.high
    assert (authentic.count, expected.count) == (600, 80)
    assert expected.low < authentic.value < expected.high
    assert found.bins.different_share == found.bins.different / found.bins.count
    assert found.bins.different_expected == pytest.approx(0.05)


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
    for case, (right, fault) in list(CASES.items())[::2]:
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
    assert "beside 300 training faces" in found.sentences[1]
    assert len(found.sentences) == 2


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("60 distinct outputs", "of them show 60"),
        ("nothing but noise", "no faces yet: 0%"),
        ("modes shrunk to 0.3", "as wide as the training faces"),
        ("two modes", "whole kinds of faces are missing: 8"),
    ],
)
def test_each_verdict_says_why(case, words):
    right, fault = CASES[case]
    found = judge(*_sets(build("mixture", fault, 0)))
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
    assert any("samples are alike" in text for text in found.sentences)
    assert any(f"not fewer than {least}" in text for text in found.cannot_tell)


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


@pytest.mark.parametrize("different", [1, 3, 4, 6])
@pytest.mark.parametrize("fresh", ["none", "others", "theirs", "one face"])
@pytest.mark.parametrize("made", ["others", "one face"])
def test_degenerate_sets_are_judged_or_refused_in_a_sentence(different, fresh, made):
    rows = 7 + np.random.default_rng(0).normal(size=(60, 8))
    train = np.repeat(rows[:different], -(-60 // different), axis=0)
    given = {"none": None, "others": rows[::-1], "theirs": train, "one face": rows[[9] * 60]}
    refusal = r"too few: only \d+ of them differ|\d+ of \d+ held-out faces are training faces"
    for mirrored in (None, -train, train[::-1]):
        try:
            found = judge(train, given[made], given[fresh], mirrored=mirrored)
        except ScoreError as refused:
            assert re.search(refusal, str(refused))  # noqa: PT017
        else:
            json.dumps(found.as_dict(), allow_nan=False)


def test_held_out_faces_that_are_the_training_faces_are_refused(honest):
    with pytest.raises(ScoreError, match="300 of 300 held-out faces are training faces"):
        judge(honest.train, honest.samples, honest.train)


def test_equal_real_images_are_refused_by_their_name(honest):
    equal = np.ones_like(honest.train)
    with pytest.raises(ScoreError, match="the real images are too few: only 1 of them differ"):
        judge(equal, honest.samples, trained_on=False)


def test_sets_of_two_networks_are_refused(honest):
    with pytest.raises(ScoreError, match="63 dimensions"):
        judge(honest.train, honest.samples[:, 1:])


def _sets(sets):
    return sets.train, sets.samples, sets.held_out
