"""Inception against its peers: torch-fidelity for `fid2015`, torchvision for `torchvision`.

Both sides read the same file of seeded random weights, with BatchNorm statistics that vary, so that
a wrong fold, border or order of channels shows. The last tests break this graph on purpose, to show
that the comparison would see it.
"""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.score import inception_weights
from facegan.score.inception import PRESETS, open_network, preprocess, random_weights
from facegan.score.inception_graph import PAPER, TENSORFLOW_2015
from facegan.score.resize import TF1

SHAPES = [(2, 256, 256, 3), (2, 77, 131, 3), (1, 401, 333, 3)]
TOLERANCE = 1e-5
"""Of the largest absolute value; 3e-7 to 5e-7 were measured, on one and two threads."""


def pictures(shape, seed=0):
    """Half noise, half smooth: both ends of what a resize meets."""
    rng = np.random.default_rng(seed)
    count, height, width, _ = shape
    noise = rng.integers(0, 256, (count, height, width // 2, 3), dtype=np.uint8)
    ramp = np.linspace(0, 255, height)[None, :, None, None]
    smooth = np.broadcast_to(ramp, (count, height, width - width // 2, 3)).astype(np.uint8)
    return np.concatenate([noise, smooth], axis=2)


def error(ours, theirs):
    """Largest difference as a share of the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def as_tensor(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def fid_file(tmp_path_factory):
    return random_weights(tmp_path_factory.mktemp("weights") / "fid.pth", 7, "fid2015")


@pytest.fixture(scope="module")
def ours(fid_file):
    return open_network("fid2015", fid_file)


@pytest.fixture(scope="module")
def fidelity(fid_file):
    """torch-fidelity's extractor; what it imports warns of its own age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        return FeatureExtractorInceptionV3(
            "parity", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(fid_file.path)
        )


@pytest.fixture(scope="module")
def wanted(fidelity):
    """torch-fidelity's features and unbiased logits of the images of each shape."""
    with torch.inference_mode():
        found = {shape: fidelity(as_tensor(pictures(shape))) for shape in SHAPES}
    return {shape: [part.numpy() for part in parts] for shape, parts in found.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_features_and_logits_equal_torch_fidelitys(shape, ours, wanted):
    found = ours.outputs(pictures(shape))
    features, logits = wanted[shape]
    assert error(found.features, features) <= TOLERANCE
    assert error(found.logits, logits) <= TOLERANCE
    # Images and channels differ by far more than the tolerance: the comparison says something.
    assert features.std(axis=1).min() > 0.1 * features.max()
    assert len(features) == 1 or error(features[:1], features[1:]) > 1e2 * TOLERANCE


@pytest.mark.parametrize("shape", [*SHAPES, (1, 299, 299, 3), (1, 1, 5, 3), (1, 1024, 600, 3)])
def test_tf1_resize_equals_torch_fidelitys(shape, fidelity):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as peer,
    )

    assert fidelity is not None  # its import's warnings are met there
    images = pictures(shape) if shape[2] > 5 else np.arange(15, dtype=np.uint8).reshape(shape)
    theirs = peer(as_tensor(images).float(), size=(299, 299), align_corners=False)
    assert error(TF1.apply(torch.from_numpy(images), 299).numpy(), theirs.numpy()) <= 1e-6


def test_a_rule_is_no_matter_of_taste(wanted, fid_file):
    """The clean rule gives other features than the protocol's own."""
    clean = open_network("fid2015", fid_file, resize="clean").outputs(pictures(SHAPES[2]))
    assert error(clean.features, wanted[SHAPES[2]][0]) > 1e2 * TOLERANCE


@pytest.mark.parametrize(
    ("broken", "least"),
    [
        (replace(TENSORFLOW_2015, averages_padding=True), 1e-3),
        (replace(TENSORFLOW_2015, last_pool="average"), 1e-2),
    ],
    ids=["padding counted", "average in the last block"],
)
def test_a_graph_with_the_wrong_pool_is_seen(broken, least, wanted, fid_file, monkeypatch):
    monkeypatch.setitem(inception_weights.VARIANTS, "fid2015", broken)
    found = open_network("fid2015", fid_file).outputs(pictures(SHAPES[0]))
    assert error(found.features, wanted[SHAPES[0]][0]) > least


def test_logits_without_the_bias_are_seen(wanted, fid_file):
    bias = inception_weights.load_state(fid_file.path, TENSORFLOW_2015)["fc.bias"].numpy()
    logits = wanted[SHAPES[0]][1]
    assert error(logits + bias, logits) > 1e2 * TOLERANCE


def test_the_file_of_2015_would_load_into_torchvisions_graph_and_mislead(wanted, fid_file):
    """Why the classifier's rows are looked at: nothing else tells the two files apart."""
    from torchvision.models.inception import Inception3

    with torch.device("meta"):
        wrong = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    state = inception_weights.load_state(fid_file.path, TENSORFLOW_2015)
    wrong.load_state_dict(state, strict=True, assign=True)
    wrong.fc = torch.nn.Identity()
    preset = PRESETS["fid2015"]
    with torch.inference_mode():
        misled = wrong.eval()(preprocess(pictures(SHAPES[1]), preset, preset.rule)).numpy()
    assert error(misled, wanted[SHAPES[1]][0]) > 1e-2


def test_outputs_equal_torchvisions_own_model(tmp_path):
    """The peer as torchvision makes it for its weights, behind the transforms that it documents."""
    from torchvision.models import inception_v3
    from torchvision.transforms import v2

    file = random_weights(tmp_path / "torchvision.pth", 7, "torchvision")
    peer = inception_v3(weights=None, aux_logits=True, transform_input=True, init_weights=False)
    state = inception_weights.load_state(file.path, PAPER)
    found = peer.load_state_dict(state, strict=False)
    assert all(name.startswith("AuxLogits.") for name in found.missing_keys)
    assert not found.unexpected_keys
    transforms = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Resize((299, 299), antialias=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    images = pictures((2, 340, 320, 3))
    seen = transforms(as_tensor(images))
    pooled = []
    peer.avgpool.register_forward_hook(lambda *parts: pooled.append(parts[2].flatten(1).numpy()))
    with torch.inference_mode():
        logits = peer.eval()(seen).numpy()
        inside = peer._transform_input(seen)
    ours = open_network("torchvision", file).outputs(images)
    assert error(ours.logits, logits) <= TOLERANCE
    assert error(ours.features, pooled[0]) <= TOLERANCE
    assert np.ptp(logits) > 1.0
    preset = PRESETS["torchvision"]
    assert torch.allclose(preprocess(images, preset, preset.rule), inside, atol=1e-5)
