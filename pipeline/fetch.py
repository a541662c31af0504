"""One image from an address that a stranger wrote: bounded in time, bytes, redirects and reach."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse

from facegan.core.records import Outcome, Reason, Status
from pipeline.bodies import read_body
from pipeline.config import ScrapeConfig
from pipeline.connections import redirect_of
from pipeline.headers import ImageInfo, ImageLimits, Rejection, inspect
from pipeline.troubles import Trouble, of_status, told
from pipeline.words import printable

if TYPE_CHECKING:
    from pipeline.http import Transport


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image as it came, and what its header says."""

    data: bytes
    info: ImageInfo
    sha256: str
    ms: float = 0.0
    """Wall time of the download."""


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
        blocked_address, too_many_redirects, too_large, decode_failed, opted_out, robots_txt, and
        `inspect`'s reasons) or failed (http_429, http_5xx, timeout, connection, short_body,
        stopped).
    """
    config, began = transport.config, transport.clock()
    transport.deadline.at = began + config.deadline_s
    attempt = 0
    while True:
        try:
            data = _follow(url, transport)
            return judge(data, config, 1000 * (transport.clock() - began))
        except Trouble as trouble:
            more = trouble.again and attempt < config.retries
            host = trouble.url or url
            if not transport.wait(attempt, host, trouble.http_status, trouble.wished, more=more):
                ms = 1000 * (transport.clock() - began)
                return Outcome(trouble.status, trouble.reason, printable(str(trouble)), ms)
        attempt += 1


def _follow(url: str, transport: Transport) -> bytes:
    """The body behind `url` and its redirects."""
    for _ in range(transport.config.max_redirects + 1):
        _check_scheme(url)
        transport.permissions.check_address(url)
        with told(transport), transport.ask(url, transport.for_images) as answer:
            target = redirect_of(answer, url)
            if target is None:
                return _body(answer, url, transport)
            transport.permissions.check_headers(answer.headers)
        url = target
    text = f"more than {transport.config.max_redirects}, the last to {url}"
    raise Trouble(Reason.TOO_MANY_REDIRECTS, text, final=True)


def _body(answer: BaseHTTPResponse, url: str, transport: Transport) -> bytes:
    if not 200 <= answer.status < 300:
        raise of_status(answer.status, answer.headers.get("Retry-After"), url)
    transport.permissions.check_headers(answer.headers)
    with told(transport, Reason.SHORT_BODY):
        return read_body(answer, transport.config.max_bytes)


def _check_scheme(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Trouble(Reason.BAD_ADDRESS, str(error), final=True) from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Trouble(Reason.BAD_ADDRESS, f"{url[:80]!r} is no http address", final=True)
