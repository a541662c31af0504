"""What the demo's search finds: drawn portraits, and some pictures of no use, as on the web."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.images import Pixels
from pipeline.portraits import DEFAULT_SIZE_PX, portraits

WITHOUT_A_FACE = 6
JPEG_QUALITY = 92


def pictures(count: int, seed: int = 0) -> dict[str, bytes]:
    """File name -> bytes: a portrait, six landscapes, a duplicate, a text, then more portraits.

    Args:
        count: portraits, at least 1.
        seed: another seed, other people.
    """
    drawn = portraits(count, seed)
    first = _jpeg(next(drawn).image)
    found = {"portrait-0000.jpg": first, "again.jpg": first}
    found["note.jpg"] = b"This is a text, whatever its name says."
    for index in range(WITHOUT_A_FACE):
        found[f"landscape-{index}.jpg"] = _jpeg(_landscape(np.random.default_rng((seed, index))))
    for index, portrait in enumerate(drawn, start=1):
        found[f"portrait-{index:04d}.jpg"] = _jpeg(portrait.image)
    return found


def _jpeg(image: Pixels) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise ValueError(f"OpenCV cannot encode an image of shape {image.shape}")
    return data.tobytes()


def _landscape(rng: np.random.Generator) -> Pixels:
    """(S, S, 3) uint8 RGB: a sky and a row of hills."""
    size = DEFAULT_SIZE_PX
    sky, ground = rng.uniform(120, 230, 3), rng.uniform(40, 140, 3)
    ramp = np.linspace(0.7, 1.0, size)[:, None, None]
    image = np.broadcast_to(sky * ramp, (size, size, 3)).copy()
    x = np.arange(size)
    ridge = 0.6 * size + 30 * np.sin(x / rng.uniform(25, 60) + rng.uniform(0, 6))
    image[np.arange(size)[:, None] > ridge[None, :]] = ground
    return np.clip(image, 0, 255).astype(np.uint8)
