"""The programs that `benchmarks/scrape.py` compares, each as a command of its own process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.result import ROOT

IMG2DATASET = "1.47.0"
PEER_PYTHON = "3.11"
"""img2dataset imports the module `imghdr`, which 3.13 has lost."""
NO_NEWS = {"NO_ALBUMENTATIONS_UPDATE": "1"}
"""A library that img2dataset imports else asks PyPI for its newest version when it starts."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every contender is given."""

    list_file: Path
    """One address a line."""
    host: str
    """HOST:PORT of all of them."""
    folder: Path
    """Where to write; is not there yet."""
    threads: int
    count: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A program: how it is called, and what of its own it leaves behind."""

    words: Callable[[Task], list[str]]
    stored: Callable[[Path], set[str]]
    """SHA-256 of each image in its folder."""
    seconds: Callable[[Path, str], float]
    """Of its folder and its standard output: by its own clock, starting and ending left out."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one call took, from the start of the process to its end."""

    count: int
    seconds: float
    cpu_s: float
    """User and system, with the processes that it started."""
    own_s: float
    """By its own clock."""
    stored: set[str] = field(repr=False)

    @property
    def images_per_s(self) -> float:
        """Of the whole call."""
        return self.count / self.seconds


def run(contender: Contender, task: Task, bytecode: Path) -> Done:
    """Call it once. Its folder stays: ext4 makes files slower where some were just removed.

    Args:
        contender: which one.
        task: what it is to do.
        bytecode: a folder for all that Python compiles, so that a second call starts as a user's
            does, whatever the environments hold.
    """
    os.sync()  # what the one before it left to the disk is not this one's to wait for
    environment = {name: value for name, value in os.environ.items() if _is_neutral(name)}
    environment |= {"PYTHONPYCACHEPREFIX": str(bytecode), **NO_NEWS}
    words, log = contender.words(task), task.folder.with_suffix(".log")
    began = time.perf_counter()
    with (
        log.open("w") as err,
        subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=err
        ) as process,
    ):
        assert process.stdout is not None
        out = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}: {out}{log.read_text()}")
    return Done(
        count=task.count,
        seconds=seconds,
        cpu_s=used.ru_utime + used.ru_stime,
        own_s=contender.seconds(task.folder, out),
        stored=contender.stored(task.folder),
    )


def _is_neutral(name: str) -> bool:
    """Not one that would change how Python runs or where requests go."""
    return not name.startswith(("PYTHON", "FACEGAN")) and not name.lower().endswith("_proxy")


def facegan(task: Task) -> list[str]:
    """`facegan scrape` as a user calls it."""
    words = [sys.executable, "-m", "cli", "scrape", "benchmark", "--source", "urls"]
    words += ["--list", str(task.list_file), "--allow-host", task.host]
    words += ["--workers", str(task.threads), "--limit", str(task.count)]
    return [*words, "--workspace", str(task.folder), "-q", "--json"]


def sessions(task: Task) -> list[str]:
    """A thread pool of requests."""
    words = [sys.executable, "-m", "benchmarks.scrape_sessions", str(task.list_file)]
    return [*words, str(task.folder), "--threads", str(task.threads)]


def img2dataset(peers: Path, output_format: str, *settings: str) -> Callable[[Task], list[str]]:
    """img2dataset with one process, images left as they are, all else as it comes."""

    def words(task: Task) -> list[str]:
        given = {
            "url_list": task.list_file,
            "output_folder": task.folder,
            "output_format": output_format,
            "thread_count": task.threads,
            "processes_count": 1,
            "resize_mode": "no",
        }
        program = str(peers / "i2d" / "bin" / "img2dataset")
        return [program, *(f"--{name}={value}" for name, value in given.items()), *settings]

    return words


def contenders(peers: Path) -> dict[str, Contender]:
    """All by the names in their figures."""
    found = {
        "facegan": Contender(facegan, sha256s, _facegan_seconds),
        "sessions": Contender(sessions, sha256s, _printed_seconds),
    }
    for form, stored in (("files", sha256s), ("webdataset", _members)):
        for name, setting in (("", "skip_reencode"), ("_unseen", "disable_all_reencoding")):
            words = img2dataset(peers, form, f"--{setting}=True")
            found[f"img2dataset_{form}{name}"] = Contender(words, stored, _stats_seconds)
    return found


def install(peers: Path) -> Mapping[str, str]:
    """Make img2dataset's own environment unless it is there; versions of what runs in it."""
    folder = peers / "i2d"
    if not (folder / "bin" / "img2dataset").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        for words in (
            ["venv", "--python", PEER_PYTHON, str(folder)],
            ["pip", "install", "--python", str(folder), f"img2dataset=={IMG2DATASET}"],
        ):
            subprocess.run([uv, *words], check=True)
    code = "from importlib.metadata import version; print(version('img2dataset'))"
    words = [str(folder / "bin" / "python"), "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {"img2dataset": done.stdout.strip()}


def sha256s(folder: Path) -> set[str]:
    """Of the JPEGs of a folder and the folders in it."""
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg")}


def _members(folder: Path) -> set[str]:
    """Of the JPEGs in a folder's tar files."""
    found = set()
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".jpg") else None
                if file is not None:
                    found.add(hashlib.sha256(file.read()).hexdigest())
    return found


def _facegan_seconds(folder: Path, out: str) -> float:  # noqa: ARG001
    return float(json.loads(out)["result"]["seconds"])


def _printed_seconds(folder: Path, out: str) -> float:  # noqa: ARG001
    return float(json.loads(out)["seconds"])


def _stats_seconds(folder: Path, out: str) -> float:  # noqa: ARG001
    """Of img2dataset's shards, which follow one another where it has one process."""
    stats = [json.loads(path.read_text()) for path in folder.glob("*_stats.json")]
    return float(sum(one["duration"] for one in stats))
