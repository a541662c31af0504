"""Wikimedia Commons: the line that credits a file, of what its page says."""

import pytest

from pipeline.config import ScrapeConfig
from pipeline.http import Transport
from pipeline.sources.commons import CommonsSource, file_result
from tests import servers
from tests.sources_servers.commons import Commons

CONFIG = ScrapeConfig("q")


def file(says):
    about = {
        "url": "https://upload.wikimedia.org/a/1.jpg",
        "mime": "image/jpeg",
        "extmetadata": {key: {"value": value} for key, value in says.items()},
    }
    return {"pageid": 1, "title": "File:Ada.jpg", "imageinfo": [about]}


@pytest.mark.parametrize(
    ("says", "line"),
    [
        ({}, "Ada, via Wikimedia Commons"),
        (
            {"Artist": "A.", "Credit": '<span lang="en">Own&nbsp;work</span>', "Attribution": " "},
            "Ada by A., Own work, via Wikimedia Commons",
        ),
        (
            {"LicenseShortName": "CC0", "Credit": "<a href='//a.example'>A museum</a>, no. 3"},
            "Ada, A museum, no. 3, CC0, via Wikimedia Commons",
        ),
        ({"Artist": "A.", "Credit": "B", "Attribution": "<b>Photo:</b> C"}, "Photo: C"),
        (
            {"Attribution": "Photo: C", "Restrictions": "personality|trademarked"},
            "Photo: C (restrictions: personality, trademarked)",
        ),
        (
            {"Artist": "A.", "Restrictions": "| personality\n |<i>x</i>"},
            "Ada by A., via Wikimedia Commons (restrictions: personality, x)",
        ),
        ({"Restrictions": " | "}, "Ada, via Wikimedia Commons"),
        ({"Credit": 3, "Restrictions": ["personality"]}, "Ada, via Wikimedia Commons"),
    ],
)
def test_line_tells_where_a_file_is_from_and_what_else_restricts_its_use(says, line):
    result = file_result(file(says), "q", CONFIG)
    assert result.attribution == line
    assert result.license == says.get("LicenseShortName")


def test_long_credit_leaves_the_restrictions_to_be_read():
    says = {"Attribution": "a" * 9000, "Restrictions": "personality|" * 900}
    line = file_result(file(says), "q", CONFIG).attribution
    assert line.endswith(")")
    assert len(line) < 5000


def test_credit_and_restrictions_are_asked_for_and_nothing_that_is_not_used():
    says = {"Credit": "Own work", "Restrictions": "personality"}
    with Commons(servers.pictures(1), says=says) as service:
        config = ScrapeConfig(
            "q", source="commons", base_url=service.base_url, allow_hosts=(service.host,)
        )
        with Transport(config) as transport:
            (result,) = CommonsSource(config, transport, None).search("q")
        assert "sha1" not in service.asked[0].values["iiprop"]
    assert result.attribution == (
        f"{result.title} by Ada Painter, Own work, CC BY-SA 4.0, via Wikimedia Commons"
        " (restrictions: personality)"
    )
