"""Finding one's way on the review page in a real browser: numbers, focus, ranges, captions."""

import pytest

from facegan.core.database import Database
from tests.browser_helpers import MARKS, current, known, stored, tab_count, tiles, told, watched
from tests.review_helpers import reviewing

pytestmark = MARKS


def is_large(page, face_id):
    """Wait until one face is shown, large."""
    page.wait_for_function(
        "words => document.querySelector('#view[open] small')?.innerText == words",
        arg=f"face {face_id}",
    )


def test_face_is_found_by_its_number_whatever_is_shown(page):
    page.keyboard.press("f")
    page.keyboard.type("8")  # a rejected one
    page.keyboard.press("Enter")
    is_large(page, 8)
    assert page.locator(".tabs [aria-pressed=true]").get_attribute("value") == "all"
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('Face 8,')")
    for typed in ("four", "", "-3", "1.5"):
        page.fill("#find input", typed)
        page.keyboard.press("Enter")
    assert page.locator("#status").inner_text() != "there is no face 4711"
    page.fill("#find input", "4711")
    page.keyboard.press("Enter")
    told(page, "there is no face 4711")
    assert page.locator("#view").is_hidden()
    assert tab_count(page, "hand") == 0


def test_address_names_a_face(page):
    plain = page.url
    page.goto(f"{plain}#show=rejected&face=9")  # as one who is on the page types it
    is_large(page, 9)
    assert page.url == f"{plain}#show=rejected"
    page.goto(f"{plain}#face=9")
    is_large(page, 9)
    second = page.context.new_page()
    second.goto(f"{plain}#face=12")
    is_large(second, 12)
    assert second.url == plain  # another load shows the wall
    second.goto(f"{plain}#face=x")
    second.goto(f"{plain}#face=4711")
    told(second, "there is no face 4711")


def test_number_is_found_on_a_phone_too(chromium, workspace):
    with reviewing(workspace.root) as (address, _), watched(chromium, address, 360, 740) as page:
        page.click("#panel-button")
        page.fill("#find input", "20")
        page.keyboard.press("Enter")
        is_large(page, 20)
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_large_view_tells_the_path_of_a_file_of_ones_own_as_text(page, workspace):
    database = Database(workspace.catalog)
    with database.transaction() as db:
        db.execute(
            "UPDATE search_results SET url = 'file:///home/me/My%20pictures/<b>.jpg',"
            " page_url = NULL, license = NULL WHERE url = 'https://example.org/0.jpg'"
        )
    database.close()
    page.keyboard.press("Enter")
    facts = page.locator("#view dl")
    facts.get_by_text("/home/me/My pictures/<b>.jpg", exact=True).wait_for()
    assert "came from" in facts.inner_text()
    assert facts.locator("a").count() == 0


def test_keys_act_on_the_tile_that_was_given_the_focus(page, workspace):
    page.evaluate("document.querySelectorAll('.tile .face')[4].focus()")  # as a screen reader does
    page.keyboard.press("r")
    told(page, "face 5: rejected. U takes it back.")
    assert known(workspace, 1).review is None
    assert tiles(page).nth(4).get_attribute("tabindex") == "0"
    assert page.locator(".tile .face[tabindex='0']").count() == 1
    page.evaluate("document.querySelectorAll('.tile .enlarge')[2].focus()")
    page.keyboard.press("r")
    told(page, "face 3: rejected. U takes it back.")


def test_large_view_gives_the_focus_back_to_the_face_that_it_showed_last(page):
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    is_large(page, 4)
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement.ariaLabel?.startsWith('Face 4,')")
    assert current(page) == 4
    tiles(page).nth(6).click(modifiers=["Shift"])  # from the current one to there
    assert page.locator("#shown").inner_text() == "4 faces selected"


def test_range_names_the_least_and_the_greatest_value_that_there_is(page):
    page.select_option("#sort", "sharpness")
    captions = [float(text) for text in page.locator(".caption").all_inner_texts()]
    bounds = [page.get_attribute(f"#{name}", "placeholder") for name in ("least", "most")]
    assert [float(bound) for bound in bounds] == [min(captions), max(captions)]
    for name, bound in zip(("least", "most"), bounds, strict=True):
        page.fill(f"#{name}", bound)
    assert tiles(page).count() == len(captions)  # nobody is left out by typing them
    page.fill("#least", "0.5")
    assert page.get_attribute("#least", "placeholder") == bounds[0]
    for measure in ("size_px", "yaw", "roll", "padding", "upscale", "score", "exposure"):
        page.select_option("#sort", measure)
        for name in ("least", "most"):
            page.fill(f"#{name}", page.get_attribute(f"#{name}", "placeholder"))
        assert tiles(page).count() == len(captions), measure
    page.select_option("#reason", "duplicate")
    page.select_option("#reason", "")
    page.click(".tabs button[value=hand]")
    assert page.get_attribute("#least", "placeholder") == ""


@pytest.mark.parametrize("width", [1280, 360])
def test_caption_of_a_face_rejected_by_hand_is_whole(chromium, workspace, width):
    with reviewing(workspace.root) as (address, _), watched(chromium, address, width) as page:
        page.keyboard.press("Shift+R")
        page.keyboard.press("r")
        stored(page)
        plain = page.url
        for measure in ("id", "score", "size_px", "sharpness", "exposure", "yaw", "upscale"):
            page.goto(f"{plain}#show=hand&sort={measure}")
            page.wait_for_function(
                "sort => document.querySelectorAll('.tile').length == 2"
                " && document.getElementById('sort').value == sort",
                arg=measure,
            )
            cut_off = page.evaluate(
                "[...document.querySelectorAll('.caption')]"
                ".filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
            )
            assert cut_off == [], measure
