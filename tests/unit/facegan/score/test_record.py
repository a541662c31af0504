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


def test_no_file_is_no_scores(tmp_path):
    assert read_scores(tmp_path / "scores.json") == []
