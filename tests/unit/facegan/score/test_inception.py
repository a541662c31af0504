import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.core.errors import ScoreError
from facegan.score import inception
from facegan.score.inception import PRESETS, open_network, preprocess, protocol_of, random_weights
from facegan.score.resize import CLEAN
from facegan.score.weights import WeightsFile

NAMES = ["fid2015", "torchvision"]
CLASSES = {"fid2015": 1008, "torchvision": 1000}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return {name: random_weights(folder / f"{name}.pth", 3, name) for name in NAMES}


@pytest.fixture(scope="module")
def networks(files):
    return {name: open_network(name, files[name]) for name in NAMES}


@pytest.fixture(params=NAMES)
def network(request, networks):
    return networks[request.param]


def pictures(count=2, size=96, seed=0):
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def near(given, wanted, share=1e-5):
    return np.abs(given - wanted).max() <= share * np.abs(wanted).max()


def test_outputs_are_features_and_logits_of_each_image(network):
    images = pictures(2)
    together = network.outputs(images)
    assert together.features.shape == (2, network.protocol.features) == (2, 2048)
    assert together.logits.shape == (2, network.protocol.classes)
    assert together.features.dtype == together.logits.dtype == np.float32
    assert together.features.min() >= 0
    alone = [network.outputs(image[None]) for image in images]
    assert near(np.concatenate([one.features for one in alone]), together.features)
    assert near(np.concatenate([one.logits for one in alone]), together.logits)
    assert not near(together.features[:1], together.features[1:2], 1e-3)


def test_images_beyond_one_tile_keep_their_order(networks, monkeypatch):
    images = pictures(3)
    wanted = networks["fid2015"].outputs(images)
    monkeypatch.setattr(inception, "_CPU_TILE", 2)
    tiled = networks["fid2015"].outputs(images)
    assert near(tiled.features, wanted.features)
    assert near(tiled.logits, wanted.logits)


@pytest.mark.parametrize("name", NAMES)
def test_the_protocol_names_what_the_number_depends_on(name, files, networks):
    protocol = networks[name].protocol
    assert protocol.name == name
    assert protocol.weights_sha256 == files[name].sha256
    assert not protocol.official
    assert protocol.classes == CLASSES[name]
    assert protocol.precision == "fp32"
    assert protocol.resize.startswith("299x299, bilinear")
    assert ("not antialiased" in protocol.resize) == (name == "fid2015")
    assert protocol.normalisation.startswith("(x - 128) / 128" if name == "fid2015" else "2x - 1")
    assert set(protocol.as_dict()) >= {"weights_sha256", "official", "precision"}


@pytest.mark.parametrize("name", NAMES)
def test_the_network_sees_the_range_of_its_weights_training(name):
    preset = PRESETS[name]
    grey = np.array([0, 128, 255], np.uint8)[:, None, None, None]
    images = grey * np.ones((1, 8, 8, 3), np.uint8)
    images.flags.writeable = False  # as arrays from Pillow are
    seen = preprocess(images, preset, preset.rule)
    wanted = {"fid2015": [-1.0, 0.0, 127 / 128], "torchvision": [-1.0, 1 / 255, 1.0]}[name]
    assert seen.shape == (3, 3, 299, 299)
    assert seen.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(seen.mean((1, 2, 3)), torch.tensor(wanted), atol=1e-5)
    assert seen.std((1, 2, 3)).max() < 1e-5


def test_clean_resize_is_a_protocol_of_its_own(files, networks):
    network = open_network("fid2015", files["fid2015"], resize="clean")
    images = pictures(1, size=400)
    assert CLEAN.words in network.protocol.resize
    assert network.protocol.name == "fid2015"
    native = networks["fid2015"].outputs(images).features
    clean = network.outputs(images).features
    assert np.abs(clean - native).max() > 1e-2 * np.abs(native).max()


def test_bf16_stays_close_to_fp32_and_says_so(files, networks):
    network = open_network("fid2015", files["fid2015"], precision="bf16")
    assert network.protocol.precision == "bf16"
    images = pictures(2)
    exact, rough = networks["fid2015"].outputs(images), network.outputs(images)
    assert rough.features.dtype == rough.logits.dtype == np.float32
    assert near(rough.features, exact.features, 0.03)
    assert near(rough.logits, exact.logits, 0.03)
    assert not near(rough.features, exact.features, 1e-5)  # it is another precision


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 1), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_other_dtypes_and_shapes_are_refused(network, images):
    with pytest.raises(ScoreError, match=f"{network.protocol.name} takes RGB images as uint8"):
        network.outputs(images)


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("clip", {}, "'clip' is no network here: one of fid2015, torchvision"),
        ("fid2015", {"resize": "lanczos"}, "'lanczos' is no resize rule here"),
        ("fid2015", {"precision": "int8"}, "'int8' is no precision here"),
    ],
)
def test_unknown_choices_are_refused(tmp_path, name, options, wanted):
    nothing = WeightsFile(tmp_path / "none", "", official=False)
    with pytest.raises(ScoreError, match=wanted):
        open_network(name, nothing, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_belongs_to_one_protocol_and_the_other_refuses_it(name, files):
    (other,) = set(NAMES) - {name}
    assert protocol_of(files[name].path) == name
    option = {"fid2015": "inception2015", "torchvision": "torchvision"}[name]
    with pytest.raises(ScoreError, match=f"belongs to --features {option}"):
        open_network(other, files[name])


def test_protocol_of_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "page.pth"
    path.write_bytes(b"<html>")
    with pytest.raises(ScoreError, match="no file of weights"):
        protocol_of(path)


def test_torchvision_is_imported_nowhere_in_the_scores():
    sources = list(Path(inception.__file__).parent.glob("*.py"))
    assert len(sources) > 5
    for source in sources:
        nodes = ast.walk(ast.parse(source.read_text()))
        names = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
        nodes = ast.walk(ast.parse(source.read_text()))
        names += [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
        assert not [name for name in names if name and name.startswith("torchvision")], source
