"""The two networks. Shape suffixes: B batch, C channels, H height, W width, Z latent.

Both have `4096 / r` channels times the width at resolution r, so that one rule gives every size:
256 px at width 1 is the reference (19,104,035 and 6,306,561 parameters), 64 px at width 1 the
network of the DCGAN paper.

References:
    Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks", 2015, arXiv:1511.06434, section 3.

    Deviation: the running statistics of BatchNorm move by 0.1 a batch (PyTorch's default); the
    reference program's CNTK averages over 5,000 samples. No loss depends on them, samples do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegan.config import ModelConfig
from facegan.convolutions import Doubling, Halving

_FIRST_PX = 4
"""Both networks change from a vector to a picture, or back, at 4x4."""

WEIGHT_STD = 0.02
"""Standard deviation of the initial weights. The article calls 0.02 the variance; its program, like
the DCGAN paper, sets the standard deviation."""


def channels_at(config: ModelConfig, resolution_px: int) -> int:
    """Feature maps of either network at a resolution, at least one.

    >>> channels_at(ModelConfig(), 4), channels_at(ModelConfig(width=0.25), 32)
    (1024, 32)
    """
    return max(1, round(4096 / resolution_px * config.width))


class Generator(nn.Module):
    """Latent vectors to images.

    A 4x4 transposed convolution makes a 4x4 picture; each of the following 5x5 ones doubles it.
    BatchNorm and ReLU stand after each but the last, which alone has a bias, and tanh after it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_size = config.latent_size
        width_in = channels_at(config, _FIRST_PX)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.latent_size, width_in, 4, bias=False),
            nn.BatchNorm2d(width_in),
            nn.ReLU(inplace=True),
        ]
        resolution = 2 * _FIRST_PX
        while resolution < config.image_size:
            width_out = channels_at(config, resolution)
            layers += [
                Doubling(width_in, width_out, bias=False),
                nn.BatchNorm2d(width_out),
                nn.ReLU(inplace=True),
            ]
            width_in, resolution = width_out, 2 * resolution
        layers += [Doubling(width_in, 3, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z_BZ: Tensor) -> Tensor:  # noqa: N803
        """Images of latent vectors.

        Args:
            z_BZ: (B, Z) float, drawn from N(0, 1).

        Returns:
            (B, 3, H, W) float in (-1, 1), RGB.
        """
        z_BZ11 = z_BZ[:, :, None, None]  # noqa: N806
        x_BCHW: Tensor = self.layers(z_BZ11)  # noqa: N806
        return x_BCHW


class Discriminator(nn.Module):
    """Images to logits: above 0 means that the image is held for a real one.

    3x3 convolutions with stride 2 down to 4x4, then one 4x4 convolution to a single number.
    LeakyReLU of slope 0.2; BatchNorm on all but the first and the last, which alone have a bias.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        resolution = config.image_size // 2
        width_in = channels_at(config, resolution)
        layers: list[nn.Module] = [
            Halving(3, width_in, bias=True),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        while resolution > _FIRST_PX:
            resolution //= 2
            width_out = channels_at(config, resolution)
            layers += [
                Halving(width_in, width_out, bias=False),
                nn.BatchNorm2d(width_out),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width_in = width_out
        layers.append(nn.Conv2d(width_in, 1, _FIRST_PX, bias=True))
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BCHW: Tensor) -> Tensor:  # noqa: N803
        """Logits of images.

        Args:
            x_BCHW: (B, 3, H, W) float in [-1, 1], RGB.

        Returns:
            (B,) float, any real number: the sigmoid of it is D(x).
        """
        logits_B111: Tensor = self.layers(x_BCHW)  # noqa: N806
        return logits_B111.flatten()


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Set every parameter and buffer as training starts from them.

    Convolution weights N(0, 0.02), biases 0; BatchNorm scale 1, shift 0, statistics of N(0, 1). The
    numbers are drawn on the CPU in the order of the modules, so that they depend on the generator
    alone and not on the device.

    Args:
        module: a network; changed in place.
        generator: a CPU generator; it moves on.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            drawn = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float32)
            with torch.no_grad():
                layer.weight.copy_(drawn.mul_(WEIGHT_STD))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


def parameter_count(module: nn.Module) -> int:
    """How many numbers training adjusts."""
    return sum(parameter.numel() for parameter in module.parameters())
