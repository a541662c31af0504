"""The whole chain on real pictures: counts and times of every stage.

    python -m benchmarks.chain FACES YUNET_MODEL WORKSPACE [--minutes 10] [--iters 3000]

A local server with Bing's markup offers the pictures of FACES; `facegan` runs as a user runs it,
one process a command. The score uses Inception-v3 with random weights: it means nothing, the path
is what is shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.result import write
from pipeline.gallery import Gallery, folder_pictures


def facegan(*args: str | Path) -> dict[str, Any]:
    """Run one command with `--json`; its result and its wall time."""
    begun = time.perf_counter()
    words = [sys.executable, "-m", "cli", *map(str, args), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - begun
    document = json.loads(done.stdout)
    if not document["ok"]:
        raise SystemExit(f"{args[0]} ended with {done.returncode}: {document['error']}")
    print(f"{args[0]}: {seconds:.1f} s", flush=True)
    return dict(document["result"]) | {"wall_s": seconds}


def gather(faces: Path, home: tuple[str, Path], figures: dict[str, float]) -> None:
    """Scrape everything that the local server offers."""
    pictures = folder_pictures(faces)
    with Gallery(pictures) as gallery:
        server = ("--base-url", gallery.base_url, "--allow-host", gallery.host)
        done = facegan("scrape", "face", "--limit", str(len(pictures)), *server, *home)
    figures["offered"] = len(pictures)
    figures["scraped"] = done["images"]
    figures["scrape_s"] = done["seconds"]


def cut(model: Path, home: tuple[str, Path], figures: dict[str, float]) -> None:
    """Crop with Haar, then with YuNet, whose crops stay."""
    for name, more in (("haar", ()), ("yunet", ("--model", model))):
        done = facegan("crop", "--detector", name, *more, *home)
        figures[f"crop_{name}_images_kept"] = done["images"]["kept"]
        figures[f"crop_{name}_s"] = done["seconds"]


def train(minutes: int, iters: int, home: tuple[str, Path], figures: dict[str, float]) -> None:
    """64 px for `iters` iterations, then 256 px for `minutes`."""
    small = ("--size", "64", "--width", "0.25", "--iters", str(iters), "--name", "64px")
    done = facegan("train", *small, *home)
    figures["train_64_iterations"] = done["iteration"]
    figures["train_64_ms_per_iteration"] = 1000 * done["seconds"] / done["iteration"]
    facegan("sample", *home)
    large = ("--size", "256", "--max-time", f"{minutes}m", "--sample-every", "50")
    done = facegan("train", *large, "--name", "256px", *home)
    figures["train_256_iterations"] = done["iteration"]
    figures["train_256_s_per_iteration"] = done["seconds"] / done["iteration"]
    facegan("sample", "--count", "16", "--columns", "4", *home)


def measure(home: tuple[str, Path], figures: dict[str, float]) -> None:
    """Score the 64 px run with random weights; draw its plots and its animation."""
    from facegan.score.inception import random_weights

    weights = random_weights(home[1] / "random-inception.safetensors").path
    facegan("plot", "1", *home)
    facegan("animate", "1", *home)
    done = facegan("score", "1", "--samples", "500", "--weights", weights, *home)
    figures["score_images_per_s"] = done["images_per_s"]
    measures = {measure["name"]: measure["value"] for measure in done["measures"]}
    figures["score_with_random_weights"] = measures["inception_score"]


def main() -> None:
    """Run every stage and write benchmarks/results/chain.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--iters", type=int, default=3000)
    options = parser.parse_args()
    home = ("--workspace", options.workspace)
    figures: dict[str, float] = {}
    gather(options.faces, home, figures)
    cut(options.model, home, figures)
    train(options.minutes, options.iters, home, figures)
    measure(home, figures)
    print(write("chain", figures, {"scraped": (">=", figures["offered"])}))


if __name__ == "__main__":
    main()
