import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facegan.core import events
from facegan.core.errors import ScoreError, SourceError, WorkspaceError
from facegan.score import weights
from facegan.score.weights import FID_INCEPTION, TORCHVISION_INCEPTION, Published, obtain

BODY = bytes(range(256)) * 20_000


class Server:
    """Serves one body under every path; `answers` counts the requests."""

    def __init__(self):
        self.body, self.length, self.status, self.requests = BODY, None, 200, 0
        self.missing, self.asked = set(), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                outer.asked.append(self.path)
                self.send_response(404 if self.path in outer.missing else outer.status)
                self.send_header("Content-Length", str(outer.length or len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/w.pth"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    yield server
    server.close()


@pytest.fixture
def published(server):
    return Published("w.pth", server.address, hashlib.sha256(BODY).hexdigest(), len(BODY))


def test_first_call_downloads_and_second_uses_the_cache(server, published, tmp_path):
    first = obtain(published, cache=tmp_path / "new" / "cache")
    assert first.path.read_bytes() == BODY
    assert first.official
    assert first.sha256 == published.sha256
    assert obtain(published, cache=tmp_path / "new" / "cache") == first
    assert server.requests == 1


def test_download_tells_its_progress_in_bytes(published, tmp_path):
    told = []
    obtain(published, cache=tmp_path, listener=told.append)
    assert events.Started("weights", total=len(BODY), unit="byte") in told
    done = [event.done for event in told if isinstance(event, events.Advanced)]
    assert done == sorted(done)
    assert done[-1] == len(BODY)
    assert told[-1] == events.Finished("weights")


def test_a_damaged_cached_file_is_fetched_again_with_a_warning(server, published, tmp_path):
    (tmp_path / "w.pth").write_bytes(BODY[:-1] + b"?")
    told = []
    assert obtain(published, cache=tmp_path, listener=told.append).path.read_bytes() == BODY
    assert any(isinstance(event, events.Note) and event.warning for event in told)
    assert server.requests == 1


def refused(published, cache):
    """The error of a download that fails; it must say everything and leave nothing behind."""
    with pytest.raises(SourceError) as caught:
        obtain(published, cache=cache)
    text = f"{caught.value.message} {caught.value.hint}"
    for needed in (published.name, published.address, str(cache / published.name), "--weights"):
        assert needed in text
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 4
    assert not list(cache.glob("*"))
    assert not list(cache.glob(".*"))
    return caught.value.message


def test_other_content_of_the_same_length_is_refused(server, published, tmp_path):
    server.body = bytes(len(BODY))
    assert "sha256" in refused(published, tmp_path)


def test_a_body_cut_short_by_the_connection_is_refused(server, published, tmp_path):
    server.body, server.length = BODY[:1000], len(BODY)
    assert "cut short" in refused(published, tmp_path)


def test_a_shorter_file_is_refused(server, published, tmp_path):
    server.body = BODY[:1000]
    assert "cut short after 1000" in refused(published, tmp_path)


def test_a_longer_file_is_refused_before_it_fills_the_disk(server, published, tmp_path):
    server.body = BODY * 2
    assert "longer" in refused(published, tmp_path)


def test_a_page_in_place_of_the_file_is_refused(server, published, tmp_path):
    server.status, server.body = 404, b"<html>no</html>"
    assert "404" in refused(published, tmp_path)


def test_no_server_is_one_sentence(server, published, tmp_path):
    server.close()
    try:
        assert "no connection" in refused(published, tmp_path)
    finally:
        server.close = lambda: None


def test_a_silent_server_is_given_up(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_READ_S", 0.2)
    gate = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self):
            gate.wait(10)

        def log_message(self, *_):
            pass

    server._server.RequestHandlerClass = Silent
    try:
        assert "no answer in time" in refused(published, tmp_path)
    finally:
        gate.set()


def test_a_cache_that_cannot_be_written_names_the_variable(published, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError) as caught:
        obtain(published, cache=tmp_path / "file")
    assert "FACEGAN_CACHE" in str(caught.value.hint)


def test_a_local_file_of_the_published_content_is_official(published, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(BODY)
    told = []
    found = obtain(published, local=path, listener=told.append)
    assert (found.path, found.official, told) == (path, True, [])


def test_another_local_file_is_allowed_recorded_and_warned_of(server, published, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"other")
    told = []
    found = obtain(published, local=path, listener=told.append)
    assert found.sha256 == hashlib.sha256(b"other").hexdigest()
    assert not found.official
    assert told[0].warning
    assert "unofficial" in told[0].text
    assert server.requests == 0


@pytest.mark.parametrize("name", ["missing.pth", "."])
def test_a_local_file_that_cannot_be_read_is_named(published, tmp_path, name):
    with pytest.raises(ScoreError) as caught:
        obtain(published, local=tmp_path / name)
    assert str(tmp_path / name) in caught.value.message
    assert published.address in str(caught.value.hint)
    assert caught.value.exit_code == 3


def test_cache_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    assert weights.cache_dir() == tmp_path / "weights"
    monkeypatch.delenv("FACEGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert weights.cache_dir().name == "weights"
    assert weights.cache_dir().parent.name == "facegan"


def test_is_cached_asks_for_name_and_length(tmp_path, published):
    assert not weights.is_cached(published, tmp_path)
    (tmp_path / "w.pth").write_bytes(BODY[:-1])
    assert not weights.is_cached(published, tmp_path)
    (tmp_path / "w.pth").write_bytes(BODY)
    assert weights.is_cached(published, tmp_path)


def test_the_published_file_is_the_one_that_torchvision_names():
    from torchvision.models import Inception_V3_Weights

    official = Inception_V3_Weights.IMAGENET1K_V1
    assert official.url == TORCHVISION_INCEPTION.address
    assert Path(official.url).name == TORCHVISION_INCEPTION.name
    assert TORCHVISION_INCEPTION.sha256.startswith("0cc3c7bd")
    assert len(TORCHVISION_INCEPTION.sha256) == 64
    megabytes = official.meta["_file_size"]
    assert round(TORCHVISION_INCEPTION.bytes / 2**20, 3) == megabytes


@pytest.fixture
def mirrored(server, published):
    return replace(published, mirrors=(server.address.replace("w.pth", "other-name.pth"),))


def test_the_mirror_is_not_asked_while_the_address_works(server, mirrored, tmp_path):
    obtain(mirrored, cache=tmp_path)
    assert server.asked == ["/w.pth"]


def test_the_mirror_is_asked_when_the_address_fails(server, mirrored, tmp_path):
    server.missing = {"/w.pth"}
    told = []
    found = obtain(mirrored, cache=tmp_path, listener=told.append)
    assert found.path == tmp_path / "w.pth"
    assert found.path.read_bytes() == BODY
    assert server.asked == ["/w.pth", "/other-name.pth"]
    notes = [event.text for event in told if isinstance(event, events.Note)]
    assert any("404: the next address is tried" in text for text in notes)


def test_no_address_working_names_all_of_them(server, mirrored, tmp_path):
    server.status = 500
    message = refused(mirrored, tmp_path)
    assert "500" in message
    with pytest.raises(SourceError) as caught:
        obtain(mirrored, cache=tmp_path)
    assert mirrored.mirrors[0] in str(caught.value.hint)


def test_a_file_of_the_mirrors_name_is_taken_from_the_cache(server, mirrored, tmp_path):
    path = tmp_path / "other-name.pth"
    assert not weights.is_cached(mirrored, tmp_path)
    path.write_bytes(BODY)
    assert weights.is_cached(mirrored, tmp_path)
    found = obtain(mirrored, cache=tmp_path)
    assert (found.path, found.official) == (path, True)
    assert server.requests == 0


def test_the_cached_path_is_that_of_any_name_that_holds_the_file(mirrored, tmp_path):
    own, other = (tmp_path / name for name in mirrored.names)
    assert weights.cached_path(mirrored, tmp_path) is None
    other.write_bytes(BODY)
    assert weights.cached_path(mirrored, tmp_path) == other
    own.write_bytes(BODY[:-1] + b"?")
    assert weights.cached_path(mirrored, tmp_path) == own
    assert weights.cached_path(mirrored, tmp_path, hashed=True) == other
    other.unlink()
    assert weights.cached_path(mirrored, tmp_path, hashed=True) is None


def test_a_damaged_file_beside_a_whole_one_is_no_reason_to_fetch(server, mirrored, tmp_path):
    own, other = (tmp_path / name for name in mirrored.names)
    own.write_bytes(b"?")
    other.write_bytes(BODY)
    assert obtain(mirrored, cache=tmp_path).path == other
    assert server.requests == 0


def test_the_two_published_names_of_the_fid_network_are_known():
    assert FID_INCEPTION.names == (
        "pt_inception-2015-12-05-6726825d.pth",
        "weights-inception-2015-12-05-6726825d.pth",
    )
    assert all(FID_INCEPTION.sha256[:8] in name for name in FID_INCEPTION.names)
    assert len(FID_INCEPTION.sha256) == 64


def test_the_second_address_is_torch_fidelitys_own():
    import importlib.util

    package = Path(importlib.util.find_spec("torch_fidelity").origin).parent
    source = (package / "feature_extractor_inceptionv3.py").read_text()
    assert FID_INCEPTION.mirrors[0] in source
