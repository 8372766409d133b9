"""Gradient checkpointing: the same bits, less memory, and what is refused."""

import pytest
import torch
from torch import nn

from forger.building import build_game
from forger.config.schema import validate
from forger.errors import ConfigError
from forger.games.training.recomputation import recompute
from games.training import train
from running import composed, trained

R3GAN = ("data=cifar10", "model=r3gan", "data.batch_size=8", "model.generator.width=8", "model.discriminator.width=8")
BLOCKS = ["generator.stages.*", "discriminator.stages.*"]


def batches(rounds):
    stream = torch.Generator().manual_seed(1)
    return [{"image": torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=stream)} for _ in range(rounds)]


def made(*overrides, blocks=()):
    game = build_game(validate(composed(*overrides, "metrics=none")))
    recompute(game, blocks)
    return game


def kept(game):
    """Bytes that two rounds keep for backward passes, of each tensor once; the most at a time."""
    held, most = {}, 0

    def pack(tensor):
        nonlocal most
        token = Token(held, tensor)
        most = max(most, sum(held.values()))
        return token

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda token: token.tensor):
        train(game, batches(2), 2)
    return most


class Token:
    def __init__(self, held, tensor):
        self.held, self.tensor = held, tensor
        held[id(self)] = tensor.numel() * tensor.element_size()

    def __del__(self):
        del self.held[id(self)]


def test_the_same_bits_with_penalties_and_less_memory():
    """R1 and R2 differentiate twice through blocks that are computed again."""
    plain, blocks = made(*R3GAN), made(*R3GAN, blocks=BLOCKS)
    most = [kept(game) for game in (plain, blocks)]
    for (name, a), b in zip(plain.state_dict().items(), blocks.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert most[1] <= 0.5 * most[0]


def test_dropout_draws_the_same_again():
    plain, blocks = made(*R3GAN), made(*R3GAN)
    for game in (plain, blocks):
        game.discriminator.stages.append(nn.Dropout(0.3))
    recompute(blocks, ["discriminator.stages"])
    for game in (plain, blocks):
        train(game, batches(3), 3)
    assert all(map(torch.equal, plain.state_dict().values(), blocks.state_dict().values()))


def test_it_is_the_same_run(tmp_path):
    options = ("data=digits", *R3GAN[1:], "budget.images=32", "metrics=none")
    whole = trained(tmp_path / "a", *options)
    again = trained(tmp_path / "b", *options, "trainer.recompute=[discriminator.stages.*]")
    assert whole.path.name == again.path.name
    assert whole.read().weights_sha256 == again.read().weights_sha256


@pytest.mark.parametrize(
    ("overrides", "pattern", "said"),
    [
        (R3GAN, "generator.stage", "recompute=generator.stage: no block of this name; there are discriminator, "),
        (("data=cifar10", "model=dcgan"), "generator.*", r"\(BatchNorm2d\) changes with each forward pass"),
        (("data=cifar10", "model=sngan"), "discriminator", r"\(_?SpectralNorm\) changes with each forward pass"),
    ],
)
def test_what_cannot_be_computed_again_is_refused(overrides, pattern, said):
    with pytest.raises(ConfigError, match=said):
        made(*overrides, blocks=[pattern])
