"""The file that every benchmark writes: benchmarks/results/NAME.json."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facegan.core.files import write_json

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results")
PACKAGES = ("torch", "torchvision", "opencv-contrib-python", "numpy", "requests")

Target = tuple[str, float]


def write(
    name: str,
    figures: Mapping[str, float],
    targets: Mapping[str, Target],
    packages: Sequence[str] = PACKAGES,
    others: Mapping[str, str] | None = None,
) -> Path:
    """Write a benchmark's figures with what they were measured on.

    Args:
        name: of the benchmark and its file.
        figures: by name.
        targets: of some of them, as `check.py` reads them.
        packages: of this environment, whose versions count.
        others: versions of programs that are not in this environment.
    """
    path = RESULTS / f"{name}.json"
    value = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {n: version(n) for n in packages}
        | dict(others or {}),
        "command": shlex.join(["python", *(str(_relative(a)) for a in sys.argv)]),
        "figures": dict(figures),
        "targets": {key: list(target) for key, target in targets.items()},
    }
    write_json(path, value)
    return path


def report(
    name: str,
    figures: Mapping[str, float],
    targets: Mapping[str, Target],
    *,
    dry: bool,
    packages: Sequence[str] = PACKAGES,
    others: Mapping[str, str] | None = None,
) -> None:
    """Print every figure, and unless `dry` write them; the arguments are those of `write`."""
    widest = max(map(len, figures), default=0)
    print("\n".join(f"{key:<{widest}} {value:.6g}" for key, value in figures.items()))
    if not dry:
        print(write(name, figures, targets, packages, others))


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and the CUDA device where there is one."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    import torch

    cuda = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        **cuda,
    }


def _git(*args: str) -> str:
    """What git says; nothing on a machine without it."""
    try:
        done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _relative(argument: str) -> Path | str:
    """Paths as seen from the project: a machine's own folders are nobody's business."""
    path = Path(argument)
    return os.path.relpath(path.resolve(), ROOT) if path.exists() else argument
