"""Noise: each rank's share of what one process draws, from a generator that is made when it is needed."""

import pytest
import torch

from forger.randomness import Noise, generator


@pytest.mark.parametrize("draw", ["normal", "uniform"])
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_draw_what_one_process_draws(draw, world):
    whole, noise = getattr(Noise(generator(0, "a")), draw), Noise(generator(0, "a"))
    shares = [Noise(generator(0, "a"), rank, world) for rank in range(world)]
    for shape in ((6, 2), (12, 1, 3)):
        expected = whole(shape)
        assert torch.equal(getattr(noise, draw)(shape), expected)
        for rank, share in enumerate(shares):
            local = (shape[0] // world, *shape[1:])
            assert torch.equal(getattr(share, draw)(local), expected[rank::world])


def test_their_distributions():
    noise = Noise(generator(0, "a"))
    normal, uniform = noise.normal((100_000,)), noise.uniform((100_000,))
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0, 1), abs=0.01)
    assert 0 <= uniform.min() < 1e-4
    assert 1 - 1e-4 < uniform.max() < 1


def test_the_generator_is_made_once_and_only_if_asked():
    made = []

    def make():
        made.append(generator(0, "a"))
        return made[-1]

    noise = Noise(make)
    assert not made
    first, second = noise.normal((3,)), noise.normal((3,))
    assert len(made) == 1
    assert not torch.equal(first, second)
