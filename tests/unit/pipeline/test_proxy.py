"""--proxy: used for everything where it is set; nothing else is ever used as one."""

import socket

import pytest

from facegan.core.errors import SourceError
from facegan.core.records import Reason, Status
from pipeline.config import ScrapeConfig
from pipeline.fetch import Fetched, fetch_image
from pipeline.http import Transport
from tests import servers

PICTURE = servers.picture(1)


class Proxy(servers.Site):
    """Answers for every host itself; refuses to open tunnels."""

    def __init__(self, faults):
        super().__init__(faults)
        outer = self

        class Handler(servers.SiteHandler):
            def __init__(self, *args):
                super().__init__(outer, *args)

            def do_CONNECT(self):
                outer.seen.append(servers.Seen(self.requestline, self.headers, b""))
                self.answer(403, b"no tunnels")

        self._server.RequestHandlerClass = Handler


def transport_through(proxy, **options):
    def resolver(*_):
        raise AssertionError("the proxy resolves names")

    options = {"retries": 0} | options
    config = ScrapeConfig("a", proxy=proxy, **options)
    return Transport(config, resolver=resolver, sleep=lambda _: None)


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_images_pages_and_answers_go_through_the_proxy():
    faults = {"/p.jpg": servers.serve(PICTURE), "/api": servers.text("1")}
    with Proxy(faults) as proxy, transport_through(proxy.base_url) as transport:
        assert isinstance(fetch_image("http://a.example/p.jpg?w=1#top", transport), Fetched)
        assert transport.json("http://b.example:8000/api") == 1
        assert transport.page("http://b.example:8000/api") == "1"
        told = [request.line.split()[1] for request in proxy.seen]
        hosts = [request.headers["Host"] for request in proxy.seen]
    assert told == [
        "http://a.example/robots.txt",
        "http://a.example/.well-known/tdmrep.json",
        "http://a.example/p.jpg?w=1",
        "http://b.example:8000/api",
        "http://b.example:8000/api",
    ]
    assert hosts[-1] == "b.example:8000"
    assert hosts[2] == "a.example"


def test_tunnel_is_asked_for_where_the_image_is_encrypted():
    with Proxy({}) as proxy, transport_through(proxy.base_url, robots_txt=False) as transport:
        outcome = fetch_image("https://a.example/p.jpg", transport)
        assert proxy.seen[0].line.startswith("CONNECT a.example:443 HTTP/1.")
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.CONNECTION)
    assert "403" in outcome.detail


def test_password_of_the_proxy_is_sent_to_it_alone_and_never_told(closed_port):
    with Proxy({"/p.jpg": servers.serve(PICTURE)}) as proxy:
        address = proxy.base_url.replace("http://", "http://me:p%40ss@")
        with transport_through(address) as transport:
            assert isinstance(fetch_image("http://a.example/p.jpg", transport), Fetched)
        assert proxy.seen[0].headers["Proxy-Authorization"] == "Basic bWU6cEBzcw=="
        assert proxy.seen[0].headers["Authorization"] is None
    with transport_through(f"http://me:secret@127.0.0.1:{closed_port}") as transport:
        with pytest.raises(SourceError) as caught:
            transport.page("http://a.example/")
        outcome = fetch_image("http://a.example/p.jpg", transport)
    assert "secret" not in str(caught.value) + outcome.detail


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_dead_proxy_is_named_not_the_host(closed_port, scheme):
    dead = f"http://127.0.0.1:{closed_port}"
    with transport_through(dead) as transport:
        with pytest.raises(SourceError, match=f"cannot reach the proxy {dead}: ") as caught:
            transport.page(f"{scheme}://a.example/")
        outcome = fetch_image(f"{scheme}://a.example/p.jpg", transport)
    assert "--proxy" in caught.value.hint
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.CONNECTION)
    assert f"the proxy {dead}" in outcome.detail
    assert "refused" in outcome.detail


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0x7f.1", "2130706433", "a.localhost"],
)
def test_private_address_in_the_url_is_refused_with_a_proxy_too(host):
    with Proxy({"/p.jpg": servers.serve(PICTURE)}) as proxy:
        with transport_through(proxy.base_url) as transport:
            outcome = fetch_image(f"http://{host}/p.jpg", transport)
            redirect = servers.redirect(f"http://{host}/p.jpg")
            proxy.faults["/q.jpg"] = redirect
            redirected = fetch_image("http://a.example/q.jpg", transport)
        assert outcome.reason is redirected.reason is Reason.BLOCKED_ADDRESS
        assert proxy.requests[f"http://{host}/p.jpg"] == 0


def test_private_address_that_is_allowed_goes_through_the_proxy():
    with Proxy({"/p.jpg": servers.serve(PICTURE)}) as proxy:
        transport = transport_through(proxy.base_url, allow_hosts=("10.0.0.1",))
        with transport:
            assert isinstance(fetch_image("http://10.0.0.1/p.jpg", transport), Fetched)


def test_proxy_that_drips_ends_at_the_deadline():
    with Proxy({"/p.jpg": servers.drip(PICTURE)}) as proxy:
        transport = transport_through(proxy.base_url, deadline_s=0.3, robots_txt=False)
        with transport:
            outcome = fetch_image("http://a.example/p.jpg", transport)
    assert outcome.reason is Reason.TIMEOUT


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch, tmp_path, closed_port):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    faults = {"/p.jpg": servers.serve(PICTURE), "/api": servers.text("1")}
    config = ScrapeConfig("a", allow_hosts=("127.0.0.1",))
    with servers.Site(faults) as site, Transport(config) as transport:
        assert isinstance(fetch_image(site.url("/p.jpg"), transport), Fetched)
        assert transport.json(site.url("/api")) == 1
        assert transport.page(site.url("/api")) == "1"
        assert all(request.headers["Authorization"] is None for request in site.seen)
