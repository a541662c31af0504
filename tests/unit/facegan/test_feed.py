from __future__ import annotations

import threading
from concurrent import futures

import pytest
import torch

from facegan import feed as feed_module
from facegan import placement as placement_module
from facegan.core.errors import ConfigError, ShardError
from facegan.dataset import batch_indices, load_images
from facegan.decoded import map_images
from facegan.feed import DEPTH, Placement, PrefetchedFeed, Source, open_feed

CPU = torch.device("cpu")
DEVICES = [
    CPU,
    pytest.param(
        torch.device("cuda"),
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]
AHEAD = [Placement.MAPPED, Placement.STREAMED]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def no_thread_survives():
    yield
    assert not worker_threads()


def worker_threads():
    return [one for one in threading.enumerate() if one.name.startswith("facegan-feed")]


def rows(iterations, batch=6, count=10):
    return torch.stack([batch_indices(count, batch, 0, number) for number in range(iterations)])


def numbered(fill=None, piece=6):
    """A prefetched feed whose image n holds the number n; `fill` is called first."""

    def put(numbers, out):
        if fill:
            fill(numbers)
        for image, number in zip(out, numbers, strict=True):
            image[:] = number

    return PrefetchedFeed(Placement.MAPPED, Source(10, 2, put, piece), CPU)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("placement", Placement)
@pytest.mark.parametrize("image_size", [32, 16])
def test_every_placement_gives_the_announced_images(
    make_shards, cache, device, placement, image_size
):
    index, indices = make_shards(), rows(30)
    images = load_images(index, image_size)
    with open_feed(index, image_size, device, cache=cache, placement=placement) as feed:
        assert feed.placement is placement
        assert feed.count == 10
        feed.announce(indices[:12])
        batches = [feed.batch() for _ in range(7)]
        feed.announce(indices[12:])
        batches += [feed.batch() for _ in range(23)]
    for batch, numbers in zip(batches, indices, strict=True):
        assert batch.dtype == torch.uint8
        assert batch.device.type == device.type
        assert torch.equal(batch.cpu(), images[numbers])


def test_all_images_are_at_hand_on_the_device_alone(make_shards, cache):
    index = make_shards()
    with open_feed(index, 32, CPU, cache=cache, placement=Placement.DEVICE) as feed:
        assert torch.equal(feed.images, load_images(index, 32))
    assert not cache.exists()
    for placement in AHEAD:
        with open_feed(index, 32, CPU, cache=cache, placement=placement) as feed:
            assert feed.images is None


@pytest.mark.parametrize(
    ("memory", "disk", "expected", "words"),
    [
        (10**9, 0, Placement.DEVICE, "10 images of 32 px, 0.03 MB decoded: on the cpu"),
        (1000, 10**11, Placement.MAPPED, "decoded: memory-mapped in "),
        (1000, 0, Placement.STREAMED, "decoded: streamed from the shards, because half of the"),
    ],
)
def test_the_sizes_choose_and_the_choice_is_told(
    make_shards, cache, monkeypatch, memory, disk, expected, words
):
    monkeypatch.setattr(placement_module, "free_memory", lambda _: memory)
    monkeypatch.setattr(placement_module, "free_disk", lambda _: disk)
    notes = []
    with open_feed(make_shards(), 32, CPU, cache=cache, listener=notes.append) as feed:
        assert feed.placement is expected
    (note,) = notes
    assert note.stage == "train"
    assert words in note.text


def test_a_file_that_is_there_needs_no_room_on_the_disk(make_shards, cache, monkeypatch):
    index = make_shards()
    map_images(index, index.members, 32, cache)
    monkeypatch.setattr(placement_module, "free_memory", lambda _: 1000)
    monkeypatch.setattr(placement_module, "free_disk", lambda _: 0)
    with open_feed(index, 32, CPU, cache=cache) as feed:
        assert feed.placement is Placement.MAPPED


@pytest.mark.parametrize("placement", Placement)
def test_a_feed_is_refused_as_images_are(make_shards, cache, placement):
    index = make_shards()
    with pytest.raises(ConfigError, match="--size is 64"):
        open_feed(index, 64, CPU, cache=cache, placement=placement)
    with pytest.raises(ShardError, match="its test split is empty"):
        open_feed(index, 32, CPU, cache=cache, placement=placement, split="test")


def test_a_corrupt_member_is_named_when_its_batch_is_due(make_shards, cache):
    index = make_shards()
    tar = index.folder / index.members[0].shard
    data = bytearray(tar.read_bytes())
    data[index.members[3].offset + 40] ^= 1
    tar.write_bytes(data)
    with open_feed(index, 32, CPU, cache=cache, placement=Placement.STREAMED) as feed:
        feed.announce(torch.tensor([[0, 1], [2, 3], [4, 5]]))
        assert len(feed.batch()) == 2
        with pytest.raises(ShardError, match="corrupt at 000003"):
            feed.batch()
        assert len(feed.batch()) == 2


def test_an_error_waits_for_the_other_pieces_and_frees_the_way():
    def fail(numbers):
        if 0 in numbers:
            raise ValueError("zero")

    with numbered(fail, piece=1) as feed:
        feed.announce(torch.tensor([[number, 1, 2] for number in range(9)]))
        with pytest.raises(ValueError, match="zero"):
            feed.batch()
        assert [int(feed.batch()[0, 0, 0, 0]) for _ in range(8)] == list(range(1, 9))


@pytest.mark.parametrize("placement", AHEAD)
def test_close_ends_the_threads_with_batches_still_announced(make_shards, cache, placement):
    feed = open_feed(make_shards(), 32, CPU, cache=cache, placement=placement)
    feed.announce(rows(40))
    feed.batch()
    assert worker_threads()
    feed.close()
    feed.close()
    assert not worker_threads()
    with pytest.raises(RuntimeError, match="no batch is announced"):
        feed.batch()


def test_no_more_batches_are_begun_than_the_depth(monkeypatch):
    begun = []

    class Counted(feed_module.Staging):
        def take(self, shape):
            begun.append(shape)
            return super().take(shape)

    monkeypatch.setattr(feed_module, "Staging", Counted)
    with numbered() as feed:
        assert not begun
        feed.announce(rows(50))
        assert len(begun) == DEPTH
        for taken in range(1, 50):
            feed.batch()
            assert len(begun) == min(50, DEPTH + taken)


def test_a_batch_that_is_ready_costs_no_wait():
    with numbered() as feed:
        feed.announce(rows(1))
        futures.wait(feed._loads[0].pieces)
        feed.batch()
        assert feed.waited_s == 0


def test_a_batch_that_is_late_is_waited_for_and_counted(monkeypatch):
    gate = threading.Event()

    def wait(pieces):
        gate.set()
        return futures.wait(pieces)

    monkeypatch.setattr(feed_module, "wait", wait)
    with numbered(lambda _: gate.wait()) as feed:
        feed.announce(rows(1))
        assert feed.waited_s == 0
        feed.batch()
        assert feed.waited_s > 0


def test_a_batch_stays_as_it_was_given():
    with numbered() as feed:
        indices = rows(40)
        feed.announce(indices)
        batches = [feed.batch() for _ in range(40)]
    for batch, numbers in zip(batches, indices, strict=True):
        assert batch[:, 0, 0, 0].tolist() == numbers.tolist()


@pytest.mark.parametrize("placement", Placement)
@pytest.mark.parametrize(
    "indices",
    [
        torch.tensor([[0, -1]]),
        torch.tensor([[0, 10]]),
        torch.tensor([0, 1]),
        torch.tensor([[0.0, 1.0]]),
    ],
)
def test_what_names_no_images_is_refused(make_shards, cache, placement, indices):
    with (
        open_feed(make_shards(), 32, CPU, cache=cache, placement=placement) as feed,
        pytest.raises(ValueError, match=r"images|int64"),
    ):
        feed.announce(indices)


def test_decoded_files_of_other_faces_go(make_shards, cache):
    first = make_shards(folder="one")
    other = make_shards(folder="two", seed=1)
    with open_feed(first, 32, CPU, cache=cache, placement=Placement.MAPPED) as feed:
        feed.announce(rows(1))
        (before,) = cache.glob("*.u8")
        open_feed(other, 32, CPU, cache=cache, placement=Placement.DEVICE).close()
        assert not list(cache.glob("*.u8"))
        # Who maps the file keeps it.
        assert torch.equal(feed.batch(), load_images(first, 32)[rows(1)[0]])
    assert not before.exists()


def test_decoded_files_of_the_same_faces_stay_at_every_size(make_shards, cache):
    index = make_shards()
    for image_size in (32, 16):
        open_feed(index, image_size, CPU, cache=cache, placement=Placement.MAPPED).close()
    assert len(list(cache.glob("*.u8"))) == 2
