"""What connections raise and servers say, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from urllib3.exceptions import (
    IncompleteRead,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)
from urllib3.exceptions import TimeoutError as SlowError
from urllib3.util import Retry


def retry_after_s(text: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; None where it holds neither.

    >>> retry_after_s("3"), retry_after_s("soon"), retry_after_s(None)
    (3.0, None, None)
    """
    if text is None:
        return None
    try:
        return float(Retry().parse_retry_after(text))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def printable(text: str, letters: int = 300) -> str:
    r"""What a server may have had a hand in, fit for a terminal and for the catalog.

    >>> printable("a\x1b[31m\0b", 8)
    'a�[31m�b'
    """
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:letters])


def words(error: BaseException) -> str:
    """What a connection raised, in words; urllib3 wraps one error in another."""
    for inner in _chain(error):
        if isinstance(inner, NameResolutionError):
            return "the name has no address"
        if isinstance(inner, NewConnectionError) and isinstance(inner.__cause__, OSError):
            return inner.__cause__.strerror or str(inner.__cause__)
        if isinstance(inner, SlowError | TimeoutError):
            return "no answer in time"
        if isinstance(inner, IncompleteRead):
            return f"the answer broke off after {inner.args[0]} bytes"
        innermost = inner
    return str(innermost)


def is_proxys(error: BaseException) -> bool:
    """Whether it is the proxy that cannot be reached or refuses."""
    return any(isinstance(inner, ProxyError) for inner in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those inside it, from the outermost to the innermost."""
    while True:
        yield error
        inner = [*error.args, getattr(error, "reason", None)]
        nested = [part for part in inner if isinstance(part, BaseException)]
        if not nested:
            return
        error = nested[-1]


def proxy_name(proxy: str) -> str:
    """A proxy's address without its password.

    >>> proxy_name("http://me:secret@127.0.0.1:3128")
    'http://127.0.0.1:3128'
    """
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
