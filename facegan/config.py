"""The settings of the model half: frozen, checked together, stored as JSON. No torch here.

    TrainConfig(model=ModelConfig(image_size=64, width=0.25), iters=3000).validate()

Each field carries its option's name and its allowed values; `validate` gathers every problem into
one ConfigError. A config that a run has stored is read back with `from_dict`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from facegan.core.errors import ConfigError

T = TypeVar("T")

IMAGE_SIZES = (32, 64, 128, 256, 512)
DEVICES = ("auto", "cuda", "mps", "cpu")


def setting(
    default: T,
    *,
    option: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[int | str] = (),
) -> T:
    """A dataclass field with its option's name (default: the field's) and its allowed values."""
    limits = {"option": option, "low": low, "high": high, "choices": tuple(choices)}
    field: T = dataclasses.field(default=default, metadata=limits)
    return field


class Config:
    """What the four configs share."""

    __slots__ = ()

    def problems(self) -> list[str]:
        """One sentence for each value that cannot be, nested configs included."""
        found: list[str] = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Config):
                found += value.problems()
            elif problem := _problem(field, value):
                found.append(problem)
        return found

    def validate(self) -> Self:
        """This config, when every value is allowed.

        Raises:
            ConfigError: names every option whose value is not, its range and the nearest value.
        """
        if found := self.problems():
            raise ConfigError.of(found)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` is the way back."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A validated config of plain values; what is missing takes its default.

        Raises:
            ConfigError: names every unknown key, every value of a wrong type and every value that
                is not allowed.
        """
        found: list[str] = []
        config = _parse(cls, data, "", found)
        if config is None or found:
            raise ConfigError.of(found)
        return config.validate()


@dataclass(frozen=True, slots=True)
class ModelConfig(Config):
    """Which networks are built."""

    image_size: int = setting(256, option="--size", choices=IMAGE_SIZES)
    """Height and width of the images, in pixels."""
    width: float = setting(1.0, low=0.0625, high=4.0)
    """Factor on the number of channels; 1 is the reference."""
    latent_size: int = setting(100, low=1, high=4096)
    """How many numbers the generator makes an image of."""


@dataclass(frozen=True, slots=True)
class TrainConfig(Config):
    """One training run; the defaults are the reference's."""

    model: ModelConfig = ModelConfig()
    """Which networks."""
    iters: int = setting(50_000, low=1, high=1_000_000_000)
    """Iterations in all, each one update of both networks."""
    batch: int = setting(16, low=1, high=65_536)
    """Images in a batch, over all devices together."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """Fixes the initial weights, the order of the data, the augmentation and the latents."""
    learning_rate: float = setting(1e-4, low=1e-9, high=1.0)
    """Adam's step size, the same for both networks."""
    beta1: float = setting(0.5, low=0.0, high=0.999_999_9)
    """Adam's memory of the gradient."""
    beta2: float = setting(0.999, low=0.0, high=0.999_999_9)
    """Adam's memory of its square. The reference ran with CNTK's default, 0.9999986 a sample or
    about 0.99998 a batch of 16."""
    flip: bool = True
    """Mirror half of the real images."""
    jitter: float = setting(0.2, low=0.0, high=1.0)
    """Radius of the colour jitter of real images; 0 is none."""
    device: str = setting("auto", choices=DEVICES)
    """Where to compute; a run keeps what `auto` found when it began."""
    sample_every: int = setting(500, low=1, high=1_000_000_000)
    """Iterations from one grid of the fixed latents to the next."""
    checkpoint_every: int = setting(500, low=1, high=1_000_000_000)
    """Iterations from one checkpoint to the next."""
    keep_checkpoints: int = setting(3, low=1, high=1_000_000)
    """How many of the newest checkpoints stay on the disk."""
    log_every: int = setting(50, low=1, high=100_000)
    """Iterations at most from one reading of the history off the device to the next."""
    name: str = ""
    """Tail of the run's folder name; by default the image size, such as `64px`."""

    def problems(self) -> list[str]:
        """One sentence for each value that cannot be."""
        found = Config.problems(self)
        if not set(self.name) <= _NAME_CHARACTERS or self.name.startswith("."):
            found.append(
                f"--name is {self.name!r}: letters, digits, '.', '_' and '-' are allowed, "
                f"such as {_plain_name(self.name)!r}"
            )
        return found

    @property
    def run_name(self) -> str:
        """The tail of the folder name, given or not."""
        return self.name or f"{self.model.image_size}px"


@dataclass(frozen=True, slots=True)
class SampleConfig(Config):
    """Which images are drawn from a generator."""

    count: int = setting(64, low=1, high=1_000_000)
    """How many images."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """Fixes the latents."""
    columns: int = setting(8, low=1, high=1000)
    """Images in a row of the grid."""
    batch: int = setting(64, low=1, high=65_536)
    """Images computed together; their values do not depend on it but for rounding."""
    device: str = setting("auto", choices=DEVICES)
    """Where to compute."""


@dataclass(frozen=True, slots=True)
class ScoreConfig(Config):
    """How samples are measured."""

    samples: int = setting(5000, low=2, high=1_000_000)
    """How many images are drawn and measured."""
    splits: int = setting(10, low=1, high=1000)
    """Parts whose scores give the mean and the standard deviation."""
    batch: int = setting(32, low=1, high=65_536)
    """Images computed together."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """Fixes the latents."""
    weights: str | None = None
    """File with Inception-v3's weights; None is the cached or downloaded one."""
    device: str = setting("auto", choices=DEVICES)
    """Where to compute."""

    def problems(self) -> list[str]:
        """One sentence for each value that cannot be."""
        found = Config.problems(self)
        if not found and self.samples < self.splits:
            found.append(
                f"--samples is {self.samples}: at least one image for each of the "
                f"{self.splits} splits is needed, {self.splits} or more"
            )
        return found


_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _plain_name(name: str) -> str:
    plain = "".join(letter if letter in _NAME_CHARACTERS else "-" for letter in name)
    return plain.strip(".-") or "trial"


def option_of(field: dataclasses.Field[Any]) -> str:
    """The command line's name of a config's field, such as `--size`."""
    return field.metadata.get("option") or "--" + field.name.replace("_", "-")


def _problem(field: dataclasses.Field[Any], value: Any) -> str | None:
    """What is wrong with one value, or None."""
    choices, low, high = (field.metadata.get(key) for key in ("choices", "low", "high"))
    option = option_of(field)
    if choices and value not in choices:
        allowed = ", ".join(map(str, choices))
        return f"{option} is {value}: allowed are {allowed}; the nearest is {_near(value, choices)}"
    if low is not None and high is not None and not low <= value <= high:
        nearest = field.default if math.isnan(value) else min(max(value, low), high)
        return f"{option} is {value}: {low} to {high} is allowed; the nearest is {nearest}"
    return None


def _near(value: Any, choices: Sequence[Any]) -> Any:
    """The choice most like `value`: by ratio for sizes, by spelling for names."""
    if isinstance(value, str):
        return next(iter(difflib.get_close_matches(value, choices, 1, 0.0)), choices[0])
    return min(choices, key=lambda choice: abs(math.log(choice / max(value, 1))))


def _parse(cls: type[T], data: Any, path: str, found: list[str]) -> T | None:
    """A `cls` of plain values; problems go to `found`."""
    if not isinstance(data, Mapping):
        found.append(f"{path or cls.__name__} is {data!r}: a table of settings is needed")
        return None
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(f"unknown setting {path + str(key)!r}{hint}")
    values = {
        key: _parse(hint, data[key], f"{path}{key}.", found)
        if isinstance(hint, type) and issubclass(hint, Config)
        else _typed(hint, data[key], path + key, found)
        for key, hint in hints.items()
        if key in data
    }
    return cls(**values)


def _typed(hint: Any, value: Any, path: str, found: list[str]) -> Any:
    """`value` as `hint`: whole numbers pass for floats, true and false for nothing else."""
    if hint is float and type(value) is int:
        return float(value)
    allowed = typing.get_args(hint) or (hint,)
    if type(value) not in allowed:
        names = " or ".join(kind.__name__ for kind in allowed)
        found.append(f"{path} is {value!r}: {names} is needed")
    return value
