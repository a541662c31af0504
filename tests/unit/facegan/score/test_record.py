import json
from datetime import UTC, datetime

import pytest

from facegan.core.errors import ScoreError
from facegan.score.record import read_scores, write_scores
from facegan.score.report import LeftOut, Measure, Report, Side


def report(value=2.5):
    measure = Measure("swd", "sliced Wasserstein x 1,000", value, "low", details={"seed": 0})
    return Report(
        samples=Side("a", 10, "ab"),
        real=None,
        held_out=None,
        measures=(measure,),
        left_out=(LeftOut("FID", "no network"),),
        diagnosis=None,
        protocols=(),
        warnings=("few images",),
        seconds=1.0,
        images_per_s=10.0,
    )


def test_records_are_appended(tmp_path):
    path = tmp_path / "run" / "scores.json"
    now = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    first = write_scores(path, report(), {"run": "00001-64px", "iteration": 500}, now=now)
    second = write_scores(path, report(3.0), {"run": "00001-64px", "iteration": 1000})
    assert first["created_at"] == "2025-01-02T03:04:05+00:00"
    assert first["measures"][0]["value"] == 2.5
    assert first["left_out"] == [{"what": "FID", "why": "no network"}]
    assert read_scores(path) == [first, second]
    assert json.loads(path.read_bytes())["version"] == 2


def test_inception_scores_of_version_1_are_read_and_kept(tmp_path):
    path = tmp_path / "scores.json"
    old = {
        "metric": "inception_score", "mean": 2.61, "std": 0.1, "per_split": [2.5, 2.7],
        "splits": 2, "samples": 5000, "iteration": 7, "warnings": [], "seed": 0,
        "protocol": {"name": "torchvision", "weights_sha256": "ab"},
    }  # fmt: skip
    path.write_text(json.dumps({"version": 1, "scores": [old]}))
    (record,) = read_scores(path)
    (measure,) = record["measures"]
    assert (measure["name"], measure["value"]) == ("inception_score", 2.61)
    assert measure["details"]["per_split"] == [2.5, 2.7]
    assert record["protocols"]["torchvision"]["weights_sha256"] == "ab"
    assert (record["iteration"], record["samples"]) == (7, 5000)
    new = write_scores(path, report(), {})
    assert read_scores(path) == [record, new]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 9, "scores": []}', b'{"version": 1, "scores": 3}']
)
def test_a_damaged_file_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(ScoreError) as caught:
        write_scores(path, report(), {})
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def stored(path, change, *, version=2):
    """A file of one record that `write_scores` could have written, but for a change."""
    record = {"created_at": "2026-01-02T03:04:05+00:00", **report().as_dict(), "iteration": 5}
    path.write_text(json.dumps({"version": version, "scores": [record | change]}))
    return path


MEASURE = {"name": "kid", "label": "KID", "value": 1.0}
REAL = {"name": "faces", "images": 3, "content": "ab"}
ODD = [
    {"measures": None},
    {"measures": {}},
    {"measures": [{}]},
    {"measures": [3]},
    *({"measures": [MEASURE | {"value": value}]} for value in (None, "1", True, [1.0], 10**400)),
    {"measures": [MEASURE | {"low": "0"}]},
    {"measures": [MEASURE | {"features": ["x"]}]},
    {"measures": [MEASURE | {"label": None}]},
    {"protocols": []},
    {"protocols": {"fixed": []}},
    {"sets": []},
    {"sets": {"real": 3}},
    {"sets": {"real": REAL | {"content": None}}},
    {"sets": {"real": {"images": 3}}},
    {"verdict": 3},
    {"diagnosis": {"sentences": "abc"}},
    {"diagnosis": [1]},
    {"warnings": [1]},
    {"warnings": None},
    {"iteration": "5"},
    {"raw": "no"},
    {"features": {}},
    {"samples": None},
    {"created_at": 3},
]


@pytest.mark.parametrize("change", ODD, ids=lambda change: repr(change)[:60])
def test_a_record_of_an_odd_shape_is_refused_in_a_sentence(tmp_path, change):
    path = stored(tmp_path / "scores.json", change)
    before = path.read_bytes()
    with pytest.raises(ScoreError) as caught:
        read_scores(path)
    assert str(path) in caught.value.message
    assert next(iter(change)) in caught.value.message
    assert len(caught.value.message) < len(str(path)) + 150
    assert "rename the file" in caught.value.hint
    with pytest.raises(ScoreError):
        write_scores(path, report(), {})
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["measures", "samples", "created_at"])
def test_a_record_without_what_is_always_there_is_refused(tmp_path, key):
    path = stored(tmp_path / "scores.json", {})
    data = json.loads(path.read_bytes())
    del data["scores"][0][key]
    path.write_text(json.dumps(data))
    with pytest.raises(ScoreError, match=f"odd {key}: it is missing"):
        read_scores(path)


@pytest.mark.parametrize(
    "change", [{"protocol": []}, {"protocol": "abc"}, {"protocol": {"name": []}}, {"mean": None}]
)
def test_a_record_of_version_1_of_an_odd_shape_is_refused(tmp_path, change):
    old = {"metric": "inception_score", "mean": 2.5, "samples": 9, "iteration": 7}
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"version": 1, "scores": [old | change]}))
    with pytest.raises(ScoreError, match=r"a record of .* has an odd"):
        read_scores(path)


def test_further_keys_and_numbers_that_are_not_finite_are_left_as_they_are(tmp_path):
    more = MEASURE | {"value": float("inf"), "low": 1, "colour": "blue"}
    change = {"measures": [more], "later": [1], "sets": {"real": REAL | {"more": 1}, "x": None}}
    (record,) = read_scores(stored(tmp_path / "scores.json", change))
    assert record["later"] == [1]
    assert record["measures"] == [more]


def test_no_file_is_no_scores(tmp_path):
    assert read_scores(tmp_path / "scores.json") == []
