"""The programs that `benchmarks/score.py` compares, each as a function of a job."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.score.frechet import frechet_distance
from facegan.score.gather import ahead
from facegan.score.inception import open_network
from facegan.score.inception_score import inception_score
from facegan.score.kernel import kernel_distance
from facegan.score.manifold import manifold
from facegan.score.network import FeatureNetwork, Floats
from facegan.score.sets import batches, pictures
from facegan.score.weights import WeightsFile

SIDE_PX = 256
BATCH = 64
"""torch-fidelity's default."""
K = 3
PEER_NAMES = {
    "inception_score_mean": "is",
    "frechet_inception_distance": "fid",
    "kernel_inception_distance_mean": "kid",
    "precision": "precision",
    "recall": "recall",
}
Features = tuple[Floats, Floats]
"""(N, 2048) and logits (N, 1008)."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does; `scorer` is a key of `SCORERS`."""

    scorer: str
    weights: WeightsFile
    generated: Path
    real: Path
    batch: int = BATCH
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Done:
    """What it took."""

    seconds: float
    values: Mapping[str, float]
    memory_mib: float = 0.0


def torch_fidelity_is(job: Job) -> Done:
    """Its extractor and its formula, the network opened once."""
    from torch_fidelity import metric_isc, utils  # type: ignore[import-untyped]

    settings = _fidelity_settings(job)
    extractor = utils.create_feature_extractor(
        settings["feature_extractor"],
        ["logits_unbiased"],
        **_without(settings, "feature_extractor"),
    )
    extractor(torch.zeros(8, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8))

    def run() -> dict[str, float]:
        found = utils.extract_featuresdict_from_input_id(1, extractor, **settings)
        return dict(metric_isc.isc_featuresdict_to_metric(found, "logits_unbiased", **settings))

    return timed(lambda: _renamed(run()))


def torch_fidelity_all(job: Job) -> Done:
    """One call, as its manual has it."""
    from torch_fidelity import calculate_metrics

    wanted = {"isc": True, "fid": True, "kid": True, "prc": True, "prc_neighborhood": K}
    return timed(lambda: _renamed(calculate_metrics(**wanted, **_fidelity_settings(job))))


def torchmetrics_is(job: Job) -> Done:
    """Its module over the same loader of PNGs as torch-fidelity's."""
    from torch.utils.data import DataLoader
    from torch_fidelity.datasets import ImagesPathDataset  # type: ignore[import-untyped]
    from torchmetrics.image.fid import NoTrainInceptionV3
    from torchmetrics.image.inception import InceptionScore

    network = NoTrainInceptionV3(
        "inception-v3-compat", ["logits_unbiased"], str(job.weights.path), antialias=False
    )
    score = InceptionScore(network, splits=1)
    network(torch.zeros(8, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8))

    def run() -> dict[str, float]:
        paths = [str(path) for path in pictures(job.generated).paths]
        for images in DataLoader(ImagesPathDataset(paths), batch_size=job.batch, num_workers=4):
            score.update(images)
        return {"is": float(score.compute()[0])}

    return timed(run)


def facegan_is(job: Job) -> Done:
    """Network, overlap of reading and computing, and formula of `facegan score`."""
    network = open_network("fid2015", job.weights, precision=job.precision)
    network.outputs(np.zeros((16, SIDE_PX, SIDE_PX, 3), np.uint8))

    def run() -> dict[str, float]:
        return {"is": inception_score(_passed(network, job.generated)[1], splits=1).mean}

    return timed(run)


def facegan_all(job: Job) -> Done:
    """What torch-fidelity's call gives, by facegan's functions."""

    def run() -> dict[str, float]:
        network = open_network("fid2015", job.weights, precision=job.precision)
        generated, real = (_passed(network, folder) for folder in (job.generated, job.real))
        return {"is": inception_score(generated[1], splits=1).mean} | formulas(
            real[0], generated[0]
        )

    return timed(run)


def formulas(real: Floats, generated: Floats) -> dict[str, float]:
    """FID, KID, precision and recall of features."""
    shares = manifold(real, generated, K)
    return {
        "fid": frechet_distance(generated, real).value,
        "kid": kernel_distance(generated, real).mean,
        "precision": shares.precision,
        "recall": shares.recall,
    }


def fidelity_formulas(real: Floats, generated: Floats, size: int) -> dict[str, float]:
    """The same by torch-fidelity's functions."""
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    a, b = torch.from_numpy(generated), torch.from_numpy(real)
    moments = [metric_fid.fid_features_to_statistics(features) for features in (a, b)]
    found = metric_fid.fid_statistics_to_metric(*moments, False)
    found |= metric_kid.kid_features_to_metric(
        a, b, kid_subset_size=size, rng_seed=0, verbose=False
    )
    found |= metric_prc.prc_features_to_metric(a, b, prc_neighborhood=K, verbose=False)
    return _renamed(found)


SCORERS: dict[str, Callable[[Job], Done]] = {
    "torch_fidelity_is": torch_fidelity_is,
    "torchmetrics_is": torchmetrics_is,
    "facegan_is": facegan_is,
    "torch_fidelity_all": torch_fidelity_all,
    "facegan_all": facegan_all,
}


def probe(job: Job) -> Done:
    """A job with the memory that its process came to."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the peers' own
        done = SCORERS[job.scorer](job)
    return replace(done, memory_mib=_peak_mib())


def _fidelity_settings(job: Job) -> dict[str, object]:
    count = len(pictures(job.generated))
    return {
        "input1": str(job.generated),
        "input2": str(job.real),
        "feature_extractor": "inception-v3-compat",
        "feature_extractor_weights_path": str(job.weights.path),
        "cuda": False,
        "cache": False,
        "verbose": False,
        "batch_size": job.batch,
        "isc_splits": 1,
        "kid_subset_size": min(1000, count),
        "rng_seed": 0,
    }


def _passed(network: FeatureNetwork, folder: Path) -> Features:
    """The images of a folder through the network, read while it computes."""
    images = pictures(folder)
    found = [network.outputs(part) for part in ahead(batches(images, 0, len(images), 32))]
    logits: list[NDArray[np.float32]] = [one.logits for one in found if one.logits is not None]
    return np.concatenate([one.features for one in found]), np.concatenate(logits)


def timed(run: Callable[[], Mapping[str, float]]) -> Done:
    """The seconds and the values of `run`."""
    begun = time.perf_counter()
    values = run()
    return Done(time.perf_counter() - begun, values)


def _renamed(values: Mapping[str, float]) -> dict[str, float]:
    return {PEER_NAMES[name]: float(values[name]) for name in values if name in PEER_NAMES}


def _without(settings: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in settings.items() if key != name}


def _peak_mib() -> float:
    """The most that this process held, from Linux's own count; elsewhere from getrusage."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 1024
