"""Resizing rules by name: whole numbers in, floats in [0, 255] out, nothing rounded in between.

A score depends on its rule: FID moves by whole points between them (Parmar et al., figure 3).

References:
    G. Parmar, R. Zhang and J.-Y. Zhu, "On Aliased Resizing and Surprising Subtleties in GAN
    Evaluation", 2022, arXiv:2104.11222, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to resize, with its description for the protocol."""

    name: str
    words: str
    apply: Callable[[Tensor, int], Tensor]
    """(B, H, W, 3) uint8 RGB, side -> (B, 3, side, side) float32 in [0, 255], channels last, on the
    same device. The aspect ratio is given up, nothing is cropped."""


def bilinear_tf1(images: Tensor, side: int) -> Tensor:
    """Bilinear as TensorFlow 1 did it: corners aligned at the top left, no antialiasing.

    The source coordinate of pixel i is i * size / side in float32; its neighbour to the right or
    below is clamped to the border. The columns are interpolated first, then the rows.

    Args:
        images: (B, H, W, 3) uint8 in [0, 255].
        side: of the result, in pixels.

    Returns:
        (B, 3, side, side) float32 in [0, 255], channels last.
    """
    count, height, width, channels = images.shape
    low, high, share = _places(width, side, images.device)
    # Columns and channels are one axis here: single numbers are picked 3 times as fast as triples.
    channel = torch.arange(channels, device=images.device)
    first, second = ((at[:, None] * channels + channel).flatten() for at in (low, high))
    lines = images.reshape(count * height, width * channels).float()
    rows = _mixed(lines, first, second, share.repeat_interleave(channels))
    low, high, share = _places(height, side, images.device)
    full = _mixed(rows.view(count, height, -1), low, high, share[:, None])
    return full.view(count, side, side, channels).permute(0, 3, 1, 2)


def _places(size: int, side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Each of `side` values lies between two of `size`: their places, and the second's share."""
    scale = torch.tensor(size / side, dtype=torch.float32, device=device)
    at = torch.arange(side, dtype=torch.float32, device=device) * scale
    low = at.long().clamp_(max=size - 1)
    return low, (low + 1).clamp_(max=size - 1), at - low


def _mixed(values: Tensor, low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Along axis 1: first + (second - first) * share."""
    first, second = values.index_select(1, low), values.index_select(1, high)
    return second.sub_(first).mul_(share).add_(first)


def bilinear_antialiased(images: Tensor, side: int) -> Tensor:
    """Bilinear with half-pixel centres, widened where the image shrinks: torchvision's rule.

    Args:
        images: (B, H, W, 3) uint8 in [0, 255].
        side: of the result, in pixels.

    Returns:
        (B, 3, side, side) float32 in [0, 255], channels last.
    """
    resized = functional.interpolate(
        images.permute(0, 3, 1, 2).float(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    return resized.contiguous(memory_format=torch.channels_last)


def bicubic_clean(images: Tensor, side: int) -> Tensor:
    """Pillow's bicubic on floats, a channel at a time: the rule `clean` of Parmar et al.

    What the cubic overshoots is cut to [0, 255], as the authors' program does. Computed on the CPU.

    Args:
        images: (B, H, W, 3) uint8 in [0, 255].
        side: of the result, in pixels.

    Returns:
        (B, 3, side, side) float32 in [0, 255], channels last.
    """
    pixels = images.permute(0, 3, 1, 2).cpu().numpy().astype(np.float32)
    resized = np.empty((*pixels.shape[:2], side, side), np.float32)
    for position in np.ndindex(pixels.shape[:2]):
        channel = Image.fromarray(np.ascontiguousarray(pixels[position]))
        resized[position] = channel.resize((side, side), Image.Resampling.BICUBIC)
    clipped = torch.from_numpy(resized.clip(0, 255)).to(images.device)
    return clipped.contiguous(memory_format=torch.channels_last)


TF1 = Rule(
    "tf1", "bilinear as in TensorFlow 1: no half-pixel centres, not antialiased", bilinear_tf1
)
TORCHVISION = Rule("torchvision", "bilinear, half-pixel centres, antialiased", bilinear_antialiased)
CLEAN = Rule("clean", "bicubic on floats, antialiased (Pillow), cut to [0, 255]", bicubic_clean)
