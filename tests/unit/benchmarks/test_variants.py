from __future__ import annotations

import torch

from benchmarks import variants
from facegan import convolutions
from facegan.config import ModelConfig, TrainConfig
from facegan.step import build

SMALL = TrainConfig(model=ModelConfig(32, 0.0625), precision="fp32")


def after(networks):
    variants.iteration(networks, 32)()
    return {name: tensor.clone() for name, tensor in networks.tensors()}


def test_every_variant_computes_the_same_iteration():
    expected = after(build(SMALL, variants.CPU))
    with variants.native():
        assert not convolutions._as_product(torch.ones(1, requires_grad=True))
        native = after(build(SMALL, variants.CPU))
        contiguous = after(variants.contiguous(build(SMALL, variants.CPU)))
    plain = after(variants.plain_adam(build(SMALL, variants.CPU)))
    for found in (native, contiguous, plain):
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5, msg=name)


def test_turns_alternate():
    calls = []
    taken = variants.interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 5
    assert {name: len(times) for name, times in taken.items()} == {"a": 3, "b": 3}
