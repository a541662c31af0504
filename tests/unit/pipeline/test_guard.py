import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import guard
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.guard import AddressGuard, AddressRefusedError, is_public, literal
from pipeline.http import Transport
from tests.servers import pictures

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address):
    assert not is_public(address)
    with pytest.raises(AddressRefusedError, match=r"intranet\.example is"):
        AddressGuard(resolver=lambda *_: [address]).addresses("intranet.example", 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address):
    assert AddressGuard(resolver=lambda *_: [address]).addresses("example.org", 80) == [address]


CARRIERS = {
    "mapped": lambda ip: (0xFFFF << 32) | ip,
    "compatible": lambda ip: ip,
    "translated": lambda ip: (0xFFFF << 48) | ip,
    "NAT64": lambda ip: (0x64FF9B << 96) | ip,
    "NAT64, local": lambda ip: (0x64FF9B0001 << 80) | ip,
    "NAT64, local, /48": lambda ip: (0x64FF9B0001 << 80) | (ip >> 16 << 64) | ((ip & 0xFFFF) << 40),
    "6to4": lambda ip: (0x2002 << 112) | (ip << 80),
    "Teredo": lambda ip: (0x20010000 << 96) | (ip ^ 0xFFFFFFFF),
}
"""IPv6 forms that carry an IPv4 address: RFC 4291, 2765, 6052, 8215, 3056, 4380."""
NETS = [
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")
]


@pytest.mark.parametrize("carry", CARRIERS.values(), ids=CARRIERS.keys())
@given(private=st.one_of(st.ip_addresses(v=4, network=net) for net in NETS))
def test_private_address_in_an_ipv6_address_is_refused(carry, private):
    carrier = ipaddress.IPv6Address(carry(int(private)))
    assert not is_public(str(carrier))
    assert not is_public(f"{carrier}%eth0")


def test_one_private_address_among_public_ones_is_refused():
    mixed = AddressGuard(resolver=lambda *_: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1"):
        mixed.addresses("example.org", 80)


def test_allowed_host_counts_by_name_and_port():
    both = AddressGuard([("my.lan", 8080), ("any.lan", None)], lambda *_: ["10.0.0.1"])
    assert both.addresses("My.Lan.", 8080) == ["10.0.0.1"]
    assert both.addresses("any.lan", 99) == ["10.0.0.1"]
    for host, port in (("my.lan", 80), ("x.my.lan", 8080), ("10.0.0.1", 8080)):
        with pytest.raises(AddressRefusedError):
            both.addresses(host, port)


def test_numbers_that_mean_loopback_are_seen_through():
    for host in ("2130706433", "0x7f000001", "127.1", "0"):
        found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
        numeric = [str(entry[4][0]) for entry in found]
        with pytest.raises(AddressRefusedError):
            AddressGuard(resolver=lambda *_, found=numeric: found).addresses(host, 80)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::1%eth0", "::1"),
        ("LocalHost.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.1", "127.0.0.1"),
        ("8.8.8.8", "8.8.8.8"),
        ("example.org", None),
        ("1.example.org", None),
        ("", None),
        ("\0", None),
        ("ä.example", None),
    ],
)
def test_address_that_a_name_spells_out_is_known_without_a_resolver(host, address):
    assert literal(host) == address


def test_address_in_the_url_is_judged_where_a_proxy_resolves():
    judging = AddressGuard([("10.0.0.1", 80)], lambda *_: ["8.8.8.8"])
    for host in ("10.0.0.1", "8.8.8.8", "example.org"):
        judging.check_literal(host, 80)
    for host, port in (("10.0.0.1", 81), ("[fd00::1]", 80), ("0x0a000001", 80)):
        with pytest.raises(AddressRefusedError):
            judging.check_literal(host, port)


def test_the_address_that_was_checked_is_the_one_that_is_connected(monkeypatch):
    """A name that is public when it is judged and private when it is asked again."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected = []
    real = guard.create_connection
    with Gallery(pictures(1)) as gallery:
        port = int(gallery.host.rpartition(":")[2])

        def connect(address, *rest):
            connected.append(address)
            return real(("127.0.0.1", port), *rest)

        monkeypatch.setattr(guard, "create_connection", connect)
        config = ScrapeConfig("a", retries=0)
        with Transport(config, resolver=lambda *_: next(answers)) as transport:
            url = f"http://rebind.example:{port}/pictures/0000.jpg"
            close = {"Connection": "close"}
            answer = transport.pools.request("GET", url, headers=close, retries=False)
            assert answer.status == 200
            assert connected == [("93.184.215.14", port)]
            transport.pools.clear()
            with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.1"):
                transport.pools.request("GET", url, retries=False)
            assert len(connected) == 1
