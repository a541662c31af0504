from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from facegan import snapshot
from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError
from facegan.models import Generator
from facegan.sample import generate, latents

MODEL = ModelConfig(image_size=32, width=0.0625, latent_size=8)


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(3)
    made = Generator(MODEL)
    made(latents(4, 8, seed=1))  # moves BatchNorm's statistics
    return made.eval()


@pytest.fixture
def data(generator: Generator) -> bytes:
    return snapshot.encode(generator, iteration=7, average=True, model=MODEL)


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    file = tmp_path / "any name.safetensors"
    file.write_bytes(data)
    return file


def altered(data: bytes, **metadata: str | None) -> bytes:
    """The same file with other metadata; None removes a key."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] |= {key: value for key, value in metadata.items() if value is not None}
    for key in [key for key, value in metadata.items() if value is None]:
        del header["__metadata__"][key]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def test_a_snapshot_gives_the_same_generator_back(path: Path, generator: Generator) -> None:
    found = snapshot.load(path)
    assert (found.iteration, found.average, found.model) == (7, True, MODEL)
    z = latents(20, 8, seed=5)
    pictures = [np.concatenate(list(generate(g, z))) for g in (generator, found.generator())]
    assert np.array_equal(*pictures)
    assert not found.generator().training


def test_the_same_generator_gives_the_same_bytes(generator: Generator, data: bytes) -> None:
    again = [snapshot.encode(generator, iteration=7, average=True, model=MODEL) for _ in range(9)]
    assert set(again) == {data}
    turned = generator.to(memory_format=torch.channels_last)
    assert snapshot.encode(turned, iteration=7, average=True, model=MODEL) == data


def test_any_safetensors_reader_opens_it(path: Path) -> None:
    tensors = safetensors.torch.load_file(path)
    assert tensors["layers.0.weight"].dtype == torch.float32


def test_a_folder_is_read_by_the_name_of_its_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / snapshot.FILE_NAME).write_bytes(data)
    assert snapshot.is_snapshot(tmp_path)
    assert snapshot.load(tmp_path).iteration == 7


@pytest.mark.parametrize("length", [0, 4, 8, 200, 700, -1])
def test_a_snapshot_cut_short_is_refused(path: Path, data: bytes, length: int) -> None:
    path.write_bytes(data[:length])
    with pytest.raises(CheckpointError) as caught:
        snapshot.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint == "facegan export"


@pytest.mark.parametrize("step", range(23))
def test_a_changed_byte_anywhere_is_noticed(path: Path, data: bytes, step: int) -> None:
    changed = bytearray(data)
    changed[step * (len(data) - 1) // 22] ^= 1
    path.write_bytes(changed)
    with pytest.raises(CheckpointError):
        snapshot.load(path)


def test_bytes_behind_the_end_are_noticed(path: Path, data: bytes) -> None:
    path.write_bytes(data + b"\0")
    with pytest.raises(CheckpointError, match="not those that were written"):
        snapshot.load(path)


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"format": "pt"}, "is no snapshot"),
        ({"format": None}, "is no snapshot"),
        ({"version": "2"}, "format version 2, this facegan reads 1"),
        ({"iteration": "8"}, "not those that were written"),
        ({"sha256": None}, "not those that were written"),
    ],
)
def test_other_metadata_is_refused(
    path: Path, data: bytes, metadata: dict[str, str | None], why: str
) -> None:
    path.write_bytes(altered(data, **metadata))
    with pytest.raises(CheckpointError, match=why):
        snapshot.load(path)


def test_a_foreign_safetensors_file_is_refused(path: Path) -> None:
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="does not say that it holds a generator of facegan"):
        snapshot.load(path)


@pytest.mark.parametrize("header", [b"[" * 100_000, b"[]", b"\xff\xfe", b'{"__metadata__": 3}'])
def test_a_header_that_is_none_is_refused(path: Path, header: bytes) -> None:
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError):
        snapshot.load(path)
    assert snapshot.is_snapshot(path)


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_is_refused_and_nothing_in_it_runs(path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path.write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(CheckpointError, match="no safetensors file"):
        snapshot.load(path)
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        snapshot.load(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "other", [ModelConfig(image_size=64), ModelConfig(image_size=512, width=4)]
)
def test_tensors_of_another_network_are_refused_before_memory_is_taken(
    path: Path, generator: Generator, other: ModelConfig
) -> None:
    path.write_bytes(snapshot.encode(generator, iteration=7, average=True, model=other))
    with pytest.raises(CheckpointError, match="its tensors are not those of"):
        snapshot.load(path).generator()


def test_what_counts_as_a_snapshot(tmp_path: Path, data: bytes) -> None:
    named_like_a_checkpoint = tmp_path / "iter-00000500.safetensors"
    assert not snapshot.is_snapshot(named_like_a_checkpoint)
    named_like_a_checkpoint.write_bytes(data)
    assert snapshot.is_snapshot(named_like_a_checkpoint)
    assert snapshot.is_snapshot(tmp_path / "missing.safetensors")
    assert not snapshot.is_snapshot(tmp_path)
    assert not snapshot.is_snapshot(tmp_path / "3")


def test_a_missing_snapshot_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no snapshot .*No such file") as caught:
        snapshot.load(tmp_path / "missing.safetensors")
    assert caught.value.hint == "facegan export"
