"""The review page in a real browser."""

import pytest

from tests.browser_helpers import CHROMIUM, watched
from tests.review_helpers import fill_faces, reviewing


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
