"""What a measure needs of a network, and what its numbers depend on besides the images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.core.errors import ScoreError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureProtocol:
    """Everything besides the images that a number depends on; stored beside every number."""

    name: str
    """`fid2015`, `torchvision`, `onnx` or `fixed`."""
    network: str
    weights_sha256: str
    """Empty where nothing is loaded."""
    official: bool
    """Whether these are the published weights; numbers from others compare with nothing."""
    resize: str
    normalisation: str
    features: int
    """Numbers in a feature."""
    classes: int
    """Classes of the logits; 0 where the network gives none."""
    precision: str = "fp32"
    """Numbers that the network computed with: `fp32` or `bf16`."""

    def as_dict(self) -> dict[str, Any]:
        """For `scores.json` and `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network says of a batch."""

    features: NDArray[np.float32]
    """(B, D) float32."""
    logits: NDArray[np.float32] | None
    """(B, K) float32 before the softmax; None where the network is no classifier."""


class FeatureNetwork(Protocol):
    """Images in, features and logits out; calls are independent of each other."""

    @property
    def protocol(self) -> FeatureProtocol:
        """What its numbers depend on."""

    def outputs(self, images: Pixels) -> Outputs:
        """Features and logits of a batch.

        Args:
            images: (B, H, W, 3) uint8 in [0, 255], RGB, B at least 1; any size.

        Raises:
            ScoreError: another dtype or shape: a wrong range would change the score without a sign.
        """


def check_pixels(images: NDArray[Any], name: str) -> None:
    """Refuse what no network here takes.

    Raises:
        ScoreError: not (B, H, W, 3) uint8, or no image; the message names `name`.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not images.size:
        raise ScoreError(
            f"{name} takes RGB images as uint8 of shape (B, H, W, 3), "
            f"not {images.dtype} of shape {images.shape}"
        )
