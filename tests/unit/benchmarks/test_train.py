"""What the training benchmark makes of its measurements; the loops run on networks of 32 px."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import train
from benchmarks.contenders import FACEGAN, TEXTBOOK, Begun, Spec, begin, counter
from benchmarks.peaks import Peaks
from benchmarks.train import Measured

GIVEN = Peaks("cpu", 1, {"fp32": 1e12, "bf16": 2e12}, 1e11)


class Still:
    """A contender that has run already."""

    engine, turn, waited_s = "captured", 2, 0.3

    def __init__(self, precision: str) -> None:
        self.precision = precision

    def run(self) -> None:
        raise AssertionError


def measured(name: str, precision: str, seconds: list[float]) -> Measured:
    begun = Begun(Still(precision), 1.5, 10**9)
    return Measured(Spec(name, "cpu", 256, 16), begun, seconds, [x / 100 for x in seconds])


def test_speedup_is_the_ratio_of_medians() -> None:
    pair = [measured(TEXTBOOK, "fp32", [2, 4, 9]), measured(FACEGAN, "bf16", [1, 2, 3])]
    figures = train.compare(pair, GIVEN)
    assert figures["cpu_speedup_256"] == 2
    assert figures["cpu_speedup_min_256"] == 2
    assert figures["cpu_textbook_s_per_iteration_256"] == 4
    assert figures["cpu_images_per_s_256"] == 8
    assert figures["cpu_memory_mb_256"] == 1000
    assert figures["cpu_chose_bf16_256"] == 1
    assert all(isinstance(value, int | float) for value in figures.values())


def test_shares_follow_from_the_rates_of_the_precision() -> None:
    one = measured(FACEGAN, "bf16", [1.0])
    figures = train.figures_of(one, GIVEN)
    count = counter(one.spec, "bf16")
    assert figures["cpu_gemm_share_256"] == pytest.approx(count.flops / 2e12)
    assert figures["cpu_roofline_share_256"] == pytest.approx(count.least_seconds(2e12, 1e11))


def test_waiting_is_a_share_of_all_turns() -> None:
    one = measured(FACEGAN, "fp32", [1.0, 3.0])
    one.waited_s[:] = 0.1, 0.1
    assert one.waiting_share == pytest.approx(0.2 / 4)


def test_textbook_comes_first_and_engines_when_asked_for() -> None:
    few = list(train.specs("cuda", 64, 16, 1.0, engines=False))
    many = list(train.specs("cuda", 64, 16, 1.0, engines=True))
    assert [spec.name for spec in few] == [TEXTBOOK, FACEGAN]
    assert [spec.name for spec in many[2:]] == [
        f"{engine}_{precision}"
        for engine in ("eager", "compiled", "captured")
        for precision in ("fp32", "bf16")
    ]


@pytest.mark.parametrize("name", [TEXTBOOK, FACEGAN])
def test_contenders_run(name: str) -> None:
    precision = "auto" if name == TEXTBOOK else "fp32"
    spec = Spec(name, "cpu", 32, 4, 0.0625, engine="eager", precision=precision)
    one = Measured(spec, begin(spec))
    train.interleave([one], 2)
    assert len(one.seconds) == 2
    assert 0 <= one.waiting_share < 1
    assert one.begun.first_s > 0
    assert one.begun.memory_bytes > 0
    assert one.begun.contender.precision == "fp32"


def test_seconds_of_the_full_run_come_from_its_history(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("iteration,nimg,seconds\n49999,799984,70.1\n50000,800000,70.2\n")
    assert train.seconds_of_full_run(history) == 70.2
    history.write_text("iteration,nimg,seconds\n400,6400,1.5\n")
    with pytest.raises(ValueError, match="ends at"):
        train.seconds_of_full_run(history)
