"""The contenders of `benchmarks/crop.py`: facegan's own stage, autocrop and a bare OpenCV loop."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.core.files import write_bytes
from pipeline.config import CropConfig, available_cpus
from pipeline.crop import CropResult, CropTask, crop_image
from pipeline.detect import resolve
from pipeline.executors import Processes, WorkerDied

AUTOCROP = "2.0.0"
LOOP = Path(__file__).with_name("crop_loop.py")
PROCESSES = (1, 2)


@dataclass(frozen=True, slots=True)
class Done:
    """What one call took, from the first file to the last PNG, without the program's start."""

    count: int
    seconds: float
    cpu_s: float
    """Of cropping and writing, in whatever process."""
    crops: int

    @property
    def images_per_s(self) -> float:
        """Wall time."""
        return self.count / self.seconds


Contender = Callable[[Sequence[Path], Path], Done]
"""Crops the files into a folder that is there."""


def facegan(config: CropConfig, processes: int) -> Contender:
    """`crop_image` in worker processes; the parent writes the crops, as the stage does."""
    detector = resolve(config)

    def run(files: Sequence[Path], folder: Path) -> Done:
        threads = max(1, available_cpus() // processes)
        tasks = [CropTask(path, path.stem, config, detector, threads) for path in files]
        executor = Processes(processes, preload=("pipeline.crop", __name__))
        crops, cpu_s = 0, 0.0
        begun, begun_cpu = time.perf_counter(), time.process_time()
        for task, done in executor.run(_timed, tasks):
            if isinstance(done, WorkerDied):
                raise SystemExit(f"the process that cropped {task.path} died")
            result, took_s = done
            cpu_s += took_s
            pngs = [face.png for face in result.faces if face.png is not None]
            for number, png in enumerate(pngs):
                write_bytes(folder / f"{task.sha256}-{number}.png", png)
            crops += bool(pngs)
        cpu_s += time.process_time() - begun_cpu
        return Done(len(files), time.perf_counter() - begun, cpu_s, crops)

    return run


def _timed(task: CropTask) -> tuple[CropResult, float]:
    """`crop_image` and its CPU seconds."""
    begun = time.process_time()
    result = crop_image(task)
    return result, time.process_time() - begun


def loop(python: Path, program: str, model: Path, processes: int) -> Contender:
    """A program of crop_loop.py in its own environment."""

    def run(files: Sequence[Path], folder: Path) -> Done:
        words = [str(python), "-P", str(LOOP), program, str(folder), "--processes", str(processes)]
        done = subprocess.run(
            [*words, "--model", str(model)],
            input="\n".join(map(str, files)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{words} ended with {done.returncode}: {done.stderr}")
        took = json.loads(done.stdout)
        return Done(len(files), took["seconds"], took["cpu_s"], took["crops"])

    return run


def contenders(peers: Path, model: Path) -> dict[str, Contender]:
    """All by the names in their figures."""
    configs = {
        "yunet": CropConfig(detector="yunet", model=model),
        "haar": CropConfig(detector="haar"),
    }
    found: dict[str, Contender] = {}
    for processes in PROCESSES:
        for name, config in configs.items():
            found[f"{name}_{processes}"] = facegan(config, processes)
        for name, python in (("autocrop", python_of(peers)), ("bare", Path(sys.executable))):
            found[f"{name}_{processes}"] = loop(python, name, model, processes)
    return found


def python_of(peers: Path) -> Path:
    """autocrop's own interpreter: it brings another OpenCV."""
    return peers / "autocrop" / "bin" / "python"


def install(peers: Path) -> Mapping[str, str]:
    """Make autocrop's environment unless it is there; versions of what runs in it."""
    python = python_of(peers)
    if not python.exists():
        for words in (
            [sys.executable, "-m", "venv", str(peers / "autocrop")],
            [str(python), "-m", "pip", "install", "-q", f"autocrop=={AUTOCROP}"],
        ):
            subprocess.run(words, check=True)
    code = (
        "from importlib.metadata import version;"
        " print(version('autocrop'), version('opencv-python-headless'))"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    ours, opencv = done.stdout.split()
    return {"autocrop": ours, "autocrop's opencv-python-headless": opencv}
