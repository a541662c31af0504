"""Augmentation of real images, on their device: pure functions of images and random numbers.

References:
    CNTK's ImageDeserializer, transforms `color(brightnessRadius, contrastRadius,
    saturationRadius)` and the reference program's mirrored copies. Followed in all but two things:
    the program mirrored the files beforehand, here each drawing of an image is mirrored with
    probability 1/2; and the pixels are floats throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor

DRAWS = 4
"""Random numbers that one image takes: flip, brightness, contrast, saturation."""


def augment(images: Tensor, uniforms: Tensor, *, flip: bool, jitter: float) -> Tensor:
    """Mirror some images and jitter the colours of all.

    Args:
        images: (B, 3, H, W) float in [-1, 1], RGB.
        uniforms: (B, 4) float in [0, 1): flip, brightness, contrast, saturation. All are taken
            whatever is switched on, so that no setting shifts another's numbers.
        flip: whether to mirror.
        jitter: radius r of the three factors, in [0, 1].

    Returns:
        (B, 3, H, W) of the same dtype, in [-1, 1].
    """
    if flip:
        images = flip_some(images, uniforms[:, 0] < 0.5)
    if jitter > 0:
        factors = 1 + jitter * (2 * uniforms[:, 1:] - 1)
        images = colour_jitter(images, factors)
    return images


def flip_some(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen images left to right.

    Args:
        images: (B, C, H, W).
        chosen: (B,) bool.

    Returns:
        (B, C, H, W).
    """
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def colour_jitter(images: Tensor, factors: Tensor) -> Tensor:
    """Change brightness, contrast and saturation, in this order.

    On the scale [0, 1], with the image's mean m over pixels and channels and the factors b, c, s:
    every value v becomes c v + (b - 1) m, cut to [0, 1]; then the saturation of HSV, at the same
    hue and value, is multiplied by s and cut at 1. A factor of 1 changes nothing; contrast pivots
    at black and not at the mean, as in CNTK.

    Args:
        images: (B, 3, H, W) float in [-1, 1], RGB.
        factors: (B, 3) float, at least 0: b, c, s. With radius r each lies in [1 - r, 1 + r].

    Returns:
        (B, 3, H, W) of the same dtype, in [-1, 1].
    """
    brightness, contrast, saturation = factors[:, :, None, None, None].unbind(1)
    scaled = (images + 1) / 2
    mean = scaled.mean(dim=(1, 2, 3), keepdim=True)
    scaled = (scaled * contrast + (brightness - 1) * mean).clamp(0, 1)
    return (_saturate(scaled, saturation) * 2 - 1).clamp(-1, 1)


def _saturate(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply HSV's saturation without leaving RGB.

    At fixed hue and value V = max(R, G, B) every channel's distance to V grows by one factor; the
    saturation reaches 1 where the smallest channel reaches 0, at the factor V / (V - min).

    Args:
        images: (B, 3, H, W) in [0, 1].
        factor: (B, 1, 1, 1), at least 0.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    full = value / chroma.clamp_min(torch.finfo(images.dtype).tiny)
    return value - torch.minimum(factor, full) * (value - images)
