import json
from datetime import UTC, datetime

import numpy as np
import pytest

from facegan.config import ScoreConfig
from facegan.core import events
from facegan.core.errors import ScoreError
from facegan.score.inception import Protocol
from facegan.score.inception_score import inception_score
from facegan.score.run import read_scores, score, write_scores

PROTOCOL = Protocol("torchvision", "fake", "ab" * 32, True, "none", "none", True, 16)


class Fake:
    """A classifier whose logits are the image's first pixels."""

    def __init__(self, protocol=PROTOCOL):
        self.protocol = protocol

    def logits(self, images):
        return images.reshape(len(images), -1)[:, :16].astype(np.float32) / 32


def batches(sizes=(30, 30, 13), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (size, 4, 4, 3), dtype=np.uint8) for size in sizes]


def clock(step=0.5):
    times = iter(np.arange(0.0, 1000.0, step))
    return lambda: float(next(times))


CONFIG = ScoreConfig(samples=73, splits=4, seed=5)


def test_score_is_the_formula_of_all_batches():
    result = score(batches(), Fake(), CONFIG, clock=clock())
    wanted = inception_score(Fake().logits(np.concatenate(batches())), splits=4, seed=5)
    assert result.score == wanted
    assert result.seconds == 0.5
    assert result.images_per_s == 146.0


def test_score_does_not_depend_on_the_batches():
    images = np.concatenate(batches())
    one = score([images], Fake(), CONFIG).score
    assert score(np.array_split(images, 9), Fake(), CONFIG).score == one


def test_progress_counts_the_images():
    told = []
    score(iter(batches()), Fake(), CONFIG, total=73, listener=told.append)
    assert told[0] == events.Started("score", total=73, unit="image")
    assert [event.done for event in told if isinstance(event, events.Advanced)] == [30, 60, 73]
    assert events.Finished("score") in told
    assert [event.warning for event in told if isinstance(event, events.Note)] == [True]


def test_unofficial_weights_are_a_warning_of_every_result():
    protocol = Protocol("torchvision", "fake", "cd" * 32, False, "none", "none", True, 16)
    result = score(batches(), Fake(protocol), CONFIG)
    assert "unofficial weights (sha256 cdcdcdcd…)" in result.warnings[0]
    assert result.as_dict()["warnings"] == list(result.warnings)


def test_no_images_are_an_error():
    with pytest.raises(ScoreError, match="no images"):
        score([], Fake(), CONFIG)


def test_the_bar_is_closed_when_the_images_fail():
    def failing():
        yield batches()[0]
        raise ScoreError("broken")

    told = []
    with pytest.raises(ScoreError, match="broken"):
        score(failing(), Fake(), CONFIG, listener=told.append)
    assert told[-1] == events.Finished("score")


def test_as_dict_is_plain_and_complete():
    record = json.loads(json.dumps(score(batches(), Fake(), CONFIG).as_dict()))
    assert record["splits"] == len(record["per_split"]) == 4
    assert (record["metric"], record["samples"], record["seed"]) == ("inception_score", 73, 5)
    assert record["protocol"]["weights_sha256"] == "ab" * 32
    assert {"mean", "std", "seconds", "images_per_s", "warnings"} <= record.keys()


def test_write_scores_appends(tmp_path):
    path = tmp_path / "run" / "scores.json"
    result = score(batches(), Fake(), CONFIG)
    now = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    first = write_scores(path, result, {"run": "00001-64px", "iteration": 500}, now=now)
    second = write_scores(path, result, {"run": "00001-64px", "iteration": 1000})
    assert first["created_at"] == "2025-01-02T03:04:05+00:00"
    assert first["iteration"] == 500
    assert read_scores(path) == [first, second]
    assert json.loads(path.read_bytes())["version"] == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 9, "scores": []}', b'{"version": 1, "scores": 3}']
)
def test_a_damaged_file_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(ScoreError) as caught:
        write_scores(path, score(batches(), Fake(), CONFIG), {})
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def test_no_file_is_no_scores(tmp_path):
    assert read_scores(tmp_path / "scores.json") == []
