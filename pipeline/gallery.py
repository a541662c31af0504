"""A web server on this machine whose pages have Bing's markup: for the demo and the tests.

    with Gallery({"ada.jpg": data}) as gallery:
        config = ScrapeConfig("artist", base_url=gallery.base_url, allow_hosts=(gallery.host,))
        scrape(config, workspace)

Pictures are bytes, or files that are read when they are asked for.
"""

from __future__ import annotations

import html
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from pipeline.headers import ImageInfo, ImageLimits, inspect

Picture = bytes | Path
MAX_COUNT = 150
IDLE_S = 60.0


class GalleryHandler(BaseHTTPRequestHandler):
    """One connection to a Gallery."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one packet
    disable_nagle_algorithm = True
    timeout = IDLE_S

    def __init__(self, gallery: Gallery, *args: object) -> None:
        self.gallery = gallery
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer one request."""
        self.gallery.count(self.path)
        path = urlsplit(self.path).path
        if path in {"/images/search", "/images/async"}:
            self._search(full=path.endswith("search"))
        elif path.startswith("/pictures/"):
            self._picture(unquote(path.removeprefix("/pictures/")))
        else:
            self.answer(HTTPStatus.NOT_FOUND, b"nothing here", "text/plain")

    def answer(
        self,
        status: int,
        body: bytes,
        kind: str = "text/html; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a whole answer; `headers` may replace Content-Length."""
        fields = {"Content-Type": kind, "Content-Length": str(len(body))} | dict(headers or {})
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the gallery counts."""

    def _search(self, *, full: bool) -> None:
        values = parse_qs(urlsplit(self.path).query)
        try:
            first = max(1, int(values.get("first", ["1"])[0]))
            count = min(MAX_COUNT, max(1, int(values.get("count", [""])[0])))
        except ValueError:
            self.answer(HTTPStatus.BAD_REQUEST, b"first and count are numbers")
            return
        page = self.gallery.page(values.get("q", [""])[0], first, count, full=full)
        self.answer(HTTPStatus.OK, page.encode())

    def _picture(self, name: str) -> None:
        if fault := self.gallery.faults.get(name):
            fault(self)
            return
        picture = self.gallery.pictures.get(name)
        if picture is None:
            self.answer(HTTPStatus.NOT_FOUND, b"no such picture", "text/plain")
            return
        self.answer(HTTPStatus.OK, load(picture), "image/jpeg")


Fault = Callable[[GalleryHandler], None]
"""Answers a request for one picture instead of the gallery."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that went away is no news."""


class Gallery:
    """A context manager that serves as long as it is open.

    Args:
        pictures: what to offer by name, in this order, for every query.
        faults: names that are offered as well, after the pictures, and are answered by a function.
        host: a loopback address; the port is a free one.
    """

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        *,
        faults: Mapping[str, Fault] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.pictures = pictures
        self.faults = dict(faults or {})
        self.requests: Counter[str] = Counter()
        """Times that each path was asked for, with its query."""
        self._names = [*pictures, *(name for name in self.faults if name not in pictures)]
        self._lock = threading.Lock()
        self._server = _Server((host, 0), partial(GalleryHandler, self))
        # Polled every 50 ms: the time that closing takes.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="gallery", daemon=True
        )

    def __enter__(self) -> Gallery:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """HOST:PORT, as `--allow-host` takes it."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    @property
    def base_url(self) -> str:
        """As `--base-url` takes it."""
        return f"http://{self.host}"

    def address(self, name: str) -> str:
        """Where a picture lies."""
        return f"{self.base_url}/pictures/{quote(name, safe='')}"

    def count(self, path: str) -> None:
        """Count a request."""
        with self._lock:
            self.requests[path] += 1

    def page(self, query: str, first: int, count: int, *, full: bool) -> str:
        """A result page with `count` tiles from position `first` (1-based) on.

        Args:
            query: what was searched for; every picture is a result.
            first: position of the first tile.
            count: tiles on the page.
            full: a whole document, else a fragment that continues one.
        """
        names = self._names[first - 1 : first - 1 + count]
        if not self._names:
            text = f"<p>There are no results for <strong>{html.escape(query)}</strong></p>"
        else:
            tiles = "".join(self._tiles(names, query, first))
            text = _container(tiles, query, first + len(names), count) if names else ""
        if not full:
            return text
        title = html.escape(query)
        return (
            f"<!DOCTYPE html><html><head><title>{title} - gallery</title></head>"
            f"<body>{text}</body></html>"
        )

    def _tiles(self, names: list[str], query: str, first: int) -> Iterator[str]:
        for position, name in enumerate(names, first):
            yield tile(
                self.address(name),
                query=query,
                page_url=f"{self.base_url}/pages/{quote(name)}",
                title=Path(name).stem,
                info=self._info(name),
                position=position,
            )

    def _info(self, name: str) -> ImageInfo | None:
        if name in self.faults:
            return None
        info = inspect(load(self.pictures[name]), ImageLimits())
        return info if isinstance(info, ImageInfo) else None


def folder_pictures(folder: Path) -> dict[str, Path]:
    """The files of a folder by name, in order, to be read one at a time."""
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}


def load(picture: Picture) -> bytes:
    """A picture's bytes."""
    return picture.read_bytes() if isinstance(picture, Path) else picture


def tile(
    url: str,
    *,
    query: str = "artist",
    page_url: str = "",
    title: str = "",
    info: ImageInfo | None = None,
    position: int = 1,
) -> str:
    """One result as Bing writes it."""
    about = {"purl": page_url, "murl": url, "turl": url, "t": title, "desc": ""}
    attribute = html.escape(json.dumps(about, ensure_ascii=False))
    size = {"exph": info.height, "expw": info.width} if info else {}
    link = urlencode({"view": "detailV2", "mediaurl": url, **size, "q": query})
    text = f"{info.width} x {info.height} &#183; {info.format}" if info else ""
    return (
        f'<li data-idx="{position}"><div class="iuscp varh"><div class="imgpt">'
        f'<a class="iusc" m="{attribute}" href="/images/search?{html.escape(link)}">'
        f'<div class="img_cont hoff"><img class="mimg" alt="{html.escape(title)}"/></div></a>'
        f'<div class="img_info hon"><span class="nowrap">{text}</span></div></div></div></li>'
    )


def _container(tiles: str, query: str, following: int, count: int) -> str:
    link = urlencode({"q": query, "first": following, "count": count, "mmasync": 1})
    return (
        '<div class="dg_b" role="main"><div id="mmComponent_images_1" class="dgControl hover"'
        f' data-nextUrl="/images/async?{html.escape(link)}" data-iid="images.1" data-layout="row">'
        f'<ul class="dgControl_list">{tiles}</ul></div></div>'
    )
