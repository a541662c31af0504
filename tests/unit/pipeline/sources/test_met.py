"""The Metropolitan Museum: objects as they were recorded and as they might be, one by one."""

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings

from facegan.core.errors import BlockedError, RateLimitedError, SourceError
from facegan.core.records import SearchResult
from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.sources.met import PAUSE_S, MetSource, object_result
from tests import servers
from tests.sources_servers.met import Met
from tests.sources_servers.scripted import JSON, Answers, refused, spoilt

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "web" / "met"
HOST = "collectionapi.metmuseum.org"


def recorded(name):
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def source(transport, folder=None, **options):
    return MetSource(ScrapeConfig("q", **options), transport, folder)


def found(*answers, folder=None, **options):
    return list(source(Answers(*answers), folder, **options).search("q"))


def config_of(service, **options):
    return ScrapeConfig(
        "q",
        source="met",
        base_url=service.base_url,
        allow_hosts=(service.host,),
        **({"retries": 0} | options),
    ).validate()


def numbers(*found):
    return {"total": len(found), "objectIDs": list(found) or None}


def thing(number=1, **about):
    return {
        "objectID": number,
        "isPublicDomain": True,
        "primaryImage": f"https://images.metmuseum.org/original/{number}.jpg",
        "primaryImageSmall": f"https://images.metmuseum.org/web-large/{number}.jpg",
        "title": "Ada",
        "objectName": "Painting",
        "artistDisplayName": "A. Painter",
        "objectURL": f"https://www.metmuseum.org/art/collection/search/{number}",
    } | about


def test_recorded_objects():
    chair = object_result(recorded("object_237.json"), "q")
    assert chair == SearchResult(
        url="https://images.metmuseum.org/CRDImages/ad/web-large/DT179.jpg",
        query="q",
        source="met",
        rank=0,
        page_url="https://www.metmuseum.org/art/collection/search/237",
        title="Armchair",
        creator="Pottier and Stymus Manufacturing Company",
        license="CC0 1.0",
        license_url="https://creativecommons.org/publicdomain/zero/1.0/",
        attribution=(
            "Armchair by Pottier and Stymus Manufacturing Company, CC0 1.0,"
            " via The Metropolitan Museum of Art"
        ),
        filters="hasImages=true, isPublicDomain",
    )
    quail = object_result(recorded("sample_response.json"), "q")
    assert (quail.title, quail.creator) == ("Quail and Millet", "Kiyohara Yukinobu")
    assert all(getattr(quail, name) for name in MetSource.gives)


@pytest.mark.parametrize(
    ("about", "url"),
    [
        ({}, "https://images.metmuseum.org/web-large/1.jpg"),
        ({"primaryImageSmall": ""}, "https://images.metmuseum.org/original/1.jpg"),
        ({"primaryImageSmall": "", "primaryImage": ""}, None),
        ({"isPublicDomain": False}, None),
        ({"isPublicDomain": "true"}, None),
        ({"isPublicDomain": 1}, None),
    ],
)
def test_free_objects_with_a_picture_alone_are_taken(about, url):
    result = object_result(thing(**about), "q")
    assert (result and result.url) == url


def test_object_without_title_or_artist_has_a_credit_all_the_same():
    result = object_result(thing(title="", artistDisplayName=""), "q")
    assert (result.title, result.creator) == ("Painting", None)
    assert result.attribution == "Painting, CC0 1.0, via The Metropolitan Museum of Art"


def test_objects_come_one_by_one_in_the_searchs_order():
    pictures = servers.pictures(5)
    with Met(pictures) as service, Transport(config_of(service)) as transport:
        search = MetSource(transport.config, transport, None).search("an artist")
        first = list(islice(search, 2))
        assert len(service.asked) == 3
        assert service.asked[0].values == {"hasImages": "true", "q": "an artist"}
        results = first + list(search)
    assert [f"{result.title}.jpg" for result in results] == list(pictures)
    assert [result.rank for result in results] == list(range(5))


def test_objects_that_are_gone_or_not_free_leave_no_gap():
    changes = {1001: None, 1003: {"isPublicDomain": False}, 1004: {"primaryImageSmall": 3}}
    service = Met(servers.pictures(6), changes=changes)
    with service, Transport(config_of(service)) as transport:
        results = list(MetSource(transport.config, transport, None).search("q"))
    assert [result.title for result in results] == ["0000", "0002", "0004", "0005"]
    assert results[2].url.endswith("/originals/4.jpg")
    assert [result.rank for result in results] == list(range(4))


def test_object_that_cannot_be_had_now_ends_the_search():
    with pytest.raises(SourceError):
        found(numbers(1, 2), thing(1), refused(500))


def test_picture_of_two_objects_is_one_result():
    same = {"primaryImageSmall": "https://images.metmuseum.org/same.jpg"}
    transport = Answers(numbers(1, 2, 2, 3), thing(1, **same), thing(2, **same), thing(3))
    assert len(list(source(transport).search("q"))) == 2
    assert len(transport.asked) == 4


@pytest.mark.parametrize("answer", [{"total": 0, "objectIDs": None}, {"total": 0, "objectIDs": []}])
def test_no_objects_are_an_empty_search(answer):
    assert found(answer) == []


def test_known_objects_are_not_asked_for_again(tmp_path):
    with Met(servers.pictures(4)) as service:
        for _ in range(2):
            with Transport(config_of(service), cache=tmp_path / "cache") as transport:
                results = list(MetSource(transport.config, transport, None).search("q"))
                assert [result.rank for result in results] == list(range(4))
        assert len(service.asked) == 5


def test_what_is_no_json_is_kept_and_asked_for_again(tmp_path):
    with Met(servers.pictures(2)) as service:
        config = config_of(service)
        with Transport(config, cache=tmp_path / "cache") as transport:
            met = MetSource(config, transport, tmp_path)
            service.say(b"<h1>Are you a robot?</h1>", times=1)
            with pytest.raises(SourceError, match=r"else than JSON.*kept in .*met\.json"):
                list(met.search("q"))
            assert (tmp_path / "met.json").read_bytes() == b"<h1>Are you a robot?</h1>"
            assert len(list(met.search("q"))) == 2


def test_refusal_after_a_burst_is_waited_out():
    transport = Answers(numbers(1), refused(), refused(), thing(1))
    assert len(list(source(transport, retries=2).search("q"))) == 1
    assert transport.manners.pauses == [(HOST, PAUSE_S)] * 2
    assert transport.asked[1] == transport.asked[2] == transport.asked[3]


def test_refusal_that_lasts_is_told():
    with pytest.raises(RateLimitedError, match=r"HTTP 403\), also at try 3: .*many requests"):
        found(numbers(1), refused(), retries=2)
    with pytest.raises(BlockedError, match=r"refuses \(HTTP 403\), also at try 1$"):
        found(refused(), retries=0)
    with pytest.raises(BlockedError, match="HTTP 401"):
        found(refused(401), retries=2)


def test_museum_is_asked_once_a_second():
    transport = Answers(numbers())
    source(transport)
    assert transport.manners.limits == {HOST: (1, 1.0)}


@pytest.mark.parametrize(
    "odd",
    [
        None,
        3,
        "text",
        [],
        {},
        {"message": "x"},
        {"total": 3, "objectIDs": None},
        {"total": 0, "objectIDs": ["1"]},
        {"total": 1, "objectIDs": [True, -1, 0, 1.5]},
        {"objectIDs": {"1": 1}},
    ],
)
def test_search_of_another_shape_is_kept(tmp_path, odd):
    with pytest.raises(SourceError, match=r"kept in .*met\.json"):
        found(odd, folder=tmp_path)
    assert json.loads((tmp_path / "met.json").read_text()) == odd


def test_one_odd_object_is_passed_over_and_several_are_news(tmp_path):
    ids = numbers(*range(1, 9))
    fine = [thing(number) for number in range(4, 9)]
    assert len(found(ids, thing(1), {}, {"message": "x"}, *fine, folder=tmp_path)) == 6
    assert len(found(ids, thing(1), {}, {}, thing(4), {}, {}, *fine[3:], folder=tmp_path)) == 4
    with pytest.raises(SourceError, match=r"object 4 does not say .*met\.json"):
        found(ids, thing(1), {}, [], {"message": "x"}, *fine, folder=tmp_path)
    assert json.loads((tmp_path / "met.json").read_text()) == {"message": "x"}
    with pytest.raises(SourceError, match="object 1 does not say"):
        found(numbers(1), "text", folder=tmp_path)


def test_odd_object_before_ones_that_are_gone_is_kept_and_named(tmp_path):
    gone = refused(404)
    with pytest.raises(SourceError, match="object 1 does not say"):
        found(numbers(1, 2, 3), {"message": "x"}, gone, gone, folder=tmp_path)
    assert json.loads((tmp_path / "met.json").read_text()) == {"message": "x"}


def test_search_of_so_many_objects_ends_with_them():
    closed = [thing(number, isPublicDomain=False) for number in range(1, 10)]
    transport = Answers(numbers(*range(1, 10)), *closed)
    with pytest.raises(SourceError, match="none of 4 works is in the public domain"):
        list(MetSource(ScrapeConfig("q"), transport, None, most_objects=4).search("q"))
    assert len(transport.asked) == 1 + 4
    transport = Answers(numbers(*range(1, 10)), closed[0], thing(2), *closed[2:])
    assert len(list(MetSource(ScrapeConfig("q"), transport, None, most_objects=4).search("q"))) == 1
    assert len(transport.asked) == 1 + 4
    transport = Answers(numbers(1, 2), *closed)
    assert not list(MetSource(ScrapeConfig("q"), transport, None, most_objects=4).search("q"))


@settings(max_examples=60, deadline=None)
@given(spoilt([numbers(1, 2), thing(1), thing(2)]))
def test_spoilt_answers_give_results_or_a_source_error(tmp_path_factory, answers):
    folder = tmp_path_factory.getbasetemp() / "answers"
    try:
        results = list(source(Answers(*answers), folder).search("q"))
    except SourceError:
        return
    assert [result.rank for result in results] == list(range(len(results)))


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_object_of_any_shape_is_read_or_left_out(value):
    assert object_result(dict.fromkeys(thing(), value), "q") is None
    image = {"primaryImage": "https://a.example/b", "isPublicDomain": True}
    object_result(dict.fromkeys(thing(), value) | image, "q").attribution.encode()
