"""Who may ask the review page: the secrets of one sitting, and the ways in."""

from __future__ import annotations

import contextlib
import hmac
import html
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facegan.core.files import Workspace, write_error

DOOR = "open-review.html"
"""In the workspace, while the page is served."""


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Gate:
    """Four random secrets of one sitting.

    A browser shows a cookie to every server of a host, whatever its port, but only under the
    cookie's path. Who has the cookie can read the page and the seal in it, so that path is `room`,
    which no other server can lead a browser to.
    """

    port: int
    token: str = field(default_factory=_random)
    """In the address that the terminal shows. It opens the page as often as one likes."""
    room: str = field(default_factory=_random)
    """The first part of every other address. It opens nothing without the cookie."""
    cookie: str = field(default_factory=_random)
    """The cookie's value."""
    seal: str = field(default_factory=_random)
    """The header's value, which changes need: the page knows it."""

    @property
    def origin(self) -> str:
        """Of all addresses."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """To open the page with."""
        return f"{self.origin}/?token={self.token}"

    @property
    def folder(self) -> str:
        """The path that the page and all it asks for lie in."""
        return f"/{self.room}/"

    @property
    def cookie_name(self) -> str:
        """Cookies of other sittings have other names."""
        return f"facegan_review_{self.port}"

    def is_host(self, host: str) -> bool:
        """Whether a request's Host header names this server."""
        return host in {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}

    def is_token(self, given: str | None) -> bool:
        """Whether that is the address's token."""
        return _same(given, self.token)

    def is_cookie(self, given: str | None) -> bool:
        """Whether that is the cookie's value."""
        return _same(given, self.cookie)

    def is_seal(self, given: str | None) -> bool:
        """Whether that is the header's value."""
        return _same(given, self.seal)


def _same(given: str | None, secret: str) -> bool:
    """Compared in constant time."""
    return given is not None and hmac.compare_digest(
        given.encode("utf-8", "replace"), secret.encode()
    )


def leading_to(address: str, icon: str | None = None) -> str:
    """A page that goes to an address at once; `icon` is its own, lest browsers ask for another.

    A redirect by the server would not do: a browser that was sent here by a file or by another
    site's page leaves strict cookies out along the whole chain.
    """
    to = html.escape(address)
    link = "" if icon is None else f'<link rel="icon" href="{html.escape(icon)}">\n'
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>facegan review</title>\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'{link}<meta http-equiv="refresh" content="0; url={to}">\n'
        f'<p><a href="{to}">to the faces</a></p></html>\n'
    )


@contextlib.contextmanager
def door(workspace: Workspace, gate: Gate) -> Iterator[Path]:
    """A file of this user alone that leads to the page; gone at the end of the block.

    A browser's command line, which all users of a machine can read, then names no secret. It lies
    in the workspace because browsers in a sandbox (snap, Flatpak) see no /tmp.

    Raises:
        WorkspaceError: it cannot be written.
    """
    path = workspace.root.absolute() / DOOR
    try:
        path.unlink(missing_ok=True)  # of a sitting that was killed
        # Not through a link, nor into a file that somebody else holds open.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(leading_to(gate.address))
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
