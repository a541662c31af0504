"""YuNet's model: fetched once, checked, never remembered when it is wrong."""

import socket
import threading
import time

import pytest

from facegan.core.errors import MissingDependencyError, SourceError, WorkspaceError
from facegan.core.files import sha256_of
from pipeline import model_file
from pipeline.config import CropConfig
from pipeline.detect import ResolvedDetector, planned, resolve
from pipeline.model_file import MODEL_NAME, MODEL_SHA256, MODEL_URL, fetch_model, prompt_resolver
from tests.servers import Site, drip, first, redirect, serve, status, truncated

MODEL = b"a model of some bytes" * 99
KIND = "application/octet-stream"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def fetched(path, faults, **options):
    """From a server of our own, whose address is allowed."""
    with Site(faults) as site:
        options = {"allow_hosts": (site.host,), "sleep": lambda _: None} | options
        fetch_model(path, site.url("/m"), sha256=sha256_of(MODEL), **options)
        return site


def left_over(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_the_model_is_written_whole_after_redirects(tmp_path):
    hops = {f"/{n}": redirect(f"/{n + 1}") for n in range(1, 5)}
    site = fetched(
        tmp_path / "models/m.onnx",
        {"/m": redirect("/1"), **hops, "/5": serve(MODEL, KIND)},
    )
    assert (tmp_path / "models/m.onnx").read_bytes() == MODEL
    assert left_over(tmp_path) == ["m.onnx"]
    assert sum(site.requests.values()) == 6


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ({"/m": serve(b"<html>", "text/html")}, "is another file: its SHA-256 is"),
        ({"/m": serve(bytes(2**20 + 1), KIND)}, "more than 1,048,576 bytes"),
        ({"/m": truncated(MODEL)}, "broke off"),
        ({"/m": status(404)}, "HTTP 404"),
        ({"/m": status(503)}, "HTTP 503"),
        ({"/m": redirect("/m")}, "more than 5 redirects"),
        ({"/m": redirect("ftp://x/y")}, "no http address"),
        ({"/m": redirect("http://127.9.9.9:1/")}, "not a public address"),
    ],
)
def test_what_is_not_the_model_leaves_nothing(tmp_path, faults, why):
    with pytest.raises(SourceError, match=why):
        fetched(tmp_path / "m.onnx", faults)
    assert left_over(tmp_path) == []


def test_a_server_that_is_busy_is_asked_again(tmp_path):
    site = fetched(tmp_path / "m.onnx", {"/m": first(status(503), serve(MODEL, KIND))})
    assert (tmp_path / "m.onnx").read_bytes() == MODEL
    assert site.requests["/m"] == 2


def test_a_body_that_drips_ends_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "DEADLINE_S", 0.4)
    begun = time.monotonic()
    with pytest.raises(SourceError, match=r"not done within 0\.4 s"):
        fetched(tmp_path / "m.onnx", {"/m": drip(MODEL)})
    assert time.monotonic() - begun < 3


def test_without_a_network_it_fails_at_once_and_says_why(tmp_path):
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/m"
        with pytest.raises(SourceError, match="refused"):
            fetch_model(tmp_path / "m.onnx", url, allow_hosts=("127.0.0.1",))

    def nowhere(*_):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(SourceError, match="the name has no address"):
        fetch_model(tmp_path / "m.onnx", resolver=nowhere)
    assert left_over(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_said_before_any_network_is_asked(tmp_path):
    def asked(*_):
        raise AssertionError("a name was looked up")

    (tmp_path / "models").write_bytes(b"in the way")
    with pytest.raises(WorkspaceError, match="a file stands in the way"):
        fetch_model(tmp_path / "models/m.onnx", resolver=asked)


def test_a_resolver_that_hangs_is_not_waited_for():
    hang = threading.Event()
    with pytest.raises(TimeoutError):
        prompt_resolver("x.example", 443, limit_s=0.05, lookup=lambda *_: hang.wait(5) and [])
    hang.set()
    many = prompt_resolver("x", 1, lookup=lambda *_: ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    assert many == ["192.0.2.1", "192.0.2.2"]


def offline(_):
    raise SourceError(f"{MODEL_URL}: the name has no address")


@pytest.mark.parametrize("held", [None, b"<html>"])
def test_yunet_without_its_model_names_address_place_and_reason(cache, held):
    if held:
        cache.mkdir(parents=True)
        (cache / MODEL_NAME).write_bytes(held)
    with pytest.raises(MissingDependencyError, match="the name has no address") as caught:
        resolve(CropConfig(detector="yunet"), fetch=offline)
    assert str(cache / MODEL_NAME) in caught.value.message
    assert MODEL_URL in caught.value.hint
    assert str(cache / MODEL_NAME) in caught.value.hint
    assert "--model FILE" in caught.value.hint


@pytest.mark.usefixtures("cache")
def test_auto_says_why_it_is_haar():
    said = []
    assert resolve(CropConfig(), fetch=offline, listener=said.append) == ResolvedDetector("haar")
    (note,) = said
    assert note.warning
    assert note.text == (
        "YuNet's model cannot be fetched: the name has no address; searching with Haar's cascade,"
        " which finds fewer faces"
    )


@pytest.mark.usefixtures("cache")
def test_haar_asks_for_no_model():
    def asked(_):
        raise AssertionError("the model was fetched")

    assert resolve(CropConfig(detector="haar"), fetch=asked) == ResolvedDetector("haar")


def test_a_plan_names_yunet_and_fetches_nothing(cache):
    assert planned(CropConfig()) == ResolvedDetector("yunet", cache / MODEL_NAME, MODEL_SHA256)
    assert planned(CropConfig(detector="haar")) == ResolvedDetector("haar")
    assert not cache.exists()
