"""The end of training: a number of images, or minutes."""

import math
import time
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from pytorch_lightning import Trainer

from forger.callbacks.clock import ScheduledCallback, due
from forger.games.base import Game


class Budget(ScheduledCallback):
    """Stops after a number of real images shown, or minutes of training, whichever comes first.

    Minutes add up over interruptions. Which iteration a limit in minutes falls on depends on the machine, so
    only a budget in images gives the same weights everywhere. A run that minutes end may show too few images for
    intervals in images, so whatever is due at intervals is due at parts of the minutes as well.
    """

    def __init__(self, images: Annotated[int, Ge(1)] | None, minutes: Annotated[float, Gt(0)] | None = None) -> None:
        self.images = images
        self.minutes = minutes
        #: Whether it is used up.
        self.over = False
        self._before = 0.0
        self._started = time.monotonic()
        #: Shares of the minutes used up at the ends of the latest two rounds.
        self._shares = (0.0, 0.0)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self._before + time.monotonic() - self._started

    def share(self, game: Game) -> float:
        """How much of it is used up, 0 to 1."""
        images = game.shown / self.images if self.images else 0.0
        return min(max(images, self._share_of_minutes(self.seconds)), 1.0)

    def due(self, game: Game, every_images: int | None, parts: int) -> bool:
        """Whether the round just played crossed a multiple of ``every_images``, or of a part of the minutes.

        Args:
            game: tells the images.
            every_images: None is never due.
            parts: into which the minutes are divided, if there are any.
        """
        return every_images is not None and (due(game, every_images) or self.crossed(parts))

    def crossed(self, parts: int) -> bool:
        """Whether the round just played crossed a multiple of the minutes' ``parts``-th part."""
        former, present = self._shares
        return int(present * parts) > int(former * parts)

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        self._started = time.monotonic()
        self._end(trainer, pl_module)  # a run that was killed after its last round has no more to play

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if self.minutes is not None:
            share = self._share_of_minutes(self.seconds)
            if trainer.world_size > 1:  # ranks must agree on what is due
                share = float(trainer.strategy.reduce(torch.tensor(share, device=pl_module.device), reduce_op="max"))
            self._shares = (self._shares[1], share)
        self._end(trainer, pl_module)

    def _end(self, trainer: Trainer, game: Game) -> None:
        self.over = self._shares[1] >= 1 or (self.images is not None and game.shown >= self.images)
        if self.over:
            trainer.should_stop = True

    def due_at(self, game: Game) -> float:
        return math.inf if self.images is None else self.images

    def _share_of_minutes(self, seconds: float) -> float:
        return seconds / (60 * self.minutes) if self.minutes else 0.0

    def state_dict(self) -> dict[str, Any]:
        # What was due after the round is due again when a run continues in it.
        return {"seconds": self.seconds, "shares": list(self._shares)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = state_dict["seconds"]
        share = self._share_of_minutes(self._before)
        former, present = state_dict.get("shares", [share, share])
        self._shares = (former, present)
