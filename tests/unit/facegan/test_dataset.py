from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan import dataset
from facegan.core.errors import ConfigError, ShardError
from facegan.core.shards import Entry, read_member, write_shards
from facegan.dataset import batch_indices, load_images, take_batch
from facegan.images import decode_png


def test_images_come_whole_and_in_order(make_shards):
    index = make_shards(count=130)
    images = load_images(index, 32)
    assert images.shape == (130, 3, 32, 32)
    assert images.dtype == torch.uint8
    for place in (0, 63, 64, 129):
        expected = decode_png(read_member(index, index.members[place]))
        np.testing.assert_array_equal(images[place].permute(1, 2, 0).numpy(), expected)


def test_larger_images_are_reduced_by_the_mean_of_the_area(make_shards):
    index = make_shards(count=3, size_px=128)
    full, half = load_images(index, 128).float(), load_images(index, 64).float()
    means = full.reshape(3, 3, 64, 2, 64, 2).mean(dim=(3, 5))
    assert (half - means).abs().max() <= 0.5


def test_images_for_another_device_are_decoded_block_by_block(make_shards, monkeypatch):
    index = make_shards(count=7)
    whole = load_images(index, 32)
    blocks = []

    def counted(index, members, image_size, store):
        blocks.append(len(members))
        decode_all(index, members, image_size, store)

    decode_all = dataset.decode_all
    monkeypatch.setattr(dataset, "decode_all", counted)
    monkeypatch.setattr(dataset, "_BLOCK_BYTES", 3 * whole[0].numel())
    assert torch.equal(load_images(index, 32), whole)
    assert blocks == [3, 3, 1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_images_are_the_same_on_the_gpu(make_shards, monkeypatch):
    index = make_shards(count=7)
    monkeypatch.setattr(dataset, "_BLOCK_BYTES", 3 * 3 * 32**2)
    images = load_images(index, 32, device=torch.device("cuda"))
    assert images.is_cuda
    assert torch.equal(images.cpu(), load_images(index, 32))


def test_enlarging_is_refused_with_the_command_that_helps(make_shards):
    with pytest.raises(ConfigError, match="--size is 64") as caught:
        load_images(make_shards(size_px=32), 64)
    assert caught.value.hint == "facegan crop --size 64"


def test_only_the_split_is_trained_on(make_shards, tmp_path):
    index = make_shards(count=4)
    pngs = [read_member(index, member) for member in index.members]
    entries = [
        Entry(f"{place}", png, {}, split="train" if place < 3 else "test")
        for place, png in enumerate(pngs)
    ]
    mixed = write_shards(tmp_path / "mixed", entries, image_size=32, config={})
    assert len(load_images(mixed, 32)) == 3
    assert len(load_images(mixed, 32, split="test")) == 1


def test_an_empty_split_is_an_error(make_shards):
    with pytest.raises(ShardError, match="no images to train on"):
        load_images(make_shards(), 32, split="validation")


def test_a_broken_png_is_named(make_shards, tmp_path):
    index = make_shards(count=1)
    png = read_member(index, index.members[0])
    entries = [Entry("good", png, {}), Entry("bad", png[:60], {})]
    broken = write_shards(tmp_path / "broken", entries, image_size=32, config={})
    with pytest.raises(ShardError, match=r"bad\.png in .*broken/faces-.*\.tar"):
        load_images(broken, 32)


def test_an_altered_shard_is_recognised(make_shards):
    index = make_shards()
    tar = index.folder / index.members[0].shard
    data = bytearray(tar.read_bytes())
    data[index.members[3].offset + 40] ^= 1
    tar.write_bytes(data)
    with pytest.raises(ShardError, match="corrupt at 000003"):
        load_images(index, 32)


def test_batches_lie_in_the_networks_range(make_shards):
    images = load_images(make_shards(), 32)
    batch = take_batch(images, torch.tensor([9, 0]))
    assert batch.dtype == torch.float32
    torch.testing.assert_close(batch[0], images[9].float() / 127.5 - 1, rtol=0, atol=1e-6)
    assert batch.min() >= -1
    assert batch.max() <= 1


COUNTS = st.integers(1, 40)
BATCHES = st.integers(1, 90)
SEEDS = st.integers(0, 2**63 - 1)


@given(count=COUNTS, batch=BATCHES, seed=SEEDS)
def test_every_epoch_holds_each_image_once(count, batch, seed):
    epochs = 3
    iterations = -(-epochs * count // batch)
    order = torch.cat([batch_indices(count, batch, seed, i) for i in range(iterations)])
    for epoch in range(epochs):
        part = order[epoch * count : (epoch + 1) * count]
        assert sorted(part.tolist()) == list(range(count))


@given(count=COUNTS, batch=BATCHES, seed=SEEDS, iteration=st.integers(0, 10**7))
def test_a_batch_is_a_function_of_seed_and_iteration(count, batch, seed, iteration):
    first = batch_indices(count, batch, seed, iteration)
    assert first.shape == (batch,)
    assert torch.equal(first, batch_indices(count, batch, seed, iteration))


@given(count=COUNTS, batch=BATCHES, seed=SEEDS)
def test_the_order_does_not_depend_on_the_batch_size(count, batch, seed):
    whole = batch_indices(count, 2 * batch, seed, 0)
    halves = [batch_indices(count, batch, seed, iteration) for iteration in (0, 1)]
    assert torch.equal(whole, torch.cat(halves))


def test_epochs_and_seeds_differ_in_order():
    epochs = [batch_indices(50, 50, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 4
