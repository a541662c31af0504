from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from facegan.draws import Draws, draw
from facegan.step import average_share


def rows_of(draws: Draws) -> list[torch.Tensor]:
    return [getattr(draws, each.name) for each in fields(draws)]


def test_shapes_and_ranges(tiny):
    draws = draw(tiny, 10, 0, 5)
    assert len(draws) == 5
    assert draws.indices.shape == (5, 4)
    assert draws.latents.shape == (5, 4, 8)
    assert draws.uniforms.shape == (5, 4, 4)
    assert 0 <= draws.indices.min() <= draws.indices.max() < 10
    assert 0 <= draws.uniforms.min() <= draws.uniforms.max() < 1


def test_an_iterations_inputs_do_not_depend_on_the_block_they_are_drawn_in(tiny):
    whole = draw(tiny, 10, 0, 9)
    torch.manual_seed(99)
    for table, part in zip(rows_of(whole), rows_of(draw(tiny, 10, 4, 3)), strict=True):
        assert torch.equal(table[4:7], part)


def test_iterations_and_seeds_differ(tiny):
    draws = draw(tiny, 10, 0, 2)
    other = draw(replace(tiny, seed=1), 10, 0, 2)
    assert not torch.equal(draws.latents[0], draws.latents[1])
    assert not torch.equal(draws.latents, other.latents)
    assert not torch.equal(draws.uniforms, other.uniforms)


def test_processes_draw_parts_of_one_batch(tiny):
    whole = draw(tiny, 10, 3, 2)
    parts = [draw(tiny, 10, 3, 2, part) for part in (slice(0, 2), slice(2, 4))]
    for name in ("indices", "uniforms", "latents"):
        joined = torch.cat([getattr(part, name) for part in parts], dim=1)
        assert torch.equal(getattr(whole, name), joined)
    assert torch.equal(parts[0].shares, whole.shares)


def test_jitter_and_flip_do_not_shift_the_latents(tiny):
    plain = draw(replace(tiny, flip=False, jitter=0.0), 10, 5, 1)
    assert torch.equal(plain.latents, draw(tiny, 10, 5, 1).latents)


def test_without_an_average_its_shares_are_nothing(tiny):
    assert draw(replace(tiny, ema_kimg=0.0), 10, 5, 3).shares.tolist() == [0.0] * 3
    assert draw(tiny, 10, 5, 1).shares.item() == pytest.approx(average_share(tiny, 5))


def test_rows_are_taken_over_in_place(tiny):
    table, block = draw(tiny, 10, 0, 5), draw(tiny, 10, 7, 2)
    addresses = [each.data_ptr() for each in rows_of(table)]
    third = table.latents[2].clone()
    table.copy_(block)
    assert [each.data_ptr() for each in rows_of(table)] == addresses
    assert torch.equal(table.latents[:2], block.latents)
    assert torch.equal(table.latents[2], third)
