"""A real browser: Debian's Chromium, driven by Playwright; and what the review page shows in it."""

import shutil
from urllib.parse import urlsplit

import pytest

from facegan.core.catalog import Catalog

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

MARKS = [
    pytest.mark.slow,
    # .ci/run installs it, or fails.
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


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


def values(page):
    return [float(text) for text in page.locator(".caption").all_inner_texts()]
