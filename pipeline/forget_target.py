"""What `facegan forget` is asked for: an address, a host, a hash or a query, told by its shape.

The path of a file is the `file://` address under which the source folder has brought it in.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from facegan.core.addresses import host_of, without_user
from facegan.core.errors import ConfigError, WorkspaceError
from facegan.core.forget_tables import HOST, QUERY, SHA256, URL
from facegan.core.settings import nearest
from facegan.core.taking_out import TakingOut
from pipeline.sources.text import showable

SHOWN = 5
"""Search terms in a hint."""
COMPARED = 1000
"""Addresses of a host of which the nearest is looked for."""
KINDS = (URL, SHA256, HOST, QUERY)
WORDS = {URL: "an address", SHA256: "a hash", HOST: "a host", QUERY: "a search term"}
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|portrait:\d", re.IGNORECASE)
HASH = re.compile(r"[0-9a-fA-F]{8,64}")
PATH = re.compile(r"(?:.*/)?([0-9a-fA-F]{64})\.\w+")
"""A file of the workspace: its name is its hash."""
OWN_PATH = re.compile(r"~?/|\.\.?/")
"""A file of this machine, here or not: how its path begins."""
HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)+\.?(:\d+)?|\[[0-9a-fA-F:.]+\]:\d+")
BARE_ADDRESS = re.compile(
    r"(?:[\w-]+(?:\.[\w-]+)+\.?(?::\d+)?|[\w-]+:\d+|\[[0-9a-fA-F:.]+\](?::\d+)?)/\S*"
)
"""One without its scheme: what stands before the first slash has a dot or a port."""


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
    >>> [kind_of(text) for text in ("localhost:8000/x.jpg", f"images/4f/{'4f' * 32}.jpg")]
    ['url', 'sha256']
    >>> [kind_of(text) for text in ("/home/ada/me.jpg", "../me.jpg", "~/me.jpg")]
    ['url', 'url', 'url']
    """
    if ADDRESS.match(text):
        return URL
    if HASH.fullmatch(text) or PATH.fullmatch(text):
        return SHA256
    if OWN_PATH.match(text) or BARE_ADDRESS.fullmatch(text):
        return URL
    return HOST if HOST_NAME.fullmatch(text) or _is_ip(text) else QUERY


def target_of(text: str, kind: str | None, taking: TakingOut) -> Target:
    """Find out what is meant.

    Args:
        text: as it was typed.
        kind: one of KINDS; None goes by the shape.
        taking: the open catalog.

    Raises:
        ConfigError: it is of no such kind, or could be two things, or many hosts.
        WorkspaceError: the catalog knows no such query or hash, or nothing of an address or a host
            that nobody has called one.
    """
    if kind in {None, URL} and (own := _own_file(text, taking)):
        if kind is None and taking.has_query(text):
            raise _could_be_both(text, URL)
        text = own
    text = text.strip()
    if not text or text != text.encode("utf-8", "replace").decode() or "\0" in text:
        raise ConfigError(f"cannot forget {text!r}: text in UTF-8 is needed")
    shape = kind or kind_of(text)
    if kind is None and shape != QUERY and taking.has_query(text):
        raise _could_be_both(text, shape)
    find = {URL: _url, SHA256: _sha256, HOST: _host, QUERY: _query}[shape]
    target = Target(shape, find(text, taking))
    if kind is None and not _is_here(target, taking):
        raise _unknown(text, target, taking)
    return target


def _could_be_both(text: str, shape: str) -> ConfigError:
    return ConfigError(
        f"{text!r} can be {WORDS[shape]} or a search term",
        hint=f"say which: --as {shape}, or --as query",
    )


def _own_file(text: str, taking: TakingOut) -> str | None:
    """The address of a file of this machine, or of one that was, where the catalog knows it."""
    if ADDRESS.match(text) or "\0" in text or not (os.sep in text or os.path.lexists(text)):
        return None
    return next((url for url in _addresses_of_file(text) if taking.has_address(url)), None)


def _addresses_of_file(text: str) -> tuple[str, ...]:
    """The source folder's address of a path, which goes through no link; and the path's own."""
    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111
    return Path(os.path.realpath(path.parent), path.name).as_uri(), path.as_uri()


def _is_here(target: Target, taking: TakingOut) -> bool:
    """Whether something came from it, or was taken out that did."""
    if target.kind == URL:
        here = taking.known_address(target.value) is not None
    else:
        here = target.kind != HOST or taking.has_host(target.value)
    return here or taking.is_barred(target.kind, target.value)


def _unknown(text: str, target: Target, taking: TakingOut) -> WorkspaceError:
    """For an address or a host that is one by its shape alone; the nearest that is known."""
    if target.kind == HOST:
        return WorkspaceError(
            f"nothing here came from {text}, which looks like a host",
            hint="--as host bars it all the same; a search term takes --as query",
        )
    host = host_of(target.value)
    known = taking.addresses_of(host, COMPARED)
    if not known and (other := nearest(host, taking.hosts())):
        known = taking.addresses_of(other, COMPARED)
    guess = nearest(target.value, known)
    meant = f"; the nearest is {without_user(showable(guess) or '')}" if guess else ""
    return WorkspaceError(
        f"nothing here came from {text}{meant}", hint="--as url bars it all the same"
    )


def _url(text: str, taking: TakingOut) -> str:
    if OWN_PATH.match(text):
        return _addresses_of_file(text)[0]
    url = text if ADDRESS.match(text) else f"https://{text}"
    if not (ADDRESS.match(text) or BARE_ADDRESS.fullmatch(text)):
        raise ConfigError(
            f"{text!r} is no address",
            hint="name one such as https://example.org/ada.jpg, or a file such as ./ada.jpg",
        )
    return url if url == text else taking.known_address(url) or url


def _host(text: str, taking: TakingOut) -> str:
    bracketed = f"[{text}]" if ":" in text and _is_ip(text) else text
    address = text if ADDRESS.match(text) else f"//{bracketed}"
    host = host_of(address)
    if not (re.fullmatch(r"[\w.-]+", host) or _is_ip(host)):
        raise ConfigError(f"{text!r} is no host", hint="name one such as example.org")
    if urlsplit(address).port is not None:
        raise ConfigError(
            f"{text!r} names a port, and ports are not told apart: all of {host} would go",
            hint=f"facegan forget {host} --as host",
        )
    if not ("." in host or _is_ip(host) or taking.has_host(host, below=False)):
        raise ConfigError(
            f"{host!r} would be all hosts that end so", hint="name one such as example.org"
        )
    return host


def _sha256(text: str, taking: TakingOut) -> str:
    named = PATH.fullmatch(text)
    prefix = (named[1] if named else text).lower()
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
        hint=f"searched for here: {some or 'nothing yet'}; an address begins with https://, the"
        " path of a file of your own with / or ./",
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
