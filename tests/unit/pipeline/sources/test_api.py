"""What the sources with a JSON API share."""

import json

import pytest

from facegan.core.errors import BlockedError, SourceError
from pipeline.config import ScrapeConfig
from pipeline.sources.api import Api
from tests.sources_servers.scripted import Answers


def api(folder, *answers, base_url=None):
    config = ScrapeConfig("q", base_url=base_url)
    return Api.of("commons", "https://a.example", config, Answers(*answers), folder)


def test_base_url_takes_the_place_of_scheme_and_host():
    there = api(None, base_url="http://me:secret@127.0.0.1:8000/")
    assert there.address("/v1", {"q": "ä b", "n": 1}).endswith("127.0.0.1:8000/v1?q=%C3%A4+b&n=1")
    assert (there.place, there.host) == ("127.0.0.1:8000", "127.0.0.1")
    assert api(None).address("/v1") == "https://a.example/v1"


def test_half_of_a_character_makes_no_broken_address():
    assert api(None).address("/", {"q": "\ud800"}) == "https://a.example/?q=%3F"


def test_odd_answer_is_kept_as_json(tmp_path):
    error = api(tmp_path).odd({"a": ["\ud800", 1e400]}, "it is odd")
    assert str(error).startswith("a.example answers with what commons does not understand: it is")
    assert str(tmp_path / "commons.json") in str(error)
    assert json.loads((tmp_path / "commons.json").read_text()) == {"a": ["\ud800", float("inf")]}


def test_answer_that_is_nested_too_deeply_to_be_written_is_an_error_all_the_same(tmp_path):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert "it is odd" in str(api(tmp_path).odd(nested, "it is odd"))
    while nested:  # taken apart step by step: its end would be as deep
        nested = nested.pop()


def test_what_came_instead_of_json_is_kept(tmp_path):
    error = SourceError("something else than JSON", status=200, answer=b"<html>")
    with pytest.raises(SourceError, match=r"JSON\. The answer is kept in .*commons\.json"):
        api(tmp_path, error).json("https://a.example/")
    assert (tmp_path / "commons.json").read_bytes() == b"<html>"


@pytest.mark.parametrize(
    "error", [BlockedError("no", status=403), SourceError("no", status=500, answer=b"<html>")]
)
def test_other_errors_pass_as_they_are(tmp_path, error):
    with pytest.raises(SourceError) as caught:
        api(tmp_path / "answers", error).json("https://a.example/")
    assert caught.value is error
    assert not (tmp_path / "answers").exists()
