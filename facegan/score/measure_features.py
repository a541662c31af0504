"""Measures of a network's features and logits: Inception Score, KID, FID, neighbourhoods."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from facegan.score.found import Found, Settings, tried, without
from facegan.score.frechet import frechet_distance
from facegan.score.gather import Gathered
from facegan.score.inception_score import CAVEAT, InceptionScore, inception_score
from facegan.score.kernel import kernel_distance
from facegan.score.manifold import Manifold, manifolds
from facegan.score.memorisation import share
from facegan.score.network import FeatureProtocol, Floats
from facegan.score.report import Measure

NEIGHBOURS = (3, 5)
"""k of precision, recall, density and coverage."""
MOST = 10_000
"""Images of each set whose neighbourhoods are looked at: the cost grows with the square."""


def distances(samples: Gathered, real: Gathered, settings: Settings) -> Found:
    """KID, then FID, of the network's features."""
    protocol = settings.protocol
    if protocol is None:
        return without("KID and FID", settings.no_network)
    first, second = real.features, samples.features
    assert first is not None and second is not None  # noqa: S101, PT018 - gathered with a network
    return tried("KID", lambda: _kid(first, second, protocol, settings.seed)) + tried(
        "FID", lambda: _fid(first, second, protocol)
    )


def _kid(real: Floats, samples: Floats, protocol: FeatureProtocol, seed: int) -> Found:
    kid = kernel_distance(real, samples, seed=seed)
    measure = Measure(
        "kid", "KID x 1,000", 1000 * kid.mean, "low", 1000 * kid.low, 1000 * kid.high,
        features=protocol.name, details=asdict(kid),
    )  # fmt: skip
    return Found((measure,), warnings=kid.warnings)


def _fid(real: Floats, samples: Floats, protocol: FeatureProtocol) -> Found:
    fid = frechet_distance(real, samples)
    measure = Measure(
        "fid", "FID", fid.value, "low", features=protocol.name, details=asdict(fid)
    )  # fmt: skip
    return Found((measure,), warnings=fid.warnings)


def neighbourhoods(
    samples: Floats, real: Floats, protocol: FeatureProtocol, settings: Settings
) -> Found:
    """Precision, recall, density and coverage at both k, of equally many images of both sets.

    Coverage grows with the number of samples: 5,000 against 300 faces would cover them all.
    """
    count = min(len(samples), len(real), MOST)
    generator = np.random.default_rng(settings.seed)
    some, others = (_some(rows, count, generator) for rows in (samples, real))
    measures = []
    for values in manifolds(others, some, NEIGHBOURS):
        measures += [
            _share_of(name, values, protocol.name)
            for name in ("precision", "recall", "density", "coverage")
        ]
    return Found(tuple(measures))


def _share_of(name: str, values: Manifold, features: str) -> Measure:
    """One of the four; the interval is that of the share of the images that were looked at."""
    value = float(getattr(values, name))
    low: float | None = None
    high: float | None = None
    if name != "density":  # a count, not a share
        counted = values.generated if name == "precision" else values.real
        interval = share(np.arange(counted) < round(value * counted))
        low, high = interval.low, interval.high
    better = "near 1" if name == "density" else "high"
    label = f"{name}, k {values.k}"
    return Measure(
        f"{name}_k{values.k}", label, value, better, low, high, None, features, asdict(values)
    )


def _some(rows: Floats, count: int, generator: np.random.Generator) -> Floats:
    if len(rows) == count:
        return rows
    chosen: Floats = rows[np.sort(generator.choice(len(rows), count, replace=False))]
    return chosen


def classified(samples: Gathered, real: Gathered | None, settings: Settings) -> Found:
    """The Inception Score, and beside it that of as many real images."""
    protocol = settings.protocol
    if protocol is None or samples.logits is None:
        why = settings.no_network if protocol is None else f"{protocol.network} is no classifier"
        return without("Inception Score", why)
    whole = _score(samples.logits, settings)
    first = _score_measure(whole, "inception_score", "Inception Score", protocol)
    found = Found((first,), warnings=(*whole.warnings, CAVEAT))
    if real is None or real.logits is None:
        return found
    count = min(len(samples), len(real))
    beside = _score(real.logits[:count], settings).mean
    if count == len(samples):
        return replace(found, measures=(replace(first, real=beside),))
    same = _score(samples.logits[:count], settings)
    label = f"Inception Score of {count:,}"
    alike = _score_measure(same, "inception_score_as_real", label, protocol)
    return found + Found((replace(alike, real=beside),), warnings=same.warnings)


def _score(logits: Floats, settings: Settings) -> InceptionScore:
    splits = min(settings.splits, len(logits))
    return inception_score(logits, splits=splits, seed=settings.seed)


def _score_measure(
    score: InceptionScore, name: str, label: str, protocol: FeatureProtocol
) -> Measure:
    details = {
        "std": score.std,
        "per_split": list(score.per_split),
        "splits": len(score.per_split),
        "samples": score.samples,
        "seed": score.seed,
    }
    return Measure(
        name, label, score.mean, "high", score.low, score.high, None, protocol.name, details
    )
