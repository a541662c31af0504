"""The settings of the model half: frozen, checked together, stored as JSON. No torch here.

    TrainConfig(model=ModelConfig(image_size=64, width=0.25), iters=3000).validate()

A config that a run has stored is read back with `from_dict`.
"""

from __future__ import annotations

from dataclasses import dataclass

from facegan.core.config import Config, setting
from facegan.core.errors import ConfigError

IMAGE_SIZES = (32, 64, 128, 256, 512)
DEVICES = ("auto", "cuda", "mps", "cpu")
ENGINES = ("auto", "eager", "compiled", "captured")
PRECISIONS = ("auto", "fp32", "bf16")
FEATURES = ("inception2015", "torchvision")
"""Feature networks that are known by name."""
RESIZES = ("native", "clean")


def largest_size(shards_size: int) -> int:
    """The largest size that the networks can be built for with images of `shards_size` pixels.

    Args:
        shards_size: side of the images in the shards.

    Raises:
        ConfigError: they are smaller than the smallest size.

    >>> largest_size(96), largest_size(768)
    (64, 512)
    """
    fitting = [size for size in IMAGE_SIZES if size <= shards_size]
    if not fitting:
        least = IMAGE_SIZES[0]
        raise ConfigError(
            f"the images in the shards are {shards_size} px: {least} px is the least to train on",
            hint=f"facegan crop --size {least}, or pack larger pictures",
        )
    return max(fitting)


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
    ema_kimg: float = setting(10.0, low=0.0, high=1_000_000.0)
    """Half-life of the average of the generator's weights, in thousands of images; 0 keeps none."""
    device: str = setting("auto", choices=DEVICES)
    """Where to compute; a run keeps what `auto` found when it began."""
    engine: str = setting("auto", choices=ENGINES)
    """How an iteration is run: by itself, compiled, or captured as one CUDA graph; resolved at
    every call, for it changes no result but by rounding."""
    precision: str = setting("auto", choices=PRECISIONS)
    """Numbers of the convolutions: float32, or bfloat16 where the hardware gains by it. CUDA's
    float32 convolutions round their inputs to TF32, as is PyTorch's default."""
    deterministic: bool = False
    """Choose kernels that give the same bits every time, on CUDA too; slower there."""
    sync_bn: bool = False
    """With several CUDA processes, let BatchNorm see the whole batch and not each one's part."""
    sample_every: int = setting(500, low=1, high=1_000_000_000)
    """Iterations from one grid of the fixed latents to the next."""
    checkpoint_every: int = setting(500, low=1, high=1_000_000_000)
    """Iterations from one checkpoint to the next."""
    keep_checkpoints: int = setting(3, low=1, high=1_000_000)
    """How many of the newest checkpoints stay on the disk."""
    keep_every: int = setting(0, low=0, high=1_000_000_000)
    """Checkpoints at multiples of this many iterations stay as well; 0 keeps none of them."""
    score_every: int = setting(0, low=0, high=1_000_000_000)
    """Iterations from one score of the generator to the next; the best checkpoint by them stays on
    the disk. 0 takes none."""
    score_samples: int = setting(500, low=2, high=10_000)
    """Images of each such score, and as many real ones where there are so many. The fewer, the
    noisier; but on a CPU 500 cost some ten seconds without a feature network and most of a minute
    with one. At most as many as are measured before other processes give up waiting."""
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

    samples: int | None = setting(None, low=2, high=1_000_000)
    """How many images are drawn; None is 5,000 on a CPU and 50,000 on a GPU, and of a folder or of
    shards all images."""
    splits: int = setting(10, low=1, high=1000)
    """Parts whose Inception Scores give the mean and the standard deviation."""
    batch: int | None = setting(None, low=1, high=65_536)
    """Images computed together; None is 32 on a CPU, and elsewhere as many as the memory allows."""
    seed: int = setting(0, low=0, high=2**63 - 1)
    """Fixes the latents, the splits and everything else that is drawn."""
    features: str = "auto"
    """Which network's features: `inception2015`, `torchvision`, an ONNX file, `none` (only what
    needs no network), or `auto`: `inception2015` where its weights are here or can be fetched."""
    weights: str | None = None
    """File with Inception-v3's weights; None is the cached or downloaded one."""
    resize: str = setting("native", choices=RESIZES)
    """How Inception's inputs are resized: as its protocol says, or `clean` (bicubic, in float)."""
    precision: str = setting("auto", choices=PRECISIONS)
    """Numbers of the feature network."""
    device: str = setting("auto", choices=DEVICES)
    """Where to compute."""

    def problems(self) -> list[str]:
        """One sentence for each value that cannot be."""
        found = Config.problems(self)
        if not found and self.samples is not None and self.samples < self.splits:
            found.append(
                f"--samples is {self.samples}: at least one image for each of the "
                f"{self.splits} splits is needed, {self.splits} or more"
            )
        names = ("auto", *FEATURES, "none")
        if self.features not in names and not self.features.lower().endswith(".onnx"):
            found.append(
                f"--features is {self.features!r}: one of {', '.join(names)} or a FILE.onnx is "
                "allowed"
            )
        return found


_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _plain_name(name: str) -> str:
    plain = "".join(letter if letter in _NAME_CHARACTERS else "-" for letter in name)
    return plain.strip(".-") or "trial"
