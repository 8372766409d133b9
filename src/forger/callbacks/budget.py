"""The end of training: a number of images, or minutes."""

import math
import time
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pytorch_lightning import Trainer

from forger.callbacks.clock import ScheduledCallback
from forger.games.base import Game


class Budget(ScheduledCallback):
    """Stops after a number of real images shown, or minutes of training, whichever comes first.

    Minutes add up over interruptions. Which iteration a limit in minutes falls on depends on the machine, so
    only a budget in images gives the same weights everywhere.
    """

    def __init__(self, images: Annotated[int, Ge(1)] | None, minutes: Annotated[float, Gt(0)] | None = None) -> None:
        self.images = images
        self.minutes = minutes
        #: Whether it is used up.
        self.over = False
        self._before = 0.0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self._before + time.monotonic() - self._started

    def share(self, game: Game) -> float:
        """How much of it is used up, 0 to 1."""
        images = game.shown / self.images if self.images else 0.0
        minutes = self.seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(max(images, minutes), 1.0)

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        self._started = time.monotonic()
        self.on_train_batch_end(trainer, pl_module)  # a run that was killed after its last round has no more to play

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        spent = self.images is not None and pl_module.shown >= self.images
        self.over = spent or (self.minutes is not None and self._late(trainer, self.minutes))
        if self.over:
            trainer.should_stop = True

    def due_at(self, game: Game) -> float:
        return math.inf if self.images is None else self.images

    def _late(self, trainer: Trainer, minutes: float) -> bool:
        late = self.seconds >= 60 * minutes
        return late if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(late, all=False)

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self._before = state_dict["seconds"]
