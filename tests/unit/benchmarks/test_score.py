"""What the benchmark of scores makes of its measurements, and one contender at work."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import score, scorers
from benchmarks.scorers import Done, Job
from facegan.score.weights import WeightsFile

VALUES = {"is": 1.5, "fid": 10.0, "kid": -0.02, "precision": 0.5, "recall": 0.25}
OURS = VALUES | {"fid": 10.001, "kid": -0.0201, "recall": 0.5}


def taken():
    seconds = {
        "torch_fidelity": [8, 6, 20],
        "torch_fidelity_batch_8": [6, 6, 6],
        "torchmetrics": [7, 7, 7],
        "facegan_fp32": [1, 2, 9],
        "torch_fidelity_all": [30, 30, 30],
        "facegan_all": [10, 10, 10],
    }
    values = {name: OURS if name.startswith("facegan") else VALUES for name in seconds}
    return {
        name: [Done(one, values[name], 100.0 + place) for place, one in enumerate(all_)]
        for name, all_ in seconds.items()
    }


def test_figures_are_ratios_of_medians():
    figures = score.figures_of(taken(), 64)
    assert figures["speedup_is"] == 4
    assert figures["speedup_is_batch_8"] == 3
    assert figures["speedup_all"] == 3
    assert figures["images_per_s_facegan_fp32"] == 32
    assert figures["facegan_all_s"] == 10
    assert figures["memory_mib_torchmetrics"] == 101
    assert "speedup_bf16" not in figures


def test_differences_are_relative_and_those_of_shares_absolute():
    figures = score.figures_of(taken(), 64)
    assert figures["difference_is"] == 0
    assert figures["difference_fid"] == pytest.approx(1e-4)
    assert figures["difference_kid"] == pytest.approx(0.005)
    assert figures["difference_recall"] == 0.25


def test_bf16_has_its_figures_where_it_was_measured():
    with_bf16 = taken() | {"facegan_bf16": [Done(1, VALUES | {"is": 1.503}, 90.0)]}
    figures = score.figures_of(with_bf16, 64)
    assert figures["speedup_bf16"] == 8
    assert figures["difference_bf16_is"] == pytest.approx(0.002)


def test_every_target_has_a_figure():
    with_bf16 = taken() | {"facegan_bf16": [Done(1, VALUES, 90.0)]}
    assert set(score.TARGETS) <= set(score.figures_of(with_bf16, 64))


def test_jobs_are_taken_in_turns():
    nothing = WeightsFile(path=None, sha256="", official=False)
    work = {name: Job(name, nothing, None, None) for name in ("a", "b")}
    done = list(score.rounds(work, 2, run=lambda job: Done(1.0, {"is": len(job.scorer)})))
    assert [name for name, _ in done] == ["a", "b", "a", "b"]


def test_formulas_of_both_sides_agree():
    pytest.importorskip("torch_fidelity")
    rng = np.random.default_rng(0)
    real, generated = (rng.gamma(shape, size=(40, 24)).astype(np.float32) for shape in (1.0, 1.2))
    ours = scorers.formulas(real, generated)
    theirs = scorers.fidelity_formulas(real, generated, 40)
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_folders_of_the_two_sets_differ_and_can_be_drawn_again(tmp_path):
    plain, again, faded = (
        score.draw(tmp_path / name, 2, faded=name == "faded", seed=1)
        for name in ("plain", "again", "faded")
    )
    names = sorted(path.name for path in plain.iterdir())
    assert names == ["00000.png", "00001.png"]
    for name in names:
        assert (plain / name).read_bytes() == (again / name).read_bytes()
        assert (plain / name).read_bytes() != (faded / name).read_bytes()


@pytest.mark.slow
def test_contenders_give_one_inception_score(tmp_path):
    pytest.importorskip("torch_fidelity")
    work = score.jobs(tmp_path, 4)
    names = ("torch_fidelity_batch_8", "torchmetrics", "facegan_fp32")
    found = [scorers.probe(work[name]) for name in names]
    for done in found:
        assert done.values["is"] == pytest.approx(found[0].values["is"], rel=1e-4)
        assert done.seconds > 0
        assert done.memory_mib > 100
