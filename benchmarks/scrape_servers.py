"""The two servers of `benchmarks/scrape.py`, and the pictures that they offer.

    python -m benchmarks.scrape_servers FOLDER --delay-s 0.1

run by itself is the slow one, which nginx cannot be without a module: each answer is begun that
long after its request came. It writes its port to standard output and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 800, 600
QUALITY = 90
GRAIN = 10
"""Of the noise, in levels: it brings a JPEG of this size and quality to about 150 KB."""
STARTED_WITHIN_S = 10.0

CONFIG = """
daemon off;
worker_processes 1;
pid nginx.pid;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type text/plain;
    types {{ image/jpeg jpg; }}
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {root};
    }}
}}
"""


def draw(folder: Path, count: int, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """A folder of `count` JPEGs with soft colours and grain, each another one; always the same."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    grain = rng.integers(-GRAIN, GRAIN + 1, (height, width, 1), dtype=np.int16)
    for number in range(count):
        colours = np.random.default_rng((1, number)).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        soft = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
        image = (soft + np.roll(grain, 997 * number)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:06}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return folder


def addresses(pictures: Path, port: int) -> list[str]:
    """Where a server on `port` has the folder's pictures."""
    return [f"http://127.0.0.1:{port}/{path.name}" for path in sorted(pictures.iterdir())]


@contextlib.contextmanager
def nginx(pictures: Path, scratch: Path) -> Iterator[int]:
    """nginx with one worker serves the folder; gives its port."""
    program = find_nginx()
    scratch.mkdir(parents=True)
    port = _free_port()
    config = scratch / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # the pictures lie in a folder of one's own
    config.write_text(CONFIG.format(port=port, root=pictures.absolute(), user=user))
    words = [program, "-p", str(scratch), "-c", str(config), "-e", str(scratch / "error.log")]
    with subprocess.Popen(words) as server:
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()


def find_nginx() -> str:
    """The program; Debian keeps it where only root looks."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SystemExit("nginx is missing: apt-get install nginx-light")
    return found


def nginx_version() -> str:
    """As it says itself."""
    done = subprocess.run([find_nginx(), "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


@contextlib.contextmanager
def slow_server(pictures: Path, delay_s: float) -> Iterator[int]:
    """A process of its own that serves the folder from memory, late; gives its port."""
    words = [sys.executable, "-m", "benchmarks.scrape_servers", str(pictures)]
    words += ["--delay-s", str(delay_s)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.communicate()


class Late(asyncio.Protocol):
    """One connection: answers each GET `delay_s` after it came.

    Args:
        bodies: what there is, by path.
        delay_s: between a request and its answer.
    """

    def __init__(self, bodies: dict[bytes, bytes], delay_s: float) -> None:
        self._bodies = bodies
        self._delay_s = delay_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio; a request may come in pieces."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            asyncio.get_running_loop().call_later(self._delay_s, self._answer, path)

    def _answer(self, path: bytes) -> None:
        if self._transport.is_closing():
            return
        body = self._bodies.get(path)
        status = b"404 Not Found" if body is None else b"200 OK"
        kind = b"text/plain" if body is None else b"image/jpeg"
        body = body or b""
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (status, kind, len(body), body)
        )


async def serve(pictures: Path, delay_s: float) -> None:
    """Serve until standard input ends."""
    bodies = {f"/{path.name}".encode(): path.read_bytes() for path in pictures.iterdir()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Late, bodies, delay_s), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            if time.monotonic() > until:
                raise SystemExit(f"no server came up on port {port}") from error
            time.sleep(0.02)
        else:
            return


def main() -> None:
    """The slow server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--delay-s", type=float, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.pictures, options.delay_s))


if __name__ == "__main__":
    main()
