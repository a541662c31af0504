"""Draw docs/images/faces.png: python docs/make_faces.py [--model FILE] [--out FILE].

Drawn portraits go through `facegan crop` with its default rules: as they were, as they were found,
as they were cut; and pictures that it rejects, each with the reason and the value that it gave.
The same pixels each time with the same versions of OpenCV and Pillow.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facegan.core.catalog import Catalog
from facegan.core.files import Workspace, content_path, sha256_of, write_bytes
from facegan.core.records import FaceRecord, ImageRecord, Outcome, SearchResult, Status
from pipeline.config import CropConfig
from pipeline.crop_stage import crop
from pipeline.executors import Serial
from pipeline.images import ImageLimits, Pixels, Rejection, encode_png, read
from pipeline.portraits import draw_attributes, paint

OUT = Path(__file__).with_name("images") / "faces.png"
SEED, PICTURE_PX, PICTURE_HIGH = 11, 640, 480
TILE, TILE_HIGH = 156, 117
GAP, CAPTION, HEAD = 8, 50, 22
WHITE, INK, GREEN = (255, 255, 255), (40, 40, 40), (60, 240, 90)
SCENES = (  # who, tilt in degrees, height of the face, its middle
    (0, -24.0, 0.34, (0.36, 0.44)),
    (1, 18.0, 0.30, (0.62, 0.40)),
    (2, 27.0, 0.36, (0.58, 0.46)),
    (3, -14.0, 0.28, (0.38, 0.42)),
    (9, 8.0, 0.40, (0.46, 0.52)),
    (11, -30.0, 0.32, (0.60, 0.46)),
)
Change = Callable[[Pixels], Pixels]


def blurred(image: Pixels) -> Pixels:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 9), np.uint8)


def dark(image: Pixels) -> Pixels:
    """Far too little light."""
    return np.asarray(image * 0.2, np.uint8)


def bright(image: Pixels) -> Pixels:
    """Far too much light."""
    return np.asarray(np.clip(image * 1.9 + 70.0, 0, 255), np.uint8)


def tilted(image: Pixels) -> Pixels:
    """A camera held askew."""
    middle = (PICTURE_PX / 2, PICTURE_HIGH / 2)
    turn = cv2.getRotationMatrix2D(middle, -62, 1)
    turned = cv2.warpAffine(image, turn, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.uint8)


def cut_off(image: Pixels) -> Pixels:
    """A face at the picture's border."""
    return np.ascontiguousarray(image[:, : round(0.58 * PICTURE_PX)])


def small(image: Pixels) -> Pixels:
    """A face of few pixels."""
    return np.asarray(
        cv2.resize(image, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA), np.uint8
    )


REJECTED: tuple[tuple[int, Change], ...] = (
    (4, blurred),
    (5, dark),
    (6, bright),
    (7, tilted),
    (8, cut_off),
    (10, small),
)


def person(index: int, roll: float, height: float, centre: tuple[float, float]) -> Pixels:
    """One drawn picture, cut off below; without grain, which a PNG of few colours shows badly."""
    attributes = draw_attributes(np.random.default_rng((SEED, index)))
    posed = replace(attributes, roll_deg=roll, face_height=height, centre=centre, noise_sigma=0.0)
    return paint(posed, PICTURE_PX).image[:PICTURE_HIGH]


def pictures() -> dict[str, bytes]:
    """Name -> file, in the order in which they are shown."""
    found = {f"kept-{one[0]}": encode_png(person(*one)) for one in SCENES}
    for index, change in REJECTED:
        image = person(index, 0.0, 0.30, (0.5, 0.46))
        found[f"rejected-{change.__name__}"] = encode_png(change(image))
    return found


def cropped(
    files: Mapping[str, bytes], root: Path, model: Path | None
) -> dict[str, tuple[FaceRecord, Pixels | None]]:
    """Name -> the largest face that `facegan crop` has found, and its crop."""
    workspace = Workspace(root)
    workspace.create()
    with Catalog(workspace.catalog) as catalog:
        for rank, (name, data) in enumerate(files.items()):
            store(workspace, catalog, rank, name, data)
    crop(CropConfig(detector="yunet", model=model), workspace, executor=Serial())
    with Catalog(workspace.catalog) as catalog:
        faces = sorted(catalog.faces(None), key=lambda face: -(face.box.area if face.box else 0))
    found: dict[str, tuple[FaceRecord, Pixels | None]] = {}
    for name, data in files.items():
        sha256 = sha256_of(data)
        face = next((one for one in faces if one.image_sha256 == sha256), None)
        if face is None:
            raise SystemExit(f"no face was found in {name}")
        found[name] = face, pixels(root / face.path) if face.path else None
    return found


def store(workspace: Workspace, catalog: Catalog, rank: int, name: str, data: bytes) -> None:
    """As `facegan scrape` would."""
    sha256 = sha256_of(data)
    path = content_path("images", sha256, ".png")
    write_bytes(workspace.root / path, data)
    url = f"https://example.org/{name}.png"
    catalog.add_results([SearchResult(url, "drawn", "portraits", rank)])
    image = ImageRecord(sha256, path, PICTURE_PX, PICTURE_HIGH, len(data), "png")
    catalog.record_fetch(url, Outcome(Status.KEPT), "drawn", image)


def pixels(path: Path) -> Pixels:
    """A file's picture."""
    image = read(path, ImageLimits())
    if isinstance(image, Rejection):
        raise SystemExit(f"{path}: {image.detail}")
    return image


def tile(image: Pixels, high: int = TILE_HIGH) -> Image.Image:
    """At most TILE px wide and `high` px high, on white."""
    scale = min(TILE / image.shape[1], high / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    whole = Image.new("RGB", (TILE, high), WHITE)
    reduced = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    whole.paste(reduced, ((TILE - size[0]) // 2, (high - size[1]) // 2))
    return whole


def with_marks(image: Pixels, face: FaceRecord) -> Pixels:
    """The box and the landmarks as they are in the catalog."""
    drawn = image.copy()
    wide = round(max(image.shape[:2]) / TILE * 2)
    if face.box is not None:
        corners = [round(side) for side in (face.box.left, face.box.top)]
        opposite = [round(side) for side in (face.box.right, face.box.bottom)]
        cv2.rectangle(drawn, corners, opposite, GREEN, wide, cv2.LINE_AA)
    for x, y in face.landmarks or ():
        cv2.circle(drawn, (round(x), round(y)), wide, GREEN, -1, cv2.LINE_AA)
    return drawn


def rows(
    files: Mapping[str, bytes], root: Path, model: Path | None
) -> Iterator[tuple[str, list[tuple[Image.Image, str]]]]:
    """(heading, tiles with captions) of the four rows."""
    done = cropped(files, root, model)
    shown = {
        name: pixels(root / content_path("images", sha256_of(data), ".png"))
        for name, data in files.items()
    }
    kept = [name for name in files if name.startswith("kept")]
    for name, (face, crop_) in done.items():
        if (face.status == Status.KEPT) != (name in kept) or (name in kept and crop_ is None):
            raise SystemExit(f"{name} is {face.status}: {face.reason} {face.detail}")
    yield "as they came", [(tile(shown[name]), "") for name in kept]
    yield "found", [(tile(with_marks(shown[name], done[name][0])), "") for name in kept]
    crops = [done[name][1] for name in kept]
    yield "turned upright and cut", [(tile(one, TILE), "") for one in crops if one is not None]
    yield (
        "rejected",
        [(tile(shown[name]), words(face)) for name, (face, _) in done.items() if name not in kept],
    )


def words(face: FaceRecord) -> str:
    """Reason, value and limit, a line each."""
    return f"{face.reason}\n{face.detail}".replace("_", " ").replace(", ", ",\n")


def draw(files: Mapping[str, bytes], root: Path, model: Path | None) -> Image.Image:
    """All rows, one below the other."""
    font, bold = ImageFont.load_default(12), ImageFont.load_default(15)
    strips: list[Image.Image] = []
    for heading, tiles in rows(files, root, model):
        below = HEAD + tiles[0][0].height
        high = below + GAP + (CAPTION if any(text for _, text in tiles) else 0)
        strip = Image.new("RGB", (len(tiles) * (TILE + GAP) + GAP, high), WHITE)
        pen = ImageDraw.Draw(strip)
        pen.text((GAP, 2), heading, INK, bold)
        for at, (picture, text) in enumerate(tiles):
            x = GAP + at * (TILE + GAP)
            strip.paste(picture, (x, HEAD))
            pen.multiline_text((x, below + 3), text, INK, font)
        strips.append(strip)
    whole = Image.new("RGB", (strips[0].width, sum(one.height for one in strips)), WHITE)
    y = 0
    for strip in strips:
        whole.paste(strip, (0, y))
        y += strip.height
    return whole


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="YuNet's  [default: the cached one]")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = draw(pictures(), Path(folder), options.model)
    picture.save(options.out, optimize=True)


if __name__ == "__main__":
    main()
