"""What `facegan score` is pointed at -> sets of images: a run, a checkpoint, a folder, shards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facegan import snapshot
from facegan.config import ScoreConfig
from facegan.core.errors import CheckpointError, ConfigError, ScoreError, ShardError
from facegan.core.events import Listener, Note, silent
from facegan.core.files import Workspace
from facegan.core.shard_index import HELD_OUT, INDEX_NAME, TRAIN
from facegan.core.shards import ShardIndex, open_index
from facegan.outputs import run_folder
from facegan.runs import Run, data_identity, read_run, same_faces
from facegan.sample import latents
from facegan.score.sets import Generated, ImageSet, Packed, pictures
from facegan.trained import load_generator

SAMPLES_CPU, SAMPLES_GPU = 5_000, 50_000
"""Images that are drawn by default: the field's 50,000 take hours on a CPU."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Images to be judged, and where the result goes."""

    images: ImageSet
    folder: Path
    """Gets `scores.json` and the figure."""
    run: Run | None = None
    iteration: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    """For the record."""
    size_px: int | None = None
    """Side of a generator's images: real images are reduced to it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What they are compared with."""

    real: ImageSet | None
    held_out: ImageSet | None = None
    missing: str = ""
    """Why there are no real images."""
    trained_on: bool = False
    """Whether the generator was trained on them."""
    flipped: bool = False
    """Whether it saw them mirrored as well."""


def find_subject(
    what: str | None,
    workspace: Workspace,
    config: ScoreConfig,
    device: torch.device,
    *,
    raw: bool = False,
    best: bool = False,
    listener: Listener = silent,
) -> Subject:
    """The images to be judged.

    Args:
        what: a run's name or number, a checkpoint's or a snapshot's file, a folder of pictures, or
            a folder of shards; the last run where it is None. A run's name goes before a folder's.
        workspace: where the runs are, and the results of folders go.
        config: how many images, and the seed.
        device: where generators compute.
        raw: of a run, the weights of the last iteration instead of their average.
        best: of a run, the checkpoint that scored best while it was trained.
        listener: gets warnings.

    Raises:
        CheckpointError, ScoreError, ShardError: there is nothing to be judged, or it is damaged.
    """
    if what is None:
        source = run_folder(workspace.runs, None)
    elif Path(what).is_file() or snapshot.is_snapshot(Path(what)):
        source = Path(what)
    else:
        try:
            source = run_folder(workspace.runs, what)
        except CheckpointError:
            if not Path(what).is_dir():
                raise
            _refuse_for_pictures(what, raw=raw, best=best)
            return _of_folder(Path(what), workspace, config)
    return _of_generator(source, config, device, raw, best, listener)


def find_reference(against: str | None, subject: Subject, workspace: Workspace) -> Reference:
    """The real images beside them.

    Args:
        against: a folder of pictures or of shards; the workspace's shards where it is None.
        subject: gives the size that shards are reduced to.
        workspace: whose shards are taken.

    Raises:
        ScoreError, ShardError: what was named is not there, or is damaged.
    """
    if against is None:
        try:
            return _of_shards_and_run(open_index(workspace.shards), subject)
        except ShardError as error:
            return Reference(None, missing=f"{error.message}; --against names a folder")
    folder = Path(against)
    if not folder.is_dir():
        raise ScoreError(f"--against is {against}: a folder of pictures or of shards is needed")
    if (folder / INDEX_NAME).is_file():
        return _of_shards_and_run(open_index(folder), subject)
    return Reference(pictures(folder))


def other_faces(subject: Subject, reference: Reference, listener: Listener) -> None:
    """Say when the faces compared with are not those that the run was trained on."""
    here = reference.real is not None and "selection" in reference.real.about
    if subject.run and here and not reference.trained_on:
        text = (
            "the shards do not hold what this run was trained on, other faces or others of them "
            "held out: copies of those cannot be found"
        )
        listener(Note("score", text, warning=True))


def _of_shards_and_run(index: ShardIndex, subject: Subject) -> Reference:
    """The shards' faces, with what the run knows of them.

    Of shards that are not its own a run may have seen what they hold out.
    """
    found, run = _of_shards(index, subject.size_px), subject.run
    if run is None:
        return found
    if not same_faces(run.data, data_identity(index)):
        return replace(found, held_out=None)
    return replace(found, trained_on=True, flipped=run.config.flip)


def _refuse_for_pictures(what: str, **options: bool) -> None:
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise ConfigError(f"{' and '.join(given)} is for generators, and {what} holds pictures")


def _of_generator(
    source: Path,
    config: ScoreConfig,
    device: torch.device,
    raw: bool,
    best: bool,
    listener: Listener,
) -> Subject:
    generator, iteration, model = load_generator(
        source, device=device, raw=raw, best=best, listener=listener
    )
    run, folder = _home(source)
    count = config.samples or (SAMPLES_CPU if device.type == "cpu" else SAMPLES_GPU)
    name = run.folder.name if run else source.name
    about = {
        "run": run.folder.name if run else None,
        "source": str(source),
        "iteration": iteration,
        "raw": raw,
        "sample_seed": config.seed,
    }
    images = Generated(
        f"{name}, iteration {iteration:,}{', raw' if raw else ''}",
        generator,
        latents(count, model.latent_size, config.seed),
        _hash_of(generator, config.seed),
        device,
        about,
    )
    return Subject(images, folder, run, iteration, about, model.image_size)


def _home(source: Path) -> tuple[Run | None, Path]:
    """The run that a generator is of, and where its scores go."""
    if snapshot.is_snapshot(source):
        return None, source if source.is_dir() else source.parent
    folder = source if source.is_dir() else source.parent.parent
    try:
        return read_run(folder), folder
    except CheckpointError:
        return None, source.parent


def _of_folder(folder: Path, workspace: Workspace, config: ScoreConfig) -> Subject:
    images: ImageSet
    if (folder / INDEX_NAME).is_file():
        reference = _of_shards(open_index(folder), None, config.samples, config.seed)
        if reference.real is None:
            raise ScoreError(reference.missing)
        images = reference.real
    else:
        images = pictures(folder, limit=config.samples, seed=config.seed)
    home = workspace.root / "scores" / f"{folder.resolve().name}-{images.content[:8]}"
    return Subject(images, home, about={"source": str(folder), "sample_seed": config.seed})


def _of_shards(
    index: ShardIndex, size_px: int | None, limit: int | None = None, seed: int = 0
) -> Reference:
    """The faces of the two splits, at most as large as `size_px`; `limit` of those to train on."""
    side = min(size_px or index.image_size, index.image_size)
    train, held_out = index.split(TRAIN), index.split(HELD_OUT)
    if limit is not None and limit < len(train):
        order = np.random.default_rng(seed).permutation(len(train))[:limit]
        train = tuple(train[place] for place in sorted(order))
    if not train:
        return Reference(None, missing=f"{index.folder} has no faces to train on")
    return Reference(
        Packed("training faces", index, train, side),
        Packed("held-out faces", index, held_out, side) if held_out else None,
    )


def _hash_of(generator: nn.Module, seed: int) -> str:
    """Of the weights and the seed, which decide the images."""
    digest = hashlib.sha256(str(seed).encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(name.encode() + str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
