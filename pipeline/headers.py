"""What an image is, by its header: what a downloader needs to know, without numpy.

A file is opened by one of a fixed list of readers, picked by its first bytes and never by its name.
Its size is judged from the header, before any pixel is unpacked. What cannot be used comes back as
a `Rejection`, never as an exception: a bad file is an expected thing.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
ORIENTATIONS = range(1, 9)
"""EXIF's: as it is, and seven ways of turning and mirroring."""

MOST_SCANS = 100
"""Of a JPEG: progressive ones have about 10. Each takes time for all pixels, however few its bytes:
of 100 megapixels an empty one 10 ms, of three colours 40 ms, so that 100 in a file of 0.6 MB take
4.7 s. libtiff has the same limit."""
MOST_SEGMENTS = 10_000
"""That are counted: a file of 20 MB can have 5 million, and they would take 8 s."""
_START_OF_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""One that says more than that it is there: not a stuffed 255, nor TEM, RST or SOI."""
_END_OF_IMAGE = 0xD9

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
        What the header says, or a rejection: not_an_image, decode_failed (a broken header, a JPEG
        of more than MOST_SCANS scans), too_many_pixels, too_small.
    """
    try:
        with quiet_pillow():
            image = open_image(data)
            judged = image if isinstance(image, Rejection) else _judged(image, limits)
        return _of_few_scans(data) or judged if isinstance(judged, ImageInfo) else judged
    except Image.DecompressionBombError as error:
        return Rejection(Reason.TOO_MANY_PIXELS, str(error))
    except BROKEN as error:
        return Rejection(Reason.DECODE_FAILED, f"broken header: {words_of(error)}")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow warns of sizes and of broken metadata: sizes are judged here, metadata don't count."""
    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_image(data: bytes) -> Image.Image | Rejection:
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
    if image.format != "TIFF" and orientation_of(image) >= 5:
        width, height = height, width
    return ImageInfo(_format(image), width, height)


def _of_few_scans(data: bytes) -> Rejection | None:
    """None for whatever is no JPEG of too many scans."""
    if not data.startswith(b"\xff\xd8") or data.count(_START_OF_SCAN) <= MOST_SCANS:
        return None
    scans, more = scans_of(data)
    if scans <= MOST_SCANS and not more:
        return None
    told = f"{scans} scans or more" if more else f"{scans} scans"
    return Rejection(Reason.DECODE_FAILED, f"jpeg: {told}, at most {MOST_SCANS}")


def scans_of(data: bytes) -> tuple[int, bool]:
    """How often a JPEG's pixels are gone over, and whether the count was broken off.

    What lies in its segments or after its end is none.

    >>> scans_of(bytes.fromhex("ffd8 ffe1 0006 ffda ffda ffda 0002 00 ff00 ffda 0002 ffd9 ffda"))
    (2, False)
    """
    scans, at = 0, 2
    for _ in range(MOST_SEGMENTS):
        marker = _MARKER.search(data, at)
        if marker is None or data[marker.end() - 1] == _END_OF_IMAGE:
            return scans, False
        scans += marker.group() == _START_OF_SCAN
        # No shorter than the length itself, as in libjpeg.
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2]))
    return scans, True


def _format(image: Image.Image) -> str:
    """MPO is what cameras make of two JPEGs in one file."""
    name = (image.format or "").lower()
    return "jpeg" if name == "mpo" else name


def orientation_of(image: Image.Image) -> int:
    """1 to 8; 1 where the metadata are missing or broken: the pixels may still be good."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except BROKEN:
        return 1
    return value if value in ORIENTATIONS else 1


def words_of(error: BaseException) -> str:
    """What a reader raised, in words."""
    return str(error) or type(error).__name__
