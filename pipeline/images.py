"""The only place where bytes from outside are decoded.

How a file is opened and judged by its header is in headers.py. What cannot be used comes back as
a `Rejection`, never as an exception: a bad file is an expected thing. Decoding runs in worker
processes (see executors.py), because a decoder can also crash.

Colours are taken as sRGB; colour profiles are not applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from facegan.core.records import Reason
from pipeline.headers import (
    BROKEN,
    ImageInfo,
    ImageLimits,
    Rejection,
    inspect,
    open_image,
    orientation_of,
    quiet_pillow,
    words_of,
)

__all__ = [
    "ImageInfo",
    "ImageLimits",
    "Pixels",
    "Rejection",
    "decode",
    "encode_png",
    "inspect",
    "read",
]

Pixels = NDArray[np.uint8]

UPRIGHT: dict[int, Callable[[Pixels], cv2.typing.MatLike]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""What turns a picture of that EXIF orientation upright."""

JPEGS = ("JPEG", "MPO")
"""As Pillow calls them."""
AT_ONCE_PX = 4_000_000
"""Pixels that are converted together, at most."""
PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)
"""256-px crops of photographs: half of the time of Pillow's fastest, and 8 % more bytes."""


def decode(data: bytes, limits: ImageLimits) -> Pixels | Rejection:
    """Unpack an image of any supported kind, upright.

    Grey, palette, CMYK and 16-bit images become 8-bit RGB; what is transparent becomes white; of an
    animation or a file of many pages the first counts.

    Args:
        data: a whole file.
        limits: what the image must keep to.

    Returns:
        (H, W, 3) uint8 in [0, 255], RGB; or a rejection: those of `inspect`, and
        decode_failed where the file breaks off or its pixels make no sense, out_of_memory where
        the machine has too little to unpack it.
    """
    info = inspect(data, limits)
    if isinstance(info, Rejection):
        return info
    try:
        with quiet_pillow():
            image = open_image(data)
            if isinstance(image, Rejection):  # pragma: no cover - inspect has said so before
                return image
            pixels = _sound_jpeg(data, image)
            if pixels is None:
                image.load()
                pixels = _unpacked(image)
            turn = UPRIGHT.get(orientation_of(image))  # Pillow turns a TIFF as it loads it
            del image  # twice as large as its pixels
            return pixels if turn is None else np.asarray(turn(pixels), np.uint8)
    except MemoryError:
        detail = f"{info.format}, {info.width}x{info.height}"
        return Rejection(Reason.OUT_OF_MEMORY, detail)
    except (*BROKEN, Image.DecompressionBombError) as error:
        return Rejection(Reason.DECODE_FAILED, f"{info.format}: {words_of(error)}")


def read(path: Path, limits: ImageLimits) -> Pixels | Rejection:
    """Decode a file.

    Returns:
        As `decode`; a file that is gone or cannot be read is rejected as unreadable.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return Rejection(Reason.UNREADABLE, f"{path.name}: {error.strerror or error}")
    return decode(data, limits)


def encode_png(image: Pixels) -> bytes:
    """A PNG without times or other metadata: the same pixels give the same bytes.

    Args:
        image: (H, W, 3) uint8 in [0, 255], RGB.
    """
    made, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), PNG_OPTIONS)
    if not made:
        raise ValueError(f"no PNG can be made of {image.shape}")
    return png.tobytes()


def _sound_jpeg(data: bytes, image: Image.Image) -> Pixels | None:
    """What Pillow would make of it, in half of the time; None where that is for Pillow to say.

    Both ask libjpeg-turbo, and where it has anything to complain of, Pillow decides.
    """
    if image.format not in JPEGS or image.mode not in ("RGB", "L"):
        return None
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape == (image.height, image.width, 3) else None


def _unpacked(image: Image.Image) -> Pixels:
    """(H, W, 3), as it lies in the file; a large one by rows, for no second copy of the whole."""
    convert = _conversion(image)
    if image.width * image.height <= AT_ONCE_PX:
        return np.asarray(convert(image))
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _strips(image):
        pixels[top : top + strip.height] = np.asarray(convert(strip))
    return pixels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, AT_ONCE_PX // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of a part of it."""
    if image.mode.startswith("I") or image.mode == "F":
        return partial(_grey, factor=_to_levels(image))
    if image.has_transparency_data:
        return _on_white
    if image.mode == "RGB":
        return lambda strip: strip
    return lambda strip: strip.convert("RGB")


def _on_white(strip: Image.Image) -> Image.Image:
    white = Image.new("RGBA", strip.size, "white")
    return Image.alpha_composite(white, strip.convert("RGBA")).convert("RGB")


def _grey(strip: Image.Image, factor: float) -> Image.Image:
    levels = _floats(strip) * np.float32(factor)
    return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _to_levels(image: Image.Image) -> float:
    """What takes 16-bit levels, or floats in [0, 1], to [0, 255]; floats beyond 1 are there."""
    if image.mode != "F":
        return 1 / 257
    highest = max(_floats(strip).max(initial=0) for _, strip in _strips(image))
    return 255.0 if highest <= 1 else 1.0


def _floats(image: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image).astype(np.float32))
