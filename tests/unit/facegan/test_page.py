from __future__ import annotations

import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from facegan import page

TEXTS = st.text(max_size=60)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(40, 400), st.booleans())
@example("$x_", 40, True)
def test_any_text_fits_into_its_room(text, room, bold):
    short = page.fitted(text, room, 11, bold=bold)
    assert page.measured(short, 11, bold=bold) <= room
    assert len(short) <= len(text)


def test_a_long_name_keeps_both_ends():
    short = page.fitted("/home/somebody/" + "x" * 200 + "/00012-run", 200, 11)
    assert short.startswith("/home")
    assert short.endswith("-run")
    assert 190 < page.measured(short, 11) <= 200


@settings(max_examples=40, deadline=None)
@given(st.lists(st.from_regex(r"\A[a-z]{1,12}\Z"), max_size=30), st.integers(120, 400))
def test_lines_hold_every_word_and_fit(words, room):
    lines = page.wrapped(" ".join(words), room, 10)
    assert " ".join(lines).split() == words
    assert all(page.measured(line, 10) <= room for line in lines)


def test_a_percent_sign_stays_with_its_number():
    lines = page.wrapped("some 61 % of them", page.measured("some 61", 10) + 1, 10)
    assert [page.printable(line) for line in lines] == ["some", "61 % of", "them"]


def test_sentences_that_need_more_lines_end_with_a_remark():
    assert page.told(["one", "two."], 200, 10, 2) == ["One.", "Two."]
    assert page.told(["one", "two", "three"], 200, 10, 2, "more") == ["One.", "more"]
    assert page.told(["one"], 200, 10, 0) == []


def test_text_is_drawn_where_it_is_asked_for_whatever_it_holds():
    figure = page.new(400, 100)
    text = "$x_1$ \N{CJK UNIFIED IDEOGRAPH-984F} \udcff\n\a"
    page.write(figure, 50, 60, text, 12)
    figure.savefig(io.BytesIO(), format="png")  # warnings are errors
    (drawn,) = figure.texts
    assert drawn.get_text() == "$x_1$ \N{WHITE SQUARE} \N{WHITE SQUARE} \N{WHITE SQUARE}"
    box = drawn.get_window_extent()
    assert abs(box.x0 - 50) <= 2
    assert abs(box.width - page.measured(text, 12)) <= 2
    assert 30 <= box.y0 <= 40 <= box.y1


def test_axes_take_their_rectangle():
    figure = page.new(400, 200)
    box = page.axes_at(figure, 40, 30, 100, 50).get_window_extent()
    assert [round(value) for value in box.extents] == [40, 120, 140, 170]
