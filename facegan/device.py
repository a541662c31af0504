"""Where to compute."""

from __future__ import annotations

import torch

from facegan.core.errors import MissingDependencyError


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` is the first of cuda, mps and cpu that is here.

    Raises:
        MissingDependencyError: the device asked for is not here.
    """
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, is_here in here.items() if is_here)
    if not here.get(name, False):
        raise MissingDependencyError(
            f"the device {name} is not here: PyTorch {torch.__version__} finds "
            + ", ".join(kind for kind, is_here in here.items() if is_here),
            hint="--device auto takes the best there is",
        )
    return torch.device(name)
