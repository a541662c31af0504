"""What `facegan forget` is asked for: an address, a host, a hash or a query, told by its shape."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from facegan.core.addresses import host_of
from facegan.core.errors import ConfigError, WorkspaceError
from facegan.core.forget_tables import HOST, QUERY, SHA256, URL
from facegan.core.settings import nearest
from facegan.core.taking_out import TakingOut

SHOWN = 5
"""Search terms in a hint."""
KINDS = (URL, SHA256, HOST, QUERY)
WORDS = {URL: "address", SHA256: "hash", HOST: "host", QUERY: "search term"}
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|portrait:\d", re.IGNORECASE)
HASH = re.compile(r"[0-9a-fA-F]{8,64}")
HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)+\.?(:\d+)?")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be forgotten."""

    kind: str
    """One of KINDS."""
    value: str
    """As the catalog has it: a host in small letters, a hash whole."""


def kind_of(text: str) -> str:
    """What a text is by its shape.

    >>> [kind_of(text) for text in ("https://a.example/x", "a.example", "4f2a0c11", "an artist")]
    ['url', 'host', 'sha256', 'query']
    """
    if ADDRESS.match(text):
        return URL
    if HASH.fullmatch(text):
        return SHA256
    return HOST if HOST_NAME.fullmatch(text) or _is_ip(text) else QUERY


def target_of(text: str, kind: str | None, taking: TakingOut) -> Target:
    """Find out what is meant.

    Args:
        text: as it was typed.
        kind: one of KINDS; None goes by the shape.
        taking: the open catalog.

    Raises:
        ConfigError: it is of no such kind, or could be two things, or many hosts.
        WorkspaceError: the catalog knows no such query or hash, or nothing of a host that nobody
            has called one.
    """
    text = text.strip()
    if not text or text != text.encode("utf-8", "replace").decode() or "\0" in text:
        raise ConfigError(f"cannot forget {text!r}: text in UTF-8 is needed")
    shape = kind or kind_of(text)
    if kind is None and shape != QUERY and taking.has_query(text):
        raise ConfigError(
            f"{text!r} can be a {WORDS[shape]} or a search term",
            hint=f"say which: --as {shape}, or --as query",
        )
    find = {URL: _url, SHA256: _sha256, HOST: _host, QUERY: _query}[shape]
    target = Target(shape, find(text, taking))
    if kind is None and shape == HOST and not taking.has_host(target.value):
        raise WorkspaceError(
            f"nothing here came from {text}, which looks like a host",
            hint="--as host bars it all the same; a search term takes --as query",
        )
    return target


def _url(text: str, taking: TakingOut) -> str:  # noqa: ARG001
    return text


def _host(text: str, taking: TakingOut) -> str:
    bracketed = f"[{text}]" if ":" in text and _is_ip(text) else text
    host = host_of(text if ADDRESS.match(text) else f"//{bracketed}")
    if not (re.fullmatch(r"[\w.-]+", host) or _is_ip(host)):
        raise ConfigError(f"{text!r} is no host", hint="name one such as example.org")
    if not ("." in host or _is_ip(host) or taking.has_host(host, below=False)):
        raise ConfigError(
            f"{host!r} would be all hosts that end so", hint="name one such as example.org"
        )
    return host


def _sha256(text: str, taking: TakingOut) -> str:
    prefix = text.lower()
    if not HASH.fullmatch(prefix):
        raise ConfigError(
            f"{text!r} is no SHA-256", hint="8 hexadecimal digits at least, 64 at most"
        )
    found = taking.hashes(prefix)
    if len(found) > 1:
        some = " and ".join(sha256[: len(prefix) + 8] + "…" for sha256 in found[:2])
        raise ConfigError(
            f"several hashes begin with {text}, {some}", hint="type more of its digits"
        )
    if not found and len(prefix) < 64:
        raise WorkspaceError(
            f"no image and no face has a hash that begins with {text}",
            hint="type all 64 digits to keep an image out that is not here yet",
        )
    return found[0] if found else prefix


def _query(text: str, taking: TakingOut) -> str:
    if taking.has_query(text):
        return text
    known = taking.queries()
    guess = nearest(text, known)
    meant = f"; the nearest is {guess!r}" if guess else ""
    some = ", ".join(map(repr, known[:SHOWN])) + (", …" if len(known) > SHOWN else "")
    raise WorkspaceError(
        f"nothing was searched for as {text!r}{meant}",
        hint=f"searched for here: {some or 'nothing yet'}; an address begins with https://",
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
