"""What a limit has left of a folder or a list is counted, and progress counts to what there is."""

import pytest

from facegan.core.catalog import Catalog
from facegan.core.events import Advanced, Started
from facegan.core.files import Workspace
from pipeline import scrape_left
from pipeline.config import ScrapeConfig
from pipeline.gallery import Gallery
from pipeline.http import Transport
from pipeline.scrape import scrape
from pipeline.sources.folder import FolderSource
from pipeline.sources.urls import UrlsSource
from tests import servers
from tests.scrape_helpers import settings


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


@pytest.fixture
def folder(tmp_path):
    for name, data in servers.pictures(7).items():
        (tmp_path / "faces" / name[3]).mkdir(parents=True)
        (tmp_path / "faces" / name[3] / name).write_bytes(data)
    (tmp_path / "faces/notes.txt").write_text("no picture")
    return tmp_path / "faces"


def of_folder(folder, **options):
    return ScrapeConfig("mine", source="folder", folder=folder, workers=2, **options)


def totals(events):
    return [event.total for event in events if isinstance(event, Started)]


def test_what_the_limit_leaves_of_a_folder_is_told_with_the_limit_that_takes_it(workspace, folder):
    first = scrape(of_folder(folder, limit=3), workspace)
    assert (first.images, first.left, first.next_limit) == (3, 5, 8)
    assert (first.as_dict()["left"], first.as_dict()["next_limit"]) == (5, 8)
    again = scrape(of_folder(folder, limit=3), workspace)
    assert (again.tally.total, again.left, again.next_limit) == (0, 5, 8)
    rest = scrape(of_folder(folder, limit=first.next_limit), workspace)
    assert (rest.images, rest.left, rest.next_limit, rest.ended) == (7, 0, None, True)
    exact = scrape(of_folder(folder, limit=7), workspace)
    assert (exact.left, exact.next_limit) == (0, None)


def test_progress_counts_to_what_the_folder_holds_and_never_beyond_the_limit(workspace, folder):
    events = []
    scrape(of_folder(folder, limit=2), workspace, listener=events.append)
    scrape(of_folder(folder, limit=1000), workspace, listener=events.append)
    assert totals(events) == [2, 8]
    more = folder.parent / "more"
    more.mkdir()
    (more / "a.jpg").write_bytes(servers.picture(50))
    events.clear()
    scrape(of_folder(more, limit=1000, min_size_px=8), workspace, listener=events.append)
    (total,) = totals(events)
    done = max(event.done for event in events if isinstance(event, Advanced))
    # 7 are here, 1 is new, and the text, which other limits have left out, is tried once more.
    assert (done, total) == (8, 9)


def test_what_a_limit_leaves_of_a_list_is_told(workspace, tmp_path):
    with Gallery(servers.pictures(5)) as gallery:
        names = [gallery.address(name) for name in gallery.pictures]
        (tmp_path / "list.csv").write_text("\n".join(["url,mood", *names, "no address", ""]))
        config = ScrapeConfig(
            "mine",
            source="urls",
            list_file=tmp_path / "list.csv",
            allow_hosts=(gallery.host,),
            limit=2,
        )
        events = []
        report = scrape(config, workspace, listener=events.append)
    assert (report.images, report.left, totals(events)) == (2, 4, [2])
    told = [event.text for event in events if "not understood: mood" in getattr(event, "text", "")]
    assert len(told) == 1


def test_a_source_that_is_asked_over_the_net_is_not_counted(workspace):
    with Gallery(servers.pictures(4)) as gallery:
        events = []
        report = scrape(settings(gallery, limit=2), workspace, listener=events.append)
    assert (report.left, report.next_limit, totals(events)) == (0, None, [2])


def test_counting_ends_where_it_is_enough_too_much_or_stopped(workspace, folder, monkeypatch):
    assert scrape(of_folder(folder, limit=1), workspace).left == 7
    monkeypatch.setattr(scrape_left, "BATCH", 2)
    monkeypatch.setattr(scrape_left, "LOOKED_AT", 4)
    assert scrape(of_folder(folder, limit=1), workspace).left == 3
    stopped = scrape(of_folder(folder, limit=1), workspace, should_stop=lambda: True)
    assert (stopped.left, stopped.stopped) == (0, False)


def test_a_folder_that_went_away_is_told_by_its_search_alone(workspace, folder, tmp_path):
    config = of_folder(folder, limit=3)
    scrape(config, workspace)
    gone = FolderSource(of_folder(tmp_path / "gone"))
    with Catalog(workspace.catalog) as catalog:
        assert scrape_left.left_of(gone, catalog, config, lambda: False) is None
        assert scrape_left.end_of(gone, catalog, config, lambda: False, 1) == 3


def test_the_addresses_are_those_of_the_search(folder, tmp_path):
    source = FolderSource(of_folder(folder))
    assert list(source.addresses()) == [result.url for result in source.search("mine")]
    (tmp_path / "list.txt").write_text("https://a.example/1.jpg\n# none\nno address\n")
    config = ScrapeConfig("mine", source="urls", list_file=tmp_path / "list.txt")
    listed = UrlsSource(config, Transport(config))
    assert list(listed.addresses()) == [result.url for result in listed.search("mine")]
