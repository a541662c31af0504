"""By what a generator is measured while it is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.best import Record
from facegan.core.events import Note
from facegan.core.files import sha256_of
from facegan.core.shards import open_index
from facegan.models import Generator
from facegan.score import during, inception, weights
from facegan.score.during import Yardstick, cached_inception, open_scoring
from facegan.score.weights import Published, WeightsFile, cache_dir
from tests.feature_blocks import Blocks


@pytest.fixture
def scored(tiny):
    return replace(tiny, score_every=2)


def notes(events):
    return [event.text for event in events if isinstance(event, Note)]


def begun(scored, shards, tmp_path, *, network=None, scores=(), best=None):
    record = Record(tmp_path / "scores.csv", iteration=9)
    for score in scores:
        record.add(score)
    events = []
    scoring = open_scoring(
        scored,
        open_index(shards),
        record,
        best,
        device=torch.device("cpu"),
        network=network,
        listener=events.append,
    )
    return scoring, events


def test_a_run_stays_with_the_measure_it_began_with(scored, shards, tmp_path):
    opened = []
    first, _ = begun(scored, shards, tmp_path)
    score = first.take(Generator(scored.model), 2)
    again, events = begun(scored, shards, tmp_path, network=opened.append, scores=[score])
    assert opened == []
    assert again.yardstick.identity == first.yardstick.identity
    assert "as before" in notes(events)[0]
    assert again.take(Generator(scored.model), 2) == score
    assert again.seconds == 0


def test_both_sides_have_as_many_images_as_are_asked_for_and_there(scored, shards, tmp_path):
    for wanted, there in ((4, 4), (10, 10), (500, 10)):
        config = replace(scored, score_samples=wanted)
        assert begun(config, shards, tmp_path)[0].yardstick.samples == there


def test_the_yardstick_is_a_function_of_seed_images_and_network(scored, shards, tmp_path):
    variants = [
        begun(replace(scored, **change), shards, tmp_path, network=network)[0].yardstick.identity
        for change in ({}, {"seed": 1}, {"score_samples": 4})
        for network in (None, lambda _: Blocks())
    ]
    assert len(set(variants)) == 6
    assert begun(scored, shards, tmp_path)[0].yardstick.identity == variants[0]


@pytest.mark.parametrize("network", [None, Blocks()], ids=["swd", "kid"])
def test_a_distance_draws_nothing_and_leaves_the_generator_alone(tiny, network):
    real = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    yardstick = Yardstick(real, latent_size=8, seed=3, network=network)
    generator = Generator(tiny.model).train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    state = torch.get_rng_state()
    first = yardstick.distance(generator)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[n], value) for n, value in generator.state_dict().items())
    assert generator.training
    assert yardstick.distance(generator) == first


def test_nothing_is_fetched_for_a_score(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    assert cached_inception(torch.device("cpu")) is None
    damaged = during._weights_path()
    damaged.parent.mkdir(parents=True)
    with damaged.open("wb") as file:
        file.truncate(during.FID_INCEPTION.bytes)
    monkeypatch.setattr(weights.files, "sha256_of_file", lambda _: "0" * 64)
    assert cached_inception(torch.device("cpu")) is None
    assert list(damaged.parent.iterdir()) == [damaged]


@pytest.mark.parametrize("name", ["w.pth", "v.pth"])
def test_weights_that_are_cached_are_taken_under_any_name(monkeypatch, tmp_path, name):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    published = Published("w.pth", "", sha256_of(b"weights"), 7, mirrors=("https://x/v.pth",))
    monkeypatch.setattr(during, "FID_INCEPTION", published)
    calls = []
    monkeypatch.setattr(inception, "open_network", lambda *words: calls.append(words) or Blocks())
    path = cache_dir() / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    device = torch.device("cpu")
    assert cached_inception(device).protocol.name == "blocks"
    assert calls == [("fid2015", WeightsFile(path, published.sha256, True), device)]
