"""The strided convolutions of both networks; the deepest two as matrix products on the CPU.

At 4x4 a layer has few pixels and millions of weights, and the CPU's direct convolution spends its
time on the weights: matrix products were three times faster for the generator's 1024 -> 512 and
nearly twice for the discriminator's 512 -> 1024. Larger pictures are faster the native way;
`docs/performance.md` has the numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

_DEEPEST_PX = 4
"""The side of the smaller picture in the layers that are computed as products."""


class Doubling(nn.ConvTranspose2d):
    """5x5 transposed convolution with stride 2: (B, C, H, W) -> (B, C', 2H, 2W)."""

    def __init__(self, width_in: int, width_out: int, *, bias: bool) -> None:
        super().__init__(width_in, width_out, 5, stride=2, padding=2, output_padding=1, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """See the class; `output_size` is ConvTranspose2d's and stays None."""
        if self.bias is None and x.shape[2] == _DEEPEST_PX and _as_product(x):
            product: Tensor = _Spread.apply(x, self.weight)
            return product
        return super().forward(x, output_size)


class Halving(nn.Conv2d):
    """3x3 convolution with stride 2: (B, C, H, W) -> (B, C', H/2, W/2), H and W even."""

    def __init__(self, width_in: int, width_out: int, *, bias: bool) -> None:
        super().__init__(width_in, width_out, 3, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.bias is None and x.shape[2] == 2 * _DEEPEST_PX and _as_product(x):
            product: Tensor = _Gather.apply(x, self.weight)
            return product
        return super().forward(x)


def _as_product(x: Tensor) -> bool:
    """While a CPU trains without autocast: where the products were measured to win."""
    return (
        x.device.type == "cpu"
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


class _Spread(torch.autograd.Function):
    """x (B, I, H, W) times weight (I, O, 5, 5), spread over (B, O, 2H, 2W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        rows, matrix = _rows(x), _rows(weight).reshape(weight.shape[0], -1)
        ctx.save_for_backward(rows, matrix)
        ctx.shape = b, h, w, o = x.shape[0], *x.shape[2:], weight.shape[1]
        patches = (rows.reshape(b * h * w, -1) @ matrix).view(b, h, w, 5, 5, o)
        return _pictures(_add_patches(patches)[:, 2:-1, 2:-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, matrix = ctx.saved_tensors
        b, h, w, o = ctx.shape
        padded = pad(_rows(gradient), (0, 0, 2, 1, 2, 1))
        patches = _take_patches(padded, 5).view(b * h * w, -1)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = (patches @ matrix.T).view(b, h, w, -1).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            flat = rows.reshape(b * h * w, -1)
            of_weight = (flat.T @ patches).view(-1, 5, 5, o).permute(0, 3, 1, 2)
        return of_x, of_weight


class _Gather(torch.autograd.Function):
    """Patches of x (B, I, 2H, 2W) times weight (O, I, 3, 3): (B, O, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        patches = _take_patches(pad(_rows(x), (0, 0, 1, 0, 1, 0)), 3)
        matrix = _rows(weight).reshape(weight.shape[0], -1)
        ctx.save_for_backward(patches, matrix)
        b, h, w = patches.shape[:3]
        product = patches.view(b * h * w, -1) @ matrix.T
        return _pictures(product.view(b, h, w, -1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        patches, matrix = ctx.saved_tensors
        rows = _rows(gradient).reshape(-1, matrix.shape[0])
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _add_patches((rows @ matrix).view(patches.shape))
            of_x = of_x[:, 1:, 1:].permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            flat = patches.view(rows.shape[0], -1)
            of_weight = (rows.T @ flat).view(-1, 3, 3, patches.shape[-1]).permute(0, 3, 1, 2)
        return of_x, of_weight


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C), without a copy where x is channels_last."""
    return x.permute(0, 2, 3, 1)


def _pictures(rows: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, C, H, W) channels_last, with memory of its own: ReLU works in place."""
    return rows.permute(0, 3, 1, 2).clone(memory_format=torch.channels_last)


def _take_patches(x: Tensor, size: int) -> Tensor:
    """k x k patches at stride 2: (B, 2H + k - 2, 2W + k - 2, C) -> (B, H, W, k, k, C)."""
    b, height, width, c = x.shape
    h, w = (height - size) // 2 + 1, (width - size) // 2 + 1
    patches = x.new_empty(b, h, w, size, size, c)
    for row in range(size):
        for column in range(size):
            patches[:, :, :, row, column] = x[:, row : row + 2 * h : 2, column : column + 2 * w : 2]
    return patches


def _add_patches(patches: Tensor) -> Tensor:
    """The sum of overlapping patches, the transpose of `_take_patches`."""
    b, h, w, size, _, c = patches.shape
    x = patches.new_zeros(b, 2 * h + size - 2, 2 * w + size - 2, c)
    for row in range(size):
        for column in range(size):
            x[:, row : row + 2 * h : 2, column : column + 2 * w : 2] += patches[
                :, :, :, row, column
            ]
    return x
