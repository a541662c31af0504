"""The fast way beside the plain graph; images of 107 px and less, for the sake of time."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from facegan.score import fast
from facegan.score.fast import Choice, choose_precision, has_bf16, prepared
from facegan.score.inception import open_network
from facegan.score.inception_weights import VARIANTS, load, random_weights

CPU = torch.device("cpu")
CLOSE = 1e-5


@pytest.fixture(scope="module", params=["fid2015", "torchvision"])
def weights(request, tmp_path_factory):
    name = request.param
    path = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
    return random_weights(path, seed=1, network=name), name


@pytest.fixture(scope="module")
def make(weights):
    """A function that gives the network anew: `prepared` takes what it gets."""
    file, name = weights
    network = load(file.path, VARIANTS[name])
    return lambda: deepcopy(network)


@pytest.fixture(scope="module")
def pair(make):
    return make(), prepared(make(), CPU, torch.float32)


def pixels(count=2, height=107, width=107, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator) * 2 - 1


def run(network, x):
    with torch.inference_mode():
        return network(x)


def gap(found, expected):
    """The largest difference, as a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("shape", [(1, 107, 107), (2, 80, 131), (5, 91, 75)])
def test_it_gives_the_numbers_of_the_graph(pair, shape):
    plain, quick = pair
    x = pixels(*shape)
    for found, expected in zip(run(quick, x), run(plain, x), strict=True):
        assert found.dtype == torch.float32
        assert found.shape == expected.shape
        assert gap(found, expected) < CLOSE


@pytest.mark.slow
def test_it_gives_the_numbers_of_the_graph_at_full_size(pair):
    plain, quick = pair
    x = pixels(3, 299, 299)
    assert gap(run(quick, x)[0], run(plain, x)[0]) < CLOSE


def test_it_gives_the_numbers_of_the_graph_without_onednn(make, monkeypatch):
    monkeypatch.setattr(fast, "has_fused", lambda: False)
    x = pixels(3)
    assert gap(run(prepared(make(), CPU, torch.float32), x)[0], run(make(), x)[0]) < CLOSE


def test_an_image_does_not_depend_on_its_batch(pair):
    _, quick = pair
    x = pixels(5)
    whole = run(quick, x)
    for first, count in ((0, 1), (1, 3), (4, 1)):
        part = run(quick, x[first : first + count])
        for found, expected in zip(part, whole, strict=True):
            assert gap(found, expected[first : first + count]) < CLOSE


def test_memory_layout_of_the_images_does_not_matter(pair):
    _, quick = pair
    x = pixels(3)
    other = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(run(quick, x)[0], run(quick, other)[0])


def test_images_are_left_as_they_were(pair):
    x = pixels(2)
    before = x.clone()
    run(pair[1], x)
    assert torch.equal(x, before)


def test_the_numbers_are_those_of_the_weights(make):
    """One weight of a late branch, changed: a function that ignored it would pass all else."""
    changed = make()
    changed.Mixed_7c.branch_pool.conv.bias.add_(1)
    x = pixels(1)
    expected = run(changed, x)[0]
    assert gap(run(make(), x)[0], expected) > 0.001
    assert gap(run(prepared(changed, CPU, torch.float32), x)[0], expected) < CLOSE


def test_bf16_differs_little_and_gives_float32(make, pair):
    x = pixels(2)
    features, logits = run(prepared(make(), CPU, torch.bfloat16), x)
    expected = run(pair[0], x)[0]
    assert features.dtype == logits.dtype == torch.float32
    difference = float((features - expected).norm() / expected.norm())
    assert 1e-5 < difference < 0.05


def test_without_bf16_instructions_nothing_is_tried():
    def never():
        raise AssertionError

    choice = choose_precision(never, CPU, supported=False)
    assert choice == Choice("fp32", 0.0, 0.0)
    assert "fp32" in choice.words


def test_capabilities_of_the_processor_decide(monkeypatch):
    for found, expected in (({"avx512_bf16": True}, True), ({"avx512_vnni": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert has_bf16(CPU) is expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_bf16(CPU)


class Stopwatch:
    """A clock on which each of an even number of intervals takes what is given, in order."""

    def __init__(self, *seconds):
        self.times = [time for one in seconds for time in (0.0, one)]

    def __call__(self):
        return self.times.pop(0)


def double(features):
    """A network that is there at once."""

    def prepare(_network, _device, number):
        return lambda _: (features + (0.01 if number == torch.bfloat16 else 0), features)

    return prepare


@pytest.mark.parametrize(
    ("bf16_s", "precision", "ratio"), [(1.0, "bf16", 2.0), (1.9, "fp32", 2 / 1.9)]
)
def test_bf16_is_taken_where_it_is_clearly_faster(monkeypatch, bf16_s, precision, ratio):
    monkeypatch.setattr(fast, "prepared", double(torch.ones(4, 3)))
    clock = Stopwatch(9, 2.5, 2, 9, bf16_s, 3)
    choice = choose_precision(lambda: None, CPU, supported=True, clock=clock)
    assert choice.precision == precision
    assert choice.ratio == pytest.approx(ratio)
    assert choice.difference == pytest.approx(0.01, rel=1e-3)
    assert precision in choice.words
    assert "0.01" in choice.words


@pytest.mark.parametrize("choice", [Choice("bf16", 2.0, 0.01), Choice("fp32", 0.0, 0.0)])
def test_auto_opens_what_was_chosen_and_says_what_was_tried(weights, monkeypatch, choice):
    monkeypatch.setattr(fast, "choose_precision", lambda *_: choice)
    file, name = weights
    told = []
    network = open_network(name, file, precision="auto", listener=told.append)
    assert network.protocol.precision == choice.precision
    assert [note.text for note in told] == ([choice.words] if choice.ratio else [])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_gives_the_numbers_of_the_graph_on_the_gpu(make, pair):
    x = pixels(3)
    cuda = torch.device("cuda")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        features = run(prepared(make(), cuda, torch.float32), x.to(cuda))[0]
        choice = choose_precision(make, cuda, supported=True)
    assert gap(features.cpu(), run(pair[0], x)[0]) < CLOSE
    assert 0 < choice.difference < 0.05
