"""Rounds of a game as configs describe it, without a Trainer around them: what the game itself costs."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from forger.building import build_game
from forger.config.schema import Config, validate
from forger.data.dataset import Split
from forger.data.loader import Batches
from forger.randomness import generator
from forger.sizes import sides
from scripts.benchmarks.composing import composed
from scripts.benchmarks.speed.measuring import Cost, per, timed

#: Networks and image sizes of the rows that are shares of a training step.
MLP_8 = ("model=gan", "data.classes=0")
DCGAN_28 = ("model=dcgan", "data.size=28", "data.channels=1")
DCGAN_32 = ("model=dcgan", "data.size=32", "data.channels=3")


def config_of(overrides: Sequence[str]) -> Config:
    """A checked config of `forger train`."""
    return validate(composed(*overrides))


class Match:
    """A game and an endless stream of batches of random images for it.

    Args:
        overrides: of the game.
        device: where it is played.
        batch: images of a batch on each of the processes that share it.
        rank, world: this process among them.
    """

    def __init__(
        self, overrides: Sequence[str], device: str = "cpu", batch: int = 64, rank: int = 0, world: int = 1
    ) -> None:
        config = config_of([*overrides, "logger=none", "metrics=none", "trainer.threads=1"])
        about = config.data
        self.game: Any = build_game(config).to(device)
        self.game.rank, self.game.world = rank, world
        self.game.observe_every = config.log.every
        optimizers = self.game.configure_optimizers()
        # What Lightning would keep for it.
        self.game._optimizers = lambda: optimizers
        shape = (10 * batch * world, about.channels or 0, *sides(about.size or 0))
        images = torch.randint(256, shape, dtype=torch.uint8, generator=generator(0, "pixels"))
        how = {"batch_size": batch * world, "rank": rank, "world": world, "device": device}
        self.stream = iter(Batches(Split({"image": images}), seed=0, position=int, **how))

    def play(self, rounds: int) -> Cost:
        """The cost of a round."""

        def rounds_in_turn() -> None:
            for batch in itertools.islice(self.stream, rounds):
                self.game.play(batch)

        return per(timed(rounds_in_turn), rounds)
