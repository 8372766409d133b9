"""When something is due: a function of the images shown alone, so that resuming needs no counters."""

import math

from pytorch_lightning import Callback

from forger.games.base import Game


class ScheduledCallback(Callback):
    """A callback that knows when it next has something to do: rounds before that need not stop for it."""

    def due_at(self, game: Game) -> float:
        """Images shown at which it has to be called next; infinity if it can wait for any other round."""
        return math.inf


def due(game: Game, every_images: int | None) -> bool:
    """Whether the round just played crossed a multiple of ``every_images`` (never, when None)."""
    if every_images is None:
        return False
    return game.shown // every_images > game.shown_before // every_images


def next_due(game: Game, every_images: int | None) -> float:
    """Images shown at which `due` will next be true."""
    return math.inf if every_images is None else (game.shown // every_images + 1) * every_images
