"""Train a game for a few rounds, as small as Lightning goes."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl

from forger.games.base import Batch, Game


class Stream:
    """An endless or finite stream that Lightning takes as it is."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def train(game: Game, batches: Iterable[Batch], rounds: int, **options: Any) -> Game:
    """Play ``rounds`` rounds on the CPU without any logging."""
    trainer = pl.Trainer(
        **{"accelerator": "cpu", "max_epochs": 1, "logger": False, "enable_checkpointing": False}
        | {"enable_progress_bar": False, "enable_model_summary": False, "barebones": False}
        | options,
    )
    trainer.fit(game, Stream(itertools.islice(batches, rounds)))
    return game
