"""How servers misbehave: faults for a Gallery. Each ends by itself within some seconds."""

import contextlib
import gzip
import itertools
import struct
import time
import zlib
from email.message import Message
from functools import partial
from io import BytesIO
from typing import NamedTuple
from urllib.parse import urlsplit

from PIL import Image

from pipeline.gallery import Gallery, GalleryHandler

LONGEST_S = 5.0


def picture(number=0, side=64, kind="JPEG"):
    """A small image; another number, another colour and other bytes."""
    file = BytesIO()
    colour = ((37 * number) % 256, (91 * number) % 256, number % 256)
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue() + (str(number).encode() if kind == "JPEG" else b"")


def pictures(count, side=64):
    return {f"{number:04}.jpg": picture(number, side) for number in range(count)}


def giant_png(width=30_000, height=30_000):
    """A sound header that promises more pixels than anyone should unpack."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + b"\0\0\0\x10IDAT" + bytes(16)


def status(code, headers=None, body=b"no"):
    return lambda handler: handler.answer(code, body, "text/plain", headers)


def serve(body, kind="image/jpeg", headers=None):
    return lambda handler: handler.answer(200, body, kind, headers)


def html():
    return serve(b"<!DOCTYPE html><html><body>gone</body></html>", "text/html")


def first(fault, then, times=1):
    """`fault` for the first requests, `then` for the later ones."""
    calls = itertools.count()

    def either(handler):
        (fault if next(calls) < times else then)(handler)

    return either


def redirect(location, code=302):
    return status(code, {"Location": location}, b"")


def truncated(body):
    """The right Content-Length, but the connection closes half way."""

    def fault(handler):
        handler.answer(200, body[: len(body) // 2], headers={"Content-Length": str(len(body))})
        handler.close_connection = True

    return fault


def drip(body, pause_s=0.05, in_header=False):
    """One byte at a time, each well within a read's time-out."""

    def fault(handler):
        head = b"HTTP/1.1 200 OK\r\n"
        if not in_header:
            head += b"Content-Length: %d\r\n\r\n" % len(body)
        handler.wfile.write(head)
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for byte in (b"X-Drip: " + bytes(200).hex().encode()) if in_header else body:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(pause_s)

    return fault


def never():
    """Takes the request and says nothing."""

    def fault(handler):
        handler.close_connection = True
        time.sleep(LONGEST_S)

    return fault


def gzip_bomb(megabytes=64):
    body = gzip.compress(bytes(megabytes * 1024 * 1024))
    return serve(body, headers={"Content-Encoding": "gzip"})


def chunked(body, end=True):
    """Without a length; without `end` the connection closes before the last chunk."""

    def fault(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if end else b""))
        handler.close_connection = True

    return fault


HOST_FILES = ("/robots.txt", "/.well-known/tdmrep.json")


def asked(server):
    """How many requests came, beside those for what a host says of itself."""
    return sum(count for path, count in server.requests.items() if path not in HOST_FILES)


class Seen(NamedTuple):
    """One request."""

    line: str
    headers: Message
    body: bytes


class SiteHandler(GalleryHandler):
    body = b""

    def do_GET(self):
        self.gallery.count(self.path)
        self.gallery.seen.append(Seen(self.requestline, self.headers, self.body))
        fault = self.gallery.faults.get(urlsplit(self.path).path)
        if fault is None:
            self.answer(404, b"nothing here", "text/plain")
        else:
            fault(self)

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


class Site(Gallery):
    """Answers by path, with faults alone; remembers each request in `seen`."""

    def __init__(self, faults, host="127.0.0.1"):
        self.seen = []
        super().__init__({}, faults=faults, host=host)
        self._server.RequestHandlerClass = partial(SiteHandler, self)

    def url(self, path):
        return self.base_url + path


def text(body, kind="text/plain"):
    return serve(body.encode(), kind)
