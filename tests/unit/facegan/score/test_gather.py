import threading

import numpy as np
import pytest

from facegan.core import events
from facegan.core.errors import ScoreError
from facegan.score import gather as room
from facegan.score.gather import Clock, ahead, gather, missing, prune
from facegan.score.network import FeatureProtocol, Outputs


class Stack:
    """Images in memory, which tells what was read."""

    name, about = "a stack", {}

    def __init__(self, images, content="stack"):
        self.images, self.content, self.reads = images, content, []

    def __len__(self):
        return len(self.images)

    def read(self, first, count):
        self.reads.append((first, count))
        return self.images[first : first + count]


class Network:
    """Features are an image's first pixels; counts what it is asked."""

    def __init__(self, weights="ab"):
        self.protocol = FeatureProtocol("fake", "fake", weights, True, "none", "none", 4, 3)
        self.seen = 0

    def outputs(self, images):
        self.seen += len(images)
        flat = images.reshape(len(images), -1).astype(np.float32)
        return Outputs(flat[:, :4], flat[:, :3])


def noise(count, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def clock(total=0):
    return Clock(events.silent, total)


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("fixed", "features", "logits", "pixels")
    )


def test_each_image_is_read_once_and_passes_the_network_once():
    stack, network = Stack(noise(300)), Network()
    found = gather(stack, network, clock=clock(), batch=32)
    assert network.seen == 300
    assert stack.reads.pop(0) == (0, 1)  # to know their size
    assert sum(count for _, count in stack.reads) == 300
    assert len(found) == len(found.features) == len(found.logits) == len(found.pixels) == 300
    assert np.array_equal(found.pixels, stack.images)


def test_the_result_does_not_depend_on_the_batches():
    stack = Stack(noise(40))
    one = gather(stack, Network(), clock=clock(), batch=40)
    assert same(one, gather(stack, Network(), clock=clock(), batch=7))


def test_without_a_network_the_fixed_features_alone_are_taken():
    found = gather(Stack(noise(5)), None, clock=clock())
    assert found.features is None
    assert found.logits is None
    assert len(found.fixed) == 5


def test_the_pixels_of_the_first_images_alone_are_kept(monkeypatch):
    monkeypatch.setattr(room, "PIXELS", 10)
    monkeypatch.setattr(room, "PART", 8)
    stack = Stack(noise(30))
    found = gather(stack, None, clock=clock(), batch=3)
    assert np.array_equal(found.pixels, stack.images[:10])
    assert len(found) == 30


def test_what_was_computed_is_found_again(tmp_path):
    stack, first, second = Stack(noise(300)), Network(), Network()
    one = gather(stack, first, clock=clock(), store=tmp_path)
    again = gather(stack, second, clock=clock(), store=tmp_path)
    assert (first.seen, second.seen) == (300, 0)
    assert same(one, again)


def test_a_longer_set_of_the_same_generator_computes_only_what_is_new(tmp_path):
    images = noise(600)
    gather(Stack(images[:512]), Network(), clock=clock(), store=tmp_path)
    network, longer = Network(), Stack(images)
    assert missing(longer, network, tmp_path) == 88
    found = gather(longer, network, clock=clock(), store=tmp_path)
    assert network.seen == 88
    assert np.array_equal(found.features, images.reshape(600, -1)[:, :4])


def test_other_weights_and_other_images_are_computed_anew(tmp_path):
    stack = Stack(noise(20))
    gather(stack, Network(), clock=clock(), store=tmp_path)
    for other, network in ((stack, Network("cd")), (Stack(noise(20), "other"), Network())):
        gather(other, network, clock=clock(), store=tmp_path)
        assert network.seen == 20


@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: b"x" + data[1:]])
def test_a_damaged_part_is_computed_again(tmp_path, harm):
    stack = Stack(noise(20))
    one = gather(stack, Network(), clock=clock(), store=tmp_path)
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(harm(path.read_bytes()))
    network = Network()
    assert same(one, gather(stack, network, clock=clock(), store=tmp_path))
    assert network.seen == 20


def test_a_stop_costs_at_most_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PART", 8)

    class Failing(Network):
        def outputs(self, images):
            if self.seen >= 20:
                raise KeyboardInterrupt
            return super().outputs(images)

    stack = Stack(noise(40))
    with pytest.raises(KeyboardInterrupt):
        gather(stack, Failing(), clock=clock(), batch=4, store=tmp_path)
    network = Network()
    gather(stack, network, clock=clock(), batch=4, store=tmp_path)
    assert network.seen == 40 - 16


def test_the_parts_used_longest_ago_go_first(tmp_path):
    import os

    for number in range(4):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    prune(tmp_path, limit=250)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["2", "3"]


def test_features_that_are_not_finite_are_refused():
    class Broken(Network):
        def outputs(self, images):
            outputs = super().outputs(images)
            outputs.features[0] = np.nan
            return outputs

    with pytest.raises(ScoreError, match="features of 1 of 5 images of a stack are not finite"):
        gather(Stack(noise(5)), Broken(), clock=clock())


def test_no_images_are_refused():
    with pytest.raises(ScoreError, match="no images to score in a stack"):
        gather(Stack(noise(0)), None, clock=clock())


def test_progress_counts_all_sets_and_the_rate_leaves_out_what_was_stored(tmp_path):
    told = []
    both = Clock(told.append, 30)
    times = iter(range(100))
    for images in (Stack(noise(20)), Stack(noise(10), "other"), Stack(noise(20))):
        gather(images, None, clock=both, store=tmp_path, now=lambda: float(next(times)))
    assert [event.done for event in told] == [20, 30, 50]
    assert (both.fresh, both.seconds, both.images_per_s) == (30, 2.0, 15.0)


def test_ahead_hands_over_in_order_and_raises_what_the_reader_raised():
    assert list(ahead(iter(range(50)))) == list(range(50))

    def failing():
        yield 1
        raise ScoreError("broken")

    with pytest.raises(ScoreError, match="broken"):
        list(ahead(failing()))


def test_ahead_reads_while_the_caller_works():
    second_was_read = threading.Event()

    def items():
        yield 1
        second_was_read.set()
        yield 2

    for item in ahead(items()):
        assert second_was_read.wait(5), item
