import os
import random
import signal
import subprocess
import sys
import time

import pytest

from facegan.core.files import Workspace
from pipeline.gallery import Gallery
from pipeline.scrape import scrape
from tests import servers
from tests.scrape_helpers import check_consistent, fetches, rows, settings

WORKERS = 4

# Imports once; each line of its input is answered by a process that scrapes.
NURSERY = """
import os, sys
from pathlib import Path
from facegan.core.files import Workspace
from pipeline.config import ScrapeConfig
from pipeline.scrape import scrape
url, host, workers, root = sys.argv[1:]
config = ScrapeConfig("artist", base_url=url, allow_hosts=(host,), workers=int(workers))
for _ in sys.stdin:
    child = os.fork()
    if not child:
        try:
            scrape(config, Workspace(Path(root)))
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


def kept(workspace):
    """The pictures that the catalog holds."""
    urls = rows(workspace, "SELECT url FROM search_results WHERE status = 'kept'")
    return {url.rpartition("/")[2] for (url,) in urls}


def scrape_and_kill(nursery, gallery, requests):
    """Begin a call, kill it at so many requests of its own; False where it ended before."""
    nursery.stdin.write("scrape\n")
    nursery.stdin.flush()
    child = int(nursery.stdout.readline())
    before, until = gallery.requests.total(), time.monotonic() + 30
    while gallery.requests.total() - before < requests and time.monotonic() < until:
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    assert nursery.stdout.readline() == "ended\n"


def kill_again_and_again(workspace, seed, count, kills):
    """Kill `kills` calls at random moments, let one end, and look at everything in between."""
    chance = random.Random(seed)
    with Gallery(servers.pictures(count)) as gallery:
        arguments = [gallery.base_url, gallery.host, str(WORKERS), str(workspace.root)]
        with subprocess.Popen(
            [sys.executable, "-c", NURSERY, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as nursery:
            for _ in range(kills):
                done = kept(workspace) if workspace.catalog.exists() else set()
                before = fetches(gallery)
                scrape_and_kill(nursery, gallery, chance.randrange(2, 2 * count // kills))
                check_consistent(workspace)
                assert all(fetches(gallery)[name] == before[name] for name in done)
            nursery.stdin.close()
        assert scrape(settings(gallery), workspace).images == count
        check_consistent(workspace)
        assert {path.name for path in workspace.images.iterdir()} == {
            name[:2] for (name,) in rows(workspace, "SELECT sha256 FROM images")
        }
        again = sum(times - 1 for times in fetches(gallery).values())
        assert again <= kills * 2 * WORKERS


def test_killed_at_any_moment_it_goes_on_and_fetches_nothing_twice(workspace):
    kill_again_and_again(workspace, seed=1, count=120, kills=5)


@pytest.mark.slow
def test_killed_thirty_times_it_goes_on_and_fetches_nothing_twice(workspace):
    kill_again_and_again(workspace, seed=0, count=400, kills=30)
