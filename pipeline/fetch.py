"""One image from an address that a stranger wrote: bounded in time, bytes, redirects and reach."""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.exceptions import TimeoutError as SlowError

from facegan.core.records import Outcome, Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.guard import AddressRefusedError
from pipeline.http import CHUNK_BYTES, MAX_REDIRECTS, Transport, is_transient, words
from pipeline.images import ImageInfo, ImageLimits, Rejection, inspect

REDIRECTS = frozenset({301, 302, 303, 307, 308})
SMALL_BODY_BYTES = 16 * 1024
"""An error page up to this size is read, so that its connection can be used again."""
DETAIL_LETTERS = 300

PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""Content-Encodings that are unpacked here; the bytes of any other are judged as they are."""
ZLIB_OR_GZIP = zlib.MAX_WBITS + 32
"""zlib's word for: the data say themselves which of the two they are."""

REASON_OF_STATUS = {
    403: Reason.HTTP_403,
    404: Reason.HTTP_404,
    410: Reason.HTTP_410,
    429: Reason.HTTP_429,
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image as it came, and what its header says."""

    data: bytes
    info: ImageInfo
    sha256: str
    ms: float = 0.0
    """Wall time of the download."""


class _Trouble(Exception):  # noqa: N818 - expected, and caught here
    """Why there are no bytes: final (rejected) or not, and whether to try again at once."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        final: bool = False,
        again: bool = False,
        wished: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = Status.REJECTED if final else Status.FAILED
        self.reason = reason
        self.again = again and not final
        self.wished = wished


def judge(data: bytes, config: ScrapeConfig, ms: float = 0.0) -> Fetched | Outcome:
    """Look at bytes' header; what they are called does not matter."""
    info = inspect(data, ImageLimits(config.max_pixels, config.min_size_px))
    if isinstance(info, Rejection):
        return Outcome(Status.REJECTED, info.reason, info.detail, ms)
    return Fetched(data, info, hashlib.sha256(data).hexdigest(), ms)


def fetch_image(url: str, transport: Transport) -> Fetched | Outcome:
    """Download one image, trying again where that may help.

    Args:
        url: what a source named; anything at all.
        transport: open connections, and with them the limits.

    Returns:
        The image, or an outcome: rejected (http_403, http_404, http_410, http_4xx, bad_address,
        blocked_address, too_many_redirects, too_large, decode_failed, and `inspect`'s reasons) or
        failed (http_429, http_5xx, timeout, connection, short_body).
    """
    config, began = transport.config, transport.clock()
    transport.deadline.at = began + config.deadline_s
    attempt = 0
    while True:
        try:
            data = _follow(url, transport)
            return judge(data, config, 1000 * (transport.clock() - began))
        except _Trouble as trouble:
            more = trouble.again and attempt < config.retries
            if not (more and transport.wait(attempt, trouble.wished)):
                ms = 1000 * (transport.clock() - began)
                detail = str(trouble)[:DETAIL_LETTERS]
                return Outcome(trouble.status, trouble.reason, detail, ms)
        attempt += 1


def _follow(url: str, transport: Transport) -> bytes:
    """The body behind `url` and its redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        with _opened(url, transport) as answer:
            location = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not location:
                return _body(answer, transport)
            url = _joined(url, location)
    raise _Trouble(
        Reason.TOO_MANY_REDIRECTS, f"more than {MAX_REDIRECTS}, the last to {url}", final=True
    )


@contextlib.contextmanager
def _opened(url: str, transport: Transport) -> Iterator[BaseHTTPResponse]:
    """The answer to one request; its connection is kept when the body has been read."""
    _check_scheme(url)
    left = transport.deadline.at - transport.clock()
    if left <= 0:
        raise _late(transport)
    with _troubles(transport, Reason.CONNECTION):
        answer = transport.pools.request(
            "GET",
            url,
            headers={
                "User-Agent": transport.agent,
                "Accept": "image/*",
                # An image does not shrink by compression; only a bomb does.
                "Accept-Encoding": "identity",
            },
            timeout=Timeout(min(left, transport.config.timeout_s)),
            redirect=False,
            retries=False,
            preload_content=False,
        )
    try:
        yield answer
    finally:
        if 0 < (answer.length_remaining or 0) <= SMALL_BODY_BYTES:
            answer.drain_conn()
        answer.close()
        answer.release_conn()


def _body(answer: BaseHTTPResponse, transport: Transport) -> bytes:
    _check_status(answer)
    limit = transport.config.max_bytes
    if (answer.length_remaining or 0) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    with _troubles(transport, Reason.SHORT_BODY):
        # Not decoded by urllib3, which before 2.6 unpacks a chunk whole, however large that is.
        arriving = answer.stream(CHUNK_BYTES, decode_content=False)
        packed = answer.headers.get("Content-Encoding", "").strip().lower() in PACKED
        for chunk in _unpacked(arriving) if packed else arriving:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    return b"".join(chunks)


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


def _check_scheme(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _Trouble(Reason.BAD_ADDRESS, str(error), final=True) from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise _Trouble(Reason.BAD_ADDRESS, f"{url[:80]!r} is no http address", final=True)


def _check_status(answer: BaseHTTPResponse) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    again = is_transient(status)
    reason = REASON_OF_STATUS.get(status)
    if reason is None:
        reason = Reason.HTTP_5XX if status >= 500 else Reason.HTTP_4XX
    raise _Trouble(
        reason,
        f"HTTP {status}",
        final=not again,
        again=again,
        wished=answer.headers.get("Retry-After"),
    )


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise _Trouble(Reason.BAD_ADDRESS, f"redirect: {error}", final=True) from None


@contextlib.contextmanager
def _troubles(transport: Transport, broken: Reason) -> Iterator[None]:
    """Turn what connections raise into a _Trouble; `broken` names a connection that breaks off."""
    try:
        yield
    except AddressRefusedError as error:
        raise _Trouble(Reason.BLOCKED_ADDRESS, str(error), final=True) from None
    except (LocationValueError, UnicodeError) as error:
        raise _Trouble(Reason.BAD_ADDRESS, str(error), final=True) from None
    except zlib.error as error:
        raise _Trouble(Reason.DECODE_FAILED, f"transfer: {error}", final=True) from None
    except NewConnectionError as error:
        again = not isinstance(error, NameResolutionError)
        raise _Trouble(Reason.CONNECTION, words(error), again=again) from None
    except SlowError as error:
        if transport.clock() >= transport.deadline.at:
            raise _late(transport) from None
        raise _Trouble(Reason.TIMEOUT, words(error), again=True) from None
    except ProtocolError as error:
        raise _Trouble(broken, words(error), again=True) from None
    except (HTTPError, OSError, ValueError) as error:  # TLS, above all
        raise _Trouble(Reason.CONNECTION, words(error)) from None


def _late(transport: Transport) -> _Trouble:
    return _Trouble(Reason.TIMEOUT, f"not done within {transport.config.deadline_s:g} s")


def _too_large(limit: int) -> _Trouble:
    return _Trouble(Reason.TOO_LARGE, f"more than {limit:,} bytes", final=True)
