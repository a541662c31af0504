from __future__ import annotations

import copy
import errno
import json
from dataclasses import replace

import pytest
import torch

from facegan import checkpoint
from facegan.config import ModelConfig
from facegan.core.errors import CheckpointError, TrainingDivergedError, WorkspaceError
from facegan.runs import checkpoint_iterations, checkpoint_path
from facegan.step import build, train_step
from facegan.trained import load_generator

CPU = torch.device("cpu")


def trained(config, steps=2):
    networks = build(config, CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        real = torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1
        train_step(networks, real, torch.randn(4, 8, generator=generator))
    return networks


@pytest.fixture
def networks(tiny):
    return trained(tiny)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "checkpoints"


@pytest.fixture
def save(folder, tiny, networks):
    def save_at(iteration, keep=3, what=networks, keep_every=0):
        return checkpoint.write(
            folder,
            checkpoint.collect(what, iteration),
            iteration=iteration,
            nimg=iteration * 4,
            seconds=1.5,
            model=tiny.model,
            keep=keep,
            keep_every=keep_every,
        )

    return save_at


def everything(networks):
    return {name: tensor.clone() for name, tensor in networks.tensors()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def alter(path):
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def test_every_tensor_comes_back(save, networks, tiny):
    path = save(2)
    other = build(tiny, CPU)
    checkpoint.restore(other, checkpoint.load(path))
    assert_same(everything(networks), everything(other))


def test_a_restored_state_goes_on_as_the_original(save, networks, tiny):
    path = save(2)
    other = build(tiny, CPU)
    checkpoint.restore(other, checkpoint.load(path))
    real, latents = torch.rand(4, 3, 32, 32), torch.randn(4, 8)
    for each in (networks, other):
        train_step(each, real, latents)
    assert_same(everything(networks), everything(other))


def test_moments_get_the_strides_of_their_parameters(save, tiny):
    path = save(2)
    other = build(tiny, CPU)
    checkpoint.restore(other, checkpoint.load(path))
    for _, network, adam in other.pairs():
        assert any(not p.is_contiguous() for p in network.parameters())
        for parameter in network.parameters():
            for moment in ("exp_avg", "exp_avg_sq"):
                assert adam.state[parameter][moment].stride() == parameter.stride()


def test_the_description_tells_what_is_stored(save, folder):
    path = save(2)
    about = json.loads((folder / "iter-00000002.json").read_bytes())
    assert about["format_version"] == 2
    assert (about["iteration"], about["nimg"]) == (2, 8)
    assert about["bytes"] == path.stat().st_size
    assert about["torch"] == torch.__version__


def test_planned_bytes_are_nearly_the_file(save, networks):
    size = save(2).stat().st_size
    assert size == pytest.approx(checkpoint.planned_bytes(networks), rel=0.2)


def test_only_the_newest_stay(save, folder):
    for iteration in (1, 2, 3, 4):
        save(iteration, keep=2)
    assert checkpoint_iterations(folder) == [3, 4]
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("damage", [cut, alter])
def test_damaged_tensors_are_recognised(save, damage):
    path = save(2)
    damage(path)
    with pytest.raises(CheckpointError, match="is corrupt") as caught:
        checkpoint.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 1}', "[" * 100_000])
def test_damaged_descriptions_are_recognised(save, text):
    path = save(2).with_suffix(".json")
    path.write_text(text)
    with pytest.raises(CheckpointError, match="is corrupt"):
        checkpoint.load(path)


def test_tensors_without_a_description_are_no_checkpoint(save, folder):
    path = save(2)
    path.with_suffix(".json").unlink()
    assert checkpoint_iterations(folder) == []
    assert checkpoint.newest_valid(folder) is None
    with pytest.raises(CheckpointError, match=r"iter-00000002\.json is missing"):
        checkpoint.load(path)


def test_a_disk_that_fails_says_nothing_about_the_checkpoint(save, folder, monkeypatch):
    save(1)
    save(2)

    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(checkpoint.Path, "read_bytes", fail)
    with pytest.raises(WorkspaceError, match=r"cannot read .*: Input/output error"):
        checkpoint.newest_valid(folder)


def test_what_is_collected_does_not_change_with_the_networks(networks):
    before = everything(networks)
    tensors = checkpoint.collect(networks, 2)
    train_step(networks, torch.rand(4, 3, 32, 32), torch.randn(4, 8))
    assert_same(before, tensors)
    assert all(tensor.is_contiguous() for tensor in tensors.values())


@pytest.mark.parametrize("damage", [cut, alter, lambda path: path.unlink()])
def test_the_checkpoint_before_a_damaged_one_is_used_with_a_warning(save, folder, damage):
    save(1)
    damage(save(2))
    events = []
    found = checkpoint.newest_valid(folder, events.append)
    assert found is not None
    assert found.iteration == 1
    (note,) = events
    assert note.warning
    assert "iter-00000002" in note.text
    assert "going on from iteration 1" in note.text


def test_no_whole_checkpoint_is_an_error(save, folder):
    cut(save(1))
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is whole") as caught:
        checkpoint.newest_valid(folder)
    assert "--restart" in caught.value.hint


def test_a_later_format_is_refused_and_not_passed_over(save, folder):
    save(1)
    description = save(2).with_suffix(".json")
    about = json.loads(description.read_bytes())
    description.write_text(json.dumps(about | {"format_version": 99}))
    with pytest.raises(CheckpointError, match="format version 99, this facegan reads up to 2"):
        checkpoint.newest_valid(folder)
    assert description.exists()


def test_other_networks_are_refused(save, tiny):
    path = save(2)
    found = checkpoint.load(path)
    smaller = ModelConfig(image_size=64, width=0.0625, latent_size=8)
    other = build(type(tiny)(model=smaller), CPU)
    with pytest.raises(CheckpointError, match="does not fit"):
        checkpoint.restore(other, found)


def test_weights_that_are_not_finite_are_never_written(save, networks, folder):
    save(1)
    with torch.no_grad():
        networks.generator.layers[0].weight[0, 0] = float("inf")
    with pytest.raises(TrainingDivergedError, match=r"generator\.layers\.0\.weight"):
        save(2)
    assert checkpoint_iterations(folder) == [1]


def test_what_lies_past_the_start_goes(save, folder):
    for iteration in (1, 2, 3):
        save(iteration)
    (folder / "iter-00000002.json").unlink()
    checkpoint.discard_after(folder, 1)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["iter-00000001.json", "iter-00000001.safetensors"]


@pytest.mark.parametrize("raw", [False, True])
def test_generator_loads_from_a_run_and_from_a_file(save, folder, networks, tiny, raw):
    save(1)
    path = save(2)
    for source in (folder.parent, path, path.with_suffix(".json")):
        generator, iteration, model = load_generator(source, raw=raw)
        assert iteration == 2
        assert model == tiny.model
        assert not generator.training
        expected = (networks.generator if raw else networks.average).state_dict()
        assert_same(dict(generator.state_dict()), dict(expected))


def test_without_an_average_the_generator_itself_is_loaded(folder, tiny):
    networks = trained(replace(tiny, ema_kimg=0.0))
    tensors = checkpoint.collect(networks, 2)
    checkpoint.write(folder, tensors, iteration=2, nimg=8, seconds=1, model=tiny.model, keep=1)
    generator, _, _ = load_generator(folder.parent)
    assert_same(dict(generator.state_dict()), dict(networks.generator.state_dict()))


def test_a_checkpoint_of_version_1_begins_an_average_with_its_generator(save, folder, tiny):
    networks = trained(replace(tiny, ema_kimg=0.0))
    path = save(2, what=networks)
    description = path.with_suffix(".json")
    about = json.loads(description.read_bytes())
    description.write_text(json.dumps(about | {"format_version": 1}))
    other = build(tiny, CPU)
    found = checkpoint.newest_valid(folder)
    assert found is not None
    checkpoint.restore(other, found)
    assert_same(dict(other.average.state_dict()), dict(networks.generator.state_dict()))
    assert_same(
        everything(networks), {k: v for k, v in everything(other).items() if "average" not in k}
    )


def test_an_average_that_is_no_longer_kept_is_left_out(save, tiny):
    path = save(2)
    other = build(replace(tiny, ema_kimg=0.0), CPU)
    checkpoint.restore(other, checkpoint.load(path))
    assert not any(name.startswith("average.") for name in everything(other))


def test_checkpoints_at_multiples_stay(save, folder):
    for iteration in range(1, 8):
        save(iteration, keep=2, keep_every=3)
    assert checkpoint_iterations(folder) == [3, 6, 7]


def test_moments_of_other_strides_would_go_wrong_and_are_not_restored(tiny):
    """Fused Adam reads weights and moments in the order of memory, without a word."""
    networks = trained(tiny)
    wrong = copy.deepcopy(networks)
    for _, network, adam in wrong.pairs():
        assert adam.defaults["fused"]
        for parameter in network.parameters():
            state = adam.state[parameter]
            state["exp_avg"] = state["exp_avg"].contiguous()
    real, latents = torch.rand(4, 3, 32, 32), torch.randn(4, 8)
    for each in (networks, wrong):
        train_step(each, real, latents)
    right, found = everything(networks), everything(wrong)
    assert any(not torch.allclose(right[n], found[n], atol=1e-6) for n in right if "_adam" not in n)


def test_a_run_without_checkpoints_has_no_generator(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        load_generator(tmp_path)


def test_a_pickle_is_not_loaded(save):
    path = save(2)
    torch.save({"a": torch.zeros(1)}, path)
    about = json.loads(path.with_suffix(".json").read_bytes())
    digest = checkpoint.sha256_of(path.read_bytes())
    about |= {"bytes": path.stat().st_size, "sha256": digest}
    path.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match="is corrupt"):
        checkpoint.load(path)


def test_a_read_only_folder_is_said_in_words(save, monkeypatch):
    save(2)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "made up")

    monkeypatch.setattr(checkpoint.Path, "unlink", refuse)
    with pytest.raises(WorkspaceError, match=r"cannot write .*json: permission is denied"):
        save(2)


def test_paths_sort_by_iteration(folder):
    assert checkpoint_path(folder, 7).name == "iter-00000007.safetensors"
