"""Inception-v3 for inference: one graph, two variants, BatchNorm folded into the convolutions.

    stem       (B, 3, 299, 299)  ->  (B, 192, 35, 35)
    Mixed_5b-d, block A          ->  (B, 288, 35, 35)
    Mixed_6a, block B            ->  (B, 768, 17, 17)
    Mixed_6b-e, block C          ->  (B, 768, 17, 17)
    Mixed_7a, block D            ->  (B, 1280, 8, 8)
    Mixed_7b-c, block E          ->  (B, 2048, 8, 8)  ->  mean  ->  features (B, 2048)
    fc                           ->  logits (B, classes)

The network that TensorFlow's archive of 2015 holds differs from the paper's (and torchvision's):
its average pools leave the padding out of the mean, and its last block has a max pool where the
paper has an average. The tensors have the same names and shapes in both, so the wrong weights load
without a sign.

Blocks are tables of their branches. A branch is a chain of steps: a convolution, two convolutions
side by side, or a pool.

References:
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the Inception
    Architecture for Computer Vision", 2016, arXiv:1512.00567, section 6, table 1, figures 5 to 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE_PX = 299
FEATURES = 2048


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs between the published networks."""

    classes: int
    averages_padding: bool
    """Whether average pools count the zeros beyond the border."""
    last_pool: str
    """Of the last block: `max` or `average`."""
    classifier_bias: bool
    """Whether the logits have the bias of the file's classifier."""


TENSORFLOW_2015 = Variant(1008, averages_padding=False, last_pool="max", classifier_bias=False)
"""`inception-2015-12-05`, which FID, KID and the published Inception Scores are defined by."""
PAPER = Variant(1000, averages_padding=True, last_pool="average", classifier_bias=True)
"""As torchvision builds it."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution of `height` x `width` with its ReLU; stride 1 keeps the size."""

    name: str
    channels: int
    height: int = 1
    width: int = 1
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Pool:
    """A 3x3 pool: `average` and `max` keep the size, `halve` is a max pool of stride 2."""

    kind: str


Fork = tuple[Conv, Conv]
"""Two convolutions of the same input, their outputs side by side."""
Step = Conv | Fork | Pool
Branch = tuple[Step, ...]
_AVERAGE, _HALVE = Pool("average"), Pool("halve")


def _block_a(pooled: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, 5, 5)),
        (
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, 3, 3),
            Conv("branch3x3dbl_3", 96, 3, 3),
        ),
        (_AVERAGE, Conv("branch_pool", pooled)),
    )


_BLOCK_B: tuple[Branch, ...] = (
    (Conv("branch3x3", 384, 3, 3, stride=2),),
    (
        Conv("branch3x3dbl_1", 64),
        Conv("branch3x3dbl_2", 96, 3, 3),
        Conv("branch3x3dbl_3", 96, 3, 3, stride=2),
    ),
    (_HALVE,),
)


def _block_c(inner: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 192),),
        (
            Conv("branch7x7_1", inner),
            Conv("branch7x7_2", inner, 1, 7),
            Conv("branch7x7_3", 192, 7, 1),
        ),
        (
            Conv("branch7x7dbl_1", inner),
            Conv("branch7x7dbl_2", inner, 7, 1),
            Conv("branch7x7dbl_3", inner, 1, 7),
            Conv("branch7x7dbl_4", inner, 7, 1),
            Conv("branch7x7dbl_5", 192, 1, 7),
        ),
        (_AVERAGE, Conv("branch_pool", 192)),
    )


_BLOCK_D: tuple[Branch, ...] = (
    (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, 3, 3, stride=2)),
    (
        Conv("branch7x7x3_1", 192),
        Conv("branch7x7x3_2", 192, 1, 7),
        Conv("branch7x7x3_3", 192, 7, 1),
        Conv("branch7x7x3_4", 192, 3, 3, stride=2),
    ),
    (_HALVE,),
)


def _block_e(pool: Pool) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 320),),
        (
            Conv("branch3x3_1", 384),
            (Conv("branch3x3_2a", 384, 1, 3), Conv("branch3x3_2b", 384, 3, 1)),
        ),
        (
            Conv("branch3x3dbl_1", 448),
            Conv("branch3x3dbl_2", 384, 3, 3),
            (Conv("branch3x3dbl_3a", 384, 1, 3), Conv("branch3x3dbl_3b", 384, 3, 1)),
        ),
        (pool, Conv("branch_pool", 192)),
    )


class ConvReLU(nn.Module):
    """A convolution with the BatchNorm folded in, and its ReLU."""

    def __init__(self, channels: int, spec: Conv, *, valid: bool = False) -> None:
        super().__init__()
        valid = valid or spec.stride > 1
        self.conv = nn.Conv2d(
            channels,
            spec.channels,
            (spec.height, spec.width),
            stride=spec.stride,
            padding=(0, 0) if valid else (spec.height // 2, spec.width // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, channels, H', W'), at least 0."""
        return functional.relu(self.conv(x), inplace=True)


class Block(nn.Module):
    """Branches of the same input, their outputs side by side."""

    def __init__(self, channels: int, branches: tuple[Branch, ...], averages_padding: bool) -> None:
        super().__init__()
        self.branches = branches
        self.averages_padding = averages_padding
        self.channels = 0
        for branch in branches:
            width = channels
            for step in branch:
                for conv in _convolutions(step):
                    self.add_module(conv.name, ConvReLU(width, conv))
                width = sum(conv.channels for conv in _convolutions(step)) or width
            self.channels += width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, self.channels, H', W')."""
        return torch.cat([part for branch in self.branches for part in self._parts(x, branch)], 1)

    def _parts(self, x: Tensor, branch: Branch) -> list[Tensor]:
        """What a branch adds: one tensor, or two where it ends in a fork."""
        parts = [x]
        for step in branch:
            if isinstance(step, Pool):
                parts = [self._pool(parts[0], step)]
            else:
                parts = [self.get_submodule(conv.name)(parts[0]) for conv in _convolutions(step)]
        return parts

    def _pool(self, x: Tensor, pool: Pool) -> Tensor:
        if pool.kind == "halve":
            return functional.max_pool2d(x, 3, 2)
        if pool.kind == "max":
            return functional.max_pool2d(x, 3, 1, 1)
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=self.averages_padding)


def _convolutions(step: Step) -> tuple[Conv, ...]:
    if isinstance(step, Conv):
        return (step,)
    return () if isinstance(step, Pool) else step


class Inception(nn.Module):
    """The network with folded weights, as `inception_weights.fold` makes them.

    Args:
        variant: which of the published graphs.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvReLU(3, Conv("", 32, 3, 3, stride=2))
        self.Conv2d_2a_3x3 = ConvReLU(32, Conv("", 32, 3, 3), valid=True)
        self.Conv2d_2b_3x3 = ConvReLU(32, Conv("", 64, 3, 3))
        self.Conv2d_3b_1x1 = ConvReLU(64, Conv("", 80))
        self.Conv2d_4a_3x3 = ConvReLU(80, Conv("", 192, 3, 3), valid=True)
        channels, names = 192, []
        for name, branches in _blocks(variant):
            block = Block(channels, branches, variant.averages_padding)
            self.add_module(name, block)
            names.append(name)
            channels = block.channels
        self.blocks = tuple(names)
        self.fc = nn.Linear(channels, variant.classes, bias=variant.classifier_bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """One pass for both outputs.

        Args:
            x: (B, 3, 299, 299) float, normalised as the weights want it.

        Returns:
            features (B, 2048) float32, at least 0, and logits (B, classes) of the classifier's
            type. The mean over the last map is taken in float32.
        """
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2))
        x = functional.max_pool2d(self.Conv2d_4a_3x3(x), 3, 2)
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        features = x.float().mean((2, 3))
        return features, self.fc(features.to(self.fc.weight.dtype))


def _blocks(variant: Variant) -> Iterable[tuple[str, tuple[Branch, ...]]]:
    yield from (("Mixed_5b", _block_a(32)), ("Mixed_5c", _block_a(64)), ("Mixed_5d", _block_a(64)))
    yield "Mixed_6a", _BLOCK_B
    inner = {"Mixed_6b": 128, "Mixed_6c": 160, "Mixed_6d": 160, "Mixed_6e": 192}
    yield from ((name, _block_c(width)) for name, width in inner.items())
    yield "Mixed_7a", _BLOCK_D
    yield from (("Mixed_7b", _block_e(_AVERAGE)), ("Mixed_7c", _block_e(Pool(variant.last_pool))))
