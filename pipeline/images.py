"""The only place where bytes from outside are decoded.

How a file is opened and judged by its header is in headers.py. What cannot be used comes back as
a `Rejection`, never as an exception: a bad file is an expected thing. Decoding runs in worker
processes (see executors.py), because a decoder can also crash.

Colours are taken as sRGB; colour profiles are not applied.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
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
        (H, W, 3) uint8 in [0, 255], RGB, read-only; or a rejection: those of `inspect`, and
        decode_failed where the file breaks off or its pixels make no sense.
    """
    info = inspect(data, limits)
    if isinstance(info, Rejection):
        return info
    try:
        with quiet_pillow():
            image = open_image(data)
            if isinstance(image, Rejection):  # pragma: no cover - inspect has said so before
                return image
            image.load()
            return np.asarray(_rgb(_upright(image)))
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


def _upright(image: Image.Image) -> Image.Image:
    turn = UPRIGHT.get(orientation_of(image))
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
