from __future__ import annotations

import pytest
import torch

from facegan import staging
from facegan.staging import LENT_MAX, LENT_MIN, Ring, Staging

SHAPE = (4, 3, 8, 8)


class Copy:
    """An event of a copy; `done` when the test, or a wait, says so."""

    def __init__(self, done=False):
        self.done = done
        self.waited_for = False

    def query(self):
        return self.done

    def synchronize(self):
        self.waited_for = self.waited_for or not self.done
        self.done = True


@pytest.fixture
def ring():
    return Ring(lambda shape: torch.empty(shape, dtype=torch.uint8))


def test_a_buffer_is_used_again_once_it_is_copied(ring):
    buffer, copy = ring.take(SHAPE), Copy()
    ring.lend(buffer, copy)
    assert ring.take(SHAPE) is not buffer
    copy.done = True
    assert ring.take(SHAPE) is buffer
    assert not copy.waited_for


def test_a_buffer_of_another_shape_is_not_used_again(ring):
    ring.lend(ring.take(SHAPE), Copy(done=True))
    assert ring.take((2, 3, 8, 8)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(("limit_bytes", "most"), [(1, LENT_MIN), (10**9, LENT_MAX)])
def test_the_host_waits_rather_than_pin_more_memory(ring, monkeypatch, limit_bytes, most):
    monkeypatch.setattr(staging, "LENT_BYTES", limit_bytes)
    buffers, copies = [], []
    for _ in range(100):
        buffers.append(ring.take(SHAPE))
        copies.append(Copy())
        ring.lend(buffers[-1], copies[-1])
        assert sum(not copy.done for copy in copies) <= most + 1
    assert len({id(buffer) for buffer in buffers}) == most + 1
    assert copies[0].waited_for


def test_on_the_cpu_a_sent_buffer_is_the_callers_own():
    stage = Staging(torch.device("cpu"))
    first = stage.take(SHAPE)
    first.fill_(7)
    sent = stage.send(first)
    stage.take(SHAPE).fill_(9)
    assert (sent == 7).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_no_pinned_buffer_is_overwritten_while_the_gpu_lags_behind():
    stage = Staging(torch.device("cuda"))
    sent = []
    for value in range(200):
        torch.cuda._sleep(1_000_000)
        buffer = stage.take((64, 3, 64, 64))
        assert buffer.is_pinned()
        sent.append(stage.send(buffer.fill_(value)))
    assert [int(images.unique().item()) for images in sent] == list(range(200))
