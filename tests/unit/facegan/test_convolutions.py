"""The products beside PyTorch's own convolutions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, conv_transpose2d

from facegan import convolutions
from facegan.convolutions import Doubling, Halving


def native(layer, x):
    if isinstance(layer, Doubling):
        return conv_transpose2d(x, layer.weight, layer.bias, 2, 2, 1)
    return conv2d(x, layer.weight, layer.bias, 2, 1)


@pytest.fixture
def products(monkeypatch):
    """How many products were taken."""
    taken = []
    honest = convolutions._as_product

    def watch(x):
        answer = honest(x)
        taken.append(answer)
        return answer

    monkeypatch.setattr(convolutions, "_as_product", watch)
    return taken


@pytest.mark.parametrize(("kind", "side"), [(Doubling, 4), (Halving, 8)])
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_products_equal_native_convolutions_forward_and_backward(kind, side, data):
    count, width_in, width_out = (data.draw(st.integers(1, 4)) for _ in range(3))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    layer = kind(width_in, width_out, bias=False).double()
    x = torch.randn(count, width_in, side, side, dtype=torch.float64, requires_grad=True)
    if data.draw(st.booleans()):
        x = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        layer = layer.to(memory_format=torch.channels_last)
    ours, expected = layer(x), native(layer, x)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    gradient = torch.randn_like(expected)
    for found, wanted in zip(
        torch.autograd.grad(ours, [x, layer.weight], gradient),
        torch.autograd.grad(expected, [x, layer.weight], gradient),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "side"), [(Doubling, 4), (Halving, 8)])
def test_only_the_deepest_layers_in_training_are_products(products, kind, side):
    layer = kind(2, 3, bias=False)
    layer(torch.randn(1, 2, 2 * side, 2 * side))
    assert products == []
    layer(torch.randn(1, 2, side, side))
    assert products == [True]
    with torch.no_grad():
        layer(torch.randn(1, 2, side, side))
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(1, 2, side, side))
    assert products == [True, False, False]


@pytest.mark.parametrize("kind", [Doubling, Halving])
def test_a_layer_with_a_bias_is_native(products, kind):
    kind(2, 3, bias=True)(torch.randn(1, 2, 4, 4))
    kind(2, 3, bias=True)(torch.randn(1, 2, 8, 8))
    assert products == []


@pytest.mark.parametrize(("kind", "side"), [(Doubling, 4), (Halving, 8)])
def test_gradients_that_nobody_needs_are_not_computed(kind, side):
    layer = kind(2, 3, bias=False).requires_grad_(False)
    x = torch.randn(1, 2, side, side, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize(("kind", "side"), [(Doubling, 4), (Halving, 8)])
def test_results_may_be_changed_in_place(kind, side):
    out = kind(2, 3, bias=False)(torch.randn(1, 2, side, side))
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.relu_(out).sum().backward()
