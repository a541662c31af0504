"""From a search term to a trained and measured face generator.

The public names below are imported when they are first used, so `import facegan` loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "ModelConfig": "facegan.config",
    "TrainConfig": "facegan.config",
    "SampleConfig": "facegan.config",
    "ScoreConfig": "facegan.config",
    "Generator": "facegan.models",
    "Discriminator": "facegan.models",
    "fit": "facegan.train",
    "load_generator": "facegan.trained",
    "FaceganError": "facegan.core.errors",
    "Workspace": "facegan.core.files",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facegan' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
