"""SIGINT, SIGTERM and SIGHUP end a run with its state saved."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Trainer

from forger.callbacks.clock import ScheduledCallback
from forger.endings import asking, leave_terminal
from forger.errors import Interrupted
from forger.games.base import Game

#: Seconds that scoring and drawing may go on after a signal; a run must be gone within ten.
PATIENCE = 3.0


class Interruption(ScheduledCallback):
    """Turns the first signal into a clean stop; a second SIGINT ends the process at once.

    In training, the signal takes effect at the end of the round, since half a round can't be saved. Before and after
    (data, networks, final scores) it is raised at once as `Interrupted`. Scoring and drawing in between are
    interrupted after `PATIENCE`: they change nothing, and are done again when the run continues.
    """

    def __init__(self) -> None:
        #: Number of the signal that arrived on any rank; 0 for none.
        self.signal_number = 0
        self._signals = asking()
        self._playing = False
        self._breakable = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals inside the block (in the main thread, the only one in which Python can)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.getsignal(number) for number in (*self._signals, signal.SIGALRM)}
        self._listen()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in former.items():
                signal.signal(number, handler)

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """A block that may be left by `Interrupted`, some seconds after a signal."""
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if threading.current_thread() is threading.main_thread():
            self._listen()  # Lightning has put a handler of its own in between
        self._playing = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if trainer.world_size > 1:
            number = torch.tensor(self.signal_number, device=pl_module.device)
            torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX)
            self.signal_number = int(number)
        if self.signal_number:
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        self._playing = False

    def on_exception(self, trainer: Trainer, pl_module: Game, exception: BaseException) -> None:
        self._playing = False

    def _listen(self) -> None:
        for number in self._signals:
            signal.signal(number, self._hear)
        signal.signal(signal.SIGALRM, self._lose_patience)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number and number == signal.SIGINT:
            os._exit(128 + number)
        if number == signal.SIGHUP:
            leave_terminal()
        if self.signal_number:
            return
        self.signal_number = number
        if not self._playing:
            raise Interrupted(number)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _lose_patience(self, number: int, frame: FrameType | None) -> None:
        if self._breakable:
            raise Interrupted(self.signal_number)
