"""Many faces at once in a real browser, and one of them large."""

import pytest

from facegan.core.catalog import Catalog
from facegan.core.database import Database
from facegan.core.records import Status
from tests.browser_helpers import MARKS, known, stored, tab_count, tiles, told, watched
from tests.review_helpers import TITLE, reviewing

pytestmark = MARKS


def test_groups_count_and_show_whole_clusters_whatever_is_filtered(page):
    page.select_option("#group", "cluster")
    assert page.locator(".tabs [aria-pressed=true]").get_attribute("value") == "all"
    words = page.locator(".group").first.inner_text().split("\n")
    assert words[:2] == ["4 alike", "2 kept, 2 rejected"]
    page.click(".tabs button[value=rejected]")
    first = page.locator(".group").first
    assert first.locator("b").inner_text().endswith("alike")
    kept = [text for text in first.locator(".partner").all_inner_texts() if "kept" in text]
    assert kept
    first.locator(".partner").first.click()
    page.wait_for_function("() => document.getElementById('view').open")
    assert page.locator(".tabs [aria-pressed=true]").get_attribute("value") == "all"


def test_copies_that_other_rules_have_rejected_are_no_group_of_duplicates(page, workspace):
    page.select_option("#group", "cluster")
    before = page.locator(".group").all_inner_texts()
    assert before[0].startswith("4 alike")
    database = Database(workspace.catalog)
    with database.transaction() as db:
        db.execute(
            "UPDATE faces SET status = 'rejected', reason = 'too_dark', auto_reason = 'too_dark'"
            " WHERE cluster = (SELECT cluster FROM faces WHERE cluster IS NOT NULL"
            " GROUP BY cluster HAVING sum(auto_reason = 'duplicate') AND count(*) = 4 LIMIT 1)"
        )
    database.close()
    page.reload()
    page.select_option("#group", "cluster")
    alike = [text for text in page.locator(".group").all_inner_texts() if "alike" in text]
    assert len(alike) == sum("alike" in text for text in before) - 1


def test_range_is_selected_and_decided_on_in_one_step(page, workspace):
    tiles(page).nth(4).click(modifiers=["Shift"])
    assert page.locator("#shown").inner_text() == "5 faces selected"
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".tile.selected").count() == 4
    tiles(page).nth(6).click(modifiers=["Control"])
    page.keyboard.press("r")
    told(page, "5 faces: rejected. U takes it back.")
    with Catalog(workspace.catalog) as catalog:
        by_hand = [face.id for face in catalog.page_of_faces() if face.review]
    assert by_hand == [1, 2, 3, 4, 7]
    tiles(page).nth(1).click()  # ends the selection, and decides nothing
    assert page.locator(".tile.selected").count() == 0
    page.keyboard.press("u")
    told(page, "5 faces: as before")
    with Catalog(workspace.catalog) as catalog:
        assert {face.review for face in catalog.faces(None)} == {None}


def test_all_that_are_shown_are_rejected_after_a_question(page, workspace):
    page.click(".many [value=rejected]")
    assert page.locator("#ask p").inner_text() == (
        "Reject 28 faces? One undo takes all of it back."
    )
    page.keyboard.press("Escape")
    assert tab_count(page, "kept") == 28
    page.click(".many [value=rejected]")
    page.keyboard.press("Enter")  # the button that has the focus leaves them as they are
    assert tab_count(page, "kept") == 28
    page.click(".many [value=rejected]")
    page.click("#ask [value=yes]")
    told(page, "28 faces: rejected. U takes it back.")
    with Catalog(workspace.catalog) as catalog:
        assert catalog.faces() == []
    page.click("#undo")
    told(page, "28 faces: as before")
    with Catalog(workspace.catalog) as catalog:
        assert len(catalog.faces()) == 28


def test_best_of_a_group_is_kept_and_a_group_rejected(page):
    page.select_option("#group", "cluster")
    group = page.locator(".group").first
    group.get_by_text("Keep the best only").click()
    stored(page)
    assert group.locator(".note").inner_text() == "1 kept, 3 rejected"
    assert group.get_by_text("Keep the best only").count() == 0
    group.locator("button.rejected").click()
    stored(page)
    assert group.locator(".note").inner_text() == "0 kept, 4 rejected"
    page.keyboard.press("u")
    told(page, "3 faces: as before")
    page.keyboard.press("u")
    told(page, "face 22: kept by the rules, as before")
    assert group.locator(".note").inner_text() == "2 kept, 2 rejected"


def test_large_view_tells_all_and_runs_nothing_of_strangers(page, workspace):
    page.keyboard.press("Enter")
    view = page.locator("#view")
    view.locator("dd a").first.wait_for()
    assert TITLE in view.inner_text()
    links = [
        (one.get_attribute("href"), one.get_attribute("rel")) for one in view.locator("dd a").all()
    ]
    assert links == [
        ("https://example.org/page/0", "noopener noreferrer"),
        ("https://example.org/0.jpg", "noopener noreferrer"),
    ]
    for words in ("kept by the rules", "shrunk to 0.5×", "640 × 480 px", "images/"):
        assert words in view.inner_text()
    assert view.locator("script, b").count() == 0
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#view small').innerText == 'face 2'")
    page.keyboard.press("r")
    page.wait_for_function("() => document.querySelector('.verdict').innerText.includes('by hand')")
    stored(page)
    assert known(workspace, 2).review is Status.REJECTED
    hrefs = [link.get_attribute("href") for link in view.locator("a").all()]
    assert hrefs == ["https://example.org/1.jpg"]  # javascript: is no link
    view.locator("[data-does=reject]").click()  # the same choice again takes it back
    page.wait_for_function(
        "() => document.querySelector('.verdict').innerText.includes('by the rules')"
    )
    stored(page)
    assert known(workspace, 2).review is None
    view.locator("[data-does=undo]").click()
    page.wait_for_function("() => document.querySelector('.verdict').innerText.includes('by hand')")
    page.keyboard.press(" ")
    page.wait_for_function(
        "() => !document.getElementById('view').open"
        " && document.activeElement.ariaLabel?.startsWith('Face 2,')"
    )


def test_box_lies_on_the_face_in_its_picture(page):
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.source img')?.naturalWidth == 640")
    image, box = (page.locator(f".source {name}").bounding_box() for name in ("img", ".box"))
    shares = [
        (box["x"] - image["x"]) / image["width"], (box["y"] - image["y"]) / image["height"],
        box["width"] / image["width"], box["height"] / image["height"],
    ]  # fmt: skip
    assert shares == pytest.approx([10 / 640, 10 / 480, 100 / 640, 120 / 480], abs=0.005)


def test_copy_is_shown_beside_the_face_that_it_is_of(page):
    page.select_option("#reason", "duplicate")
    page.keyboard.press("Enter")
    copied = page.locator(".copied")
    name = copied.locator("figcaption").inner_text().split(",")[0].removeprefix("copy of ")
    copied.click()
    page.wait_for_function("n => document.querySelector('#view small').innerText == n", arg=name)
    page.keyboard.press("Escape")
    page.go_back()
    page.wait_for_function("() => document.getElementById('reason').value == 'duplicate'")


def test_undo_is_in_sight_in_the_large_view_of_a_phone(chromium, workspace):
    with (
        reviewing(workspace.root) as (address, _),
        watched(chromium, address, 360, 740) as page,
    ):
        page.locator(".enlarge").first.click()
        page.wait_for_selector(".source")
        page.click("[data-does=reject]")
        stored(page)
        undo = page.locator("[data-does=undo]")
        box = undo.bounding_box()
        assert box["y"] + box["height"] < 740
        undo.click()
        page.wait_for_function(
            "() => document.querySelector('.verdict').innerText.includes('by the')"
        )
        stored(page)
        assert known(workspace, 1).review is None
        assert page.evaluate("document.documentElement.scrollWidth") == 360
