from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facegan import tuning
from facegan.core.events import Note
from facegan.step import build
from facegan.tuning import Timing, choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("fp32_s", "bf16_s", "chosen"), [(1.0, 0.5, "bf16"), (1.0, 0.95, "fp32"), (1.0, 2.0, "fp32")]
)
def test_bf16_is_taken_where_it_is_clearly_faster(fp32_s, bf16_s, chosen):
    assert Timing(fp32_s, bf16_s).chosen == chosen


def test_what_is_asked_for_is_not_measured(tiny, monkeypatch):
    monkeypatch.delattr(tuning, "time_precisions")
    assert choose_precision(replace(tiny, precision="bf16"), CPU) == "bf16"


def test_auto_measures_both_and_tells(tiny):
    notes = []
    chosen = choose_precision(replace(tiny, precision="auto"), CPU, notes.append)
    (note,) = notes
    assert isinstance(note, Note)
    assert note.text.startswith(f"precision {chosen}: an iteration took ")
    assert "s in fp32 and" in note.text
    assert "s in bf16" in note.text


def test_a_run_of_a_few_iterations_is_not_measured(tiny, monkeypatch):
    monkeypatch.delattr(tuning, "time_precisions")
    assert choose_precision(replace(tiny, precision="auto", iters=3), CPU) == "fp32"


def test_mps_stays_at_fp32(tiny):
    assert choose_precision(replace(tiny, precision="auto"), torch.device("mps")) == "fp32"


@pytest.mark.parametrize(("native", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_cuda_takes_bf16_where_it_is_native(tiny, monkeypatch, native, chosen):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: native)
    assert choose_precision(replace(tiny, precision="auto"), torch.device("cuda")) == chosen


def test_a_hopeless_bf16_is_not_tried_to_the_end(tiny, monkeypatch):
    calls = []

    def step(networks, *_):
        calls.append(networks.autocast)
        clock[0] += 1.0 if networks.autocast is None else 100.0
        return torch.zeros(7)

    clock = [0.0]
    monkeypatch.setattr(tuning, "train_step", step)
    monkeypatch.setattr(tuning.time, "perf_counter", lambda: clock[0])
    timing = tuning.time_precisions(tiny, CPU)
    assert (timing.fp32_s, timing.bf16_s) == (1.0, 100.0)
    assert calls.count(torch.bfloat16) == 1


def test_measuring_leaves_the_runs_networks_alone(tiny):
    before = dict(build(tiny, CPU).tensors())
    choose_precision(replace(tiny, precision="auto"), CPU)
    after = dict(build(tiny, CPU).tensors())
    assert all(torch.equal(before[name], after[name]) for name in before)
