"""SIGINT and SIGTERM end a run at the next round, with its state saved."""

import os
import signal
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from forger.games.base import Game


class Interruption(Callback):
    """Turns the first signal into a clean stop after the round in play; a second SIGINT ends at once.

    ``signal_number`` is what arrived (on any rank), or 0.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self._former: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._handle)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if trainer.world_size > 1:
            number = torch.tensor(self.signal_number, device=pl_module.device)
            torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX)
            self.signal_number = int(number)
        if self.signal_number:
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number and number == signal.SIGINT:
            os._exit(128 + number)
        self.signal_number = number
