"""Scores of a generator while it is trained: always the same latents, and the same real images.

The KID where a feature network is at hand, else the sliced Wasserstein distance. Both are biased in
the same way at every iteration (few images, real ones without the mirroring and colour jitter that
training sees), so they rank the checkpoints of one run; `facegan score` measures one of them.
Nothing here touches what training draws or computes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from facegan.best import Best, Record, Score
from facegan.config import TrainConfig
from facegan.core.errors import ConfigError
from facegan.core.events import Listener, Note, silent
from facegan.core.shards import ShardIndex
from facegan.dataset import decode_all, members_of
from facegan.randomness import generator_for
from facegan.sample import generate
from facegan.score.kernel import kernel_distance
from facegan.score.network import FeatureNetwork, Floats, Pixels
from facegan.score.offline import sliced_wasserstein
from facegan.score.weights import FID_INCEPTION, WeightsFile, cache_dir, cached_path

OpenNetwork = Callable[[torch.device], FeatureNetwork | None]
"""Opens the feature network on a device; None where there is none."""

KID, SWD = "kid", "swd"
LEAST = 2
"""Images of which the KID is defined."""
_BATCH = 32
_SUBSET = 1000


class Yardstick:
    """Everything besides the generator that a score depends on."""

    def __init__(
        self, real: Pixels, *, latent_size: int, seed: int, network: FeatureNetwork | None = None
    ) -> None:
        """Draw the latents.

        Args:
            real: (N, S, S, 3) uint8 in [0, 255], RGB, N at least 2.
            latent_size: Z.
            seed: the run's.
            network: gives the features of the KID; None is the sliced Wasserstein distance.
        """
        self.measure = SWD if network is None else KID
        self.samples, self.seed = len(real), seed
        self._real, self._network = real, network
        self._latents = torch.randn(
            len(real), latent_size, generator=generator_for(seed, "scored latents", 0)
        )
        self._real_features: Floats | None = None
        self.identity = self._hash()

    def distance(self, generator: nn.Module) -> float:
        """How far the generator's images are from the real ones, x 1,000; lower is better.

        The unbiased KID may be below 0. Up to 1,000 images it is that of all of them at once.

        Raises:
            CheckpointError: the generator's images are not finite.
            ScoreError: the features are not.
        """
        pictures = np.concatenate(list(generate(generator, self._latents)))
        if self._network is None:
            return sliced_wasserstein(self._real, pictures, seed=self.seed).mean
        if self._real_features is None:
            self._real_features = _features(self._network, self._real)
        found = kernel_distance(
            self._real_features,
            _features(self._network, pictures),
            subset_size=min(_SUBSET, self.samples),
            seed=self.seed,
        )
        return 1000 * found.mean

    def told(self) -> str:
        """What is measured, for people."""
        if self._network is None:
            what = f"the sliced Wasserstein distance of {self.samples:,} images"
        else:
            what = f"the KID of {self.samples:,} images by {self._network.protocol.name}"
        return f"{what} from as many training images"

    def _hash(self) -> str:
        about = {
            "measure": self.measure,
            "protocol": self._network.protocol.as_dict() if self._network else None,
            "seed": self.seed,
            "latents": list(self._latents.shape),
            "real": hashlib.sha256(self._real.tobytes()).hexdigest(),
            "shape": self._real.shape,
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


class Scoring:
    """A run's scores while it is trained."""

    def __init__(self, yardstick: Yardstick, record: Record) -> None:
        self.yardstick = yardstick
        self.record = record
        self.seconds = 0.0
        """Spent on scores in this call."""

    def take(self, generator: nn.Module, iteration: int) -> Score:
        """Measure a generator, where the record does not hold this measurement.

        A new score is not in the record yet: `record.add` it once the best checkpoint is named, and
        a kill in between has it taken again.
        """
        if known := self.record.find(iteration, self.yardstick.identity):
            return known
        began = time.monotonic()
        value = self.yardstick.distance(generator)
        seconds = time.monotonic() - began
        self.seconds += seconds
        mine = self.yardstick
        return Score(iteration, mine.measure, value, mine.samples, round(seconds, 3), mine.identity)

    def figures(self, best: Best | None) -> dict[str, str]:
        """The last score beside the best one, and the time spent: for the progress line."""
        if not self.record.scores:
            return {}
        last = self.record.scores[-1]
        beside = f" (best {best.value:.3g} @ {best.iteration})" if best else ""
        return {
            last.measure: f"{last.value:.3g}{beside}",
            "scoring": f"{self.seconds:.0f} s",
        }


def open_scoring(
    config: TrainConfig,
    index: ShardIndex,
    record: Record,
    best: Best | None,
    *,
    device: torch.device,
    network: OpenNetwork | None = None,
    listener: Listener = silent,
) -> Scoring:
    """Decide by what a run is measured, and decode the real images for it.

    A run that began with the sliced Wasserstein distance stays with it, so that its scores compare.

    Args:
        config: `score_every`, `score_samples`, `seed` and the model are used.
        index: the run's shards.
        record: the run's scores so far.
        best: the best checkpoint so far.
        device: where a network computes.
        network: opens it; None measures without one.
        listener: told what is measured.

    Raises:
        ConfigError: there are too few training images.
        ShardError: a shard is corrupt.
        ScoreError: the network's weights are damaged.
    """
    by_pixels = bool(record.scores) and record.scores[-1].measure == SWD
    opened = network(device) if network and not by_pixels else None
    yardstick = Yardstick(
        _real_images(config, index),
        latent_size=config.model.latent_size,
        seed=config.seed,
        network=opened,
    )
    why = ""
    if opened is None:
        why = ", as before" if by_pixels else f", for {_weights_path()} is not here"
    listener(Note("train", f"every {config.score_every} iterations: {yardstick.told()}{why}"))
    if best and best.yardstick != yardstick.identity:
        text = (
            f"the best checkpoint so far (iteration {best.iteration}, {best.measure} "
            f"{best.value:.3g}) was measured otherwise: the next score takes its place"
        )
        listener(Note("train", text, warning=True))
    return Scoring(yardstick, record)


def cached_inception(device: torch.device) -> FeatureNetwork | None:
    """Inception of 2015, where its weights are in the cache and whole; nothing is fetched."""
    from facegan.score.inception import open_network

    path = cached_path(FID_INCEPTION, hashed=True)
    if path is None:
        return None
    return open_network("fid2015", WeightsFile(path, FID_INCEPTION.sha256, True), device)


def _weights_path() -> Path:
    return cache_dir() / FID_INCEPTION.name


def _real_images(config: TrainConfig, index: ShardIndex) -> Pixels:
    """(N, S, S, 3): a choice of the training images by the seed, in the index's order."""
    size = config.model.image_size
    members = members_of(index, size, "train")
    if len(members) < LEAST:
        raise ConfigError(
            f"--score-every is {config.score_every}: at least {LEAST} training images are needed, "
            f"there is {len(members)}",
            hint="--score-every 0 takes no scores",
        )
    order = torch.randperm(len(members), generator=generator_for(config.seed, "scored images", 0))
    places = sorted(order[: config.score_samples].tolist())
    real = np.empty((len(places), size, size, 3), dtype=np.uint8)

    def store(place: int, pixels: Pixels) -> None:
        real[place] = pixels.transpose(1, 2, 0)

    decode_all(index, [members[place] for place in places], size, store)
    return real


def _features(network: FeatureNetwork, pictures: Pixels) -> Floats:
    starts: Iterable[int] = range(0, len(pictures), _BATCH)
    return np.concatenate(
        [network.outputs(pictures[start : start + _BATCH]).features for start in starts]
    )
