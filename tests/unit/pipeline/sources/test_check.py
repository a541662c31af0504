"""What `facegan sources check` finds out, without a network."""

import pytest

from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery, tile
from pipeline.http import Transport
from pipeline.sources import SOURCES, open_source
from pipeline.sources.about import ABOUT, COLUMNS, markdown
from pipeline.sources.check import CHECKED, OBJECTS, QUERY, RESULTS, check
from tests import servers
from tests.sources_servers import Service
from tests.sources_servers.commons import Commons
from tests.sources_servers.met import Met
from tests.sources_servers.openverse import Openverse

SERVERS = {"bing": Gallery, "commons": Commons, "openverse": Openverse, "met": Met}


def config(server, source="bing"):
    return ScrapeConfig(
        QUERY,
        source=source,
        base_url=server.base_url,
        allow_hosts=(server.host,),
        retries=0,
    )


class Pages:
    """A transport whose every page is the same."""

    def __init__(self, page):
        self.text = page

    def page(self, url):  # noqa: ARG002
        return self.text


@pytest.mark.parametrize("source", CHECKED)
def test_source_that_answers_as_expected(source, tmp_path):
    with SERVERS[source](servers.pictures(10)) as server:
        done = check(config(server, source), tmp_path / "answers")
    assert (done.source, done.ok, done.results) == (source, True, RESULTS)
    assert (done.missing, done.problem, done.kept) == ((), None, None)
    assert not (tmp_path / "answers").exists()


def test_images_are_not_fetched_and_one_page_is_enough(tmp_path):
    with Gallery(servers.pictures(80)) as gallery:
        check(config(gallery), tmp_path)
        assert gallery.requests.total() == 1


def test_time_is_measured(tmp_path):
    ticks = iter((5.0, 5.25))
    page = Pages("There are no results for it")
    assert check(ScrapeConfig(QUERY), tmp_path, transport=page, clock=lambda: next(ticks)).ms == 250


def test_field_that_is_missing_is_named(tmp_path):
    transport = Pages(tile("https://a.example/1", title="t", page_url="https://a.example/"))
    done = check(ScrapeConfig(QUERY), tmp_path, transport=transport)
    assert (done.ok, done.results, done.missing) == (False, 1, ("height", "width"))
    assert done.problem == "results of bing come without height, width"


def test_field_that_only_some_results_have_is_not_missing(tmp_path):
    titles = ("", "Ada", "")
    tiles = "".join(
        tile(f"https://a.example/{at}", title=title, page_url="https://a.example/")
        for at, title in enumerate(titles)
    )
    done = check(ScrapeConfig(QUERY), tmp_path, transport=Pages(tiles))
    assert (done.results, done.missing) == (3, ("height", "width"))


def test_museum_without_free_works_is_asked_for_some_of_them_alone(tmp_path):
    numbers = {number: {"isPublicDomain": False} for number in range(1000, 1060)}
    with Met(dict.fromkeys(map(str, numbers), b""), changes=numbers) as museum:
        done = check(config(museum, "met"), tmp_path)
        assert len(museum.asked) == 1 + OBJECTS
    assert (done.ok, done.results) == (False, 0)
    assert done.problem == f"none of {OBJECTS} works is in the public domain and has a picture"
    assert done.hint


def test_word_without_results_is_a_problem(tmp_path):
    done = check(ScrapeConfig(QUERY), tmp_path, transport=Pages("There are no results for it"))
    assert (done.ok, done.results) == (False, 0)
    assert "'portrait'" in done.problem


@pytest.mark.parametrize("source", CHECKED)
def test_changed_answer_is_told_and_kept(source, tmp_path):
    with Service({}) as service:
        service.say(b'{"results": "elsewhere"}')
        done = check(config(service, source), tmp_path)
    assert not done.ok
    assert done.problem
    assert done.hint
    assert done.kept
    assert done.kept in done.problem


def test_answer_kept_by_an_earlier_check_is_not_this_ones(tmp_path):
    (tmp_path / "bing.html").write_text("before")
    done = check(ScrapeConfig(QUERY), tmp_path, transport=Pages("There are no results for it"))
    assert done.kept is None
    done = check(ScrapeConfig(QUERY), tmp_path, transport=Pages("changed"))
    assert done.kept == str(tmp_path / "bing.html")


def test_server_that_is_not_there(tmp_path):
    with Service({}) as service:
        settings = config(service, "commons")
    done = check(settings, tmp_path)
    assert (done.ok, done.kept) == (False, None)
    assert "cannot reach 127.0.0.1" in done.problem


def test_every_source_is_told_of():
    assert tuple(about.name for about in ABOUT) == SOURCES
    for about in ABOUT:
        assert all(getattr(about, column).strip() for column in COLUMNS)
        assert "|" not in "".join(getattr(about, column) for column in COLUMNS)


def test_sources_that_ask_a_service_are_checked(tmp_path):
    for source in SOURCES:
        options = {"folder": tmp_path, "list_file": tmp_path / "none"}
        with Transport(ScrapeConfig("a", source=source, **options)) as transport:
            opened = open_source(transport.config, transport, tmp_path)
        assert opened.name == source
        assert opened.gives <= set(SearchResult.__dataclass_fields__)
        assert (source in CHECKED) == (source not in {"urls", "folder", "portraits"})


def test_table_has_a_row_for_each_source():
    lines = markdown().splitlines()
    assert len(lines) == 2 + len(SOURCES)
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| `bing` (default) | ")
