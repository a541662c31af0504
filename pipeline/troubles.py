"""Why there are no bytes, as outcomes name it."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
)
from urllib3.exceptions import TimeoutError as SlowError

from facegan.core.records import Reason, Status
from pipeline.bodies import TooLargeError
from pipeline.connections import Connections, is_transient
from pipeline.guard import AddressRefusedError
from pipeline.manners import BusyHostError, StoppedError
from pipeline.words import words

REASON_OF_STATUS = {
    403: Reason.HTTP_403,
    404: Reason.HTTP_404,
    410: Reason.HTTP_410,
    429: Reason.HTTP_429,
}


class Trouble(Exception):  # noqa: N818 - expected, and caught by whoever reads
    """Why there are no bytes: final (rejected) or not, and whether to try again at once."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        final: bool = False,
        again: bool = False,
        http_status: int | None = None,
        wished: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = Status.REJECTED if final else Status.FAILED
        self.reason = reason
        self.final = final
        self.again = again and not final
        self.http_status = http_status
        self.wished = wished
        """The server's Retry-After."""
        self.url = url
        """Who answered, after redirects."""


def of_status(status: int, wished: str | None, url: str) -> Trouble:
    """What an HTTP status that is no success means."""
    again = is_transient(status)
    reason = REASON_OF_STATUS.get(status)
    if reason is None:
        reason = Reason.HTTP_5XX if status >= 500 else Reason.HTTP_4XX
    return Trouble(
        reason,
        f"HTTP {status}",
        final=not again,
        again=again,
        http_status=status,
        wished=wished,
        url=url,
    )


@contextlib.contextmanager
def told(connections: Connections, broken: Reason = Reason.CONNECTION) -> Iterator[None]:
    """Turn what connections raise into a Trouble; `broken` names a connection that breaks off."""
    try:
        yield
    except AddressRefusedError as error:
        raise Trouble(Reason.BLOCKED_ADDRESS, str(error), final=True) from None
    except StoppedError as error:
        raise Trouble(Reason.STOPPED, str(error)) from None
    except BusyHostError as error:
        raise Trouble(Reason.HTTP_429, str(error)) from None
    except TooLargeError as error:
        raise Trouble(Reason.TOO_LARGE, str(error), final=True) from None
    except (LocationValueError, UnicodeError) as error:
        raise Trouble(Reason.BAD_ADDRESS, str(error), final=True) from None
    except zlib.error as error:
        raise Trouble(Reason.DECODE_FAILED, f"transfer: {error}", final=True) from None
    except (HTTPError, OSError, ValueError) as error:
        raise _of_connection(error, connections, broken) from None


def _of_connection(error: Exception, connections: Connections, broken: Reason) -> Trouble:
    if isinstance(error, ProxyError):
        return Trouble(Reason.CONNECTION, connections.told(error), again=True)
    if isinstance(error, NewConnectionError):
        again = not isinstance(error, NameResolutionError)
        return Trouble(Reason.CONNECTION, words(error), again=again)
    if isinstance(error, SlowError):
        if connections.clock() >= connections.deadline.at:
            return late(connections)
        return Trouble(Reason.TIMEOUT, words(error), again=True)
    if isinstance(error, ProtocolError):
        return Trouble(broken, words(error), again=True)
    return Trouble(Reason.CONNECTION, words(error))  # TLS, above all


def late(connections: Connections) -> Trouble:
    """The image's deadline has passed."""
    return Trouble(Reason.TIMEOUT, f"not done within {connections.config.deadline_s:g} s")
