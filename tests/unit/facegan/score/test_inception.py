import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facegan.core.errors import ScoreError
from facegan.score import inception
from facegan.score.inception import InceptionV3, build, load_state, preprocess, random_weights
from facegan.score.weights import WeightsFile


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_weights(tmp_path_factory.mktemp("weights") / "random.pth", seed=3)


@pytest.fixture(scope="module")
def network(weights):
    return InceptionV3(weights)


def pictures(count=2, size=96, seed=0):
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_outputs_equal_torchvisions_own_model(weights, network):
    """The peer is made as torchvision makes it for its published weights."""
    from torchvision.models import inception_v3

    peer = inception_v3(
        weights=None, aux_logits=True, transform_input=True, init_weights=False
    ).eval()
    found = peer.load_state_dict(load_state(weights.path), strict=False)
    assert all(name.startswith("AuxLogits.") for name in found.missing_keys)
    assert not found.unexpected_keys
    images = pictures()
    with torch.no_grad():
        wanted = peer(preprocess(images).contiguous()).numpy()
    assert np.abs(network.logits(images) - wanted).max() <= 1e-5
    assert np.ptp(wanted) > 1.0  # the comparison says something


def test_preprocessing_equals_torchvisions_own_transforms():
    from torchvision.transforms import v2

    images = pictures(size=400)
    peer = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Resize((299, 299), antialias=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    wanted = peer(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert torch.allclose(preprocess(images), wanted, atol=1e-6)


def test_the_network_sees_twice_x_minus_one(weights):
    """The range of the weights' training: ImageNet's normalisation is taken back inside."""
    net = build(load_state(weights.path), weights.path)
    images = np.array([0, 127, 255], np.uint8)[:, None, None, None] * np.ones(
        (1, 299, 299, 3), np.uint8
    )
    seen = net._transform_input(preprocess(images))
    wanted = torch.tensor([-1.0, 2 * 127 / 255 - 1, 1.0]).view(3, 1, 1, 1).expand_as(seen)
    assert torch.allclose(seen, wanted, atol=1e-5)


def test_probabilities_sum_to_one_and_follow_each_image(network):
    images = pictures(3)
    p = network.probabilities(images)
    assert p.shape == (3, 1000)
    assert p.dtype == np.float64
    assert np.allclose(p.sum(axis=1), 1.0, atol=1e-12)
    alone = np.concatenate([network.probabilities(image[None]) for image in images])
    assert np.allclose(p, alone, rtol=1e-4, atol=1e-9)


def test_images_beyond_one_tile_keep_their_order(network, monkeypatch):
    images = pictures(3)
    wanted = network.logits(images)
    monkeypatch.setattr(inception, "_CPU_TILE", 2)
    assert np.allclose(network.logits(images), wanted, atol=1e-5)


def test_read_only_arrays_are_taken(network):
    images = pictures(1)
    images.flags.writeable = False
    assert network.logits(images).shape == (1, 1000)


def test_the_protocol_names_what_the_number_depends_on(weights, network):
    protocol = network.protocol.as_dict()
    assert protocol["name"] == "torchvision"
    assert protocol["weights_sha256"] == weights.sha256
    assert protocol["official"] is False
    assert protocol["transform_input"] is True
    assert protocol["classes"] == 1000
    assert "antialiased" in protocol["resize"]


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
def test_other_dtypes_and_shapes_are_refused(images):
    with pytest.raises(ScoreError, match="uint8 of shape"):
        preprocess(images)


def test_random_weights_repeat_and_both_formats_hold_the_same(weights, tmp_path):
    again = random_weights(tmp_path / "again.safetensors", seed=3)
    one, other = load_state(weights.path), load_state(again.path)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert again.sha256 == random_weights(tmp_path / "third.safetensors", seed=3).sha256


def test_the_auxiliary_classifier_and_old_files_counters_do_not_matter(weights):
    state = load_state(weights.path)
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    old["AuxLogits.fc.weight"] = torch.zeros(1000, 768)
    assert build(old, weights.path).fc.weight.shape == (1000, 2048)


def test_half_precision_files_are_computed_in_float32(weights):
    state = {name: value.half() for name, value in load_state(weights.path).items()}
    assert build(state, weights.path).fc.weight.dtype == torch.float32


def refused(path):
    with pytest.raises(ScoreError) as caught:
        InceptionV3(WeightsFile(path, "0" * 64, official=False))
    text = f"{caught.value.message} {caught.value.hint}"
    for needed in (str(path), "download.pytorch.org", "--weights", "\n"):
        assert (needed in text) == (needed != "\n")
    return caught.value.message


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_cut_short_is_refused(weights, tmp_path, suffix):
    path = tmp_path / f"short{suffix}"
    source = weights.path.read_bytes()
    path.write_bytes(source[: len(source) // 2])
    assert "cut short" in refused(path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04."])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "page.pth"
    path.write_bytes(content)
    assert "no file of weights" in refused(path)


def test_a_missing_file_is_refused(tmp_path):
    refused(tmp_path / "missing.pth")


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_pickle_with_code_is_refused_and_never_run(tmp_path, writer):
    path = tmp_path / "evil.pth"
    if writer == "torch":
        torch.save({"fc.weight": Evil()}, path)
    else:
        path.write_bytes(pickle.dumps(Evil()))
    assert "weights_only" not in refused(path)


def test_tensors_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    message = refused(path)
    assert "another network" in message
    assert "1 are foreign" in message


def test_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "list.pth"
    torch.save([torch.zeros(3)], path)
    assert "no state dict" in refused(path)


def test_the_1008_class_network_is_recognised(weights):
    state = load_state(weights.path)
    state["fc.weight"] = torch.zeros(1008, 2048)
    with pytest.raises(ScoreError, match="1008-class Inception of the TensorFlow archive"):
        build(state, weights.path)


def test_a_wrong_shape_is_named(weights):
    state = load_state(weights.path)
    state["fc.bias"] = torch.zeros(10)
    with pytest.raises(ScoreError, match=r"fc.bias has the shape \(10,\), not \(1000,\)"):
        build(state, weights.path)


def test_torchvision_is_not_imported_with_the_module():
    import subprocess
    import sys

    code = f"import sys, {inception.__name__}; print('torchvision' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
