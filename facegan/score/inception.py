"""Inception-v3 as a source of features and class probabilities, under a named protocol.

`fid2015`, what published FID, KID and most Inception Scores are measured by: uint8 RGB -> 299x299
by TensorFlow 1's bilinear rule -> (x - 128) / 128 -> the 1008-output graph of TensorFlow's archive
-> 2048 features, and logits without the classifier's bias.

`torchvision`, what an Inception Score "by torchvision" means: uint8 RGB -> 299x299 bilinear,
half-pixel centres, antialiased -> 2x - 1 of [0, 1] -> the paper's graph -> 2048 features and 1000
logits. torchvision documents ImageNet's mean and standard deviation before the network, and sets
`transform_input=True` in it, which turns them back into 2x - 1, the range of the weights' training;
both are left out here. With one of the two alone the network sees inputs about twice too large,
which has moved published scores (6.2 in place of 9.4 for CIFAR-10 in
sbarratt/inception-score-pytorch, issue 2).

References:
    M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", 2017, arXiv:1706.08500, section 4 (the features of FID).
    T. Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facegan.core.errors import ScoreError
from facegan.core.events import Listener, Note, silent
from facegan.score import fast
from facegan.score import resize as rules
from facegan.score.inception_graph import FEATURES, SIZE_PX, Inception
from facegan.score.inception_weights import VARIANTS, load, load_state, random_weights
from facegan.score.network import FeatureNetwork, FeatureProtocol, Outputs, Pixels, check_pixels
from facegan.score.weights import FID_INCEPTION, TORCHVISION_INCEPTION, Published, WeightsFile

__all__ = [
    "InceptionFeatures",
    "Preset",
    "open_network",
    "preprocess",
    "protocol_of",
    "random_weights",
]

_CPU_TILE = 16
"""Images computed together on a CPU: the fewest seconds an image, of 8, 16 and 32."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What a name fixes besides the graph."""

    name: str
    network: str
    published: Published
    rule: rules.Rule
    centre: float
    scale: float
    """A pixel of [0, 255] becomes (x - centre) / scale."""
    normalisation: str


PRESETS: dict[str, Preset] = {
    "fid2015": Preset(
        "fid2015",
        "inception-2015-12-05",
        FID_INCEPTION,
        rules.TF1,
        centre=128.0,
        scale=128.0,
        normalisation="(x - 128) / 128",
    ),
    "torchvision": Preset(
        "torchvision",
        "inception_v3",
        TORCHVISION_INCEPTION,
        rules.TORCHVISION,
        centre=127.5,
        scale=127.5,
        normalisation="2x - 1 of [0, 1] (ImageNet's, taken back by transform_input=True)",
    ),
}


def open_network(
    name: str,
    weights: WeightsFile,
    device: torch.device | str = "cpu",
    *,
    resize: str = "native",
    precision: str = "fp32",
    listener: Listener = silent,
) -> FeatureNetwork:
    """An Inception network under the protocol `name`.

    Args:
        name: `fid2015` or `torchvision`.
        weights: the file, as `weights.obtain` gives it for `PRESETS[name].published`.
        device: where it runs.
        resize: `native`, the protocol's own rule, or `clean`, Pillow's bicubic on floats.
        precision: `fp32`; `bf16`: convolutions in bfloat16, the last mean and the classifier in
            float32; or `auto`: bf16 where the device has it and a trial finds it clearly faster.
            The protocol says what was taken.
        listener: told of a trial, and by how much its features differed.

    Raises:
        ScoreError: an argument is none of these, or the file is missing, damaged or of another
            network.
    """
    _check_choice("network", name, tuple(PRESETS))
    _check_choice("resize rule", resize, ("native", "clean"))
    _check_choice("precision", precision, ("auto", "fp32", "bf16"))
    graph = load(weights.path, VARIANTS[name])
    if precision == "auto":
        with _full_precision():
            choice = fast.choose_precision(lambda: deepcopy(graph), torch.device(device))
        precision = choice.precision
        if choice.ratio:
            listener(Note("score", choice.words))
    rule = rules.CLEAN if resize == "clean" else PRESETS[name].rule
    protocol = _protocol(PRESETS[name], weights, rule, precision)
    return InceptionFeatures(graph, protocol, rule, torch.device(device))


def protocol_of(path: Path) -> str:
    """Which protocol a file of weights belongs to, by its number of classes.

    Returns:
        `fid2015` for 1008 classes, else `torchvision`; whether the rest fits, `open_network` says.

    Raises:
        ScoreError: the file is missing or damaged.
    """
    classifier = load_state(path, VARIANTS["fid2015"]).get("fc.weight")
    of_2015 = classifier is not None and classifier.shape[:1] == (VARIANTS["fid2015"].classes,)
    return "fid2015" if of_2015 else "torchvision"


class InceptionFeatures:
    """A network with given weights on a device, behind `FeatureNetwork`; see `open_network`."""

    def __init__(
        self, graph: Inception, protocol: FeatureProtocol, rule: rules.Rule, device: torch.device
    ) -> None:
        """Args: graph: not to be used afterwards."""
        self.protocol, self.rule, self.device = protocol, rule, device
        self.preset = PRESETS[protocol.name]
        number = torch.bfloat16 if protocol.precision == "bf16" else torch.float32
        self._network = fast.prepared(graph, device, number)

    def outputs(self, images: Pixels) -> Outputs:
        """Features and logits of a batch, by one pass.

        Args:
            images: (B, H, W, 3) uint8 in [0, 255], RGB, B at least 1; any size.

        Returns:
            (B, 2048) features, at least 0, and (B, 1008 or 1000) logits, float32. One image's rows
            differ by rounding (about 1e-6 of their range) with its batch's size.

        Raises:
            ScoreError: `images` is of another dtype or shape.
        """
        check_pixels(images, self.preset.name)
        size = _CPU_TILE if self.device.type == "cpu" else len(images)
        with torch.inference_mode(), _full_precision():
            pairs = [
                self._run(images[start : start + size]) for start in range(0, len(images), size)
            ]
        features, logits = (torch.cat(parts).numpy() for parts in zip(*pairs, strict=True))
        return Outputs(features, logits)

    def _run(self, images: Pixels) -> tuple[Tensor, Tensor]:
        pixels = preprocess(images, self.preset, self.rule, self.device)
        features, logits = self._network(pixels)
        return features.cpu(), logits.cpu()


def preprocess(
    images: Pixels, preset: Preset, rule: rules.Rule, device: torch.device | str = "cpu"
) -> Tensor:
    """Images as the network takes them.

    Args:
        images: (B, H, W, 3) uint8 in [0, 255], RGB.
        preset: gives the normalisation.
        rule: how they become 299x299.
        device: where the result is wanted; the resize runs there too.

    Returns:
        (B, 3, 299, 299) float32 in about [-1, 1], channels last, on `device`.
    """
    # A copy: arrays from Pillow are read-only, which torch.from_numpy warns of.
    pixels = torch.from_numpy(np.array(images)).to(device)
    return rule.apply(pixels, SIZE_PX).sub_(preset.centre).div_(preset.scale)


def _check_choice(what: str, given: str, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise ScoreError(f"{given!r} is no {what} here: one of {', '.join(choices)}")


def _protocol(
    preset: Preset, weights: WeightsFile, rule: rules.Rule, precision: str
) -> FeatureProtocol:
    return FeatureProtocol(
        name=preset.name,
        network=preset.network,
        weights_sha256=weights.sha256,
        official=weights.official,
        resize=f"{SIZE_PX}x{SIZE_PX}, {rule.words}",
        normalisation=preset.normalisation,
        features=FEATURES,
        classes=VARIANTS[preset.name].classes,
        precision=precision,
    )


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TF32 in cuDNN's convolutions, which keeps ten bits of each factor."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
