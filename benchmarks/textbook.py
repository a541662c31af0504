"""The textbook DCGAN loop, as a tutorial writes it: what `benchmarks/train.py` compares with.

    python -m benchmarks.textbook --size 256 --batch 16 --iters 10 --device cpu

Eager fp32, default strides, probabilities and labels, three backward passes of which the third also
computes weight gradients of D that nobody uses, Adam as it comes, six `.item()` an iteration. The
networks are facegan's reference, written out again. Generous in one thing: the images are floats
in memory already, where a tutorial would decode them on the way.

References:
    N. Inkawhich, "DCGAN Tutorial", pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

LATENT = 100
Figures = tuple[float, float, float, float, float, float]


def make_generator(size: int, width: float = 1.0) -> nn.Sequential:
    """Latents (B, 100, 1, 1) -> images (B, 3, size, size) in (-1, 1)."""
    channels = max(1, round(1024 * width))
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(LATENT, channels, 4, 1, 0, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(True),
    ]
    resolution = 8
    while resolution < size:
        smaller = max(1, round(4096 / resolution * width))
        layers.append(nn.ConvTranspose2d(channels, smaller, 5, 2, 2, output_padding=1, bias=False))
        layers += [nn.BatchNorm2d(smaller), nn.ReLU(True)]
        channels, resolution = smaller, 2 * resolution
    last = nn.ConvTranspose2d(channels, 3, 5, 2, 2, output_padding=1)
    return nn.Sequential(*layers, last, nn.Tanh()).apply(weights_init)


def make_discriminator(size: int, width: float = 1.0) -> nn.Sequential:
    """Images (B, 3, size, size) -> probabilities (B,) that they are real."""
    resolution = size // 2
    channels = max(1, round(4096 / resolution * width))
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, 2, 1), nn.LeakyReLU(0.2, True)]
    while resolution > 4:
        resolution //= 2
        larger = max(1, round(4096 / resolution * width))
        layers.append(nn.Conv2d(channels, larger, 3, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(larger), nn.LeakyReLU(0.2, True)]
        channels = larger
    last = nn.Conv2d(channels, 1, 4)
    return nn.Sequential(*layers, last, nn.Sigmoid(), nn.Flatten(0)).apply(weights_init)


def weights_init(module: nn.Module) -> None:
    """N(0, 0.02) for the convolutions; BatchNorm's defaults are 1 and 0 already."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@dataclass(frozen=True, slots=True)
class Textbook:
    """Everything that the loop changes."""

    generator: nn.Module
    discriminator: nn.Module
    generator_adam: Adam
    discriminator_adam: Adam


def build(size: int, width: float, device: torch.device) -> Textbook:
    """Both networks with their optimizers."""
    generator = make_generator(size, width).to(device)
    discriminator = make_discriminator(size, width).to(device)
    adams = [
        Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]
    return Textbook(generator, discriminator, *adams)


def train_step(book: Textbook, real: Tensor, noise: Tensor) -> Figures:
    """One iteration.

    Args:
        book: in training mode; changed in place.
        real: (B, 3, H, W) float32 in [-1, 1], contiguous.
        noise: (B, 100, 1, 1) float32, drawn from N(0, 1).

    Returns:
        What a tutorial prints: D's loss on real images, on generated ones, G's loss, mean D(x),
        mean D(G(z)) before and after D's update. Each of them waits for the device.
    """
    criterion = nn.BCELoss()
    # (1) Update D: maximise log(D(x)) + log(1 - D(G(z))).
    book.discriminator.zero_grad()
    label = torch.full((len(real),), 1.0, device=real.device)
    output = book.discriminator(real)
    loss_real = criterion(output, label)
    loss_real.backward()
    d_x = output.mean().item()
    fake = book.generator(noise)
    label.fill_(0.0)
    output = book.discriminator(fake.detach())
    loss_fake = criterion(output, label)
    loss_fake.backward()
    d_g_z1 = output.mean().item()
    book.discriminator_adam.step()
    # (2) Update G: maximise log(D(G(z))).
    book.generator.zero_grad()
    label.fill_(1.0)
    output = book.discriminator(fake)
    loss_generator = criterion(output, label)
    loss_generator.backward()
    d_g_z2 = output.mean().item()
    book.generator_adam.step()
    return loss_real.item(), loss_fake.item(), loss_generator.item(), d_x, d_g_z1, d_g_z2


def iteration(book: Textbook, images: Tensor, batch: int) -> Figures:
    """Draw a batch and noise, then train on them.

    Args:
        book: see `train_step`.
        images: (N, 3, H, W) float32 in [-1, 1], on the device.
        batch: how many of them, with replacement.

    Returns:
        See `train_step`.
    """
    real = images[torch.randint(len(images), (batch,), device=images.device)]
    noise = torch.randn(batch, LATENT, 1, 1, device=images.device)
    return train_step(book, real, noise)


def main() -> None:
    """Train on noise and print every iteration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--iters", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    book = build(options.size, options.width, device)
    images = torch.rand(4 * options.batch, 3, options.size, options.size, device=device) * 2 - 1
    for number in range(options.iters):
        begun = time.perf_counter()
        real, fake, generated, d_x, *d_g_z = iteration(book, images, options.batch)
        ms = 1000 * (time.perf_counter() - begun)
        print(
            f"[{number + 1}/{options.iters}]  Loss_D: {real + fake:.4f}  Loss_G: {generated:.4f}  "
            f"D(x): {d_x:.4f}  D(G(z)): {d_g_z[0]:.4f} / {d_g_z[1]:.4f}  {ms:.1f} ms"
        )


if __name__ == "__main__":
    main()
