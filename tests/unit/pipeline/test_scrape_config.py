import dataclasses
import json
from pathlib import Path

import pytest

from facegan.core.errors import ConfigError
from pipeline.config import ScrapeConfig, split_host


def test_defaults_are_valid_and_fit_json():
    config = ScrapeConfig("artist").validate()
    assert config.limit == 1000
    assert json.loads(json.dumps(config.to_dict()))["source"] == "bing"


def test_validate_gathers_every_problem():
    config = ScrapeConfig(
        " ",
        limit=0,
        source="bin",
        base_url="file:///etc",
        allow_hosts=("http://a", "localhost:80"),
        timeout_s=float("nan"),
        market="en_US!",
        contact="a\nb",
    )
    with pytest.raises(ConfigError) as caught:
        config.validate()
    text = str(caught.value)
    for part in (
        "the search term is empty",
        "--limit is 0: 1 to 10,000,000 is allowed",
        "did you mean bing?",
        "--base-url is 'file:///etc'",
        "--allow-host is 'http://a'",
        "--timeout-s is nan",
        "--market",
        "--contact",
    ):
        assert part in text
    assert "localhost:80" not in text


@pytest.mark.parametrize("query", ["\udce4", "a\0b"])
def test_query_that_is_no_text_is_refused(query):
    assert any("UTF-8" in problem for problem in ScrapeConfig(query).problems())


def test_folder_must_be_there(tmp_path):
    assert "--folder DIR" in ScrapeConfig("a", source="folder").problems()[0]
    missing = ScrapeConfig("a", source="folder", folder=tmp_path / "no")
    assert "there is no such directory" in missing.problems()[0]
    assert ScrapeConfig("a", source="folder", folder=tmp_path).problems() == []


def test_huge_numbers_are_refused_in_words():
    problems = ScrapeConfig("a", limit=10**400, timeout_s=-(10**400)).problems()
    assert problems[0].startswith("--limit is about 10^400: 1 to 10,000,000 is allowed")
    assert problems[1].startswith("--timeout-s is about -10^400")


def test_json_gives_the_same_config_back(tmp_path):
    config = ScrapeConfig("a", source="folder", folder=tmp_path, allow_hosts=("localhost",))
    assert ScrapeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_missing_term_is_named():
    with pytest.raises(ConfigError, match="query is missing"):
        ScrapeConfig.from_dict({"limit": 3})


def test_hash_stays_so_that_what_was_decided_stays_decided():
    assert ScrapeConfig("a").config_hash() == "8757edea8eff032a"
    config = ScrapeConfig("a", folder=Path("/x"), allow_hosts=("B", "a"))
    assert config.config_hash() == "a0e9b39b421a88b4"


def test_config_hash_holds_what_decides_an_items_fate_and_no_more():
    base = ScrapeConfig("artist")
    for change in (
        {"query": "other"},
        {"limit": 5},
        {"workers": 2},
        {"timeout_s": 1},
        {"retries": 0},
        {"base_url": "http://localhost"},
        {"contact": "me"},
    ):
        assert dataclasses.replace(base, **change).config_hash() == base.config_hash()
    for change in (
        {"max_bytes": 5},
        {"max_pixels": 5},
        {"min_size_px": 5},
        {"allow_hosts": ("localhost",)},
        {"folder": Path("x")},
        {"max_redirects": 0},
        {"opt_outs": False},
        {"robots_txt": False},
    ):
        assert dataclasses.replace(base, **change).config_hash() != base.config_hash()


@pytest.mark.parametrize(
    "text", ["", ":80", "a:", "a:b", "a:99999", "u@a", "a/b", "a?b", "[::1", "http://a", "a#b"]
)
def test_split_host_refuses(text):
    assert split_host(text) is None


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("cc0", "public"),
        ("CC-BY-SA", "modify-commercially"),
        ("by_nc_nd", "share"),
        ("publik", "public"),
    ],
)
def test_a_licences_own_name_leads_to_what_it_allows(wrong, meant):
    (problem,) = ScrapeConfig("a", license=wrong).problems()
    assert problem.startswith(f"--license is {wrong!r}: one of any, ")
    assert problem.endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize("source", ["urls", "folder", "portraits"])
def test_a_licence_is_not_asked_of_what_does_not_search(tmp_path, source):
    (tmp_path / "list.txt").write_text("https://a.example/1.jpg")
    there = {"folder": tmp_path, "list_file": tmp_path / "list.txt"}
    config = ScrapeConfig("a", source=source, **there)
    assert config.problems() == []
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(config, license="public").validate()
    assert str(caught.value) == f"--license is public: the source {source} cannot be asked for it"
    assert f"leave {source} out of --source" in caught.value.hint


@pytest.mark.parametrize("source", ["bing", "commons", "openverse", "met"])
def test_a_licence_is_asked_of_what_searches(source):
    assert ScrapeConfig("a", source=source, license="share").problems() == []


def test_a_source_that_lacks_its_option_is_hinted_at():
    for source, words in (("urls", "--list addresses.txt"), ("folder", "--folder ~/Pictures")):
        with pytest.raises(ConfigError) as caught:
            ScrapeConfig("a", source=source).validate()
        assert caught.value.hint == f"facegan scrape a --source {source} {words}"
    with pytest.raises(ConfigError) as caught:
        ScrapeConfig("it's", source="urls", limit=0).validate()
    assert "'it'" in caught.value.hint
    assert len(str(caught.value).splitlines()) == 2
