"""The run's rows: terms, signals and scores, written once for the record, the loggers and the bar."""

from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger

from forger.callbacks.budget import Budget
from forger.callbacks.clock import ScheduledCallback
from forger.games.base import Game
from forger.run_folder import RunFolder
from forger.tracking import loggers as tracking


class Journal(ScheduledCallback):
    """Appends to ``metrics.jsonl`` and the loggers; rank 0 alone writes.

    Args:
        folder: the run folder.
        budget: tells the seconds trained.
        every: rounds between two rows of training terms; values are those of the round itself.
    """

    def __init__(self, folder: RunFolder, budget: Budget, every: Annotated[int, Ge(1)] = 20) -> None:
        self.folder = folder
        self.budget = budget
        self.every = every
        #: The latest value of everything written, by name.
        self.latest: dict[str, float] = {}
        self._observed: dict[str, float] = {}
        self._loggers: list[Logger] = []
        self._logged: int | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: Game) -> None:
        pl_module.observe_every = self.every
        self._loggers = trainer.loggers
        tracking.resume(self._loggers, self._logged)
        if not pl_module.observed:  # after a resume: whoever observes the round again sees the same values
            pl_module.observed = {name: torch.tensor(value) for name, value in self._observed.items()}

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if pl_module.iteration % self.every == 0:
            self._observed = {name: float(value) for name, value in pl_module.observed.items()}
            self.write(trainer, pl_module, {**self._observed, **pl_module.scheduled()})

    def due_at(self, game: Game) -> float:
        rounds = self.every - game.iteration % self.every
        return game.shown + (rounds - 1) * (game.shown - game.shown_before) + 1

    def write(self, trainer: Trainer, game: Game, values: dict[str, float]) -> None:
        """One row at the game's present clock."""
        self.latest |= values
        if game.hooked:
            own_names = {key.removeprefix("score/"): value for key, value in values.items()}
            shown = {key: torch.tensor(value, device=game.device) for key, value in {**own_names, **values}.items()}
            trainer.callback_metrics.update(shown)
        if not trainer.is_global_zero:
            return
        clock = {"iterations": game.iteration, "images": game.shown}
        self.folder.append_metrics({**clock, **values, "seconds": round(self.budget.seconds, 3)})
        for logger in trainer.loggers:
            logger.log_metrics({**clock, **values}, step=game.iteration)

    def picture(self, trainer: Trainer, game: Game, name: str, path: Path) -> None:
        """Show a picture of the run folder in the loggers."""
        if trainer.is_global_zero:
            tracking.log_picture(trainer.loggers, name, path, images=game.shown, iterations=game.iteration)

    def state_dict(self) -> dict[str, Any]:
        logged = tracking.logged(self._loggers)
        return {"latest": dict(self.latest), "observed": dict(self._observed), "logged": logged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.latest, self._observed = dict(state_dict["latest"]), dict(state_dict["observed"])
        self._logged = state_dict.get("logged")
