import importlib.util

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from facegan.core.errors import MissingDependencyError, ScoreError
from facegan.core.files import sha256_of_file
from facegan.score import onnx_features
from facegan.score.onnx_features import OnnxFeatures

FREE = ["N", 3, "H", "W"]


def picture(height=12, width=12, count=2, seed=0):
    shape = (count, height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(
    path,
    shape=("N", 3, 8, 8),
    *,
    metadata=None,
    nodes=None,
    outputs=("means",),
    kind=TensorProto.FLOAT,
    extra=(),
):
    """A network whose feature is the mean of each channel, (N, 3, 1, 1)."""
    nodes = nodes or [helper.make_node("GlobalAveragePool", ["images"], ["means"])]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name in ("images", *extra)]
    found = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = helper.make_graph(nodes, "features", inputs, found)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def test_features_are_the_first_output_flattened(tmp_path):
    network = OnnxFeatures(write(tmp_path / "means.onnx"))
    images = picture(8, 8)
    found = network.outputs(images)
    assert found.features.shape == (2, 3)
    assert found.features.dtype == np.float32
    assert found.features == pytest.approx(images.mean((1, 2)) / 255, abs=1e-5)
    assert found.logits is None


def test_images_are_resized_to_the_files_size(tmp_path):
    nodes = [helper.make_node("Identity", ["images"], ["pixels"])]
    path = write(tmp_path / "pixels.onnx", nodes=nodes, outputs=["pixels"])
    network = OnnxFeatures(path)
    assert network.outputs(picture(30, 17)).features.shape == (2, 3 * 8 * 8)
    constant = np.full((1, 5, 9, 3), 51, np.uint8)
    assert network.outputs(constant).features == pytest.approx(0.2, abs=1e-6)
    channels = np.zeros((1, 8, 8, 3), np.uint8) + np.array([0, 51, 255], np.uint8)
    rows = network.outputs(channels).features.reshape(3, 64)
    assert rows.mean(axis=1) == pytest.approx([0, 0.2, 1], abs=1e-6)


def test_a_free_size_is_224(tmp_path):
    network = OnnxFeatures(write(tmp_path / "free.onnx", FREE))
    assert network.protocol.resize.startswith("224x224, bicubic")
    assert network.outputs(picture()).features.shape == (2, 3)


def test_metadata_gives_mean_and_standard_deviation(tmp_path):
    metadata = {"facegan.mean": "0.5,0.25, 0", "facegan.std": "0.5, 1, 2"}
    network = OnnxFeatures(write(tmp_path / "n.onnx", metadata=metadata))
    images = np.full((1, 8, 8, 3), 255, np.uint8)
    assert network.outputs(images).features[0] == pytest.approx([1, 0.75, 0.5], abs=1e-6)
    assert "mean (0.5, 0.25, 0.0)" in network.protocol.normalisation


def test_an_output_named_logits_is_taken_as_such(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Neg", ["means"], ["other"]),
        helper.make_node("Flatten", ["other"], ["logits"]),
    ]
    path = write(tmp_path / "two.onnx", nodes=nodes, outputs=["means", "other", "logits"])
    network = OnnxFeatures(path)
    found = network.outputs(picture(8, 8))
    assert network.protocol.classes == 3
    assert found.logits == pytest.approx(-found.features)


def test_the_protocol_names_the_file_by_its_hash(tmp_path):
    path = write(tmp_path / "my-face-net.onnx")
    protocol = OnnxFeatures(path).protocol
    assert (protocol.name, protocol.network) == ("onnx", "my-face-net.onnx")
    assert protocol.weights_sha256 == sha256_of_file(path)
    assert not protocol.official
    assert (protocol.features, protocol.classes) == (3, 0)
    assert protocol.resize.startswith("8x8, bicubic on floats")


def test_many_images_keep_their_order(tmp_path, monkeypatch):
    network = OnnxFeatures(write(tmp_path / "means.onnx"))
    images = picture(8, 8, count=5)
    wanted = network.outputs(images).features
    monkeypatch.setattr(onnx_features, "_CPU_TILE", 2)
    assert np.array_equal(network.outputs(images).features, wanted)


def test_other_arrays_are_refused(tmp_path):
    network = OnnxFeatures(write(tmp_path / "means.onnx"))
    with pytest.raises(ScoreError, match=r"means.onnx takes RGB images as uint8"):
        network.outputs(np.zeros((1, 8, 8, 3), np.float32))


def refused(path):
    with pytest.raises(ScoreError) as caught:
        OnnxFeatures(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert "first output" in caught.value.hint
    return caught.value.message


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "missing.onnx")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x09" * 50])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "page.onnx"
    path.write_bytes(content)
    assert "no whole ONNX file" in refused(path)


@pytest.mark.parametrize("shape", [["N", 1, 8, 8], ["N", 8, 8, 3], ["N", 3], [3, 8, 8]])
def test_other_inputs_are_refused(tmp_path, shape):
    nodes = [helper.make_node("Identity", ["images"], ["means"])]
    path = write(tmp_path / "n.onnx", shape, nodes=nodes)
    assert "not float32 of shape (N, 3, H, W)" in refused(path)


def test_an_input_of_whole_numbers_is_refused(tmp_path):
    nodes = [helper.make_node("Identity", ["images"], ["means"])]
    path = write(tmp_path / "n.onnx", nodes=nodes, kind=TensorProto.UINT8)
    assert "tensor(uint8)" in refused(path)


def test_two_inputs_are_refused(tmp_path):
    nodes = [helper.make_node("Add", ["images", "more"], ["means"])]
    path = write(tmp_path / "n.onnx", nodes=nodes, extra=("more",))
    assert "2 inputs" in refused(path)


def test_a_fixed_batch_and_an_oblong_size_are_refused(tmp_path):
    assert "fixed at 4" in refused(write(tmp_path / "n.onnx", [4, 3, 8, 8]))
    assert "9x8" in refused(write(tmp_path / "m.onnx", ["N", 3, 8, 9]))


def test_one_output_for_all_images_is_refused(tmp_path):
    nodes = [helper.make_node("ReduceMean", ["images"], ["means"], keepdims=0)]
    path = write(tmp_path / "n.onnx", nodes=nodes)
    assert "one row an image" in refused(path)


@pytest.mark.parametrize("value", ["", "1,2", "a,b,c", "nan,1,1"])
def test_metadata_of_something_else_is_refused(tmp_path, value):
    path = write(tmp_path / "n.onnx", metadata={"facegan.mean": value})
    assert "facegan.mean" in refused(path)


def test_a_standard_deviation_of_0_is_refused(tmp_path):
    path = write(tmp_path / "n.onnx", metadata={"facegan.std": "1, 0, 1"})
    assert "above 0" in refused(path)


def test_a_fixed_side_beyond_all_bounds_is_refused_before_it_is_allocated(tmp_path):
    for side in (2_000_000, 1025, 7, 0):
        told = refused(write(tmp_path / "n.onnx", ["N", 3, side, side]))
        assert "8 to 1024 pixels" in told
    assert OnnxFeatures(write(tmp_path / "n.onnx", ["N", 3, 1024, 1024])).protocol.features == 3


@pytest.mark.parametrize("op", ["SequenceConstruct", "SplitToSequence"])
def test_a_sequence_as_the_feature_is_refused(tmp_path, op):
    path = write(tmp_path / "n.onnx", nodes=[helper.make_node(op, ["images"], ["means"])])
    model = onnx.load(path)
    part = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    model.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(part))
    onnx.save(model, path)
    assert "means is a list: an array of numbers is needed" in refused(path)


def test_words_as_the_feature_are_refused(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["numbers"]),
        helper.make_node("Cast", ["numbers"], ["means"], to=TensorProto.STRING),
    ]
    path = write(tmp_path / "n.onnx", nodes=nodes)
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    onnx.save(model, path)
    assert "an array of object: an array of numbers is needed" in refused(path)


def test_a_feature_of_no_numbers_is_refused(tmp_path):
    none = helper.make_tensor("none", TensorProto.INT64, [1], [0])
    nodes = [
        helper.make_node("Constant", [], ["from"], value=none),
        helper.make_node("Slice", ["images", "from", "from", "axis"], ["means"]),
    ]
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    nodes.insert(0, helper.make_node("Constant", [], ["axis"], value=one))
    path = write(tmp_path / "n.onnx", nodes=nodes)
    assert "means has the shape (1, 0, 8, 8): it holds no numbers" in refused(path)


def outside(path, location, *, within="initializer"):
    """A network of 300 KB of weights that stand in another file, by its own account."""
    weights = np.arange(3 * 8 * 8 * 400, dtype=np.float32).reshape(192, 400) / 1e5
    tensor = numpy_helper.from_array(weights, "weights")
    nodes = [helper.make_node("Flatten", ["images"], ["row"])]
    if within == "constant":
        nodes.append(helper.make_node("Constant", [], ["weights"], value=tensor))
    nodes.append(helper.make_node("MatMul", ["row", "weights"], ["means"]))
    write(path, nodes=nodes)
    model = onnx.load(path)
    if within == "initializer":
        model.graph.initializer.append(tensor)
        (held,) = model.graph.initializer
    else:
        held = model.graph.node[1].attribute[0].t
    data = held.raw_data
    set_external_data(held, location)
    held.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return data


@pytest.mark.parametrize("within", ["initializer", "constant"])
@pytest.mark.parametrize("location", ["m.onnx.data", "../../etc/passwd", "/etc/passwd", ""])
def test_weights_in_another_file_are_refused(tmp_path, location, within):
    path = tmp_path / "m.onnx"
    data = outside(path, location, within=within)
    (tmp_path / "m.onnx.data").write_bytes(data)
    with pytest.raises(ScoreError) as caught:
        OnnxFeatures(path)
    assert f"{path}: weights of it are in other files: save it as one file" in caught.value.message
    assert "onnx.save(onnx.load('m.onnx'), 'm-whole.onnx')" in caught.value.hint


def test_the_hint_makes_one_file_of_weights_in_another(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    (tmp_path / "m.onnx.data").write_bytes(outside(path, "m.onnx.data"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScoreError) as caught:
        OnnxFeatures(path)
    exec(caught.value.hint.split(" in Python")[0], {"onnx": onnx})  # noqa: S102
    network = OnnxFeatures(tmp_path / "m-whole.onnx")
    assert network.protocol.features == 400
    assert network.protocol.weights_sha256 == sha256_of_file(tmp_path / "m-whole.onnx")


def test_without_onnxruntime_the_install_command_is_named(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )
    with pytest.raises(MissingDependencyError) as caught:
        OnnxFeatures(write(tmp_path / "n.onnx"))
    assert caught.value.hint == "pip install 'facegan[onnx]'"
    assert caught.value.exit_code == 5
