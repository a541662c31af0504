"""`facegan review` in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
import time
from urllib.parse import urlsplit

import pytest

from facegan.core.catalog import Catalog
from facegan.core.records import Reason, Status
from tests.review_helpers import TITLE, fill_faces, multiply, reviewing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    # .ci/run installs it, or fails.
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def workspace(tmp_path):
    return fill_faces(tmp_path / "data", 40, pictures=4, size_px=64)


@pytest.fixture
def page(chromium, workspace):
    """The page, shown; at its end it has met no error and asked no other host."""
    with reviewing(workspace.root) as (address, _), watched(chromium, address) as page:
        yield page


class watched:  # noqa: N801 - used as a function
    """A page of a browser that has no past."""

    def __init__(self, chromium, address, width=1280, height=800):
        self.context = chromium.new_context(viewport={"width": width, "height": height})
        self.address, self.troubles, self.hosts = address, [], set()

    def __enter__(self):
        page = self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("requestfailed", self._failed)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.goto(self.address)
        page.wait_for_selector("#wall[aria-busy=false]")
        return page

    def _failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # its tile has left the page
            self.troubles.append(f"{request.url}: {request.failure}")

    def __exit__(self, kind, error, trace):
        self.context.close()
        if kind is None:
            assert self.troubles == []
            assert self.hosts == {urlsplit(self.address).netloc}


def known(workspace, face_id):
    with Catalog(workspace.catalog) as catalog:
        return next(face for face in catalog.faces(None) if face.id == face_id)


def told(page, text):
    """Wait for a sentence, and until what was decided is stored."""
    page.wait_for_function("text => document.getElementById('status').innerText == text", arg=text)
    stored(page)


def stored(page):
    page.wait_for_selector("body:not(.storing)")


def tiles(page):
    return page.locator(".tile .face")


def tab_count(page, name):
    return int(page.locator(f".tabs button[value={name}] b").inner_text().replace(",", ""))


def current(page):
    """The id of the face that has the focus, from what is told of it."""
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    return int(label.split()[1].rstrip(","))


def test_wall_shows_the_kept_faces_with_their_pictures(page):
    assert [tab_count(page, name) for name in ("kept", "rejected", "uncut", "all")] == [
        28, 8, 4, 40,
    ]  # fmt: skip
    page.wait_for_function(
        "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth == 64)"
    )
    assert tiles(page).count() == 28
    assert page.url.endswith("/")  # without the token
    assert "token" not in page.evaluate("document.cookie")


def test_key_rejects_and_another_takes_it_back(page, workspace):
    assert current(page) == 1
    page.keyboard.press("r")
    told(page, "face 1: rejected. U takes it back.")
    face = known(workspace, 1)
    assert (face.status, face.reason, face.review) == (
        Status.REJECTED, Reason.REVIEWED, Status.REJECTED,
    )  # fmt: skip
    assert (tab_count(page, "kept"), tab_count(page, "hand")) == (27, 1)
    page.keyboard.press("u")
    told(page, "face 1: kept, as before")
    face = known(workspace, 1)
    assert (face.status, face.review) == (Status.KEPT, None)
    assert tab_count(page, "hand") == 0


def test_all_actions_of_the_sitting_are_undone_in_their_order(page, workspace):
    for _ in range(3):
        page.keyboard.press("Shift+R")
    assert current(page) == 4
    tiles(page).nth(1).click()  # keeps the second again
    told(page, "face 2: kept. U takes it back.")
    assert [known(workspace, face_id).review for face_id in (1, 2, 3)] == [
        Status.REJECTED, Status.KEPT, Status.REJECTED,
    ]  # fmt: skip
    for face_id, before in ((2, Status.REJECTED), (3, None), (2, None), (1, None)):
        page.keyboard.press("u")
        assert current(page) == face_id
        stored(page)
        assert known(workspace, face_id).review is before
    page.keyboard.press("u")
    told(page, "nothing to undo")
    assert {known(workspace, face_id).review for face_id in (1, 2, 3)} == {None}


def test_rejected_face_is_filtered_by_its_reason_and_rescued(page, workspace):
    page.select_option("#reason", "duplicate")
    assert tiles(page).count() == 2
    assert page.locator(".caption").first.inner_text().startswith("duplicate")
    face_id = int(tiles(page).first.get_attribute("aria-label").split()[1].rstrip(","))
    tiles(page).first.click()
    told(page, f"face {face_id}: kept. U takes it back.")
    face = known(workspace, face_id)
    assert (face.status, face.auto_reason) == (Status.KEPT, Reason.DUPLICATE)
    page.click(".tabs button[value=hand]")
    assert tiles(page).count() == 1


def test_face_that_was_not_cut_is_not_kept(page, workspace):
    page.click(".tabs button[value=uncut]")
    assert tiles(page).count() == 4
    tiles(page).first.click()
    told(page, "this face was not cut, so it cannot be kept")
    with Catalog(workspace.catalog) as catalog:
        assert {face.review for face in catalog.faces(None)} == {None}


def test_faces_are_sorted_and_grouped(page):
    page.select_option("#sort", "sharpness")
    values = [float(text) for text in page.locator(".caption").all_inner_texts()]
    assert values == sorted(values)
    page.click("#direction")
    values = [float(text) for text in page.locator(".caption").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    page.select_option("#group", "cluster")
    assert page.locator(".tabs [aria-pressed=true]").get_attribute("value") == "all"
    assert page.locator(".group").first.inner_text() == "4 alike 2 kept"


def test_large_view_tells_all_and_runs_nothing_of_strangers(page, workspace):
    page.keyboard.press("Enter")
    view = page.locator("#view")
    link = view.locator("dd a")
    link.wait_for()
    assert TITLE in view.inner_text()
    assert (link.get_attribute("href"), link.get_attribute("rel")) == (
        "https://example.org/page/0", "noopener noreferrer",
    )  # fmt: skip
    assert view.locator("script, b").count() == 0
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#view small').innerText == 'face 2'")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelector('.verdict').innerText.includes('by hand')")
    stored(page)
    assert known(workspace, 2).review is Status.REJECTED
    assert view.locator("a").count() == 0  # javascript: is no link
    page.keyboard.press(" ")
    page.wait_for_function(
        "!document.getElementById('view').open"
        " && document.activeElement.ariaLabel?.startsWith('Face 2,')"
    )


def test_ended_server_is_told_and_the_face_is_as_before(chromium, workspace):
    with reviewing(workspace.root) as (address, _):
        seen = watched(chromium, address)
        page = seen.__enter__()
    for key in ("r", "u", "r", "k"):
        page.keyboard.press(key)
    stored(page)
    page.wait_for_selector("#trouble:not([hidden])")
    assert "does not answer" in page.locator("#trouble p").inner_text()
    assert (tab_count(page, "kept"), tab_count(page, "hand")) == (28, 0)
    assert known(workspace, 1).review is None
    seen.context.close()


def test_wrong_token_opens_nothing(chromium, workspace):
    with reviewing(workspace.root) as (address, _):
        context = chromium.new_context()
        page = context.new_page()
        for wrong in (address[:-1], address.partition("?")[0], f"{address}x"):
            assert page.goto(wrong).status == 403
            assert page.locator("body").inner_text().startswith("Open the address")
        context.close()


@pytest.mark.parametrize("width", [1280, 360])
def test_twenty_thousand_faces_scroll_to_the_end(chromium, tmp_path, width):
    workspace = fill_faces(tmp_path / "data", 40, pictures=4, size_px=64)
    multiply(workspace, 499)
    with reviewing(workspace.root) as (address, _):
        begun = time.monotonic()
        with watched(chromium, address, width) as page:
            assert time.monotonic() - begun < 20
            assert tab_count(page, "all") == 20_000
            page.click(".tabs button[value=all]")
            assert tiles(page).count() < 600
            for _ in range(40):
                page.mouse.move(width // 2, 500)
                page.mouse.wheel(0, 5000)
            page.wait_for_timeout(100)
            assert tiles(page).count() < 600
            page.keyboard.press("End")
            page.wait_for_function(
                "document.activeElement.parentElement.getAttribute('aria-posinset') == '20000'"
            )
            assert tiles(page).count() < 600
            assert current(page) == 20_000
            width_of = page.evaluate("document.documentElement.scrollWidth")
            assert width_of == width
