"""A generator as one ONNX file, checked against PyTorch before it is written.

    latents (batch, Z) float32, N(0, 1)  ->  images (batch, 3, H, W) float32 in [-1, 1], RGB

BatchNorm's running statistics are folded into the convolutions. The packages are imported when they
are used: `pip install 'facegan[onnx]'` brings them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from facegan.core.errors import CheckpointError, ConfigError, MissingDependencyError
from facegan.models import Generator
from facegan.sample import latents

FILE_NAME = "generator.onnx"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
INPUT, OUTPUT = "latents", "images"
TOLERANCE = 1e-4
"""Largest difference from PyTorch that is accepted, of values in [-1, 1]: an eightieth of the step
from one of the 256 values of a pixel to the next."""
BATCHES = (1, 5)
"""Sizes that are compared: the file's batch is to be free, and neither is the traced one."""
MAX_BYTES = 2 * 10**9
"""Protocol buffers end at 2 GiB."""


def require_packages() -> None:
    """Make sure that ONNX files can be written and run here; imports none of it.

    Raises:
        MissingDependencyError: names the packages that are not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"ONNX needs {', '.join(missing)}, not installed here",
            hint="pip install 'facegan[onnx]', or leave the ONNX file out with --no-onnx",
        )


def refuse_too_large(generator: Generator) -> None:
    """Make sure that the weights fit into one file.

    Raises:
        ConfigError: they do not.
    """
    size = sum(tensor.nbytes for tensor in generator.state_dict().values())
    if size > MAX_BYTES:
        raise ConfigError(
            f"the generator has {size / 1e9:.1f} GB: an ONNX file holds {MAX_BYTES / 1e9:.0f} GB",
            hint="facegan export --no-onnx",
        )


def encode(generator: Generator, about: Mapping[str, Any]) -> tuple[bytes, float]:
    """The bytes of an ONNX file, and how far its images are from PyTorch's.

    Args:
        generator: on the CPU, in evaluation mode; not changed.
        about: stored in the file as its metadata.

    Returns:
        The file, and the largest absolute difference of any value in [-1, 1].

    Raises:
        CheckpointError: it is above `TOLERANCE`.
    """
    data = _translate(generator, about)
    difference = max_difference(data, generator)
    if not difference <= TOLERANCE:  # a NaN is no success
        raise CheckpointError(
            f"the ONNX file's images differ from PyTorch's by {difference:.2g}, where "
            f"{TOLERANCE:g} is allowed; it was not written",
            hint="facegan export --no-onnx",
        )
    return data, difference


def max_difference(data: bytes, generator: Generator) -> float:
    """The largest absolute difference between onnxruntime's images and PyTorch's, on the CPU.

    Args:
        data: an ONNX file.
        generator: on the CPU, in evaluation mode.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    differences = []
    for batch in BATCHES:
        z = latents(batch, generator.latent_size, seed=batch)
        (images,) = session.run([OUTPUT], {INPUT: z.numpy()})
        with torch.inference_mode():
            differences.append(np.abs(images - generator(z).numpy()).max())
    return float(np.max(differences))  # a NaN stays one


def _translate(generator: Generator, about: Mapping[str, Any]) -> bytes:
    """The generator as ONNX, by way of `torch.export`."""
    z = torch.zeros(2, generator.latent_size)
    with torch.no_grad():  # with gradients, layers may take another way through their code
        program = torch.onnx.export(
            generator,
            (z,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - dynamo gives one
    model = program.model_proto
    _forget_the_source(model.graph)
    del model.metadata_props[:]
    for key, value in about.items():
        model.metadata_props.add(key=key, value=str(value))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _forget_the_source(graph: Any) -> None:
    """Remove the exporter's notes: they name folders of this machine."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
    del graph.metadata_props[:]
