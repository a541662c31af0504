import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from facegan.core.errors import ScoreError
from facegan.score.inception_graph import PAPER, TENSORFLOW_2015
from facegan.score.inception_weights import (
    build,
    fold,
    load,
    load_state,
    published_shapes,
    random_weights,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_weights(tmp_path_factory.mktemp("weights") / "random.pth", seed=3)


@pytest.fixture(scope="module")
def state(weights):
    return load_state(weights.path, PAPER)


def test_layout_is_torchvisions_without_counters():
    from torchvision.models.inception import Inception3

    with torch.device("meta"):
        peer = Inception3(aux_logits=False, init_weights=False).state_dict()
    wanted = {name: tuple(value.shape) for name, value in peer.items() if value.ndim}
    assert published_shapes(PAPER) == wanted


def test_the_two_layouts_differ_in_the_classifier_alone():
    ours, theirs = published_shapes(TENSORFLOW_2015), published_shapes(PAPER)
    assert {name for name in ours if ours[name] != theirs[name]} == {"fc.weight", "fc.bias"}
    assert ours["fc.weight"] == (1008, 2048)


def test_folded_convolution_does_its_batch_norm():
    unit = torch.nn.Sequential()
    unit.conv = torch.nn.Conv2d(3, 5, 3, bias=False)
    unit.bn = torch.nn.BatchNorm2d(5, eps=0.001)
    generator = torch.Generator().manual_seed(0)
    for name, value in unit.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.1, 2.0, generator=generator)
            assert value.std() > 0, name
    unit.eval().double()
    published = {f"a.{name}": value for name, value in unit.state_dict().items()}
    folded = fold(published | {"fc.weight": torch.zeros(2, 2)}, TENSORFLOW_2015)
    assert folded.keys() == {"fc.weight", "a.conv.weight", "a.conv.bias"}
    images = torch.rand(2, 3, 8, 8, generator=generator)
    ours = torch.nn.functional.conv2d(images, folded["a.conv.weight"], folded["a.conv.bias"])
    assert torch.allclose(ours.double(), unit(images.double()), rtol=1e-5, atol=1e-6)


def test_random_weights_repeat_and_both_formats_hold_the_same(weights, state, tmp_path):
    again = load_state(random_weights(tmp_path / "again.safetensors", seed=3).path, PAPER)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert not weights.official


def test_random_weights_differ_with_the_seed(weights, state, tmp_path):
    assert random_weights(tmp_path / "other.pth", seed=4).sha256 != weights.sha256
    statistics = state["Mixed_5b.branch1x1.bn.running_var"]
    assert statistics.std() > 0.1


def test_the_auxiliary_classifier_and_the_counters_do_not_matter(weights, state):
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    assert len(old) < len(state)
    old["AuxLogits.fc.weight"] = torch.zeros(1000, 768)
    with_them = build(state, weights.path, PAPER).state_dict()
    without = build(old, weights.path, PAPER).state_dict()
    assert all(torch.equal(with_them[name], without[name]) for name in with_them)


def test_half_precision_files_are_computed_in_float32(weights, state):
    halves = {name: value.half() for name, value in state.items()}
    network = build(halves, weights.path, PAPER)
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert not network.training
    assert not any(value.requires_grad for value in network.parameters())


def refused(path, variant=PAPER):
    with pytest.raises(ScoreError) as caught:
        load(path, variant)
    text = f"{caught.value.message} {caught.value.hint}"
    address = "pytorch-fid/releases" if variant == TENSORFLOW_2015 else "download.pytorch.org"
    for needed in (str(path), address, "--weights", "\n"):
        assert (needed in text) == (needed != "\n")
    return caught.value.message


@pytest.mark.parametrize("variant", [PAPER, TENSORFLOW_2015])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_cut_short_is_refused(weights, tmp_path, suffix, variant):
    path = tmp_path / f"short{suffix}"
    path.write_bytes(weights.path.read_bytes()[:100_000])
    assert "cut short" in refused(path, variant)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04."])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "page.pth"
    path.write_bytes(content)
    assert "no file of weights" in refused(path)


@pytest.mark.parametrize("name", ["missing.pth", "missing.safetensors"])
def test_a_missing_file_is_refused(tmp_path, name):
    assert "no such file" in refused(tmp_path / name)


def test_a_scripted_network_is_refused_without_a_warning(tmp_path):
    """The TorchScript form of the network (`inception-2015-12-05.pt`) is widespread too."""
    path = tmp_path / "inception-2015-12-05.pt"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("data.pkl", "constants.pkl", "version", "code/__torch__.py"):
            file.writestr(f"inception/{name}", b"3\n")
    assert "TorchScript" in refused(path, TENSORFLOW_2015)


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


@pytest.mark.parametrize("content", [[torch.zeros(3)], {"epoch": 3}, {"state": {}}, {3: 4}])
def test_no_state_dict_is_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    assert "no state dict" in refused(path)


def test_the_1008_class_network_is_refused_by_torchvisions_graph(weights, state):
    """It would load: torchvision's network with 1008 classes has the same names and shapes."""
    given = state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    with pytest.raises(ScoreError, match=r"1008-class.* belongs to --features inception2015"):
        build(given, weights.path, PAPER)


def test_the_1000_class_network_is_refused_by_the_graph_of_2015(weights):
    assert "belongs to --features torchvision" in refused(weights.path, TENSORFLOW_2015)


def test_a_wrong_shape_is_named(weights, state):
    with pytest.raises(ScoreError, match=r"fc.bias has the shape \(10,\), not \(1000,\)"):
        build(state | {"fc.bias": torch.zeros(10)}, weights.path, PAPER)
    with pytest.raises(ScoreError, match=r"fc.weight has the shape \(\)"):
        build(state | {"fc.weight": torch.zeros(())}, weights.path, PAPER)
