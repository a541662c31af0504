"""No test sees the caller's settings, and none reaches beyond this machine."""

import contextlib
import ipaddress
import os
import socket

import pytest


class NetworkReachedError(BaseException):
    """A test asked for an address beyond loopback; no `except Exception` hides it."""


def _check(address):
    if not isinstance(address, tuple):  # a Unix socket's path
        return
    host = address[0]
    if host not in {"", "localhost"} and not _is_loopback(host):
        raise NetworkReachedError(f"tests stay on this machine, but {address} was asked for")


def _is_loopback(host):
    try:
        ip = ipaddress.ip_address(host)
        return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
    except ValueError:  # 127.1 and 2130706433 are forms of 127.0.0.1
        with contextlib.suppress(OSError):
            return socket.inet_aton(host)[0] in {0, 127}
    return False


def _guarded(method):
    def call(self, address, *rest):
        _check(address)
        return method(self, address, *rest)

    return call


def _guarded_lookup(host, port, *args, **options):
    if host is not None:
        name = host if isinstance(host, bytes) else host.encode("idna")  # UnicodeError, as ever
        _check((name.decode(), port))
    return _lookup(host, port, *args, **options)


_lookup = socket.getaddrinfo


@pytest.fixture(scope="session", autouse=True)
def closed_world():
    """Without FACEGAN_* and proxy variables; sockets connect to loopback alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("FACEGAN_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup)
        yield
