"""Features from an ONNX file of the user's own: `--features FILE.onnx`.

What the file must be:

    one input    (N, 3, H, W) float32 in [0, 1], RGB; N free, H and W fixed (or free: then 224)
    outputs      the first, flattened to (N, D), is the feature; one named `logits` (N, K) is taken
                 as a classifier's
    metadata     `facegan.mean` and `facegan.std`, three numbers each with commas between them:
                 the input is then (x - mean) / std
    weights      in the file itself: none in files beside it (ONNX's external data)

Images are resized by the rule `clean` (Pillow's bicubic on floats) to HxW, the aspect ratio given
up. Numbers from two files compare with each other only if their bytes are the same, so the file's
sha256 stands beside each.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.core.errors import MissingDependencyError, ScoreError
from facegan.core.files import sha256_of
from facegan.score.network import FeatureProtocol, Outputs, Pixels, check_pixels
from facegan.score.resize import CLEAN

SIZE_PX = 224
"""Side where the file leaves it free."""
LEAST_PX, MOST_PX = 8, 1024
"""Sides that a file may ask for: a few bytes could ask for more than there is memory."""
MEAN_KEY, STD_KEY = "facegan.mean", "facegan.std"
LOGITS = "logits"
PACKAGES = ("onnx", "onnxruntime")
_CPU_TILE = 16
_HINT = "one input (N, 3, H, W) float32 in [0, 1], RGB; the first output is the feature"

Floats = NDArray[np.float32]


class OnnxFeatures:
    """A network in an ONNX file, behind `FeatureNetwork`; it runs on the CPU.

    Args:
        path: the file; the module's docstring says what it must be.

    Raises:
        MissingDependencyError: onnx or onnxruntime is not installed.
        ScoreError: the file is missing, no ONNX file, not all in one file, or takes or gives
            something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session, self._sha256 = _open(path)
        self._input, height, width = _image_input(self._session, path)
        if height != width:
            raise _refused(path, f"its images are {width}x{height}: a square is needed")
        if not LEAST_PX <= height <= MOST_PX:
            room = f"{LEAST_PX} to {MOST_PX} pixels a side are possible"
            raise _refused(path, f"its images are {width}x{height}: {room}")
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
            self._check(output, rows, len(images))
        return [rows.reshape(len(images), -1).astype(np.float32) for rows in found]

    def _check(self, output: str, rows: Any, count: int) -> None:
        """Refuse what is no array of numbers with one row an image, D at least 1."""
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "biuf":
            kind = f"an array of {rows.dtype}" if isinstance(rows, np.ndarray) else type(rows)
            what = kind if isinstance(kind, str) else f"a {kind.__name__}"
            raise _refused(self._path, f"{output} is {what}: an array of numbers is needed")
        if rows.ndim < 2 or len(rows) != count:
            shape = f"{output} has the shape {rows.shape} for {count} images"
            raise _refused(self._path, f"{shape}: one row an image is needed")
        if not rows.size:
            raise _refused(self._path, f"{output} has the shape {rows.shape}: it holds no numbers")

    def _protocol(self) -> FeatureProtocol:
        """The sizes of the outputs are found by one black image: files may leave them free."""
        side = self._side
        features, *logits = self._run(np.zeros((1, side, side, 3), np.uint8))
        mean, std = (tuple(value.ravel().tolist()) for value in (self._mean, self._std))
        return FeatureProtocol(
            name="onnx",
            network=self._path.name,
            weights_sha256=self._sha256,
            official=False,
            resize=f"{side}x{side}, {CLEAN.words}",
            normalisation=f"[0, 1], mean {mean}, standard deviation {std}",
            features=features.shape[1],
            classes=logits[0].shape[1] if logits else 0,
        )


def _open(path: Path) -> tuple[Any, str]:
    """A session of onnxruntime on the CPU, and the SHA-256 of the bytes that it was made of.

    It gets the bytes and no path: it could read no other file if it wanted to.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                f"the features of {path} need {package}, not installed here",
                hint="pip install 'facegan[onnx]'",
            )
    import onnxruntime

    data = _bytes(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has its own classes, which change
        raise _refused(path, "it is no whole ONNX file, or not for this onnxruntime") from error
    return session, sha256_of(data)


def _bytes(path: Path) -> bytes:
    """The file, once it is known to hold all its weights: else its hash would not tell them."""
    import onnx

    if not path.is_file():
        raise _refused(path, "there is no such file")
    try:
        data = path.read_bytes()
        model = onnx.ModelProto.FromString(data)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except Exception as error:  # protobuf has its own classes, which change
        raise _refused(path, "it is no whole ONNX file") from error
    if any(one.external_data or one.data_location for one in _tensors(model, onnx.TensorProto)):
        raise _refused(
            path,
            "weights of it are in other files: save it as one file",
            hint=f"onnx.save(onnx.load({path.name!r}), {path.stem + '-whole.onnx'!r}) in Python, "
            "in its folder",
        )
    return data


def _tensors(message: Any, kind: type) -> Iterator[Any]:
    """All tensors of a message of protobuf, those of nodes, branches and functions too."""
    if isinstance(message, kind):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(part, kind)


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


def _refused(path: Path, why: str, hint: str = _HINT) -> ScoreError:
    return ScoreError(f"cannot take features from {path}: {why}", hint=hint)
