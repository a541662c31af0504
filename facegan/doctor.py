"""What a machine has of what facegan needs."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facegan.core.files import Workspace
from facegan.score.weights import FID_INCEPTION, cache_dir, cached_path

PACKAGES = (
    "torch",
    "torchvision",
    "opencv-contrib-python",
    "numpy",
    "scipy",
    "pillow",
    "simplejpeg",
)
NEEDED_BYTES = 5 * 2**30
"""A run of 50,000 iterations at 256 px keeps about 1 GB of checkpoints; images take the rest."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `good` is false where something is missing."""

    name: str
    good: bool
    text: str


def examine(workspace: Workspace) -> list[Check]:
    """Look at the interpreter, the packages, the devices, the disk and the cached weights."""
    python = sys.version.split()[0]
    return [
        Check("python", sys.version_info >= (3, 11), python),
        *(_package(name) for name in PACKAGES),
        _devices(),
        _disk(workspace.root),
        _weights(),
    ]


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, f"missing; install it with `uv pip install {name}`")


def _devices() -> Check:
    import torch

    found = [f"cpu ({os.cpu_count()} cores, {torch.get_num_threads()} torch threads)"]
    if torch.cuda.is_available():
        found += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return Check("devices", True, ", ".join(found))


def _disk(root: Path) -> Check:
    there = next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    return Check("disk", free >= NEEDED_BYTES, f"{free / 2**30:.1f} GiB free at {there}")


def _weights() -> Check:
    if known := cached_path(FID_INCEPTION):
        return Check("inception", True, str(known))
    place = cache_dir() / FID_INCEPTION.name
    return Check(
        "inception",
        False,
        f"not at {place}; `facegan score` fetches it when it is first run, and measures without "
        "it what needs no network where there is none",
    )
