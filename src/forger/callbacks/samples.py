"""Pictures of the same latents through training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pytorch_lightning import Trainer

from forger.callbacks.budget import Budget
from forger.callbacks.clock import ScheduledCallback, next_due
from forger.callbacks.journal import Journal
from forger.data.dataset import Data
from forger.games.base import Game
from forger.pictures import draw, drawable
from forger.pictures.image_files import save_picture, training_frames
from forger.pictures.request import COUNTS, Request

#: Pictures in a budget in minutes.
PARTS = 10


class SamplePictures(ScheduledCallback):
    """Draws the game's natural picture, if it has one, at intervals and at the end into ``samples/<images>.png``.

    Args:
        data: the data set, for games whose picture shows real images too.
        folder: the run's ``samples`` folder.
        journal: shows the pictures to the loggers.
        budget: its minutes, if it has any, make pictures due too.
        every_images: interval in real images shown.
        n: number of samples in a picture.
        animate: put the pictures together as ``samples/training.gif`` at the end.
        closing: names of further pictures for the end, of which those are drawn that the game can draw.
    """

    def __init__(
        self,
        data: Data,
        folder: Path,
        journal: Journal,
        budget: Budget,
        every_images: Annotated[int, Ge(1)] | None,
        n: Annotated[int, Ge(1)] = 100,
        animate: bool = False,
        closing: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.folder = folder
        self.journal = journal
        self.budget = budget
        self.every_images = every_images
        self.n = n
        self.animate = animate
        self.closing = list(closing)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if self.budget.due(pl_module, self.every_images, PARTS):
            self.draw(trainer, pl_module)

    def due_at(self, game: Game) -> float:
        return next_due(game, self.every_images)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        if not self.budget.due(pl_module, self.every_images, PARTS):  # else it was drawn after this very round
            self.draw(trainer, pl_module)
        if trainer.is_global_zero:
            for name in self.closing:
                if name in drawable(pl_module, self.data)[1:]:
                    request = Request(n=COUNTS.get(name, self.n), seed=pl_module.seed)
                    save_picture(draw(pl_module, self.data, request, name), self.folder / f"{name}.png")
        frames = training_frames(self.folder) if self.animate and trainer.is_global_zero else []
        if frames:
            save_picture(frames, self.folder / "training.gif")

    def draw(self, trainer: Trainer, game: Game) -> None:
        """Write the picture of this moment."""
        if not trainer.is_global_zero or not drawable(game, self.data):
            return
        frames = draw(game, self.data, Request(n=self.n, seed=game.seed))
        path = self.folder / f"{game.shown:09d}.{'gif' if len(frames) > 1 else 'png'}"
        save_picture(frames, path)
        self.journal.picture(trainer, game, "samples", path)
