"""The source portraits' own ways; what it shares with the others stands in tests/contract."""

import json

import pytest

from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.portraits import portraits
from pipeline.sources import open_source
from pipeline.sources.licences import CC0, CC0_URL


def test_portraits_are_those_of_the_painter_and_their_titles_tell_what_they_show(tmp_path):
    config = ScrapeConfig("a", source="portraits", seed=7, limit=2, size_px=64)
    source = open_source(config, Transport(config), tmp_path)
    results = list(source.search("a"))
    assert [result.url for result in results] == [f"portrait:7/{n}?size=64" for n in range(2)]
    assert {(result.license, result.license_url) for result in results} == {(CC0, CC0_URL)}
    assert {"license", "license_url"} <= source.gives
    for result, portrait in zip(results, portraits(2, 7), strict=True):
        about = json.loads(result.title)
        truth = {name: about.pop(name) for name in ("box", "eyes", "landmarks")}
        assert about == json.loads(json.dumps(portrait.attributes.as_dict()))
        size, box = portrait.image.shape[0] / 64, portrait.box
        assert truth["box"] == pytest.approx(
            [side / size for side in (box.left, box.top, box.right, box.bottom)], abs=0.01
        )
        for name in ("eyes", "landmarks"):
            points = [x / size for point in getattr(portrait, name) for x in point]
            assert [x for point in truth[name] for x in point] == pytest.approx(points, abs=0.01)
