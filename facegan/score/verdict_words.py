"""The sentences of a verdict: why it was given, what speaks for the samples, what stays unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facegan.score.verdict import Figures, Verdict


def why(verdict: Verdict, figures: Figures) -> str:
    """The sentence of a rule that holds."""
    sentences = {
        "memorised": _of_copies,
        "few distinct outputs": _of_repeats,
        "noisy": _of_noise,
        "within-mode collapse": _of_spread,
        "between-mode collapse": _of_missing,
    }
    return sentences[verdict](figures)


def praise(figures: Figures) -> Iterator[str]:
    """Sentences of samples without a fault."""
    yield (
        f"the samples lie where faces are: {figures.manifolds[-1].precision:.0%} of them, and "
        f"{figures.precision_expected:.0%} of {_the(figures)} among each other"
    )
    yield (
        f"all kinds of {_the(figures)} are among them but for {figures.bins.missing:.0%}, "
        f"spread {figures.bins.spread:.0%} as wide"
    )
    found = figures.copies
    if found.close.low > found.close_expected.high:
        yield (
            f"about {found.memorised:.0%} of the samples are copies of {_the(figures)}, too few "
            "to name the verdict"
        )
    else:
        yield (
            f"they are no copies of {_the(figures)}: {found.copied.value:.0%} are nearer to "
            f"{_one(figures)} than its neighbour is, and {found.copied_expected.value:.0%} of "
            "other real faces are"
        )
    yield (
        f"{figures.birthday.distinct:,} of {figures.birthday.samples:,} samples differ from all "
        "the others"
        if figures.birthday.support is not None
        else f"no two of {figures.birthday.samples:,} samples are alike"
    )


def cannot_tell(figures: Figures) -> Iterator[str]:
    """What the sets cannot show, as clauses."""
    known = _the(figures)
    if not figures.held_out:
        yield (
            f"whether the samples are nearer to {known} than to other faces of their kind, short "
            "of plain copies: no faces were held out of the training"
        )
    elif figures.held_out < figures.held_out_needed:
        yield (
            f"whether the samples prefer {known}, short of plain copies: only {figures.held_out} "
            "faces were held out of the training"
        )
    if figures.birthday.support is None:
        yield (
            f"how many different outputs there are: {figures.samples_used:,} samples, of which no "
            f"two are alike, show that they are not fewer than {figures.birthday.support_low:,.0f}"
        )
    if figures.train_used < figures.train:
        yield (
            f"whether samples are copies of {known} beyond the {figures.train_used:,} that were "
            "drawn"
        )
    if not figures.trained_on:
        yield (
            "whether the samples are copies of what the generator was trained on: the real images "
            "may be others, and copies are looked for among these alone"
        )
    if not figures.mirrored:
        yield f"whether samples are mirrored copies: {known} were not compared mirrored"


def _plain(figures: Figures) -> str:
    return "training faces" if figures.trained_on else "real images"


def _the(figures: Figures) -> str:
    return f"the {_plain(figures)}"


def _one(figures: Figures) -> str:
    return f"a {_plain(figures)}"[:-1]


def _of_copies(figures: Figures) -> str:
    found, texts = figures.copies, []
    if figures.plainly_copied:
        mirrored = ", as they are or mirrored" if figures.mirrored else ""
        texts.append(
            f"about {found.memorised:.0%} of the samples are copies of {_the(figures)}"
            f"{mirrored}: {found.close.value:.0%} are nearer to one than half of the way to its "
            f"neighbour, where {found.close_expected.value:.0%} would be by chance"
        )
    if found.unseen:
        texts.append(
            f"the samples' distance to {_the(figures)} is {found.unseen.distance_ratio:.0%} of "
            "what it would be if they knew these no better than the held-out ones; "
            f"{found.unseen.nearest_share:.0%} of them have a held-out face as their nearest, "
            f"where {found.unseen.nearest_expected:.0%} would by chance"
        )
    return "; and ".join(texts)


def _of_repeats(figures: Figures) -> str:
    found = figures.birthday
    return (
        f"samples repeat each other: {found.samples:,} of them show {found.distinct:,} different "
        f"pictures, and two are alike as often as if there were only {found.support:,.0f}, beside "
        f"{figures.train_used:,} {_plain(figures)}"
    )


def _of_noise(figures: Figures) -> str:
    found = figures.manifolds[-1]
    return (
        "samples lie off the faces, by noise or blur or because they are no faces yet: "
        f"{found.precision:.0%} of them are near {_one(figures)}, where of {_the(figures)} among "
        f"each other {figures.precision_expected:.0%} are; they have {found.density:.0%} as many "
        "around them"
    )


def _of_spread(figures: Figures) -> str:
    return (
        "the samples of each kind of face differ too little from each other: they spread "
        f"{figures.bins.spread:.0%} as wide as {_the(figures)} of that kind"
    )


def _of_missing(figures: Figures) -> str:
    return (
        f"whole kinds of faces are missing: {figures.bins.missing:.0%} of {_the(figures)} are "
        "of kinds that are not a third as common among the samples"
    )
