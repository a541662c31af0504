"""The graph by itself; what it computes is compared with its peers in test_parity_inception."""

import pytest
import torch

from facegan.score.inception_graph import PAPER, TENSORFLOW_2015, Block, Conv, Inception, Pool


def settled(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return module.eval()


def made(variant):
    with torch.device("meta"):
        network = Inception(variant)
    return settled(network.to_empty(device="cpu"))


@pytest.mark.parametrize("variant", [TENSORFLOW_2015, PAPER])
def test_one_pass_gives_features_and_logits(variant):
    network = made(variant)
    with torch.inference_mode():
        features, logits = network(torch.rand(2, 3, 80, 80))
        assert torch.equal(logits, network.fc(features))
    assert features.shape == (2, 2048)
    assert features.min() >= 0
    assert logits.shape == (2, variant.classes)
    assert (network.fc.bias is not None) == (variant is PAPER)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 94


def test_stride_1_keeps_the_size_and_stride_2_pads_nothing():
    same = Block(3, ((Conv("a", 4, 7, 1), Conv("b", 5, 1, 7)),), averages_padding=False)
    half = Block(3, ((Conv("a", 4, 3, 3, stride=2),), (Pool("halve"),)), averages_padding=False)
    images = torch.zeros(1, 3, 9, 11)
    assert same(images).shape == (1, 5, 9, 11)
    assert half(images).shape == (1, 7, 4, 5)


def test_a_fork_lays_both_outputs_side_by_side():
    fork = (Conv("b", 2, 1, 3), Conv("c", 3, 3, 1))
    block = settled(Block(3, ((Conv("a", 4), fork),), averages_padding=False))
    images = torch.rand(1, 3, 6, 6)
    middle = block.a(images)
    wanted = torch.cat([block.b(middle), block.c(middle)], 1)
    assert torch.equal(block(images), wanted)
    assert block.channels == 5


@pytest.mark.parametrize(
    ("averages_padding", "corner"), [(False, 1.0), (True, 4 / 9)], ids=["2015", "paper"]
)
def test_mean_at_the_border_by_hand(averages_padding, corner):
    """Of ones: four of the nine places about a corner are inside."""
    block = Block(1, ((Pool("average"),),), averages_padding)
    means = block(torch.ones(1, 1, 4, 4))
    assert means[0, 0, 0, 0] == pytest.approx(corner)
    assert means[0, 0, 1, 1] == 1.0


def test_the_last_blocks_pools_differ_between_the_variants():
    with torch.device("meta"):
        networks = [Inception(variant) for variant in (TENSORFLOW_2015, PAPER)]
    kinds = [
        [getattr(network, name).branches[-1][0].kind for name in ("Mixed_7b", "Mixed_7c")]
        for network in networks
    ]
    assert kinds == [["average", "max"], ["average", "average"]]
