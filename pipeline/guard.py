"""Connections that are safe to point at addresses which strangers wrote.

Every connection, also of each redirect, is made to an address that was checked just before: the
name is resolved once, its addresses are judged, and one of those very addresses is connected. A
name that resolves differently the second time gains nothing. The environment's proxies and netrc
are not used; with a proxy that was named on purpose, the check rests on that proxy. An answer has
an overall deadline, which also holds while its header drips in.
"""

from __future__ import annotations

import contextlib
import functools
import io
import ipaddress
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from http.client import HTTPResponse
from typing import Any, ClassVar, cast
from urllib.parse import unquote

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import make_headers, parse_url
from urllib3.util.connection import create_connection

HOSTS_KEPT_OPEN = 64
BUFFER_BYTES = 64 * 1024

Resolver = Callable[[str, int], list[str]]
"""(host, port) -> numeric addresses; raises socket.gaierror."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        "192.0.0.0/24",  # protocol assignments, and one cloud's metadata
        "168.63.129.16/32",  # another cloud's metadata, on a public address
        "fec0::/10",  # site-local, which Python counts as public
        "::/96",  # an IPv4 address in IPv6, as it was once written
        "::ffff:0:0:0/96",  # an IPv4 address that is translated (SIIT)
        "64:ff9b:1::/48",  # a network's own NAT64, which leads into it
    )
)


class AddressRefusedError(Exception):
    """A host's address is not public and the host is not allowed by name."""

    def __init__(self, host: str, address: str) -> None:
        which = "" if host == address else f"{address}, which is "
        super().__init__(f"{host} is {which}not a public address")
        self.host = host


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the open internet.

    Private, loopback, link-local, shared, multicast, reserved and metadata addresses are not, nor
    are IPv6 forms that carry such an IPv4 address.

    >>> [is_public(a) for a in ("8.8.8.8", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in NEVER)


def literal(host: str) -> str | None:
    """The address that a host's name spells out, in any form that resolvers know, or None.

    >>> literal("[::1]"), literal("0x7f.1"), literal("a.localhost"), literal("example.org")
    ('::1', '127.0.0.1', '127.0.0.1', None)
    """
    name = host.lower().rstrip(".").strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name.partition("%")[0]))
    with contextlib.suppress(OSError, ValueError):
        return socket.inet_ntoa(socket.inet_aton(name))
    return None


def system_resolver(host: str, port: int) -> list[str]:
    """The numeric addresses of a name, as the system gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressGuard:
    """Resolves names and refuses those that lead into private networks.

    Args:
        allowed: (host, port) each, the port None for any: hosts whose address is not judged.
        resolver: turns a name into numeric addresses.
    """

    def __init__(
        self,
        allowed: Iterable[tuple[str, int | None]] = (),
        resolver: Resolver = system_resolver,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._resolver = resolver

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that may be connected, each of them judged.

        Raises:
            AddressRefusedError: one of them is not public.
            socket.gaierror: the name has none.
        """
        found = self._resolver(host, port)
        if not self._is_allowed(host, port):
            for address in found:
                if not is_public(address):
                    raise AddressRefusedError(host, address)
        return found

    def check_literal(self, host: str, port: int) -> None:
        """Judge a host that is an address itself, where a proxy will do the resolving.

        Raises:
            AddressRefusedError: it is not public.
        """
        address = literal(host)
        if address and not self._is_allowed(host, port) and not is_public(address):
            raise AddressRefusedError(host.strip("[]"), address)

    def _is_allowed(self, host: str, port: int) -> bool:
        name = host.lower().rstrip(".").strip("[]")
        return bool({(name, port), (name, None)} & self._allowed)


class Deadline(threading.local):
    """The time on `clock` at which the answers that this thread reads must be there."""

    at: float = math.inf


class Guarded(HTTPConnection):
    """A connection that asks a guard where to connect; subclassed with both filled in."""

    guard: ClassVar[AddressGuard]

    def _new_conn(self) -> socket.socket:
        host, port = self._dns_host.strip("[]"), self.port or self.default_port
        try:
            return self._connect(self.guard.addresses(host, port), port)
        except UnicodeError:
            raise LocationParseError(f"{host!r} is no host name") from None
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            text = f"no connection to {host} within {self.timeout} s"
            raise ConnectTimeoutError(self, text) from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {host}: {error}") from error

    def _connect(self, addresses: list[str], port: int) -> socket.socket:
        trouble = OSError("the name has no address")
        for address in addresses:
            try:
                return create_connection(
                    (address, port), self.timeout, self.source_address, self.socket_options
                )
            except OSError as error:
                trouble = error
        raise trouble


class GuardedTls(Guarded, HTTPSConnection):
    """The same with TLS; the certificate is checked against the name, not the address."""


class TimedReader(io.RawIOBase):
    """A socket's bytes until the thread's deadline, however slowly they drip."""

    def __init__(self, sock: socket.socket, deadline: Deadline, clock: Callable[[], float]) -> None:
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open
        self._sock = sock
        self._deadline = deadline
        self._clock = clock
        timeout_s = sock.gettimeout()
        self._timeout_s = math.inf if timeout_s is None else timeout_s

    def makefile(self, _: str) -> io.BufferedReader:
        """All that http.client wants of a socket."""
        return io.BufferedReader(self, BUFFER_BYTES)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As a socket's, with no more patience than is left."""
        left = self._deadline.at - self._clock()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        if left < self._timeout_s:
            self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        """Give the socket back."""
        self._raw.close()
        super().close()


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """One for all connections: reading the certificates takes some 20 ms."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


def guarded_pools(
    guard: AddressGuard,
    deadline: Deadline,
    *,
    connections: int,
    clock: Callable[[], float] = time.monotonic,
    proxy: str | None = None,
) -> PoolManager:
    """Connection pools by host whose every connection asks `guard`.

    Args:
        guard: says which addresses may be connected.
        deadline: until when each thread reads.
        connections: kept open to one host.
        clock: seconds; what `deadline` is measured on.
        proxy: address of an http or https proxy, to which all connections go then; it resolves the
            names, so `guard` is not asked.
    """

    class Answer(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            reader = TimedReader(sock, deadline, clock)
            super().__init__(cast(socket.socket, reader), *args, **options)

    plain, tls = (HTTPConnection, HTTPSConnection) if proxy else (Guarded, GuardedTls)
    ours = {"response_class": Answer, "guard": guard}

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = type("Plain", (plain,), ours)

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = type("Tls", (tls,), ours)

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, ssl_context=_tls_context(), **options)

    room: dict[str, Any] = {"num_pools": HOSTS_KEPT_OPEN, "maxsize": connections}
    manager = _proxied(proxy, room) if proxy else PoolManager(**room)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
    return manager


def _proxied(proxy: str, room: dict[str, Any]) -> PoolManager:
    user = parse_url(proxy).auth
    headers = make_headers(proxy_basic_auth=unquote(user)) if user else None
    return ProxyManager(proxy, proxy_headers=headers, proxy_ssl_context=_tls_context(), **room)
