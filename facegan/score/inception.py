"""torchvision's Inception-v3 as a classifier of images, under a named protocol.

The protocol `torchvision`: uint8 RGB -> [0, 1] -> 299x299 bilinear (half-pixel centres, antialiased
where the image shrinks, the aspect ratio given up, nothing cropped) -> ImageNet mean and standard
deviation -> the network with `transform_input=True` -> 1000 logits, in float32.

`transform_input=True` turns the ImageNet normalisation back into 2x - 1, the range in which these
weights were trained; torchvision sets it itself when it loads them. With False the network would
see inputs about twice too large. A mismatch of the two has moved published scores (6.2 in place of
9.4 for CIFAR-10 in sbarratt/inception-score-pytorch, issue 2), so the protocol names both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facegan.core import files
from facegan.core.errors import ScoreError
from facegan.score.weights import TORCHVISION_INCEPTION, WeightsFile, remedy

if TYPE_CHECKING:
    import torch
    from torch import nn

SIZE_PX = 299
CLASSES = 1000
_CPU_TILE = 16
"""Images computed together on a CPU: the fewest seconds an image, of 8, 16 and 32."""
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything besides the images that a number depends on; stored beside every number."""

    name: str
    network: str
    weights_sha256: str
    official: bool
    """Whether these are the published weights; numbers from others compare with nothing."""
    resize: str
    normalisation: str
    transform_input: bool
    classes: int

    def as_dict(self) -> dict[str, Any]:
        """For `scores.json` and `--json`."""
        return asdict(self)


def torchvision_protocol(weights: WeightsFile) -> Protocol:
    """The protocol `torchvision` with this weight file."""
    return Protocol(
        name="torchvision",
        network="inception_v3",
        weights_sha256=weights.sha256,
        official=weights.official,
        resize=f"bilinear {SIZE_PX}x{SIZE_PX}, half-pixel centres, antialiased",
        normalisation=f"[0, 1], mean {_MEAN}, standard deviation {_STD}",
        transform_input=True,
        classes=CLASSES,
    )


class InceptionV3:
    """Inception-v3 with given weights on a device; calls are independent of each other.

    Args:
        weights: the file, as `weights.obtain` gives it.
        device: where it runs.

    Raises:
        ScoreError: the file is damaged or of another network.
    """

    def __init__(self, weights: WeightsFile, device: torch.device | str = "cpu") -> None:
        import torch

        self.protocol = torchvision_protocol(weights)
        self.device = torch.device(device)
        network = build(load_state(weights.path), weights.path)
        # Channels last is half as fast again on a CPU, and what tensor cores read.
        self._network = network.to(self.device).to(memory_format=torch.channels_last)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The classifier's outputs before the softmax.

        Args:
            images: (B, H, W, 3) uint8 in [0, 255], RGB; any size.

        Returns:
            (B, 1000) float32. One image's row differs by rounding (about 1e-6 of its range) with
            its batch's size.

        Raises:
            ScoreError: `images` is of another dtype or shape.
        """
        import torch

        size = _CPU_TILE if self.device.type == "cpu" else max(len(images), 1)
        tiles = [images[start : start + size] for start in range(0, max(len(images), 1), size)]
        with torch.inference_mode(), _full_precision():
            rows = [self._network(preprocess(tile, self.device)).cpu() for tile in tiles]
        result: NDArray[np.float32] = torch.cat(rows).numpy()
        return result

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(B, 1000) float64: the softmax of `logits`; each row sums to 1."""
        from facegan.score.inception_score import log_softmax

        result: NDArray[np.float64] = np.exp(log_softmax(self.logits(images)))
        return result


def preprocess(images: NDArray[np.uint8], device: torch.device | str = "cpu") -> torch.Tensor:
    """Images as the network takes them.

    Args:
        images: (B, H, W, 3) uint8 in [0, 255], RGB.
        device: where the result is wanted; the resize runs there too.

    Returns:
        (B, 3, 299, 299) float32, ImageNet-normalised, channels-last layout, on `device`.

    Raises:
        ScoreError: `images` is of another dtype or shape: a wrong range would change the score
            without a sign.
    """
    import torch

    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not images.size:
        raise ScoreError(
            "Inception takes RGB images as uint8 of shape (B, H, W, 3), "
            f"not {images.dtype} of shape {images.shape}"
        )
    # A copy: arrays from Pillow are read-only, which torch.from_numpy warns of.
    pixels = torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2)
    scaled = pixels.to(torch.float32) / 255.0
    resized = torch.nn.functional.interpolate(
        scaled, size=(SIZE_PX, SIZE_PX), mode="bilinear", align_corners=False, antialias=True
    )
    mean = torch.tensor(_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(_STD, device=device).view(1, 3, 1, 1)
    return ((resized - mean) / std).contiguous(memory_format=torch.channels_last)


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or of a PyTorch state dict; no pickled code is ever run.

    Raises:
        ScoreError: the file is missing, cut short, or holds something else.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file, anything may come
        raise _unusable(path, "cut short, or no file of weights") from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise _unusable(path, "it holds no state dict (names and tensors)")
    return dict(state)


def build(state: Mapping[str, torch.Tensor], path: Path) -> nn.Module:
    """torchvision's Inception-v3 in eval mode, float32, with exactly these weights.

    The auxiliary classifier serves training only: it is left out, in the file or not.

    Raises:
        ScoreError: names or shapes are another network's; `path` is named in it.
    """
    import torch

    wanted = _skeleton()
    given = {
        name: value.to(torch.float32) if value.is_floating_point() else value
        for name, value in state.items()
        if not name.startswith("AuxLogits.")
    }
    problem = _difference(given, wanted.state_dict())
    if problem:
        raise _unusable(path, problem)
    wanted.load_state_dict(given, assign=True)
    return wanted.eval().requires_grad_(False)


def random_weights(path: Path, seed: int = 0) -> WeightsFile:
    """Write Inception-v3 weights drawn at random: for tests and demonstrations of the path.

    Scores made with them mean nothing and are hardly above 1: He-normal weights keep the signal's
    size through the depth, but a random network's logits are nearly the same for all images.

    Args:
        path: a `.safetensors` or any other name (then PyTorch's format).
        seed: the same seed gives the same tensors.

    Raises:
        WorkspaceError: `path` cannot be written.
    """
    import torch
    from safetensors.torch import save

    generator = torch.Generator().manual_seed(seed)
    state = {
        name: _random_tensor(name, value.shape, generator)
        for name, value in _skeleton().state_dict().items()
    }
    if path.suffix == ".safetensors":
        files.write_bytes(path, save(state))
    else:
        with files.atomic_writer(path) as file:
            torch.save(state, file)
    return WeightsFile(path, files.sha256_of_file(path), official=False)


def _random_tensor(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    import torch

    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    if len(shape) >= 2:
        fan_in = math.prod(shape[1:])
        drawn: torch.Tensor = torch.randn(shape, generator=generator) * (2.0 / fan_in) ** 0.5
        return drawn
    constant = 1.0 if name.endswith(("weight", "running_var")) else 0.0
    return torch.full(shape, constant)


def _skeleton() -> nn.Module:
    """The network on the meta device: shapes alone, no memory and no initial weights."""
    import torch
    from torchvision.models.inception import Inception3

    with torch.device("meta"):
        network: nn.Module = Inception3(
            num_classes=CLASSES, aux_logits=False, transform_input=True, init_weights=False
        )
    return network


def _difference(given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> str:
    """How the tensors differ from the network's, in words; empty when they fit."""
    classifier = given.get("fc.weight")
    if classifier is not None and classifier.shape[0] == 1008:
        return (
            "it is the 1008-class Inception of the TensorFlow archive (used for FID), whose graph "
            "differs; the protocol torchvision needs the 1000-class one"
        )
    # Files of before 2018 have no counters; torch adds them.
    needed = {name for name in wanted if not name.endswith("num_batches_tracked")}
    missing = sorted(needed - given.keys())
    foreign = sorted(given.keys() - wanted.keys())
    if missing or foreign:
        names = f"{len(missing)} tensors are missing, {len(foreign)} are foreign"
        return f"of another network: {names}, such as {(missing or foreign)[0]}"
    for name in sorted(needed):
        if given[name].shape != wanted[name].shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
            return f"of another network: {name} has the shape {shapes}"
    return ""


def _unusable(path: Path, why: str) -> ScoreError:
    message = f"cannot use the weights {path}: {why}"
    return ScoreError(message, hint=remedy(TORCHVISION_INCEPTION))


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TF32 in cuDNN's convolutions, which keeps ten bits of each factor."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
