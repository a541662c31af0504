"""Ctrl-C and SIGTERM as a question that stages ask: once finishes the item, twice stops."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def default_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt, whatever handlers stand."""
    with _handlers(signal.default_int_handler):
        yield


@contextlib.contextmanager
def stop_on_signals(on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Yield `should_stop`, which turns true at the first SIGINT or SIGTERM.

    The second one raises KeyboardInterrupt. The handlers that stood before are put back at the end.

    Args:
        on_first: called in the handler at the first signal; tells the user what happens now.
    """
    stopping = False

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        on_first()

    with _handlers(handle):
        yield lambda: stopping


@contextlib.contextmanager
def _handlers(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Set the handler of both signals for the block."""
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
