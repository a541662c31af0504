import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from facegan.config import ModelConfig
from facegan.core import events
from facegan.core.errors import CheckpointError
from facegan.models import Generator
from facegan.sample import evaluating, generate, latents, slerp, write_samples


@pytest.fixture(scope="module")
def generator():
    """A small generator whose BatchNorm has statistics of its own."""
    torch.manual_seed(0)
    network = Generator(ModelConfig(image_size=32, width=0.125))
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(16, 100))
    return network


def images_of(generator, z, **options):
    return np.concatenate(list(generate(generator, z, **options)))


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 700])
def test_the_first_latents_do_not_depend_on_the_count(count):
    z = latents(count, 100, seed=3)
    assert z.shape == (count, 100)
    assert z.dtype == torch.float32
    assert torch.equal(z, latents(1000, 100, seed=3)[:count])


def test_latents_are_standard_normal_and_differ_by_seed_and_block():
    z = latents(20_000, 10, seed=0)
    assert abs(z.mean().item()) < 0.01
    assert abs(z.std().item() - 1) < 0.01
    assert torch.unique(z[:, 0]).numel() > 19_900
    assert not torch.equal(z[:256], latents(256, 10, seed=1))


def test_latents_stay_the_same_from_version_to_version():
    assert latents(1, 3, seed=0)[0].tolist() == pytest.approx(
        [0.9710119366645813, -0.5704098343849182, 0.8437175154685974]
    )


def test_images_do_not_depend_on_batch_or_count(generator):
    z = latents(40, 100, seed=1)
    wanted = images_of(generator, z)
    assert wanted.shape == (40, 32, 32, 3)
    assert wanted.dtype == np.uint8
    for batch in (1, 3, 7, 16, 33, 1000):
        assert np.array_equal(images_of(generator, z, batch=batch), wanted)
    for count in (1, 5, 17):
        assert np.array_equal(images_of(generator, z[:count]), wanted[:count])


def test_batches_have_the_size_asked_for(generator):
    sizes = [len(batch) for batch in generate(generator, latents(40, 100, 1), batch=18)]
    assert sizes == [18, 18, 4]


def test_no_latents_give_no_images(generator):
    assert list(generate(generator, latents(0, 100, 1))) == []


def test_images_use_the_running_statistics(generator):
    z = latents(16, 100, seed=1)
    generator.eval()
    with torch.no_grad():
        wanted = generator(z)
    scale = (wanted.permute(0, 2, 3, 1).numpy() + 1) * 127.5
    assert np.abs(images_of(generator, z) - scale).max() <= 0.5 + 1e-3


def test_mode_and_statistics_are_as_before_between_batches(generator):
    generator.train()
    frozen = next(part for part in generator.modules() if isinstance(part, nn.BatchNorm2d))
    frozen.eval()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    for _ in generate(generator, latents(20, 100, 1), batch=8):
        assert generator.training
        assert not frozen.training
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    after = generator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_mode_is_restored_after_an_error():
    network = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    network[1].eval()

    def broken():
        with evaluating(network):
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert network[0].training
    assert not network[1].training


def test_a_diverged_generator_is_an_error():
    class Broken(nn.Module):
        def forward(self, z):
            return torch.full((len(z), 3, 4, 4), float("nan"))

    with pytest.raises(CheckpointError, match="not finite"):
        images_of(Broken(), latents(1, 100, 0))


def test_slerp_keeps_the_ends_and_the_lengths_between():
    a, b = latents(2, 100, seed=5)
    path = slerp(a, 2 * b, 9)
    assert path.shape == (9, 100)
    assert torch.allclose(path[0], a, atol=1e-5)
    assert torch.allclose(path[-1], 2 * b, atol=1e-5)
    lengths = path.norm(dim=1)
    assert torch.allclose(lengths, torch.linspace(a.norm(), 2 * b.norm(), 9), rtol=1e-5)
    steps = torch.nn.functional.cosine_similarity(path[:-1], path[1:])
    assert torch.allclose(steps, steps[0].expand_as(steps), atol=1e-6)


def test_slerp_of_one_direction_is_the_straight_line():
    a = latents(1, 8, seed=5)[0]
    assert torch.allclose(slerp(a, 3 * a, 3)[1], 2 * a)
    assert torch.isfinite(slerp(a, -a, 5)).all()


def picture_batches(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (size, 8, 8, 3), dtype=np.uint8) for size in sizes]


def test_write_samples_writes_singles_grid_and_record(tmp_path):
    told = []
    batches = picture_batches(5, 5, 1)
    written = write_samples(
        batches,
        tmp_path / "a",
        columns=3,
        about={"seed": 7},
        total=11,
        listener=told.append,
    )
    assert (written.count, written.grid) == (11, tmp_path / "a" / "grid.png")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [*(f"{i:06d}.png" for i in range(11)), "grid.png", "samples.json"]
    for i, image in enumerate(np.concatenate(batches)):
        data = (tmp_path / "a" / f"{i:06d}.png").read_bytes()
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    with Image.open(written.grid) as grid:
        assert grid.size == (28, 28)  # three rows of three, two pixels between
    record = json.loads((tmp_path / "a" / "samples.json").read_bytes())
    assert record == {"seed": 7, "count": 11, "complete": True}
    assert [event.done for event in told if isinstance(event, events.Advanced)] == [5, 10, 11]


def test_a_smaller_second_sampling_leaves_no_image_of_the_first(tmp_path):
    write_samples(picture_batches(9), tmp_path)
    (tmp_path / "000123-mine.png").write_bytes(b"")
    write_samples(picture_batches(4), tmp_path)
    numbered = sorted(path.name for path in tmp_path.glob("0*.png"))
    assert numbered == [f"{i:06d}.png" for i in range(4)] + ["000123-mine.png"]


def test_a_sampling_that_breaks_off_is_marked_and_cleared_by_the_next(tmp_path):
    def breaking():
        yield from picture_batches(6)
        raise CheckpointError("broken")

    with pytest.raises(CheckpointError):
        write_samples(breaking(), tmp_path)
    assert json.loads((tmp_path / "samples.json").read_bytes())["complete"] is False
    write_samples(picture_batches(2), tmp_path)
    assert len(list(tmp_path.glob("0*.png"))) == 2


def test_images_of_others_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "000500.png").write_bytes(b"mine")
    write_samples(picture_batches(2), tmp_path)
    assert (tmp_path / "000500.png").read_bytes() == b"mine"


def test_write_samples_twice_gives_the_same_bytes(tmp_path, generator):
    for name in ("a", "b"):
        batch = 4 if name == "a" else 9
        write_samples(generate(generator, latents(10, 100, 3), batch=batch), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_no_image_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        write_samples([], tmp_path)
