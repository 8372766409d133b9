"""The restated loops of other repositories train, have the originals' size, and compute what forger's game does."""

import copy
import itertools
import math
from functools import partial

import pytest
import torch

from forger.data.pixels.ranges import to_float
from forger.randomness import derived_seed, generator
from games.training import train
from reference.guests import game_of
from reference.peers import PEERS

#: Rates of plain descent, at which a step is neither lost in rounding nor so long that rounding decides the next one.
#: (Adam's first step is the gradient's sign, which rounding turns over where the gradient is almost 0.)
RATES = {"PyTorch-GAN": 1.0, "pytorch/examples": 1e-3, "mimicry DCGAN": 0.1, "mimicry SNGAN": 0.1}


def peer_of(name, optimizer=None):
    torch.manual_seed(0)
    return PEERS[name](optimizer)


def pixels(peer, n=6):
    shape = (n, peer.channels, peer.size, peer.size)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator(0, "pixels"))


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("name", PEERS)
def test_restated_loops_train(name):
    peer = peer_of(name)
    before = weights(peer.G), weights(peer.D)
    reals = itertools.repeat(to_float(pixels(peer)))
    logged = peer.step(reals)
    assert all(math.isfinite(value) for value in logged.values())
    for old, network in zip(before, (peer.G, peer.D), strict=True):
        moved = (weights(network) - old).abs()
        assert 0 < moved.max() <= 1.01 * peer.learning_rate
        assert (moved > 0).float().mean() > 0.8  # behind a ReLU that is silent for six images, nothing moves


@pytest.mark.parametrize(
    ("name", "in_g", "in_d"),
    [
        # Counted by hand from the originals' constructors, layer by layer; c·(k + 1) is a layer with its biases, 2c a
        # batch norm.
        (
            "PyTorch-GAN",
            8192 * 101 + 2 * 128 + 128 * (9 * 128 + 1) + 2 * 128 + 64 * (9 * 128 + 1) + 2 * 64 + 9 * 64 + 1,
            16 * 10 + 32 * (9 * 16 + 1) + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1) + 2 * (32 + 64 + 128) + 512 + 1,
        ),
        # The same numbers as are given for this script's networks in many places, such as torchinfo's summaries.
        ("pytorch/examples", 3_576_704, 2_765_568),
        # 4,276,739 is also what Kurach et al.'s networks of 256 channels have, which mimicry took over.
        (
            "mimicry DCGAN",
            4096 * 129 + 3 * (4 * 256 + 2 * 256 * (9 * 256 + 1) + 256 * 257) + 2 * 256 + 3 * (9 * 256 + 1),
            128 * 28 + 128 * (9 * 128 + 1) + 128 * 4 + 6 * 128 * (9 * 128 + 1) + 128 * 129 + 129,
        ),
        ("mimicry SNGAN", 4_276_739, 1_053_825),
    ],
)
def test_networks_are_as_large_as_the_originals(name, in_g, in_d):
    peer = peer_of(name)
    assert (weights(peer.G).numel(), weights(peer.D).numel()) == (in_g, in_d)


def side_by_side(name, n):
    """A peer, a copy of it in forger's game, and reals; the peer gets the noise that the game draws."""
    optimizer = partial(torch.optim.SGD, lr=RATES[name])
    peer = peer_of(name, optimizer)
    twin = copy.deepcopy(peer)
    z, shape = torch.randn(n, peer.latent, generator=generator(0, "latents", 0)), peer.noise(n).shape
    peer.noise = lambda n: z.reshape(shape)
    return peer, twin, game_of(twin, optimizer), pixels(peer, n)


def assert_moved_alike(mine, theirs, start):
    """The weights moved as far and in the same direction, up to rounding."""
    near, far = weights(mine) - start, weights(theirs) - start
    assert far.norm() > 0
    assert (near - far).norm() <= 0.03 * far.norm()


@pytest.mark.parametrize("name", ["PyTorch-GAN", "pytorch/examples"])
def test_a_round_moves_the_weights_as_the_restated_step_does(name):
    peer, twin, game, images = side_by_side(name, 6)
    starts = weights(peer.G), weights(peer.D)
    train(game, [{"image": images}], 1)
    torch.manual_seed(derived_seed(0, "layers", 0, 0))  # dropout
    peer.step(iter([to_float(images).contiguous()]))
    for start, mine, theirs in zip(starts, (twin.G, twin.D), (peer.G, peer.D), strict=True):
        assert_moved_alike(mine, theirs, start)
        for (name, statistic), other in zip(mine.named_buffers(), theirs.buffers(), strict=True):
            # Processors round convolutions differently (3e-5 apart with AMX); another momentum is 1e-2 away.
            assert torch.allclose(statistic, other, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("name", ["mimicry DCGAN", "mimicry SNGAN"])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_move_is_the_restated_one_where_each_has_fakes_of_its_own(name, player):
    """mimicry makes fakes for each move, forger for each round: so the moves are compared one by one."""
    peer, twin, game, images = side_by_side(name, 4)
    mine, theirs = (twin.G, peer.G) if player == "generator" else (twin.D, peer.D)
    start = weights(theirs)
    game.round = lambda: [player]
    train(game, [{"image": images}], 1)
    if player == "generator":
        peer.generator_step(4)
    else:
        peer.discriminator_step(to_float(images).contiguous())
    assert_moved_alike(mine, theirs, start)
