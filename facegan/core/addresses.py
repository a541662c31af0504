"""When two addresses are one, and which host they are of."""

from __future__ import annotations

import re
import string
from urllib.parse import SplitResult, quote, urlsplit

_ENCODED = re.compile("%([0-9A-Fa-f]{2})")
_PLAIN = frozenset(string.ascii_letters + string.digits + "-._~")
"""What means the same with and without percent-encoding (RFC 3986, 2.3)."""
_KEPT = "%" + string.punctuation
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_USUAL_PORTS = (None, 80, 443)
_LONGEST_HOST = 253
"""Letters that DNS allows."""


def host_of(url: str) -> str:
    """The host of an address, in small letters; empty where it has none.

    >>> host_of("https://Example.org:8080/a.jpg"), host_of("portrait:0/1?size=64")
    ('example.org', '')
    >>> host_of("https://m\u00fcller.example/")
    'xn--mller-kva.example'
    """
    parts = _split(url)
    return _host(parts) if parts else ""


def is_below(host: str, other: str) -> bool:
    """Whether a host is `other` or stands below it.

    >>> is_below("img.example.org", "example.org"), is_below("badexample.org", "example.org")
    (True, False)
    """
    return other in hosts_above(host)


def hosts_above(host: str) -> list[str]:
    """The host and those above it; of a number, or of what is too long for DNS, itself alone.

    >>> hosts_above("a.example.org"), hosts_above("127.0.0.1"), hosts_above("")
    (['a.example.org', 'example.org', 'org'], ['127.0.0.1'], [])
    """
    if not host or len(host) > _LONGEST_HOST or _is_number(host):
        return [host] if host else []
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def plain_address(url: str) -> str:
    """What is the same for addresses of the same thing; a web address loses its scheme.

    Without fragment, usual port and needless percent-encoding, the host in small letters.

    >>> plain_address("HTTP://Example.org:80/%7Eada/a b.jpg#top")
    '//example.org/~ada/a%20b.jpg'
    >>> plain_address("portrait:0/1?size=64")
    'portrait:0/1?size=64'
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not (host := _host(parts)):
        return url
    port = "" if parts.port in _USUAL_PORTS else f":{parts.port}"
    query = f"?{_encoded(parts.query)}" if parts.query else ""
    return f"//{host}{port}{_encoded(parts.path or '/')}{query}"


def without_user(text: str) -> str:
    """Text whose addresses name no user and no password.

    >>> without_user("https://ada:secret@example.org/a@b.jpg")
    'https://example.org/a@b.jpg'
    """
    return _USER.sub("", text)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no number
    except ValueError:
        return None
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        return host


def _is_number(host: str) -> bool:
    """An IP address, whose end is no host above it."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _encoded(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        letter = chr(int(found[1], 16))
        return letter if letter in _PLAIN else found[0].upper()

    return _ENCODED.sub(plain, quote(text, safe=_KEPT, errors="replace"))
