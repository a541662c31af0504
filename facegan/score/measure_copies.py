"""Copies and collapse as measures, by the fixed features that the verdict's rules are made for."""

from __future__ import annotations

from facegan.core.errors import ScoreError
from facegan.score.fixed import FIXED
from facegan.score.found import Found, Settings, without
from facegan.score.gather import Gathered
from facegan.score.memorisation import Share
from facegan.score.report import Measure
from facegan.score.verdict import LEAST, Diagnosis, judge

_WHAT = "copies, collapse and the verdict"


def judged(
    samples: Gathered, real: Gathered, held_out: Gathered | None, settings: Settings
) -> tuple[Found, Diagnosis | None]:
    """The verdict, and the figures behind it with what honest samples would give beside them."""
    fewest = min(len(samples), len(real))
    if fewest < LEAST:
        return without(_WHAT, f"{fewest} images are too few, {LEAST} are the least"), None
    try:
        diagnosis = judge(
            real.fixed,
            samples.fixed,
            held_out.fixed if held_out is not None else None,
            mirrored=real.mirrored,
            trained_on=settings.trained_on,
            seed=settings.seed,
        )
    except ScoreError as error:
        return without(_WHAT, error.message), None
    return Found(_measures(diagnosis)), diagnosis


def _measures(diagnosis: Diagnosis) -> tuple[Measure, ...]:
    copies, bins = diagnosis.figures.copies, diagnosis.figures.bins
    birthday = diagnosis.figures.birthday
    found = [
        _share("authenticity", "authenticity", copies.authentic, copies.authentic_expected),
        _share("close_copies", "close copies", copies.close, copies.close_expected),
    ]
    if copies.unseen is not None:
        unseen = copies.unseen
        found += [
            _one("distance_ratio", "distance, training / held-out", unseen.distance_ratio, 1.0),
            _one("copies_z", "nearer than unseen faces, z", unseen.z, 0.0),
        ]
    if birthday.support is not None:
        found.append(
            Measure(
                "distinct", "distinct outputs", birthday.support, "high", birthday.support_low,
                birthday.support_high, features=FIXED.name,
            )
        )  # fmt: skip
    return (
        *found,
        _one("ndb", "bins with a wrong share", bins.different_share, bins.different_expected),
        _one("missing", "real images of missing kinds", bins.missing, 0.0),
        _one("spread", "spread within kinds", bins.spread, 1.0),
    )


def _one(name: str, label: str, value: float, honest: float) -> Measure:
    return Measure(name, label, value, "near real", real=honest, features=FIXED.name)


def _share(name: str, label: str, share: Share, expected: Share) -> Measure:
    """A share with its interval."""
    details = {"images": share.count, "expected_low": expected.low, "expected_high": expected.high}
    return Measure(
        name, label, share.value, "near real", share.low, share.high, expected.value,
        FIXED.name, details,
    )  # fmt: skip
