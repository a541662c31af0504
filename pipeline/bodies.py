"""The bodies of answers, unpacked and never larger than they may be."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from urllib3 import BaseHTTPResponse

CHUNK_BYTES = 64 * 1024
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""Content-Encodings that are unpacked here; the bytes of any other are judged as they are."""
ZLIB_OR_GZIP = zlib.MAX_WBITS + 32
"""zlib's word for: the data say themselves which of the two they are."""


class TooLargeError(Exception):
    """An answer is larger than it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} bytes")


def read_body(answer: BaseHTTPResponse, limit: int) -> bytes:
    """A whole body, unpacked where it is packed.

    Raises:
        TooLargeError: it has more than `limit` bytes; no more than those are held.
        zlib.error: it cannot be unpacked.
        HTTPError, OSError: it breaks off.
    """
    if (answer.length_remaining or 0) > limit:
        raise TooLargeError(limit)
    chunks, size = [], 0
    for chunk in _pieces(answer):
        size += len(chunk)
        if size > limit:
            raise TooLargeError(limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_beginning(answer: BaseHTTPResponse, limit: int) -> bytes:
    """As much of a body as `limit` allows, unpacked.

    Raises:
        zlib.error: it cannot be unpacked.
        HTTPError, OSError: it breaks off.
    """
    body = bytearray()
    for chunk in _pieces(answer, CHUNK_BYTES):
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _pieces(answer: BaseHTTPResponse, largest: int | None = None) -> Iterator[bytes]:
    # Not decoded by urllib3, which before 2.6 unpacks a chunk whole, however large that is.
    packed = answer.headers.get("Content-Encoding", "").strip().lower() in PACKED
    # All at once where the length is known: only what is packed must come bit by bit.
    size = max(answer.length_remaining or 0, CHUNK_BYTES)
    if packed or largest:
        size = CHUNK_BYTES
    arriving = answer.stream(size, decode_content=False)
    return _unpacked(arriving) if packed else arriving


def _unpacked(arriving: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip or zlib packed, CHUNK_BYTES at most at a time; what follows its end is not read.

    Raises:
        zlib.error: it is not packed, or breaks off.
    """
    unpacker = zlib.decompressobj(ZLIB_OR_GZIP)
    for chunk in arriving:
        left = chunk
        while left and not unpacker.eof:
            yield unpacker.decompress(left, CHUNK_BYTES)
            left = unpacker.unconsumed_tail
        if unpacker.eof:
            return
    yield unpacker.flush()  # some bytes that the last chunk had no room for
    if not unpacker.eof:
        raise zlib.error("the packed data break off")
