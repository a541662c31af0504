"""PNG in and out, grids of images, and the two number scales.

A pixel is a whole number in [0, 255] on disk and a float in [-1, 1] in the networks:
`float = whole / 127.5 - 1`, and back by rounding to the nearest, halves to the even one.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

Pixels = NDArray[np.uint8]

_KINDS = ("PNG", "JPEG", "WEBP")
"""Formats of pictures from elsewhere."""
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
GAP_PX = 2
"""White pixels between the images of a grid."""


def encode_png(image: Pixels) -> bytes:
    """A PNG file's bytes; the same image gives the same bytes with the same Pillow.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
    """
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, format="PNG")
    return file.getvalue()


def decode_png(data: bytes, size_px: int | None = None) -> Pixels:
    """The image of a PNG file.

    Args:
        data: the file's bytes.
        size_px: side to resize to; each new pixel is the mean of the area that it covers.

    Returns:
        (H, W, 3) uint8 in [0, 255], RGB.

    Raises:
        ValueError: the bytes are no whole PNG.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a whole PNG: {error}") from error
    if size_px is not None:
        image = _reduced(image, size_px)
    return np.array(image, dtype=np.uint8)


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width that a PNG, JPEG or WebP file says it has; nothing is decoded.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_KINDS) as opened:
                return opened.height, opened.width
    except (UnidentifiedImageError, SyntaxError, *_BOMBS) as error:
        raise ValueError(f"it is no PNG, JPEG or WebP: {error}") from error


def decode_picture(data: bytes) -> Pixels:
    """The image of a PNG, JPEG or WebP file, as it lies in the file: no orientation is applied.

    Args:
        data: the file's bytes.

    Returns:
        (H, W, 3) uint8 in [0, 255], RGB; a grey picture's channels are equal, and transparency is
        dropped.

    Raises:
        ValueError: the bytes are no whole picture of these kinds, or one of 16 bits a channel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_KINDS) as opened:
                if opened.mode.startswith(("I", "F")):
                    raise ValueError("it has 16 bits a channel, and 8 are scored")
                image = opened.convert("RGB")
    except (OSError, SyntaxError, *_BOMBS) as error:
        raise ValueError(f"it is no whole PNG, JPEG or WebP: {error}") from error
    return np.array(image, dtype=np.uint8)


def _reduced(image: Image.Image, size_px: int) -> Image.Image:
    if image.width == image.height and image.width % size_px == 0:
        return image.reduce(image.width // size_px)  # rounds once, where resize rounds twice
    return image.resize((size_px, size_px), Image.Resampling.BOX)


def to_float(images: Tensor) -> Tensor:
    """Whole numbers to the networks' scale.

    Args:
        images: any shape, uint8 in [0, 255].

    Returns:
        The same shape, float32 in [-1, 1].
    """
    return images.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Pixels:
    """A network's images as pictures in host memory; waits for the device.

    Args:
        images: (N, 3, H, W) float in [-1, 1], RGB; what lies outside is cut.

    Returns:
        (N, H, W, 3) uint8 in [0, 255], RGB. `to_float` of them gives these whole numbers again.

    >>> to_uint8(torch.tensor([-1.0, 0.0, 7.0]).reshape(1, 3, 1, 1)).tolist()
    [[[[0, 128, 255]]]]
    """
    whole = images.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    pixels: Pixels = whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels


def grid(images: Pixels, columns: int) -> Pixels:
    """One picture of many, row by row; cells without an image stay white.

    Args:
        images: (N, H, W, 3) uint8 in [0, 255], RGB; N at least 1.
        columns: images in a row; fewer images than that make one shorter row.

    Returns:
        (rows * (H + 2) - 2, columns * (W + 2) - 2, 3) uint8 in [0, 255], RGB.
    """
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3)
    canvas = np.full(shape, 255, dtype=np.uint8)
    for position, image in enumerate(images):
        row, column = divmod(position, columns)
        top, left = row * (height + GAP_PX), column * (width + GAP_PX)
        canvas[top : top + height, left : left + width] = image
    return canvas
