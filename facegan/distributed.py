"""Several processes as one training: torchrun's environment in, a few helpers out.

    torchrun --nproc-per-node 2 --no-python facegan train

Every process runs the same code. Process 0 leads: it alone decides, writes and speaks; the others
take over what it decided. Each sees its part of every batch and all end with the same weights. One
process alone is a world of size 1, in which every helper does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from facegan.core.errors import ConfigError, FaceganError, PeerLostError, TrainingDivergedError

T = TypeVar("T")

_TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others: they may be decoding the images."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes that train together, seen from one of them."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Which of the processes on this machine."""

    @property
    def leads(self) -> bool:
        """Whether this process decides, writes and speaks."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """This process's images of a batch.

        Raises:
            ConfigError: the batch cannot be divided evenly.
        """
        if batch % self.size:
            raise ConfigError(
                f"--batch is {batch}: {self.size} processes need a multiple of {self.size}",
                hint=f"--batch {-(-batch // self.size) * self.size}",
            )
        share = batch // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def device(self, device: torch.device) -> torch.device:
        """The device of this process among those of a kind."""
        cuda = device.type == "cuda" and self.size > 1
        return torch.device("cuda", self.local_rank) if cuda else device

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes.

        BatchNorm's running statistics stay each process's own: those of process 0 are stored.
        """
        if self.size == 1:
            return network
        return DistributedDataParallel(network, broadcast_buffers=False)

    def mean(self, figures: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(figures)
            figures = figures / self.size
        return figures

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether it is true in any process; all must ask."""
        if self.size == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32)
        distributed.all_reduce(raised)
        return tuple(bool(number) for number in raised.tolist())

    def decided(self, decide: Callable[[], T]) -> T:
        """What the leading process decides, in all of them; an error there ends them all.

        The value travels as a pickle, between the processes of one training alone.

        Raises:
            PeerLostError: in the other processes, when the leading one could not decide.
        """
        if self.size == 1:
            return decide()
        answer: list[Any] = []
        try:
            if self.leads:
                answer.append(decide())
        finally:
            message = [answer]
            distributed.broadcast_object_list(message)
        if not message[0]:
            raise PeerLostError("process 0 of the training could not begin")
        value: T = message[0][0]
        return value


ALONE = World()


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Meet the processes that torchrun has started; part from them at the end.

    Args:
        device: the kind that all of them compute on.

    Yields:
        `ALONE` without torchrun.

    Raises:
        PeerLostError: another process has ended, or the processes cannot meet.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    world = World(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    try:
        if device.type == "cuda":
            _take_device(world)
        # Flags and decisions are the CPU's in any case.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=_TIMEOUT)
        yield world
        distributed.barrier()  # who leaves first must not take the others' connections with it
    except FaceganError as error:
        if not isinstance(error, PeerLostError | TrainingDivergedError):
            error.process = world.rank
        raise
    except RuntimeError as error:
        if not _is_lost_peer(error):
            raise
        raise PeerLostError(
            f"another of the {world.size} processes of this training has ended; all of them end, "
            "the last checkpoint is kept",
            hint="the same command goes on from there",
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _take_device(world: World) -> None:
    count = torch.cuda.device_count()
    if world.local_rank >= count:
        raise ConfigError(
            f"--nproc-per-node is larger than the {count} CUDA devices of this machine",
            hint=f"torchrun --nproc-per-node {count} --no-python facegan train",
        )
    torch.cuda.set_device(world.local_rank)


def _is_lost_peer(error: RuntimeError) -> bool:
    if isinstance(error, distributed.DistError):
        return True
    return any(words in str(error) for words in ("gloo", "NCCL", "Connection closed by peer"))
