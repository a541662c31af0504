"""How long a scoring would take, measured on a few images of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.score.gather import missing
from facegan.score.network import FeatureNetwork
from facegan.score.sets import ImageSet
from facegan.scoring import Plan

_TRIED = 16
"""Images: one tile of the network on a CPU."""
_MEASURES_S = 20.0
"""What the formulas take at some thousand images; the network takes the rest."""


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
    target: str
    """Where the result would stand."""

    @property
    def seconds(self) -> float:
        """About how long."""
        rate = self.images_per_s
        return (self.to_compute / rate if rate else 0.0) + _MEASURES_S

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


def estimate(planned: Plan, *, clock: Callable[[], float] = time.monotonic) -> Estimate:
    """Try a few images of each set and count what is left to do; nothing is written.

    Args:
        planned: by `scoring.plan`.
        clock: seconds; injected by tests.
    """
    left = {
        name: missing(images, planned.network, planned.store)
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
    if network:
        network.outputs(pixels)
    return (clock() - begun) / count
