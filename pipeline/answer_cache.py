"""Answers of APIs that are still good: on disk, held as their servers say (RFC 9111)."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from io import BytesIO
from pathlib import Path

from cachecontrol.cache import BaseCache
from cachecontrol.controller import CacheController
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from facegan.core.errors import WorkspaceError
from facegan.core.files import write_bytes
from pipeline.connections import target_of

LONGEST_FRESH_S = 7 * 86_400
"""However long a server says: an answer about a collection is looked at again after a week."""
MARKS = ("ETag", "Last-Modified", "Vary")
SECRETS = ("authorization", "cookie")


class CheckedFiles(BaseCache):
    """A file each, which begins with its content's digest: a damaged one is as good as none.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """What was put under `key`."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        digest, value = data[:32], data[32:]
        return value if hashlib.sha256(value).digest() == digest else None

    def set(self, key: str, value: bytes, expires: int | datetime | None = None) -> None:  # noqa: ARG002
        """Put `value` under `key`; where the disk refuses, the next call asks the server again."""
        with contextlib.suppress(WorkspaceError):
            write_bytes(self._path(key), hashlib.sha256(value).digest() + value)

    def delete(self, key: str) -> None:
        """Nothing is under `key` any more."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        return self._folder / name[:2] / name


class AnswerCache:
    """CacheControl's rules over bodies that this program has read and bounded itself.

    Args:
        folder: where the answers lie.
    """

    def __init__(self, folder: Path) -> None:
        self._files = CheckedFiles(folder)
        self._rules = CacheController(self._files, status_codes=(200,))

    def fresh(self, url: str, headers: Mapping[str, str]) -> bytes | None:
        """The body that may be used without asking."""
        request = _request(url, headers)
        kept = self._files.get(request.url or "")
        found = self._rules.cached_request(request)
        if found:
            return found.read()
        if kept is not None and self._files.get(request.url or "") is None:
            # CacheControl drops what is stale and has no ETag, though it may be revalidated.
            self._files.set(request.url or "", kept)
        return None

    def conditions(self, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers that ask whether the answer has changed; empty where there is none."""
        return self._rules.conditional_headers(_request(url, headers))

    def confirm(
        self, url: str, headers: Mapping[str, str], answer: Mapping[str, str], fresh_s: float
    ) -> bytes | None:
        """The body that the server says (304) is still good; None where it is gone meanwhile."""
        request = _request(url, headers)
        said = _stored_headers(answer, fresh_s)
        response = HTTPResponse(b"", said, 304, preload_content=False)
        found = self._rules.update_cached_response(request, response)
        return None if found is response else found.read()

    def store(
        self,
        url: str,
        headers: Mapping[str, str],
        answer: Mapping[str, str],
        body: bytes,
        fresh_s: float,
    ) -> None:
        """Keep a body as its headers allow.

        Args:
            url: what was asked for.
            headers: of the request.
            answer: headers of the answer.
            body: unpacked.
            fresh_s: how long it counts as fresh where the server says nothing.
        """
        request = _request(url, headers)
        if not (said := _stored_headers(answer, fresh_s)):
            self._files.delete(request.url or "")
            return
        response = HTTPResponse(BytesIO(body), said, 200, preload_content=False)
        self._rules.cache_response(request, response, body)


def _request(url: str, headers: Mapping[str, str]) -> PreparedRequest:
    """As CacheControl wants it; a secret in the headers is told apart, not written to disk."""
    request = PreparedRequest()
    request.method, request.url = "GET", target_of(url)[0]._replace(fragment=None).url
    request.headers = CaseInsensitiveDict(
        (name, hashlib.sha256(value.encode()).hexdigest() if name.lower() in SECRETS else value)
        for name, value in headers.items()
    )
    return request


def _stored_headers(answer: Mapping[str, str], fresh_s: float) -> dict[str, str]:
    """The few headers that decide, in a form that cannot be misread; empty: not to be kept."""
    lifetime_s = _lifetime_s(answer, fresh_s)
    if lifetime_s is None:
        return {}
    said = {name: answer.get(name, "").strip() for name in MARKS}
    marks = {name: value for name, value in said.items() if value and value.isprintable()}
    if lifetime_s <= 0 and not {"ETag", "Last-Modified"} & marks.keys():
        return {}
    now = formatdate(time.time(), usegmt=True)
    # Expires alone makes CacheControl keep what is to be revalidated each time.
    return marks | {"Date": now, "Expires": now, "Cache-Control": f"max-age={lifetime_s:.0f}"}


def _lifetime_s(answer: Mapping[str, str], fresh_s: float) -> float | None:
    """Seconds for which an answer is fresh; None: it must not be kept."""
    said = {part.strip().lower() for part in answer.get("Cache-Control", "").split(",")}
    if "no-store" in said:
        return None
    if "no-cache" in said:
        return 0.0
    ages = [part.removeprefix("max-age=") for part in said if part.startswith("max-age=")]
    if ages:
        seconds = float(ages[0]) if ages[0].isascii() and ages[0].isdigit() else 0.0
        return min(seconds, LONGEST_FRESH_S)
    if "Expires" in answer:
        return max(0.0, min(_until_expiry_s(answer), LONGEST_FRESH_S))
    return fresh_s


def _until_expiry_s(answer: Mapping[str, str]) -> float:
    try:
        expires = parsedate_to_datetime(answer["Expires"]).timestamp()
        return expires - parsedate_to_datetime(answer["Date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0.0  # "0" and the like mean: no longer
