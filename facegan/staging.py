"""Host memory for batches on their way to the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

LENT_BYTES = 256 * 2**20
LENT_MIN, LENT_MAX = 4, 64
"""Buffers whose copies were ordered and not yet made: `LENT_BYTES` of them, but not fewer nor more
than this. So far the host may run ahead of the device, in pinned memory."""


class Event(Protocol):
    """What is used of a CUDA event."""

    def query(self) -> bool:
        """Whether it has come to pass."""

    def synchronize(self) -> None:
        """Wait for it."""


class Ring:
    """Buffers that are used again once the device has read them."""

    def __init__(self, allocate: Callable[[tuple[int, ...]], Tensor]) -> None:
        """Empty; `allocate` makes a new buffer of a shape."""
        self._allocate = allocate
        self._free: list[Tensor] = []
        self._lent: deque[tuple[Event, Tensor]] = deque()

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """A buffer that nothing reads; waits for the device where too many are still lent."""
        while self._lent and (self._too_many() or self._lent[0][0].query()):
            event, buffer = self._lent.popleft()
            event.synchronize()
            self._free.append(buffer)
        while self._free:
            buffer = self._free.pop()
            if buffer.shape == shape:
                return buffer
        return self._allocate(shape)

    def lend(self, buffer: Tensor, event: Event) -> None:
        """Take a buffer back, which the device reads until `event`."""
        self._lent.append((event, buffer))

    def _too_many(self) -> bool:
        fitting = LENT_BYTES // max(1, self._lent[0][1].nbytes)
        return len(self._lent) > min(max(fitting, LENT_MIN), LENT_MAX)


class Staging:
    """The way from host memory to one device; pinned and without waiting on CUDA."""

    def __init__(self, device: torch.device) -> None:
        """To the device where batches shall lie."""
        self._device = device
        self._ring = Ring(_pinned) if device.type == "cuda" else None

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """A buffer to fill.

        Returns:
            `shape`, uint8, contiguous, of any values, on the CPU.
        """
        return (
            torch.empty(shape, dtype=torch.uint8) if self._ring is None else self._ring.take(shape)
        )

    def send(self, buffer: Tensor) -> Tensor:
        """Give a filled buffer back and order its copy on the current stream.

        Returns:
            The same images on the device; on the CPU the buffer itself, which is never used again.
        """
        images = buffer.to(self._device, non_blocking=self._ring is not None)
        if self._ring is not None:
            event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
            self._ring.lend(buffer, event)
        return images


def _pinned(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
