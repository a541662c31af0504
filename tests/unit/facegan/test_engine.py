"""The ways of running an iteration beside each other, and beside the parts called by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan import engine as engine_room
from facegan.augment import augment
from facegan.checkpoint import load
from facegan.core.errors import ConfigError
from facegan.core.events import Note
from facegan.dataset import load_images, take_batch
from facegan.device import kernels_for
from facegan.distributed import World
from facegan.draws import draw
from facegan.engine import Engine
from facegan.feed import Placement, open_feed
from facegan.runs import checkpoint_path
from facegan.step import build, train_step, update_average
from facegan.train import fit

CPU = torch.device("cpu")


@pytest.fixture
def open_engine(make_shards, tmp_path):
    index = make_shards()

    def make(config, device=CPU, placement=Placement.DEVICE, **more):
        feed = open_feed(
            index, config.model.image_size, device, cache=tmp_path / "cache", placement=placement
        )
        return Engine(config, build(config, device), feed, **more)

    make.index = index
    return make


def run(engine, iterations):
    """All figures and the state after these iterations."""
    figures = []
    for iteration in range(iterations):
        if engine.is_spent:
            engine.fill(iteration)
        engine.advance()
        if engine.is_spent:
            figures.append(engine.read())
    figures.append(engine.read())
    state = {name: tensor.clone() for name, tensor in engine.networks.tensors()}
    return np.concatenate(figures), state


def assert_same(first, second):
    np.testing.assert_array_equal(first[0], second[0])
    for name, tensor in first[1].items():
        assert torch.equal(tensor, second[1][name]), name


def test_an_iteration_is_its_parts_called_by_hand(open_engine, tiny):
    found = run(open_engine(tiny), 5)
    networks = build(tiny, CPU)
    images = load_images(open_engine.index, 32)
    draws = draw(tiny, len(images), 0, 5)
    figures = []
    for row in range(5):
        real = take_batch(images, draws.indices[row])
        real = augment(real, draws.uniforms[row], flip=tiny.flip, jitter=tiny.jitter)
        figures.append(train_step(networks, real, draws.latents[row]))
        update_average(networks, draws.shares[row])
    assert_same(found, (torch.stack(figures).numpy(), dict(networks.tensors())))


@pytest.mark.parametrize("placement", list(Placement))
def test_where_the_images_lie_changes_nothing(open_engine, tiny, placement):
    expected = run(open_engine(replace(tiny, log_every=100)), 12)
    assert_same(run(open_engine(tiny, placement=placement), 12), expected)


def test_blocks_end_with_the_run(open_engine, tiny):
    engine = open_engine(replace(tiny, log_every=50))
    engine.fill(7)
    for _ in range(5):
        assert not engine.is_spent
        engine.advance()
    assert engine.is_spent
    assert engine.read().shape == (5, 7)
    assert engine.read().shape == (0, 7)


def test_auto_is_eager_on_the_cpu(open_engine, tiny):
    assert open_engine(tiny).name == "eager"


def test_capturing_without_cuda_is_refused(open_engine, tiny):
    with pytest.raises(
        ConfigError, match=r"--engine is captured: .* CUDA device is needed"
    ) as caught:
        open_engine(replace(tiny, engine="captured"))
    assert caught.value.hint == "--engine eager runs everywhere"


def test_a_capture_that_fails_is_told_and_auto_runs_eagerly(open_engine, tiny, monkeypatch):
    def fail(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(engine_room, "_can_capture", lambda *_: True)
    monkeypatch.setattr(Engine, "_capture", fail)
    notes = []
    engine = open_engine(tiny, listener=notes.append)
    assert engine.name == "eager"
    (note,) = [note for note in notes if isinstance(note, Note)]
    assert note.warning
    assert "not permitted when stream is capturing" in note.text
    with pytest.raises(ConfigError, match=r"cannot be captured here .*not permitted") as caught:
        open_engine(replace(tiny, engine="captured"))
    assert caught.value.hint == "--engine eager runs everywhere"


def test_a_compiler_that_is_not_there_is_said_before_training(open_engine, tiny, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("No working C++ compiler found\nand more")

    monkeypatch.setattr(engine_room.torch, "compile", lambda _: fail)
    with pytest.raises(ConfigError, match=r"cannot be compiled here \(No working C\+\+"):
        open_engine(replace(tiny, engine="compiled"))


def test_iterations_on_trial_change_nothing(open_engine, tiny):
    engine = open_engine(tiny)
    with engine._unchanged():
        engine._iterate()
    fresh = dict(build(tiny, CPU).tensors())
    for name, tensor in engine.networks.tensors():
        assert torch.equal(tensor, fresh[name]), name
    assert_same(run(engine, 5), run(open_engine(tiny), 5))


def test_running_out_of_memory_in_a_capture_is_no_reason_to_run_eagerly(
    open_engine, tiny, monkeypatch
):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine_room, "_can_capture", lambda *_: True)
    monkeypatch.setattr(Engine, "_capture", fail)
    with pytest.raises(torch.OutOfMemoryError):
        open_engine(tiny)


def test_processes_see_parts_of_the_batch(tiny):
    parts = [World(rank, 2).part(tiny.batch) for rank in (0, 1)]
    assert parts == [slice(0, 2), slice(2, 4)]
    with pytest.raises(ConfigError, match="--batch is 4: 3 processes") as caught:
        World(0, 3).part(tiny.batch)
    assert caught.value.hint == "--batch 6"


def assert_curves_overlay(found, expected, *, early, throughout):
    """Figures of 200 iterations: near at first, and near on average where rounding has grown."""
    difference = np.abs(found[:, :5] - expected[:, :5])
    assert difference[:20].max() <= early
    assert difference.mean() <= throughout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_iterations_equal_eager_ones(open_engine, tiny):
    config = replace(tiny, iters=200, log_every=50, learning_rate=1e-5)
    eager = run(open_engine(config), 200)[0]
    compiled = run(open_engine(replace(config, engine="compiled")), 200)[0]
    # Sums are taken in another order, and training amplifies what that changes.
    assert_curves_overlay(compiled, eager, early=1e-5, throughout=1e-4)
    assert np.abs(compiled - eager).max() > 0  # it is another way, not the same one


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["compiled", "captured"])
def test_engines_agree_on_cuda(open_engine, tiny, name, precision):
    config = replace(tiny, precision=precision, iters=200, log_every=50, learning_rate=1e-5)
    config = replace(config, deterministic=True, device="cuda")
    cuda = torch.device("cuda")
    eager = run(open_engine(replace(config, engine="eager"), cuda), 200)[0]
    other = run(open_engine(replace(config, engine=name), cuda), 200)[0]
    exact = precision == "fp32"
    assert_curves_overlay(
        other, eager, early=1e-4 if exact else 5e-2, throughout=1e-3 if exact else 5e-2
    )


@needs_cuda
@pytest.mark.gpu
def test_a_capture_leaves_the_state_as_it_was(open_engine, tiny):
    cuda = torch.device("cuda")
    config = replace(tiny, engine="captured", device="cuda")
    engine = open_engine(config, cuda)
    assert engine.name == "captured"
    fresh = dict(build(config, cuda).tensors())
    for name, tensor in engine.networks.tensors():
        assert torch.equal(tensor, fresh[name]), name


@needs_cuda
@pytest.mark.gpu
def test_a_captured_iteration_does_not_wait_for_the_device(open_engine, tiny):
    engine = open_engine(replace(tiny, engine="captured", device="cuda"), torch.device("cuda"))
    engine.fill(0)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        engine.advance()
        engine.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
@pytest.mark.gpu
def test_cuda_and_the_cpu_begin_alike(open_engine, tiny, monkeypatch):
    config = replace(tiny, engine="eager", learning_rate=1e-5)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    on_cpu = run(open_engine(config), 3)[0]
    on_cuda = run(open_engine(replace(config, device="cuda"), torch.device("cuda")), 3)[0]
    np.testing.assert_allclose(on_cuda[:, :5], on_cpu[:, :5], rtol=0, atol=1e-3)


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("placement", list(Placement))
def test_captured_iterations_take_images_from_everywhere(open_engine, tiny, placement):
    cuda = torch.device("cuda")
    config = replace(tiny, engine="captured", device="cuda", iters=30, deterministic=True)
    with kernels_for(config, cuda):
        expected = run(open_engine(config, cuda), 30)
        assert_same(run(open_engine(config, cuda, placement=placement), 30), expected)


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("name", ["eager", "captured"])
def test_a_resumed_run_on_cuda_ends_bit_for_bit_the_same(tiny, shards, runs, tmp_path, name):
    """Stopped in the middle of a block, with a grid and a checkpoint between replays."""
    config = replace(tiny, device="cuda", engine=name, deterministic=True, log_every=5)
    left = iter([False] * 6 + [True])
    fit(config, shards, runs, should_stop=lambda: next(left))
    done = [fit(config, shards, folder) for folder in (runs, tmp_path / "whole")]
    tensors = [load(checkpoint_path(each.run_dir / "checkpoints", 12)).tensors for each in done]
    for key, tensor in tensors[0].items():
        assert torch.equal(tensor, tensors[1][key]), key
