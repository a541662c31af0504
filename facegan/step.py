"""One iteration: one update of the discriminator, then one of the generator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

from facegan.config import TrainConfig
from facegan.losses import fake_loss, generator_loss, real_loss
from facegan.models import Discriminator, Generator, initialise
from facegan.randomness import generator_for

Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Networks:
    """All that training changes, and how the two networks are called."""

    generator: Generator
    discriminator: Discriminator
    generator_adam: Adam
    discriminator_adam: Adam
    average: Generator | None
    """The generator with averaged weights; its BatchNorm statistics are `generator`'s own."""
    autocast: torch.dtype | None
    """The dtype of the convolutions where it is not the weights'."""
    generate: Call
    """`generator`, or it compiled or wrapped for several processes; `judge` likewise."""
    judge: Call
    judge_frozen: Call
    """The discriminator while the generator learns: no process waits for gradients of it."""

    def pairs(self) -> Iterator[tuple[str, nn.Module, Adam]]:
        """Each network with its name and its optimizer."""
        yield "generator", self.generator, self.generator_adam
        yield "discriminator", self.discriminator, self.discriminator_adam

    @property
    def shown(self) -> Generator:
        """The generator that samples are drawn from: the average, where one is kept."""
        return self.average or self.generator

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the training state by its name in a checkpoint, none of them twice."""
        for name, network, adam in self.pairs():
            for key, tensor in network.state_dict().items():
                yield f"{name}.{key}", tensor
            for key, parameter in network.named_parameters():
                for what, tensor in adam.state[parameter].items():
                    yield f"{name}_adam.{what}.{key}", tensor
        if self.average:
            for key, parameter in self.average.named_parameters():
                yield f"average.{key}", parameter.detach()


def build(config: TrainConfig, device: torch.device) -> Networks:
    """The networks as training starts from them: a function of the config's seed alone.

    Args:
        config: with precision fp32 or bf16; `auto` counts as fp32.
        device: where they shall compute.
    """
    generator, discriminator = Generator(config.model), Discriminator(config.model)
    initialise(generator, generator_for(config.seed, "generator weights", 0))
    initialise(discriminator, generator_for(config.seed, "discriminator weights", 0))
    for network in (generator, discriminator):
        network.to(device=device, memory_format=_memory_format(device))  # type: ignore[call-overload]
    return Networks(
        generator,
        discriminator,
        _adam(generator, config),
        _adam(discriminator, config),
        average=_average(generator, config) if config.ema_kimg else None,
        autocast=torch.bfloat16 if config.precision == "bf16" else None,
        generate=generator,
        judge=discriminator,
        judge_frozen=discriminator,
    )


def train_step(networks: Networks, real: Tensor, latents: Tensor) -> Tensor:
    """Update both networks once; nothing here waits for the device.

    One batch of generated images serves both updates, real and generated images pass the
    discriminator apart, and its weights are frozen while the generator learns. The running
    statistics of BatchNorm move once in the generator and three times in the discriminator: with
    the real batch, the generated one, and after its update the generated one again. They never
    enter a loss. With bfloat16 the convolutions, and the images between them, are of that type;
    weights, BatchNorm's statistics, losses and the optimizers' state stay float32.

    Args:
        networks: in training mode; changed in place, but for the average.
        real: (B, 3, H, W) float in [-1, 1], RGB, augmented.
        latents: (B, Z) float, drawn from N(0, 1).

    Returns:
        (7,) float on the device, in the order of `history.FIGURES`. All but g_loss are those of
        before the updates; a logit above 0 counts as "real".

    References:
        Goodfellow et al., "Generative Adversarial Networks", 2014, arXiv:1406.2661, algorithm 1
        with k = 1. Deviation: the latents are not drawn afresh for the generator's update, which
        saves one forward pass of the generator.
    """
    # Autocast keeps its copies of the weights to the end of a block, so a block must not reach
    # over an update.
    with _autocast(networks, latents):
        fake = networks.generate(latents)
        real_logits = _wide(networks.judge(real))
        fake_logits = _wide(networks.judge(fake.detach()))
    loss_on_real, loss_on_fake = real_loss(real_logits), fake_loss(fake_logits)
    networks.discriminator_adam.zero_grad()
    (loss_on_real + loss_on_fake).backward()  # type: ignore[no-untyped-call]
    networks.discriminator_adam.step()

    networks.generator_adam.zero_grad()
    with frozen(networks.discriminator):
        with _autocast(networks, latents):
            judged = _wide(networks.judge_frozen(fake))
        loss_of_generator = generator_loss(judged)
        loss_of_generator.backward()  # type: ignore[no-untyped-call]
    networks.generator_adam.step()

    with torch.no_grad():
        return torch.stack(
            [
                loss_on_real,
                loss_on_fake,
                loss_of_generator,
                real_logits.sigmoid().mean(),
                fake_logits.sigmoid().mean(),
                (real_logits > 0).to(real_logits.dtype).mean(),
                (fake_logits <= 0).to(fake_logits.dtype).mean(),
            ]
        )


@torch.no_grad()
def update_average(networks: Networks, share: Tensor) -> None:
    """Move the averaged weights towards the generator's.

    Args:
        networks: the average is changed in place; nothing happens where none is kept.
        share: () float32 in (0, 1] on the device: how far, `average_share` of the iteration.
    """
    if networks.average:
        pairs = zip(networks.average.parameters(), networks.generator.parameters(), strict=True)
        for averaged, parameter in pairs:
            averaged.lerp_(parameter, share.to(parameter.dtype))


def average_share(config: TrainConfig, iteration: int) -> float:
    """How far the average moves towards the generator after an iteration.

    1 - 2^(-B / h): a weight's influence halves every h images. At first h is 5 % of the images
    seen, so that a young average holds no stale weights.

    Args:
        config: batch and half-life; the half-life must be above 0.
        iteration: from 0.

    Returns:
        In (0, 1]; 1 makes the average the generator.

    References:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2019,
        arXiv:1912.04958, the official program's `G_smoothing_kimg` 10; the ramp of 5 % is that of
        "Training Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676,
        `ema_rampup`.

    >>> average_share(TrainConfig(batch=10, ema_kimg=0.01), 10**6)
    0.5
    """
    seen = iteration * config.batch
    half_life = min(1000 * config.ema_kimg, _RAMP * seen)
    return 1.0 - 0.5 ** (config.batch / half_life) if half_life else 1.0


_RAMP = 0.05


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without computing those of its weights."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _autocast(networks: Networks, like: Tensor) -> torch.autocast:
    dtype = networks.autocast
    return torch.autocast(like.device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def _wide(logits: Tensor) -> Tensor:
    """Logits for the losses: float32, or float64 where the networks are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _memory_format(device: torch.device) -> torch.memory_format:
    """channels_last where it is faster; docs/performance.md has the CPU's figures.

    On MPS, BatchNorm's gradients have been wrong with it (pytorch#175189).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def _average(generator: Generator, config: TrainConfig) -> Generator:
    """A generator with weights of its own and the statistics of `generator`, the same tensors."""
    device = next(generator.parameters()).device
    average = Generator(config.model)
    average.to(device=device, memory_format=_memory_format(device))  # type: ignore[call-overload]
    average.load_state_dict(generator.state_dict())
    for name, buffer in generator.named_buffers():
        module, _, key = name.rpartition(".")
        average.get_submodule(module).register_buffer(key, buffer)
    return average.requires_grad_(False).eval()


def _adam(network: nn.Module, config: TrainConfig) -> Adam:
    """Kingma and Ba, 2015, arXiv:1412.6980, algorithm 1, epsilon 1e-8; its state is there at once.

    Deviation: CNTK's Adam had no unit gain, and it clipped gradients.
    """
    parameters = list(network.parameters())
    # One kernel for all of a network's weights.
    fused = parameters[0].device.type in ("cuda", "cpu")
    adam = Adam(
        parameters,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=fused,
        capturable=parameters[0].device.type == "cuda",
    )
    for parameter in parameters:
        # A fused Adam reads weights and moments in the order of memory: the strides must agree.
        adam.state[parameter] = {
            "step": torch.zeros((), device=parameter.device if fused else "cpu"),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
    return adam
