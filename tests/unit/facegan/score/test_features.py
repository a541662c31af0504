import pytest

from facegan.config import ScoreConfig
from facegan.core import events
from facegan.core.errors import ScoreError, SourceError
from facegan.score import features, weights
from facegan.score.inception import random_weights


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return {
        name: str(random_weights(folder / f"{name}.pth", network=name).path)
        for name in ("fid2015", "torchvision")
    }


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))

    def refuse(*_, **__):
        raise SourceError("cannot get the weights", hint="--weights FILE")

    monkeypatch.setattr(weights, "obtain", refuse)


@pytest.mark.parametrize("name", ["fid2015", "torchvision"])
def test_auto_recognises_whose_weights_a_file_holds(files, name):
    network = features.open_features(ScoreConfig(weights=files[name], precision="fp32"))
    assert network.protocol.name == name
    assert features.unofficial(network)


def test_a_file_of_the_other_network_is_refused_before_anything_long(files):
    config = ScoreConfig(features="inception2015", weights=files["torchvision"])
    with pytest.raises(ScoreError, match="--features torchvision"):
        features.check_files(config)


def test_a_missing_onnx_file_is_found_before_anything_long(tmp_path):
    with pytest.raises(ScoreError, match=r"gone\.onnx"):
        features.check_files(ScoreConfig(features=str(tmp_path / "gone.onnx")))


@pytest.mark.usefixtures("unreachable")
def test_settings_without_files_open_nothing():
    features.check_files(ScoreConfig())
    features.check_files(ScoreConfig(features="none"))


@pytest.mark.usefixtures("unreachable")
def test_auto_goes_on_without_a_network_and_says_so():
    told = []
    network, why = features.open_or_say(ScoreConfig(), listener=told.append)
    assert network is None
    assert why == "the weights of Inception are not here and could not be fetched"
    (note,) = told
    assert isinstance(note, events.Note)
    assert note.warning
    assert "only what needs no network is measured (--weights FILE)" in note.text


@pytest.mark.usefixtures("unreachable")
def test_a_network_asked_for_by_name_must_be_there():
    with pytest.raises(SourceError):
        features.open_or_say(ScoreConfig(features="inception2015"))


@pytest.mark.usefixtures("unreachable")
def test_nothing_is_fetched_where_that_is_not_wanted():
    for name in ("auto", "inception2015", "torchvision"):
        network, why = features.open_or_say(ScoreConfig(features=name), fetch=False)
        assert network is None
        assert "would be fetched first" in why
