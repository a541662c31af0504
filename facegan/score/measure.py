"""Everything that was gathered of the samples and of the real images -> all measures of them.

Pure functions of arrays. Each answers with the measures it took, those it left out and why, and the
sentences that belong beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from facegan.score.face_share import face_share
from facegan.score.fixed import FIXED
from facegan.score.frechet import frechet_distance
from facegan.score.gather import Gathered
from facegan.score.inception_score import CAVEAT, InceptionScore, inception_score
from facegan.score.kernel import kernel_distance
from facegan.score.manifold import manifolds
from facegan.score.network import FeatureProtocol, Floats, Pixels
from facegan.score.offline import pair_similarity, sliced_wasserstein
from facegan.score.report import LeftOut, Measure
from facegan.score.spectrum import spectrum_distance
from facegan.score.verdict import LEAST, Diagnosis, judge

CountFaces = Callable[[Pixels], int]

NEIGHBOURS = (3, 5)
"""k of precision, recall, density and coverage."""
PAIRS = 1000
"""Pairs of images that are compared by MS-SSIM."""
DETECTED = 500
"""Images in which a face is looked for at most: a detector takes some 10 ms each."""
FEW_REAL = 30
"""Below so many real images no distance to them says anything."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one or several measures came to."""

    measures: tuple[Measure, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(
            self.measures + other.measures,
            self.left_out + other.left_out,
            self.warnings + tuple(text for text in other.warnings if text not in self.warnings),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What the measures depend on besides the images."""

    splits: int = 10
    seed: int = 0
    protocol: FeatureProtocol | None = None
    """Of the network's features and logits; None where there is no network."""
    no_network: str = "no feature network was asked for (--features)"
    """Why there is none."""
    no_real: str = "there are no real images"
    """Why there are none, where there are none."""


def all_measures(
    samples: Gathered,
    real: Gathered | None,
    held_out: Gathered | None,
    settings: Settings,
    count_faces: CountFaces | None = None,
) -> tuple[Found, Diagnosis | None]:
    """Take every measure that can be taken.

    Args:
        samples: the images to be judged.
        real: what they should be like; None leaves out every comparison.
        held_out: real images that the generator was not trained on; None says what cannot be told.
        settings: splits, seed and protocol.
        count_faces: a face detector: how many faces a picture shows.

    Raises:
        ScoreError: the sets do not fit together.
    """
    usable = real if real is not None and len(real) >= FEW_REAL else None
    found = _classified(samples, real, settings)
    if usable is None:
        few = f"there are {len(real)} real images, {FEW_REAL} are the least" if real else ""
        compared = "distances to real images, precision, recall, copies and the verdict"
        return found + _alone(samples, count_faces) + Found(
            left_out=(LeftOut(compared, few or settings.no_real),)
        ), None
    found += _of_features(samples, usable, settings)
    diagnosis = _diagnosis(samples, usable, held_out, settings)
    if settings.protocol is None:
        found += _neighbourhoods(samples.fixed, usable.fixed, FIXED)
    if diagnosis is None:
        why = f"{min(len(samples), len(usable))} images are too few, {LEAST} are the least"
        found += Found(left_out=(LeftOut("copies, collapse and the verdict", why),))
    return found + _of_pixels(samples, usable, settings, count_faces), diagnosis


def _classified(samples: Gathered, real: Gathered | None, settings: Settings) -> Found:
    """The Inception Score, and beside it that of as many real images."""
    protocol = settings.protocol
    if protocol is None or samples.logits is None:
        why = settings.no_network if protocol is None else f"{protocol.network} is no classifier"
        return Found(left_out=(LeftOut("Inception Score", why),))
    whole = _score(samples.logits, settings)
    found = Found((_score_measure(whole, "inception_score", "Inception Score", protocol),))
    found += Found(warnings=(*whole.warnings, CAVEAT))
    if real is None or real.logits is None:
        return found
    count = min(len(samples), len(real))
    beside = _score(real.logits[:count], settings).mean
    if count == len(samples):
        return replace(found, measures=(replace(found.measures[0], real=beside),))
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


def _of_features(samples: Gathered, real: Gathered, settings: Settings) -> Found:
    """KID, FID, and precision and its like, of the network's features."""
    protocol = settings.protocol
    if protocol is None or samples.features is None or real.features is None:
        return Found(left_out=(LeftOut("KID and FID", settings.no_network),))
    kid = kernel_distance(real.features, samples.features)
    fid = frechet_distance(real.features, samples.features)
    measures = (
        Measure(
            "kid", "KID x 1,000", 1000 * kid.mean, "low", 1000 * kid.low, 1000 * kid.high,
            features=protocol.name, details=asdict(kid),
        ),
        Measure(
            "fid", "FID", fid.value, "low", features=protocol.name, details=asdict(fid),
        ),
    )  # fmt: skip
    found = Found(measures, warnings=(*kid.warnings, *fid.warnings))
    return found + _neighbourhoods(samples.features, real.features, protocol)


def _neighbourhoods(samples: Floats, real: Floats, protocol: FeatureProtocol) -> Found:
    """Precision, recall, density and coverage at both k."""
    measures = []
    for values in manifolds(real, samples, NEIGHBOURS):
        k = values.k
        for name in ("precision", "recall", "density", "coverage"):
            better = "near 1" if name == "density" else "high"
            value = float(getattr(values, name))
            measures.append(
                Measure(
                    f"{name}_k{k}", f"{name}, k {k}", value, better, features=protocol.name,
                    details=asdict(values),
                )
            )  # fmt: skip
    return Found(tuple(measures))


def _diagnosis(
    samples: Gathered, real: Gathered, held_out: Gathered | None, settings: Settings
) -> Diagnosis | None:
    """By the fixed features, for which the rules were measured, with a network or without."""
    if min(len(samples), len(real)) < LEAST:
        return None
    beside = held_out.fixed if held_out is not None else None
    return judge(real.fixed, samples.fixed, beside, seed=settings.seed)


def _of_pixels(
    samples: Gathered, real: Gathered, settings: Settings, count_faces: CountFaces | None
) -> Found:
    """What needs the pixels of both sets."""
    alone, beside = _alone(samples, count_faces), _alone(real, count_faces)
    yardsticks = {measure.name: measure.value for measure in beside.measures}
    found = replace(
        alone,
        measures=tuple(replace(one, real=yardsticks.get(one.name)) for one in alone.measures),
    )
    if samples.pixels.shape[1:] != real.pixels.shape[1:]:
        sizes = " and ".join(f"{s.pixels.shape[2]}x{s.pixels.shape[1]}" for s in (samples, real))
        why = f"the images differ in size: {sizes} px"
        return found + Found(left_out=(LeftOut("sliced Wasserstein, power spectrum", why),))
    count = min(len(samples.pixels), len(real.pixels))
    first, second = samples.pixels[:count], real.pixels[:count]
    sliced = sliced_wasserstein(first, second, seed=settings.seed)
    spectrum = spectrum_distance(first, second)
    measures = (
        Measure("swd", "sliced Wasserstein x 1,000", sliced.mean, "low", details=asdict(sliced)),
        Measure(
            "spectrum", "power spectrum, dB", spectrum.value, "low", details=_plain(spectrum)
        ),
    )  # fmt: skip
    return found + Found(measures, warnings=_grey(first, second))


def _alone(images: Gathered, count_faces: CountFaces | None) -> Found:
    """What pixels say of one set alone."""
    found = Found()
    if len(images.pixels) >= 2:
        pairs = pair_similarity(images.pixels, pairs=PAIRS)
        found += Found((_ms_ssim(pairs.mean, pairs.std, asdict(pairs)),))
    if count_faces is None:
        return found + Found(left_out=(LeftOut("share with one face", "no detector was given"),))
    share = face_share(images.pixels[:DETECTED], count_faces)
    one = Measure(
        "one_face", "share with one face", share.one, "high", share.low, share.high,
        details=asdict(share),
    )  # fmt: skip
    return found + Found((one,))


def _ms_ssim(mean: float, deviation: float, details: dict[str, object]) -> Measure:
    error = 1.96 * deviation / PAIRS**0.5
    return Measure(
        "ms_ssim", "MS-SSIM of pairs", mean, "near real", mean - error, mean + error,
        details=details,
    )  # fmt: skip


def _grey(samples: Pixels, real: Pixels) -> tuple[str, ...]:
    """A warning where one set is grey and the other is not."""
    grey = [bool((np.ptp(images, axis=3) == 0).all()) for images in (samples, real)]
    if grey[0] == grey[1]:
        return ()
    which, other = ("samples", "real images") if grey[0] else ("real images", "samples")
    return (f"the {which} are grey and the {other} are not: every measure takes that for a fault",)


def _plain(value: object) -> dict[str, object]:
    """A result's fields, arrays as lists."""
    fields = asdict(value)  # type: ignore[call-overload]
    return {
        key: one.tolist() if isinstance(one, np.ndarray) else one for key, one in fields.items()
    }
