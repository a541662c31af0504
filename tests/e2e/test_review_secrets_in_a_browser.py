"""What a real browser keeps of the review page, and whom it tells."""

import contextlib
import http.server
import threading

import pytest

from pipeline.review.gate import leading_to
from tests.browser_helpers import CHROMIUM, MARKS, watched
from tests.review_helpers import reviewing

pytestmark = MARKS


@pytest.fixture
def another():
    """Another server of this host: its port, and the cookies that it was shown."""
    shown = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            shown.append(self.headers.get("Cookie"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, shown
        server.shutdown()
        thread.join()


def test_file_opens_the_page_and_no_way_back_leads_to_the_token(chromium, workspace, tmp_path):
    with reviewing(workspace.root) as (address, _):
        file = tmp_path / "door.html"
        file.write_text(leading_to(address))
        seen = watched(chromium, file.as_uri())
        page = seen.__enter__()  # with its strict cookie, although a file has led there
        assert page.locator(".tile").count() == 28
        assert seen.troubles == []
        page.go_back()
        assert page.url == "about:blank"
        seen.context.close()


def test_other_server_of_this_host_is_shown_no_cookie(page, another):
    port, shown = another
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    second = page.context.new_page()
    for path in ("", "static/review.js", "api/faces"):
        second.goto(f"http://127.0.0.1:{port}/{path}")
    assert len(shown) >= 3
    assert set(shown) == {None}
    second.goto(f"http://127.0.0.1:{port}{cookie['path']}")  # by its path alone would it be
    assert f"{cookie['name']}={cookie['value']}" in shown


def test_no_face_is_left_on_the_browsers_disk(chromium, workspace, tmp_path):
    profile = tmp_path / "profile"
    kept = chromium.browser_type.launch_persistent_context(
        str(profile), executable_path=CHROMIUM,
        args=["--no-sandbox", f"--disk-cache-dir={profile / 'cache'}"],
    )  # fmt: skip
    with reviewing(workspace.root) as (address, _), contextlib.closing(kept):
        page = kept.new_page()
        page.goto(address)
        page.wait_for_selector("#wall[aria-busy=false]")
        page.keyboard.press("Enter")
        for selector in (".tile img", ".crop img", ".source img"):
            page.wait_for_function(f"() => document.querySelector('{selector}')?.naturalWidth")
    thumbs = {path.read_bytes() for path in (workspace.root / "cache/thumbs").rglob("*.jpg")}
    crops = {path.read_bytes() for path in workspace.faces.rglob("*.png")}
    written = [path.read_bytes() for path in profile.rglob("*") if path.is_file()]
    assert len(thumbs) == len(crops) == 4
    assert len(written) > 10
    assert not [face for face in thumbs | crops if any(face in data for data in written)]
