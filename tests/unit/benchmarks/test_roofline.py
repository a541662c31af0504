"""Limits from given rates; the measuring itself on matrices too small to mean anything."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from benchmarks import peaks, roofline
from benchmarks.counting import Counter
from facegan.config import ModelConfig

CONFIG = ModelConfig()
GIVEN = peaks.Peaks("cpu", 1, {"fp32": 1e12, "bf16": 2e12}, 1e11)


def test_limits_follow_from_the_rates() -> None:
    values = roofline.limits(Counter(CONFIG, 16, "bf16"), GIVEN)
    assert values["floor_s"] == pytest.approx(values["gflop"] / 2000)
    assert values["floor_s"] < values["roofline_s"]
    assert values["images_per_s"] == pytest.approx(16 / values["roofline_s"])
    assert values["roofline_50k_s"] == pytest.approx(50_000 * values["roofline_s"])


def test_figures_are_flat_numbers_of_every_loop() -> None:
    flat = roofline.figures(CONFIG, 16, GIVEN)
    assert all(isinstance(value, float) for value in flat.values())
    assert flat["textbook_fp32_gflop"] > flat["facegan_fp32_gflop"] == flat["facegan_bf16_gflop"]
    assert flat["facegan_fp32_roofline_s"] > flat["facegan_bf16_roofline_s"]
    assert flat["gemm_bf16_tflops"] == 2.0


def test_kinds_add_up_to_the_iteration() -> None:
    counter = Counter(CONFIG, 16)
    kinds, kernels = roofline.by_kind(counter), list(counter.kernels())
    assert sum(kind.bytes for kind in kinds) == sum(kernel.bytes for kernel in kernels)
    assert {kind.kind for kind in kinds} == {"convolution", "pointwise", "optimizer", "data"}


def test_tables_show_the_reference() -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(roofline.layer_table(CONFIG))
    console.print(roofline.limit_table(CONFIG, 16, GIVEN))
    text = console.export_text()
    for words in ("1,089.5", "391.7", "19,104,035", "6,306,561", "216.4", "203.9"):
        assert words in text


def test_measuring_restores_the_precision_of_products() -> None:
    before = torch.get_float32_matmul_precision()
    found = peaks.measure(torch.device("cpu"), edge=32, mib=1)
    assert torch.get_float32_matmul_precision() == before
    assert set(found.flops_per_s) == {"fp32", "bf16"}
    assert all(value > 0 for value in found.figures().values())
