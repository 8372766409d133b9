"""When a run saves its state, and under which names."""

import os
from pathlib import Path
from typing import Annotated, Any, cast

from annotated_types import Ge
from pytorch_lightning import Trainer

from forger.callbacks.budget import Budget
from forger.callbacks.clock import ScheduledCallback, next_due
from forger.errors import Diverged
from forger.files import fsync_folder
from forger.games.base import Game
from forger.run_folder import RunFolder

#: Checkpoints in a budget in minutes.
PARTS = 10


class Checkpoints(ScheduledCallback):
    """Keeps ``last.ckpt``, the one before it, and, when a score says so, ``best.ckpt``.

    A checkpoint is the state after a round and before the observers see it (`CallbackChain`), with the number of rows
    written so far. Weights that are not finite are never saved.

    Args:
        folder: the run's ``checkpoints`` folder.
        record: the run folder, whose counters are brought up to date at each save.
        budget: its minutes, if it has any, make checkpoints due too.
        every_images: interval in real images shown.
    """

    def __init__(
        self, folder: Path, record: RunFolder, budget: Budget, every_images: Annotated[int, Ge(1)] | None
    ) -> None:
        self.folder = folder
        self.record = record
        self.budget = budget
        self.every_images = every_images
        #: Whether training continued in a round that has not been observed yet.
        self.unobserved = False
        self._iteration: int | None = None
        self._kept: int | None = None
        self._moment: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if self._moment:
            pl_module.shown_before = self._moment["shown_before"]
            self.unobserved = not self._moment["observed"]
            self._iteration, self._kept = pl_module.iteration, pl_module.shown
        else:
            self._now(pl_module, observed=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        self._now(pl_module, observed=False)
        if trainer.should_stop or self.budget.due(pl_module, self.every_images, PARTS):
            self.save_last(trainer)

    def due_at(self, game: Game) -> float:
        return next_due(game, self.every_images)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        if self._iteration != pl_module.iteration:
            self._now(pl_module, observed=True)
            self.save_last(trainer)

    def save_last(self, trainer: Trainer) -> None:
        """Save the state of the whole run; the former ``last.ckpt`` becomes ``previous.ckpt``."""
        last, new = self.folder / "last.ckpt", self.folder / ".next.ckpt"
        self._save(trainer, new)
        game = cast(Game, trainer.lightning_module)
        if trainer.is_global_zero:
            if last.exists():
                # At any moment one of the two names holds the last whole state.
                link = self.folder / ".previous"
                link.unlink(missing_ok=True)
                os.link(last, link)
                os.replace(link, self.folder / "previous.ckpt")
            os.replace(new, last)
            fsync_folder(self.folder)
            self.record.update(images=game.shown, iterations=game.iteration)
        self._iteration, self._kept = game.iteration, game.shown

    def save(self, trainer: Trainer, name: str) -> None:
        """Save the state of the whole run under another name (``best``, ``final``)."""
        self._save(trainer, self.folder / f"{name}.ckpt")

    def _save(self, trainer: Trainer, path: Path) -> None:
        refuse_divergence(cast(Game, trainer.lightning_module))
        trainer.save_checkpoint(path)

    def _now(self, game: Game, observed: bool) -> None:
        rows = {"rows": self.record.metrics_rows, "last_row": self.record.last_row}
        self._moment = {"observed": observed, "shown_before": game.shown_before, **rows}

    @property
    def kept(self) -> str:
        """One line about the state that is saved."""
        if self._kept is None:
            return "no state had been saved yet"
        last = self.folder / "last.ckpt"
        if not last.is_file():
            return f"{last}, which held the run up to {self._kept:,} images, is gone"
        return f"{last} holds the run up to {self._kept:,} images"

    def state_dict(self) -> dict[str, Any]:
        return dict(self._moment)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._moment = dict(state_dict)


def refuse_divergence(game: Game) -> None:
    """Raise `Diverged` if a weight of the game is NaN or infinite."""
    for player in game.players:
        trained = {id(parameter) for parameter in game.trained_by(player)}
        for name, weight in game.named_parameters():
            if id(weight) in trained and not weight.isfinite().all():
                wrong = weight.detach()[~weight.isfinite()][0].item()
                raise Diverged(player, name, wrong, game.iteration, "weight")
