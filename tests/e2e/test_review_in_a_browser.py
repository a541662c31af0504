"""`facegan review` in a real browser: Debian's Chromium, driven by Playwright."""

import re
import time
from dataclasses import replace

import pytest

from facegan.core.catalog import Catalog
from facegan.core.face_tables import judged
from facegan.core.records import Reason, Status
from tests.browser_helpers import (
    MARKS,
    current,
    known,
    stored,
    tab_count,
    tiles,
    told,
    values,
    watched,
)
from tests.review_helpers import fill_faces, kill_crop, multiply, reviewing

pytestmark = MARKS


def test_wall_shows_the_kept_faces_with_their_pictures(page):
    assert [tab_count(page, name) for name in ("kept", "rejected", "uncut", "all")] == [
        28, 8, 4, 40,
    ]  # fmt: skip
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tile img')]"
        ".every(i => i.complete && i.naturalWidth == 64)"
    )
    assert tiles(page).count() == 28
    assert "token" not in page.url
    assert page.evaluate("document.cookie") == ""  # no script sees it


def test_key_rejects_and_another_takes_it_back(page, workspace):
    assert current(page) == 1
    page.keyboard.press("r")
    told(page, "face 1: rejected. U takes it back.")
    face = known(workspace, 1)
    assert (face.status, face.reason, face.review) == (
        Status.REJECTED, Reason.REVIEWED, Status.REJECTED,
    )  # fmt: skip
    assert page.locator(".caption").first.inner_text().startswith("by hand · ")
    assert (tab_count(page, "kept"), tab_count(page, "hand")) == (27, 1)
    page.keyboard.press("u")
    told(page, "face 1: kept by the rules, as before")
    face = known(workspace, 1)
    assert (face.status, face.review) == (Status.KEPT, None)
    assert tab_count(page, "hand") == 0


def test_all_actions_of_the_sitting_are_undone_in_their_order(page, workspace):
    for _ in range(3):
        page.keyboard.press("Shift+R")
    assert current(page) == 4
    tiles(page).nth(1).click()  # back to what the rules say
    told(page, "face 2: back to the rules, kept. U takes it back.")
    assert [known(workspace, face_id).review for face_id in (1, 2, 3)] == [
        Status.REJECTED, None, Status.REJECTED,
    ]  # fmt: skip
    for face_id, before in ((2, Status.REJECTED), (3, None), (2, None), (1, None)):
        by = "rejected by hand" if before else "kept by the rules"
        page.keyboard.press("u")
        told(page, f"face {face_id}: {by}, as before")
        assert current(page) == face_id
        assert known(workspace, face_id).review is before
    page.keyboard.press("u")
    told(page, "nothing to undo")
    assert {known(workspace, face_id).review for face_id in (1, 2, 3)} == {None}


def test_new_page_undoes_what_an_older_one_decided(page, workspace):
    page.keyboard.press("r")
    told(page, "face 1: rejected. U takes it back.")
    page.reload()
    page.wait_for_selector("#wall[aria-busy=false]")
    assert page.locator("#status").inner_text() == ""
    page.click("#undo")
    told(page, "face 1: kept by the rules, as before")
    assert known(workspace, 1).review is None
    assert page.locator("#undo").is_disabled()


def test_key_gives_a_face_back_to_the_rules(page, workspace):
    page.keyboard.press("k")
    told(page, "face 1: kept. U takes it back.")
    assert known(workspace, 1).review is Status.KEPT
    page.keyboard.press("b")
    told(page, "face 1: back to the rules, kept. U takes it back.")
    assert known(workspace, 1).review is None
    page.keyboard.press("b")
    told(page, "face 1 is left to the rules already")


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


def test_face_that_was_not_cut_is_shown_in_its_picture_and_not_kept(page, workspace):
    page.click(".tabs button[value=uncut]")
    assert tiles(page).count() == 4
    image = tiles(page).first.locator("img")
    page.wait_for_function("() => document.querySelector('.tile img').naturalHeight == 128")
    assert image.get_attribute("src").endswith(".jpg?box=10,10,110,130")
    tiles(page).first.click()
    told(page, "this face was not cut, so it cannot be kept")
    with Catalog(workspace.catalog) as catalog:
        assert {face.review for face in catalog.faces(None)} == {None}
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.source img')?.naturalWidth == 640")
    assert page.locator(".verdict").inner_text().startswith("not cut: too small")


def test_faces_that_no_crop_has_judged_have_a_tab_and_are_not_decided_on(chromium, workspace):
    kill_crop(workspace, 1, 2, 3)
    with reviewing(workspace.root) as (address, _), watched(chromium, address) as page:
        counts = {name: tab_count(page, name) for name in ("kept", "pending", "all")}
        assert counts == {"kept": 25, "pending": 3, "all": 40}
        assert page.locator("#unjudged").is_hidden()
        page.click(".tabs button[value=pending]")
        assert tiles(page).count() == 3
        assert "Press Ctrl-C" in page.locator("#unjudged").inner_text()
        assert tiles(page).first.get_attribute("aria-label") == "Face 1, not judged yet."
        assert page.locator(".mark").first.is_hidden()
        for decide in (tiles(page).first.click, lambda: page.keyboard.press("r")):
            decide()
            told(page, "face 1 is not judged yet: facegan crop was stopped")
        assert page.locator(".many [value]:enabled").count() == 0
    assert known(workspace, 1).status is Status.PENDING


def test_face_that_is_set_aside_is_not_kept(chromium, workspace):
    with Catalog(workspace.catalog) as catalog:
        face = replace(
            known(workspace, 1), auto_reason=Reason.DECODE_TIMEOUT, auto_detail="of 64 px"
        )
        catalog.update_faces([judged(face)])
    with reviewing(workspace.root) as (address, _), watched(chromium, address) as page:
        page.select_option("#reason", "decode_timeout")
        page.keyboard.press("k")
        told(page, "this face cannot be kept: of 64 px")
        page.keyboard.press("Enter")
        assert page.locator("[data-does=keep]").is_disabled()
        assert page.locator("[data-does=reject]").is_enabled()


def test_decision_is_stored_while_pictures_are_decoded(chromium, workspace):
    held = []

    def hold(route):
        held.append(route)

    with reviewing(workspace.root) as (address, _), watched(chromium, address) as page:
        page.route(re.compile("/(part|picture)/"), hold)
        page.click(".tabs button[value=uncut]")
        page.keyboard.press("r")
        told(page, f"face {current(page)}: rejected. U takes it back.")
        for _ in range(3):  # each face's picture, large
            page.keyboard.press("Enter")
            page.wait_for_selector(".source img", state="attached")
            page.keyboard.press("Enter")
            page.keyboard.press("ArrowRight")
        assert len(held) == 2
        page.keyboard.press("u")
        told(page, "face 10: not cut: too small, as before")
        page.unroute_all()  # lets them go on
        page.wait_for_function(
            "() => [...document.querySelectorAll('.tile img')]"
            ".every(i => i.complete && i.naturalWidth)"
        )


def test_values_from_and_to_choose_what_is_shown_and_decided_on(page):
    assert page.locator("#range").is_hidden()
    page.select_option("#sort", "sharpness")
    every = values(page)
    page.locator("#least").focus()
    page.keyboard.type("0.2")
    page.keyboard.press("Tab")
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    inside = [value for value in every if 0.2 <= value <= 0.5]
    assert values(page) == inside
    assert 0 < len(inside) < len(every)
    assert page.locator("#shown").inner_text() == f"{len(inside)} faces shown"
    for key in ("r", "Home", "Control+a"):  # of the text, not of the faces
        page.keyboard.press(key)
    assert page.locator(".tile.selected").count() == tab_count(page, "hand") == 0
    assert "least=0.2&most=0.5" in page.url
    page.reload()
    page.wait_for_selector("#wall[aria-busy=false]")
    assert values(page) == inside
    assert (page.input_value("#least"), page.input_value("#most")) == ("0.2", "0.5")
    page.click(".many [value=rejected]")
    assert page.locator("#ask p").inner_text().startswith(f"Reject {len(inside)} faces?")
    page.keyboard.press("Escape")
    page.click("#any")
    assert values(page) == every
    assert "least" not in page.url
    assert page.locator("#any").is_disabled()


def test_values_are_typed_in_the_unit_that_is_shown(page):
    page.select_option("#sort", "padding")
    page.fill("#most", "3")
    page.keyboard.press("Enter")
    texts = page.locator(".caption").all_inner_texts()
    assert texts
    assert all(int(text.removesuffix(" %")) <= 3 for text in texts)
    page.select_option("#sort", "yaw")  # another measure, another range
    assert (page.input_value("#most"), tiles(page).count()) == ("", 28)
    page.fill("#least", "25")
    page.keyboard.press("Enter")
    texts = page.locator(".caption").all_inner_texts()
    assert {text[0] == "\u2212" for text in texts} == {True, False}  # to either side
    assert all(abs(int(text.strip("\u2212°"))) >= 25 for text in texts)
    page.fill("#least", "99")
    page.keyboard.press("Enter")
    assert "range" in page.locator("main .empty").inner_text()


def test_each_order_begins_at_the_top_with_the_doubtful_end(page):
    page.select_option("#sort", "sharpness")
    assert values(page) == sorted(values(page))
    assert page.locator("#direction").inner_text() == "blurred first"
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 4000)
    page.wait_for_function("() => document.getElementById('wall').scrollTop > 0")
    page.click("#direction")
    assert values(page) == sorted(values(page), reverse=True)
    assert page.locator("#direction").inner_text() == "sharp first"
    assert page.evaluate("document.getElementById('wall').scrollTop") == 0
    label = tiles(page).first.get_attribute("aria-label")
    assert page.evaluate("document.activeElement.ariaLabel") == label
    page.select_option("#sort", "roll")
    tilts = [abs(int(text.rstrip("°").replace("\u2212", "-"))) for text in
             page.locator(".caption").all_inner_texts()]  # fmt: skip
    assert tilts == sorted(tilts, reverse=True)
    assert page.locator("#direction").get_attribute("aria-label") == (
        "Order: most first. Press for least first."
    )


def test_choice_stands_in_the_address(page):
    page.click(".tabs button[value=rejected]")
    page.select_option("#sort", "sharpness")
    page.click("#direction")
    page.select_option("#group", "reason")
    before = page.locator(".caption").all_inner_texts()
    address = page.url
    second = page.context.new_page()
    for one, go in ((page, page.reload), (second, lambda: second.goto(address))):
        go()
        one.wait_for_selector("#wall[aria-busy=false]")
        assert one.locator(".caption").all_inner_texts() == before
        assert one.locator("#direction").inner_text() == "sharp first"
        assert one.locator("#group").input_value() == "reason"
    page.goto(address.partition("#")[0] + "#show=nothing&sort=__proto__&reason=<b>&group=x")
    page.wait_for_function("() => document.querySelectorAll('.tile').length == 28")


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
                "() => document.activeElement.parentElement"
                ".getAttribute('aria-posinset') == '20000'"
            )
            assert tiles(page).count() < 600
            assert current(page) == 20_000
            width_of = page.evaluate("document.documentElement.scrollWidth")
            assert width_of == width
