"""The web server of `facegan review`: on this machine alone, until Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

from facegan.core.errors import ConfigError, MissingDependencyError
from facegan.core.files import Workspace
from facegan.core.lock import exclusive
from pipeline.review.app import MAX_BODY, create_app
from pipeline.review.desk import Changes, Desk
from pipeline.review.gate import Gate, door

HOST = "127.0.0.1"
THREADS = 8
"""A browser opens six connections to a host."""
CONNECTIONS = 200
"""More wait to be let in. Each is an open file, of which some systems allow a process 256."""
IDLE_S = 10
"""A connection on which nothing is asked for so long is closed, so that others are let in."""


def review(
    workspace: Workspace,
    port: int,
    *,
    on_ready: Callable[[str], None],
    browser: Callable[[str], object] | None = None,
) -> Changes:
    """Serve the page until KeyboardInterrupt; every decision is in the catalog at once.

    No other facegan changes the workspace meanwhile.

    Args:
        workspace: that `facegan crop` has worked in.
        port: to listen at; 0 is a free one.
        on_ready: called with the page's address once it can be asked for.
        browser: called then with the address of a file that leads there, which names no secret.

    Raises:
        MissingDependencyError: Flask or waitress is not here.
        WorkspaceError: there is no catalog, another facegan works in the workspace, or it cannot be
            written.
        NothingProducedError: there are no faces.
        ConfigError: the port cannot be had.
    """
    _require_packages()
    from waitress.server import create_server

    # Its warnings that requests wait for a thread tell a user nothing.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    desk = Desk(workspace)
    with desk, exclusive(workspace), _listening(port) as listener:
        gate = Gate(listener.getsockname()[1])
        app = create_app(desk, gate)
        server = create_server(
            app, sockets=[listener], threads=THREADS, connection_limit=CONNECTIONS,
            channel_timeout=IDLE_S, cleanup_interval=1, max_request_body_size=MAX_BODY, ident=None,
        )  # fmt: skip
        with contextlib.closing(server), contextlib.ExitStack() as stack:
            on_ready(gate.address)
            if browser is not None:
                browser(stack.enter_context(door(workspace, gate)).as_uri())
            server.run()  # returns at KeyboardInterrupt
        return desk.changes()


def _require_packages() -> None:
    try:
        import flask  # noqa: F401
        import waitress  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"the review page needs Flask and waitress: {error}",
            hint="pip install 'facegan[review]', or facegan review --sheet",
        ) from error


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigError(
            f"--port {port} cannot be had: {error.strerror}",
            hint="facegan review --port 0 takes a free one",
        ) from error
