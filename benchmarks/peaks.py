"""How fast this machine is: the largest rates that its matrix product and its memory showed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_REPEATS = 7
_LONG_S = 2.0
"""A measurement that takes longer is not repeated often."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Rates of one device."""

    device: str
    threads: int
    """Of the CPU's products."""
    flops_per_s: dict[str, float]
    """By precision; fp32 on CUDA is what convolutions use there, TF32 where that is allowed."""
    bytes_per_s: float
    """Read and written, of a copy."""

    def figures(self) -> dict[str, float]:
        """Flat, for a results file."""
        rates = {f"gemm_{name}_tflops": rate / 1e12 for name, rate in self.flops_per_s.items()}
        return rates | {"memory_gb_per_s": self.bytes_per_s / 1e9}


def measure(device: torch.device, *, edge: int | None = None, mib: int | None = None) -> Peaks:
    """The best of a few products and copies.

    Args:
        device: where.
        edge: side of the square matrices; by default 8192 on CUDA, else 2048.
        mib: size of the copied tensor; by default 4096 on CUDA, else 256: beyond every cache.
    """
    large = device.type == "cuda"
    edge = edge or (8192 if large else 2048)
    mib = mib or (4096 if large else 256)
    return Peaks(
        device=torch.cuda.get_device_name(device) if large else "cpu",
        threads=torch.get_num_threads(),
        flops_per_s={name: _product(device, dtype, edge) for name, dtype in DTYPES.items()},
        bytes_per_s=_copy(device, mib * 2**20),
    )


def best_seconds(work: Callable[[], object], device: torch.device) -> float:
    """The shortest of several runs after one that is not counted."""
    repeats = 2 if _seconds(work, device) > _LONG_S else _REPEATS
    return min(_seconds(work, device) for _ in range(repeats))


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    synchronise(device)
    begun = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - begun


def _product(device: torch.device, dtype: torch.dtype, edge: int) -> float:
    """Operations a second of a product of random matrices (zeros are faster on a GPU)."""
    a, b = (torch.randn(edge, edge, device=device).to(dtype) for _ in range(2))
    out = torch.empty(edge, edge, device=device, dtype=dtype)
    times = 10 if device.type == "cuda" else 1

    def work() -> None:
        for _ in range(times):
            torch.mm(a, b, out=out)

    with _as_convolutions(device):
        return times * 2 * edge**3 / best_seconds(work, device)


def _copy(device: torch.device, count: int) -> float:
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / best_seconds(lambda: target.copy_(source), device)


@contextlib.contextmanager
def _as_convolutions(device: torch.device) -> Iterator[None]:
    """Let fp32 products on CUDA use TF32 where fp32 convolutions do."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda" and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
