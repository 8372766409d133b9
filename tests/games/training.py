"""Train a game for a few rounds, as small as Lightning goes."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl

from forger.games.base import Batch, Game


class Stream:
    """The first batches of a stream, which is opened when training begins."""

    def __init__(self, batches: Iterable[Batch], rounds: int) -> None:
        self.batches, self.rounds = batches, rounds

    def __iter__(self):
        return itertools.islice(self.batches, self.rounds)


def train(game: Game, batches: Iterable[Batch], rounds: int, **options: Any) -> Game:
    """Play ``rounds`` rounds on the CPU without any logging."""
    trainer = pl.Trainer(
        **{"accelerator": "cpu", "max_epochs": 1, "logger": False, "enable_checkpointing": False}
        | {"enable_progress_bar": False, "enable_model_summary": False, "barebones": False}
        | options,
    )
    trainer.fit(game, Stream(batches, rounds))
    return game
