"""Which feature without weights finds the known faults best: the choice of facegan/score/fixed.py.

    python -m benchmarks.features [--seeds 2] [--faces DIR] [--dry]

Five candidates, and the winner without each of its blocks, are asked for the verdict on ten
rendered sets a seed (tests/rendered_table.py), and, given a folder of photographs of faces, on six
sets made of these. Of the rendered faces too: how well a face's five nearest neighbours tell its
colours (`…_alike_colours`: skin, hair, wall) and its shape (`…_alike_shapes`: turn and tilt of the
head, hairstyle), 0 as strangers do, 1 as it does itself. Of the photographs: how far a shifted and
compressed copy lies from its original beside the nearest other face (`…_copy_distance`, 1 is as
far), how often the original is nearest (`…_copy_found`), and how surely noise of 16 grey levels and
a blur of 2 px lie farther from the faces than faces do (`…_noise_auc`, `…_blur_auc`; 0.5 is not at
all). Writes benchmarks/results/features.json.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu

from benchmarks.result import report
from benchmarks.turns import command_line
from facegan.score.distances import nearest, neighbours
from facegan.score.fixed import fixed_features
from facegan.score.verdict import judge
from tests.rendered_table import (
    Case,
    RenderedSets,
    attributes,
    noisy,
    recoloured,
    rendered_sets,
)

Pixels = NDArray[np.uint8]
Rows = NDArray[np.floating[Any]]
Feature = Callable[[Pixels], Rows]

FACES_PX = 128
TRAIN, HELD_OUT, SAMPLES = 300, 100, 300
TARGETS = {"fixed_rendered_right": (">=", 1.0), "fixed_faces_right": (">=", 1.0)}
COLOUR, EDGES, DETAIL = slice(0, 96), slice(96, 488), slice(488, 520)


def scaled(images: Pixels, size: int) -> NDArray[np.float32]:
    """(N, size, size, 3) in [0, 1]: luma, blue and red differences."""
    method = Image.Resampling.BOX
    small = [np.asarray(Image.fromarray(image).resize((size, size), method)) for image in images]
    rgb = np.stack(small).astype(np.float32) / 255
    luma = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    parts = (luma, rgb[..., 2] - luma, rgb[..., 0] - luma)
    return np.stack(parts, axis=-1).astype(np.float32)


def thumbnail(images: Pixels) -> Rows:
    """Colours at 16x16: 768 numbers."""
    return scaled(images, 16).reshape(len(images), -1)


def cosines(images: Pixels) -> Rows:
    """Low frequencies of the cosine transform, each times its frequency (faces have 1 / f)."""
    places = np.hypot(*np.indices((64, 64)))
    transformed = dctn(scaled(images, 64), axes=(1, 2), norm="ortho")
    weighted = transformed * np.maximum(places, 1.0)[..., None]
    parts = [weighted[:, places <= 12, 0], *(weighted[:, places <= 5, c] for c in (1, 2))]
    rows: Rows = np.concatenate(parts, axis=1)
    return rows


def gradients(images: Pixels) -> Rows:
    """Histograms of oriented gradients, each cell divided by its own norm: 8x8 cells of 8."""
    luma = scaled(images, 64)[..., 0]
    down, across = np.gradient(luma, axis=(1, 2))
    bins = np.floor((np.arctan2(down, across) % np.pi) / np.pi * 8).astype(int) % 8
    votes = np.hypot(down, across)[..., None] * (bins[..., None] == np.arange(8))
    cells = votes.reshape(len(images), 8, 8, 8, 8, 8).mean(axis=(2, 4))
    cells /= np.linalg.norm(cells, axis=-1, keepdims=True) + 0.02
    rows: Rows = cells.reshape(len(images), -1)
    return rows


def random_network(images: Pixels) -> Rows:
    """Two layers of random 3x3 filters, rectified and pooled: 16 and 32 maps, means over 4x4."""
    generator = np.random.default_rng(0)
    maps, found = scaled(images, 64) - np.array([0.5, 0, 0], np.float32), []
    for width in (16, 32):
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        side, fan_in = maps.shape[1], 9 * maps.shape[3]
        shifts = [(i, j) for i in range(3) for j in range(3)]
        seen = np.concatenate([padded[:, i : i + side, j : j + side] for i, j in shifts], axis=-1)
        weights = generator.normal(0, (2 / fan_in) ** 0.5, (fan_in, width)).astype(np.float32)
        maps = _pooled(np.maximum(seen @ weights, 0), side // 2)
        found.append(_pooled(maps, 4).reshape(len(images), -1))
    return np.concatenate(found, axis=1)


def _pooled(maps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    count, before, _, width = maps.shape
    step = before // side
    means: NDArray[np.float32] = maps.reshape(count, side, step, side, step, width).mean((2, 4))
    return means


def without(block: slice) -> Feature:
    """The fixed feature with one block left out."""
    return lambda images: np.delete(fixed_features(images), block, axis=1)


CANDIDATES: Mapping[str, Feature] = {
    "thumbnail": thumbnail,
    "cosines": cosines,
    "gradients": gradients,
    "random": random_network,
    "fixed": fixed_features,
    "no_colour": without(COLOUR),
    "no_edges": without(EDGES),
    "no_detail": without(DETAIL),
}


def in_parts(feature: Feature, images: Pixels) -> Rows:
    """(N, D), 16 images at a time."""
    return np.concatenate([feature(images[at : at + 16]) for at in range(0, len(images), 16)])


def share_right(feature: Feature, sets: RenderedSets, label: str) -> float:
    """Of the cases, the share with the right verdict; the wrong ones are printed."""
    train, held_out, mirrored = (
        in_parts(feature, images) for images in (sets.train, sets.held_out, sets.mirrored)
    )
    wrong = []
    for name, case in sets.cases.items():
        made = in_parts(feature, case.images)
        verdict = judge(train, made, held_out, mirrored=mirrored).verdict
        if verdict != case.verdict:
            wrong.append(f"{name}: {verdict}")
    print(f"{label:<24} {len(sets.cases) - len(wrong)} of {len(sets.cases)}  {wrong}", flush=True)
    return 1 - len(wrong) / len(sets.cases)


def alikeness(rows: Rows) -> dict[str, float]:
    """What neighbours share, of the training faces of seed 0."""
    people = attributes((0, 0), len(rows))
    near = neighbours(rows, rows, 5, exclude_self=True)[0]
    colours = ([p.skin for p in people], [p.hair_colour for p in people],
               [p.background_colours[0] for p in people])  # fmt: skip
    styles = sorted({p.hair for p in people})
    shapes = ([[p.yaw_deg] for p in people], [[p.roll_deg] for p in people],
              [[float(p.hair == style) for style in styles] for p in people])  # fmt: skip
    kinds = {"alike_colours": colours, "alike_shapes": shapes}
    return {
        name: float(np.mean([_explained(np.array(trait, float), near) for trait in traits]))
        for name, traits in kinds.items()
    }


def _explained(trait: NDArray[np.float64], near: NDArray[np.int64]) -> float:
    """1 - mean squared difference from the neighbours over that from anyone."""
    apart = ((trait[near] - trait[:, None]) ** 2).sum(axis=-1).mean()
    return float(1 - apart / (2 * trait.var(axis=0).sum()))


def photographs(folder: Path) -> Pixels:
    """The first faces of a folder, at 128 px."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    found = []
    for path in paths[: TRAIN + HELD_OUT + SAMPLES]:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((FACES_PX, FACES_PX), Image.Resampling.BOX)
            found.append(np.asarray(small))
    return np.stack(found)


def compressed(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut by up to 3 % at each side, enlarged again, and saved as a JPEG of quality 50."""
    found = []
    for image in images:
        (left, top), side = rng.integers(0, 5, 2), FACES_PX - 4
        part = Image.fromarray(image[top : top + side, left : left + side])
        file = io.BytesIO()
        part.resize((FACES_PX, FACES_PX), Image.Resampling.BICUBIC).save(file, "JPEG", quality=50)
        with Image.open(file) as opened:
            found.append(np.asarray(opened))
    return np.stack(found)


def sets_of_photographs(faces: Pixels) -> RenderedSets:
    """The cases that pixels can make."""
    rng = np.random.default_rng(0)
    train, held_out, made = np.split(faces, [TRAIN, TRAIN + HELD_OUT])
    few = made[rng.integers(0, 60, len(made))]
    cases = {
        "faithful": Case(made, "healthy"),
        "60 distinct outputs": Case(noisy(few, 2.0, rng), "few distinct outputs"),
        "exact copies": Case(train, "memorised"),
        "noisy copies": Case(noisy(recoloured(train, rng), 6.0, rng), "memorised"),
        "shifted copies": Case(compressed(train, rng), "memorised"),
        "faces under noise": Case(noisy(made, 48.0, rng), "noisy"),
    }
    return RenderedSets(train, held_out, cases)


def ranks(feature: Feature, faces: Pixels) -> dict[str, float]:
    """Copies beside other faces, noise and blur beside faces, and the speed."""
    rng = np.random.default_rng(1)
    train, made = faces[:TRAIN], faces[TRAIN + HELD_OUT :]
    begun = time.perf_counter()
    known = in_parts(feature, train)
    speed = len(train) / (time.perf_counter() - begun)
    which, _ = nearest(copied := in_parts(feature, compressed(train, rng)), known)
    own = np.linalg.norm(copied.astype(np.float64) - known, axis=1)
    _, spacing = nearest(known, known, exclude_self=True)
    honest = nearest(in_parts(feature, made), known)[1]
    disturbed = {"noise": noisy(made, 16.0, rng), "blur": gaussian_filter(made, (0, 2, 2, 0))}
    farther = {
        f"{name}_auc": _auc(nearest(in_parts(feature, images), known)[1], honest)
        for name, images in disturbed.items()
    }
    return {
        "features": float(known.shape[1]),
        "images_per_s": speed,
        "copy_found": float((which == np.arange(len(train))).mean()),
        "copy_distance": float(np.median(own / spacing)),
        **farther,
    }


def _auc(first: Rows, second: Rows) -> float:
    """Probability that one of the first is larger than one of the second."""
    return float(mannwhitneyu(first, second).statistic / (len(first) * len(second)))


def main() -> None:
    """Measure all candidates, write the file."""
    parser = command_line(__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--faces", type=Path, help="a folder of 700 photographs of faces or more")
    options = parser.parse_args()
    rendered = [rendered_sets(seed) for seed in range(options.seeds)]
    faces = photographs(options.faces) if options.faces else None
    figures: dict[str, float] = {"seeds": options.seeds}
    for name, feature in CANDIDATES.items():
        right = [
            share_right(feature, sets, f"{name}, rendered {i}") for i, sets in enumerate(rendered)
        ]
        figures[f"{name}_rendered_right"] = float(np.mean(right))
        alike = alikeness(in_parts(feature, rendered[0].train))
        figures |= {f"{name}_{key}": value for key, value in alike.items()}
        if faces is not None:
            sets = sets_of_photographs(faces)
            figures[f"{name}_faces_right"] = share_right(feature, sets, f"{name}, photographs")
            figures |= {f"{name}_{key}": value for key, value in ranks(feature, faces).items()}
    targets = {key: target for key, target in TARGETS.items() if key in figures}
    packages = ("numpy", "scipy", "pillow")
    report("features", figures, targets, dry=options.dry, packages=packages)


if __name__ == "__main__":
    main()
