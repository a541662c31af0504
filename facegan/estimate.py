"""How long a scoring would take, measured on a few images of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.score.fixed import FIXED, fixed_features
from facegan.score.gather import PIXEL_BYTES, PIXELS, missing
from facegan.score.manifold import manifolds
from facegan.score.measure_features import MOST, NEIGHBOURS
from facegan.score.measure_pixels import DETECTED, PAIRS, CountFaces
from facegan.score.network import FeatureNetwork
from facegan.score.offline import ms_ssim, sliced_wasserstein
from facegan.score.sets import ImageSet
from facegan.scoring import Plan

_TRIED = 16
"""Images: one tile of the network on a CPU."""
_FEW = 4
"""Pairs and pictures on which the slower measures are tried."""
_ROWS = 400
"""Features on which the neighbourhoods are tried; their cost grows with the square."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What would be done."""

    sets: dict[str, tuple[str, int]]
    """Name and number of images of each set."""
    to_compute: int
    """Images of which nothing was computed before."""
    network: str
    """Protocol of the features, or why there are none."""
    images_per_s: float
    """As tried; 0 where nothing is left to compute."""
    measures_s: float
    """What the measures take after the images were read."""
    target: str
    """Where the result would stand."""

    @property
    def seconds(self) -> float:
        """About how long."""
        rate = self.images_per_s
        return (self.to_compute / rate if rate else 0.0) + self.measures_s

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "sets": {key: {"name": name, "images": n} for key, (name, n) in self.sets.items()},
            "to_compute": self.to_compute,
            "features": self.network,
            "images_per_s": round(self.images_per_s, 2),
            "seconds": round(self.seconds),
            "target": self.target,
        }


def estimate(
    planned: Plan,
    count_faces: CountFaces | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Estimate:
    """Try a few images of each set and count what is left to do; nothing is written.

    Args:
        planned: by `scoring.plan`.
        count_faces: the detector that would be used.
        clock: seconds; injected by tests.
    """
    left = {
        name: missing(images, planned.network, planned.store, mirror=planned.mirrors(name))
        for name, images in planned.sets.items()
    }
    seconds = sum(
        left[name] * _seconds_an_image(images, planned.network, clock)
        for name, images in planned.sets.items()
        if left[name]
    )
    to_compute = sum(left.values())
    protocol = planned.network.protocol if planned.network else None
    return Estimate(
        sets={name: (images.name, len(images)) for name, images in planned.sets.items()},
        to_compute=to_compute,
        network=protocol.name if protocol else planned.no_network,
        images_per_s=to_compute / seconds if seconds else 0.0,
        measures_s=_measures_s(planned, count_faces, clock),
        target=str(planned.subject.folder),
    )


def _seconds_an_image(
    images: ImageSet, network: FeatureNetwork | None, clock: Callable[[], float]
) -> float:
    count = min(_TRIED, len(images))
    if network:  # the first call is slow: memory is taken, kernels are chosen
        network.outputs(np.zeros((1, 64, 64, 3), np.uint8))
    begun = clock()
    pixels = images.read(0, count)
    fixed_features(pixels)
    if network:
        network.outputs(pixels)
    return (clock() - begun) / count


def _measures_s(planned: Plan, count_faces: CountFaces | None, clock: Callable[[], float]) -> float:
    """The slower measures on a few images, times how often they would be taken."""

    def seconds(work: Callable[[], object]) -> float:
        begun = clock()
        work()
        return clock() - begun

    samples, real = planned.subject.images, planned.reference.real
    few = samples.read(0, 2 * _FEW)
    first, second = few[: len(few) // 2], few[len(few) // 2 :][: len(few) // 2]
    sides = 1 if real is None else 2
    total: float = seconds(lambda: ms_ssim(first, second)) / len(first) * PAIRS * sides
    if count_faces is not None:
        looked_at = sum(min(len(images), DETECTED) for images in (samples, real) if images)
        total += seconds(lambda: [count_faces(image) for image in first]) / len(first) * looked_at
    if real is None:
        return total
    count = min(len(samples), len(real))
    pixels = min(count, PIXELS, PIXEL_BYTES // first[0].nbytes)
    total += seconds(lambda: sliced_wasserstein(first, second)) / len(first) * pixels
    size = planned.network.protocol.features if planned.network else FIXED.features
    rows = np.random.default_rng(0).normal(size=(_ROWS, size)).astype(np.float32)
    once = seconds(lambda: manifolds(rows, rows[::-1], NEIGHBOURS))
    return total + 2 * once * (min(count, MOST) / _ROWS) ** 2
