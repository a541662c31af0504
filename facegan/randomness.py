"""Random numbers without a state: each draw is a function of (seed, stream, position).

A resumed run therefore needs no stored generator states, and no stream shifts when another one
draws more or less.
"""

from __future__ import annotations

import hashlib

import torch


def seed_for(seed: int, stream: str, position: int) -> int:
    """64 bits that nothing else in the run has by more than chance.

    Args:
        seed: the run's `--seed`.
        stream: what the numbers are for, such as "latents".
        position: the iteration, or the epoch where a stream goes by epochs.

    Returns:
        A number in [0, 2**64).

    >>> seed_for(0, "latents", 1) == seed_for(0, "latents", 2)
    False
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def generator_for(seed: int, stream: str, position: int) -> torch.Generator:
    """A fresh generator for one draw, on the CPU whatever the networks compute on.

    PyTorch's CPU generator (MT19937) takes the low 32 bits of its seed, so that among 50,000
    iterations two share their latents with probability 0.25.

    Args:
        seed: the run's `--seed`.
        stream: what the numbers are for.
        position: the iteration or epoch.

    Returns:
        A generator at its beginning.
    """
    return torch.Generator().manual_seed(seed_for(seed, stream, position))
