"""Features from an ONNX file of the user's own: `--features FILE.onnx`.

What the file must be:

    one input    (N, 3, H, W) float32 in [0, 1], RGB; N free, H and W fixed (or free: then 224)
    outputs      the first, flattened to (N, D), is the feature; one named `logits` (N, K) is taken
                 as a classifier's
    metadata     `facegan.mean` and `facegan.std`, three numbers each with commas between them:
                 the input is then (x - mean) / std

Images are resized by the rule `clean` (Pillow's bicubic on floats) to HxW, the aspect ratio given
up. Numbers from two files compare with each other only if their bytes are the same, so the file's
sha256 stands beside each.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.core.errors import MissingDependencyError, ScoreError
from facegan.core.files import sha256_of_file
from facegan.score.network import FeatureProtocol, Outputs, Pixels, check_pixels
from facegan.score.resize import CLEAN

SIZE_PX = 224
"""Side where the file leaves it free."""
MEAN_KEY, STD_KEY = "facegan.mean", "facegan.std"
LOGITS = "logits"
_CPU_TILE = 16

Floats = NDArray[np.float32]


class OnnxFeatures:
    """A network in an ONNX file, behind `FeatureNetwork`; it runs on the CPU.

    Args:
        path: the file; the module's docstring says what it must be.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        ScoreError: the file is missing, no ONNX file, or takes or gives something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = _open(path)
        self._input, height, width = _image_input(self._session, path)
        if height != width:
            raise _refused(path, f"its images are {width}x{height}: a square is needed")
        self._side = height
        names = [output.name for output in self._session.get_outputs()]
        self._outputs = names[:1] + [name for name in names[1:] if name == LOGITS]
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._mean = _channels(metadata.get(MEAN_KEY, "0, 0, 0"), MEAN_KEY, path)
        self._std = _channels(metadata.get(STD_KEY, "1, 1, 1"), STD_KEY, path)
        if not (self._std > 0).all():
            raise _refused(path, f"{STD_KEY} in its metadata must be above 0")
        self.protocol = self._protocol()

    def outputs(self, images: Pixels) -> Outputs:
        """Features of a batch, and logits where the file gives them.

        Args:
            images: (B, H, W, 3) uint8 in [0, 255], RGB, B at least 1; any size.

        Raises:
            ScoreError: `images` is of another dtype or shape, or the file's outputs are not one row
                an image.
        """
        check_pixels(images, self._path.name)
        parts = [
            self._run(images[start : start + _CPU_TILE])
            for start in range(0, len(images), _CPU_TILE)
        ]
        features, *logits = (np.concatenate(rows) for rows in zip(*parts, strict=True))
        return Outputs(features, logits[0] if logits else None)

    def _run(self, images: Pixels) -> list[Floats]:
        """One array (B, ...) for each output that is used, flattened to (B, D) float32."""
        pixels = CLEAN.apply(torch.from_numpy(np.array(images)), self._side).numpy() / 255
        inputs = np.ascontiguousarray((pixels - self._mean) / self._std, dtype=np.float32)
        try:
            found = self._session.run(self._outputs, {self._input: inputs})
        except Exception as error:  # onnxruntime has its own classes, which change
            raise _refused(self._path, f"it fails on {len(images)} images") from error
        for output, rows in zip(self._outputs, found, strict=True):
            if np.ndim(rows) < 2 or len(rows) != len(images):
                shape = f"{output} has the shape {np.shape(rows)} for {len(images)} images"
                raise _refused(self._path, f"{shape}: one row an image is needed")
        return [rows.reshape(len(images), -1).astype(np.float32) for rows in found]

    def _protocol(self) -> FeatureProtocol:
        """The sizes of the outputs are found by one black image: files may leave them free."""
        side = self._side
        features, *logits = self._run(np.zeros((1, side, side, 3), np.uint8))
        mean, std = (tuple(value.ravel().tolist()) for value in (self._mean, self._std))
        return FeatureProtocol(
            name="onnx",
            network=self._path.name,
            weights_sha256=sha256_of_file(self._path),
            official=False,
            resize=f"{side}x{side}, {CLEAN.words}",
            normalisation=f"[0, 1], mean {mean}, standard deviation {std}",
            features=features.shape[1],
            classes=logits[0].shape[1] if logits else 0,
        )


def _open(path: Path) -> Any:
    """A session of onnxruntime on the CPU."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingDependencyError(
            f"the features of {path} need onnxruntime, not installed here",
            hint="pip install 'facegan[onnx]'",
        )
    import onnxruntime

    if not path.is_file():
        raise _refused(path, "there is no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has its own classes, which change
        raise _refused(path, "it is no whole ONNX file, or not for this onnxruntime") from error


def _image_input(session: Any, path: Path) -> tuple[str, int, int]:
    """Name, height and width of the one input."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise _refused(path, f"it has {len(inputs)} inputs, not one")
    (given,) = inputs
    shape = given.shape
    if given.type != "tensor(float)" or len(shape) != 4 or shape[1] not in (3, None):
        raise _refused(
            path, f"its input is {given.type} of shape {shape}, not float32 of shape (N, 3, H, W)"
        )
    if isinstance(shape[0], int):
        raise _refused(path, f"its batch is fixed at {shape[0]}: N must be free")
    height, width = (side if isinstance(side, int) else SIZE_PX for side in shape[2:])
    return given.name, height, width


def _channels(text: str, key: str, path: Path) -> Floats:
    """Three numbers as (3, 1, 1)."""
    try:
        values = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        values = np.empty(0, np.float32)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise _refused(path, f"{key} in its metadata is {text!r}, not three numbers")
    return values.reshape(3, 1, 1)


def _refused(path: Path, why: str) -> ScoreError:
    hint = "one input (N, 3, H, W) float32 in [0, 1], RGB; the first output is the feature"
    return ScoreError(f"cannot take features from {path}: {why}", hint=hint)
