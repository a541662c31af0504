"""Everything that was gathered of the samples and of the real images -> all measures of them.

Pure functions of arrays. What these images do not allow is left out with its reason, and the rest
is measured.
"""

from __future__ import annotations

from collections.abc import Callable

from facegan.score.fixed import FIXED
from facegan.score.found import Found, Settings, tried, without
from facegan.score.gather import Gathered
from facegan.score.measure_copies import judged
from facegan.score.measure_features import classified, distances, neighbourhoods
from facegan.score.measure_pixels import CountFaces, alone, beside
from facegan.score.verdict import Diagnosis

FEW_REAL = 30
"""Below so many real images no distance to them says anything."""
STEPS = 5
"""How often `done` is called."""


def all_measures(
    samples: Gathered,
    real: Gathered | None,
    held_out: Gathered | None,
    settings: Settings,
    count_faces: CountFaces | None = None,
    *,
    done: Callable[[], None] = lambda: None,
) -> tuple[Found, Diagnosis | None]:
    """Take every measure that can be taken.

    Args:
        samples: the images to be judged.
        real: what they should be like; None leaves out every comparison.
        held_out: real images that the generator was not trained on; None says what cannot be told.
        settings: splits, seed, protocol, and what the real images are.
        count_faces: a face detector: how many faces a picture shows.
        done: called after each of `STEPS` groups of measures.

    Returns:
        The measures, KID first; and the verdict, None where there are too few images for one.
    """
    score = tried("Inception Score", lambda: classified(samples, real, settings))
    done()
    if real is None or len(real) < FEW_REAL:
        few = f"there are {len(real)} real images, {FEW_REAL} are the least" if real else ""
        compared = "distances to real images, precision, recall, copies and the verdict"
        found = score + alone(samples.pixels, settings, count_faces)
        return found + without(compared, few or settings.no_real), None
    network = distances(samples, real, settings)
    done()
    near = tried("precision, recall, density and coverage", lambda: _near(samples, real, settings))
    done()
    copies, diagnosis = judged(samples, real, held_out, settings)
    done()
    pixels = beside(samples.pixels, real.pixels, settings, count_faces)
    done()
    return network + pixels + near + copies + score, diagnosis


def _near(samples: Gathered, real: Gathered, settings: Settings) -> Found:
    """By the network's features where there is one, else by the fixed ones."""
    if settings.protocol is None or samples.features is None or real.features is None:
        return neighbourhoods(samples.fixed, real.fixed, FIXED, settings)
    return neighbourhoods(samples.features, real.features, settings.protocol, settings)
