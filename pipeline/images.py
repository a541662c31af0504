"""The only place where bytes from outside are decoded.

A file is opened by one of a fixed list of readers, picked by its first bytes and never by its name.
Its size is judged from the header, before any pixel is unpacked. What cannot be used comes back as
a `Rejection`, never as an exception: a bad file is an expected thing. Decoding runs in worker
processes (see executors.py), because a decoder can also crash.

Colours are taken as sRGB; colour profiles are not applied.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from facegan.core.records import Reason

Pixels = NDArray[np.uint8]

READERS = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    GifImagePlugin.GifImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    AvifImagePlugin.AvifImageFile.format,
)

ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of that EXIF orientation upright."""

PNG_OPTIONS = {"compress_level": 1, "compress_type": zlib.Z_RLE}
"""256-px crops of photographs: 4.6 ms and 89 kB each; Pillow's own choice is 17.9 ms and 82 kB."""

# All that Pillow's readers are known to raise on broken files.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    AssertionError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)

# catch_warnings is not safe with threads, and the downloader's threads all look at headers.
_pillow = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image must keep to."""

    max_pixels: int = 100_000_000
    """Width times height; 300 MB once decoded."""
    min_side_px: int = 1
    """Of the shorter side."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header says."""

    format: str
    """jpeg, png, webp, gif, bmp, tiff or avif."""
    width: int
    """In pixels, as seen: after the EXIF orientation."""
    height: int
    """In pixels, as seen: after the EXIF orientation."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an image cannot be used."""

    reason: Reason
    detail: str


def inspect(data: bytes, limits: ImageLimits) -> ImageInfo | Rejection:
    """Look at the header alone; no pixel is unpacked.

    Args:
        data: a whole file.
        limits: what the image must keep to.

    Returns:
        What the header says, or a rejection: not_an_image, decode_failed (a broken header),
        too_many_pixels, too_small.
    """
    try:
        with _quiet_pillow():
            image = _open(data)
            return image if isinstance(image, Rejection) else _judged(image, limits)
    except Image.DecompressionBombError as error:
        return Rejection(Reason.TOO_MANY_PIXELS, str(error))
    except BROKEN as error:
        return Rejection(Reason.DECODE_FAILED, f"broken header: {_words(error)}")


def decode(data: bytes, limits: ImageLimits) -> Pixels | Rejection:
    """Unpack an image of any supported kind, upright.

    Grey, palette, CMYK and 16-bit images become 8-bit RGB; what is transparent becomes white; of an
    animation or a file of many pages the first counts.

    Args:
        data: a whole file.
        limits: what the image must keep to.

    Returns:
        (H, W, 3) uint8 in [0, 255], RGB, read-only; or a rejection: those of `inspect`, and
        decode_failed where the file breaks off or its pixels make no sense.
    """
    info = inspect(data, limits)
    if isinstance(info, Rejection):
        return info
    try:
        with _quiet_pillow():
            image = _open(data)
            if isinstance(image, Rejection):  # pragma: no cover - inspect has said so before
                return image
            image.load()
            return np.asarray(_rgb(_upright(image)))
    except (*BROKEN, Image.DecompressionBombError) as error:
        return Rejection(Reason.DECODE_FAILED, f"{info.format}: {_words(error)}")


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
    file = io.BytesIO()
    Image.fromarray(image, "RGB").save(file, "PNG", **PNG_OPTIONS)
    return file.getvalue()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow warns of sizes and of broken metadata: sizes are judged here, metadata don't count."""
    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(data: bytes) -> Image.Image | Rejection:
    """What Image.open does, without its own limit on pixels: `_judged` has ours."""
    for name in READERS:
        reader, accepts = Image.OPEN[name]
        accepted = accepts(data[:16]) if accepts else False
        if isinstance(accepted, str):  # this Pillow was built without the format
            return Rejection(Reason.NOT_AN_IMAGE, accepted)
        if accepted:
            return reader(io.BytesIO(data), "")
    if not data:
        return Rejection(Reason.NOT_AN_IMAGE, "the file is empty")
    return Rejection(Reason.NOT_AN_IMAGE, f"the file begins with {data[:12]!r}")


def _judged(image: Image.Image, limits: ImageLimits) -> ImageInfo | Rejection:
    width, height = image.size
    if width * height > limits.max_pixels:
        return Rejection(
            Reason.TOO_MANY_PIXELS, f"{width}x{height}, at most {limits.max_pixels} pixels"
        )
    if min(width, height) < limits.min_side_px:
        return Rejection(Reason.TOO_SMALL, f"{width}x{height}, at least {limits.min_side_px} px")
    # Pillow swaps a TIFF's sides itself.
    if image.format != "TIFF" and _orientation(image) >= 5:
        width, height = height, width
    return ImageInfo(_format(image), width, height)


def _format(image: Image.Image) -> str:
    """MPO is what cameras make of two JPEGs in one file."""
    name = (image.format or "").lower()
    return "jpeg" if name == "mpo" else name


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1 where the metadata are missing or broken: the pixels may still be good."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except BROKEN:
        return 1
    return value if value in UPRIGHT else 1


def _upright(image: Image.Image) -> Image.Image:
    turn = UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: NDArray[np.generic]) -> Pixels:
    """(H, W) uint8 of 16-bit levels or of floats in [0, 1]; floats beyond 1 count as [0, 255].

    >>> _eight_bits(np.array([[0, 257, 65535]], np.uint16))
    array([[  0,   1, 255]], dtype=uint8)
    """
    levels = np.nan_to_num(grey.astype(np.float32))
    if np.issubdtype(grey.dtype, np.floating):
        levels *= 255 if levels.max(initial=0) <= 1 else 1
    else:
        levels /= 257
    return levels.round().clip(0, 255).astype(np.uint8)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
