"""What most people write: a thread pool, one session of requests a thread, each answer a file.

    python -m benchmarks.scrape_sessions LIST FOLDER --threads 16

It checks nothing: no address, no size, no deadline, no image. `benchmarks/scrape.py` runs it as a
process of its own, which imports no more than this file does.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

TIMEOUT_S = 10.0
_thread = threading.local()


def fetch(url: str, path: Path) -> None:
    """Download one file through this thread's session."""
    if not hasattr(_thread, "session"):
        _thread.session = requests.Session()
    answer = _thread.session.get(url, timeout=TIMEOUT_S)
    answer.raise_for_status()
    path.write_bytes(answer.content)


def fetch_all(urls: list[str], folder: Path, threads: int) -> float:
    """Download all, under their places in the list; the seconds that it took."""
    folder.mkdir(parents=True)
    paths = [folder / f"{place:06}.jpg" for place in range(len(urls))]
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fetch, urls, paths):
            pass
    return time.perf_counter() - began


def main() -> None:
    """Download the list; the seconds as JSON on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    urls = options.list.read_text().split()
    print(json.dumps({"seconds": fetch_all(urls, options.folder, options.threads)}))


if __name__ == "__main__":
    main()
