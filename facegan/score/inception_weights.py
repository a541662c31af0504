"""Inception-v3's weight files: read, told apart, folded, and drawn at random for tests.

The two published files have tensors of the same names and, but for the classifier, of the same
shapes, and their graphs differ: the classifier's rows say which of them a file is.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from facegan.core import files
from facegan.core.errors import ScoreError
from facegan.score.inception_graph import PAPER, TENSORFLOW_2015, Inception, Variant
from facegan.score.weights import FID_INCEPTION, TORCHVISION_INCEPTION, WeightsFile, remedy

BATCH_NORM_EPSILON = 0.001
_UNUSED = ("AuxLogits.", "num_batches_tracked")
"""Parts of names: the classifier that helps training, and counters; files have them or not."""
_BELONGS = {
    1008: "it is the 1008-class Inception of the TensorFlow archive, which belongs to "
    "--features inception2015",
    1000: "it is a 1000-class Inception as torchvision has it, which belongs to "
    "--features torchvision",
}


def load(path: Path, variant: Variant) -> Inception:
    """The network of a file, in eval mode, float32, on the CPU.

    Raises:
        ScoreError: the file is missing, damaged, or of another network.
    """
    return build(load_state(path, variant), path, variant)


def load_state(path: Path, variant: Variant) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a PyTorch state dict; no pickled code is ever run.

    Raises:
        ScoreError: the file is missing, cut short, or holds something else; the hint names the
            file that `variant` needs.
    """
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of TorchScript, which is refused
                state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _unusable(path, variant, "there is no such file") from error
    except Exception as error:  # of a damaged file, anything may come
        raise _unusable(
            path, variant, "cut short, or no file of weights (TorchScript is none)"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise _unusable(path, variant, "it holds no state dict (names and tensors)")
    return dict(state)


def build(state: Mapping[str, Tensor], path: Path, variant: Variant) -> Inception:
    """The network with exactly these weights, in eval mode, float32, on the CPU.

    Raises:
        ScoreError: names or shapes are another network's; `path` is named in it.
    """
    used = {name: value for name, value in state.items() if not _unused(name)}
    problem = _difference(used, variant)
    if problem:
        raise _unusable(path, variant, problem)
    with torch.device("meta"):
        network = Inception(variant)
    network.load_state_dict(fold(used, variant), assign=True)
    return network.eval().requires_grad_(False)


def published_shapes(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the published file, BatchNorm and the classifier's bias included.

    Its counters (`num_batches_tracked`) and the auxiliary classifier (`AuxLogits`) are left out:
    files have them or not, and nothing here uses them.

    >>> published_shapes(PAPER)["Conv2d_1a_3x3.conv.weight"]
    (32, 3, 3, 3)
    """
    with torch.device("meta"):
        folded = Inception(variant).state_dict()
    shapes: dict[str, tuple[int, ...]] = {"fc.bias": (variant.classes,)}
    for name, value in folded.items():
        unit, convolution, kind = name.rpartition(".conv.")
        if not convolution or kind == "weight":
            shapes[name] = tuple(value.shape)
        else:
            parts = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"{unit}.bn.{part}": tuple(value.shape) for part in parts}
    return shapes


def fold(published: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """The published tensors as `Inception` loads them: convolutions that do the BatchNorm too.

    Args:
        published: of the names and shapes of `published_shapes`, floating point; more are ignored.
        variant: for which graph.

    Returns:
        float32, computed in float64: weight * s and beta - mean * s with
        s = gamma / sqrt(variance + 0.001).
    """
    folded = {"fc.weight": published["fc.weight"].float()}
    if variant.classifier_bias:
        folded["fc.bias"] = published["fc.bias"].float()
    for name, kernel in published.items():
        unit, convolution, _ = name.rpartition(".conv.weight")
        if not convolution:
            continue
        gamma, beta, mean, variance = (
            published[f"{unit}.bn.{part}"].double()
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / (variance + BATCH_NORM_EPSILON).sqrt()
        folded[name] = (kernel.double() * scale[:, None, None, None]).float()
        folded[f"{unit}.conv.bias"] = (beta - mean * scale).float()
    return folded


def random_weights(path: Path, seed: int = 0, network: str = "torchvision") -> WeightsFile:
    """Write Inception-v3 weights drawn at random: for tests and demonstrations of the path.

    Scores made with them mean nothing and are hardly above 1: He-normal weights keep the signal's
    size through the depth, but a random network's logits are nearly the same for all images. The
    statistics of BatchNorm vary, so that a wrong fold or border shows.

    Args:
        path: a `.safetensors` or any other name (then PyTorch's format).
        seed: the same seed gives the same tensors.
        network: whose layout: `torchvision` or `fid2015`.

    Raises:
        WorkspaceError: `path` cannot be written.
    """
    from safetensors.torch import save

    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in published_shapes(VARIANTS[network]).items():
        state[name] = _random_tensor(name, shape, generator)
        if name.endswith("running_var"):
            counter = name.replace("running_var", "num_batches_tracked")
            state[counter] = torch.zeros((), dtype=torch.long)
    if path.suffix == ".safetensors":
        files.write_bytes(path, save(state))
    else:
        with files.atomic_writer(path) as file:
            torch.save(state, file)
    return WeightsFile(path, files.sha256_of_file(path), official=False)


VARIANTS = {"fid2015": TENSORFLOW_2015, "torchvision": PAPER}
"""The graphs by the names of their protocols."""


def _random_tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) >= 2:
        fan_in = math.prod(shape[1:])
        return torch.randn(shape, generator=generator).mul_((2.0 / fan_in) ** 0.5)
    if name.endswith((".bn.weight", "running_var")):
        return 0.6 + 0.8 * torch.rand(shape, generator=generator)
    return 0.1 * torch.randn(shape, generator=generator)


def _unused(name: str) -> bool:
    return name.startswith(_UNUSED[0]) or name.endswith(_UNUSED[1])


def _difference(given: Mapping[str, Tensor], variant: Variant) -> str:
    """How the tensors differ from the network's, in words; empty when they fit."""
    wanted = published_shapes(variant)
    missing, foreign = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or foreign:
        names = f"{len(missing)} tensors are missing, {len(foreign)} are foreign"
        return f"of another network: {names}, such as {(missing or foreign)[0]}"
    rows = len(given["fc.weight"]) if given["fc.weight"].ndim else 0
    if rows != variant.classes and rows in _BELONGS:
        return _BELONGS[rows]
    for name, shape in wanted.items():
        if tuple(given[name].shape) != shape:
            found = tuple(given[name].shape)
            return f"of another network: {name} has the shape {found}, not {shape}"
    return ""


def _unusable(path: Path, variant: Variant, why: str) -> ScoreError:
    published = FID_INCEPTION if variant == TENSORFLOW_2015 else TORCHVISION_INCEPTION
    return ScoreError(f"cannot use the weights {path}: {why}", hint=remedy(published))
