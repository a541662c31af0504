"""Services on this machine that answer as real image searches do, with made-up content.

with Commons({"ada.jpg": data}) as service:
    config = ScrapeConfig("ada", source="commons", base_url=service.base_url,
                          allow_hosts=(service.host,))
"""

import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pipeline.images import ImageInfo, ImageLimits, inspect

LONGEST_BODY = 100_000


@dataclass(frozen=True)
class Asked:
    """One request of the API."""

    path: str
    values: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""


class Service:
    """A context manager that serves as long as it is open; each API is a subclass with `api`.

    Args:
        pictures: what every search finds, in this order, by name.
        host: a loopback address; the port is a free one.
    """

    def __init__(self, pictures, *, host="127.0.0.1"):
        self.pictures = dict(pictures)
        self.names = list(self.pictures)
        self.asked = []
        """The API's requests in their order."""
        self._lock = threading.Lock()
        self._script = []
        self._server = ThreadingHTTPServer((host, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="service", daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self):
        """HOST:PORT, as `--allow-host` takes it."""
        host, port = self._server.server_address[:2]
        return f"{host}:{port}"

    @property
    def base_url(self):
        return f"http://{self.host}"

    def say(self, body, status=200, headers=None, times=10**9):
        """Give this to the next `times` requests of the API instead of its own answer."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._script.append([times, (status, body, dict(headers or {}))])

    def api(self, asked):
        """A subclass's own answer: (status, JSON), or None where there is no such path."""
        raise NotImplementedError

    def address(self, name):
        """Where a picture lies."""
        return f"{self.base_url}/pictures/{quote(name, safe='')}"

    def page(self, name):
        """Where a picture's page would lie."""
        return f"{self.base_url}/pages/{quote(name, safe='')}"

    def size(self, name):
        """(width, height) of a picture; (0, 0) of what is none."""
        info = inspect(self.pictures[name], ImageLimits())
        return (info.width, info.height) if isinstance(info, ImageInfo) else (0, 0)

    def answer(self, target, form, headers):
        """(status, body, headers) for a request."""
        parts = urlsplit(target)
        if parts.path.startswith("/pictures/"):
            picture = self.pictures.get(unquote(parts.path.removeprefix("/pictures/")))
            if picture is None:
                return HTTPStatus.NOT_FOUND, b"no such picture", {"Content-Type": "text/plain"}
            return HTTPStatus.OK, picture, {"Content-Type": "image/jpeg"}
        if parts.path in {"/robots.txt", "/.well-known/tdmrep.json"}:
            return HTTPStatus.NOT_FOUND, b"nothing here", {"Content-Type": "text/plain"}
        values = dict(parse_qsl(parts.query))
        lower = {name.lower(): value for name, value in headers.items()}
        asked = Asked(parts.path, values, form, lower)
        with self._lock:
            self.asked.append(asked)
            if said := self._said():
                return said
        status, body = self.api(asked) or (HTTPStatus.NOT_FOUND, {"detail": "Not found."})
        return status, json.dumps(body).encode(), {"Content-Type": "application/json"}

    def _said(self):
        while self._script:
            self._script[0][0] -= 1
            if self._script[0][0] >= 0:
                return self._script[0][1]
            self._script.pop(0)
        return None


def _handler(service):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True
        timeout = 30

        def do_GET(self):
            self._send(*service.answer(self.path, {}, self.headers))

        def do_POST(self):
            length = min(int(self.headers.get("Content-Length", 0)), LONGEST_BODY)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            self._send(*service.answer(self.path, form, self.headers))

        def _send(self, status, body, headers):
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
