"""Scores on the validation split during training, and on the test split at the end."""

import logging
import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge
from pytorch_lightning import Trainer

from forger.callbacks.budget import Budget
from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.clock import ScheduledCallback, next_due
from forger.callbacks.journal import Journal
from forger.data.dataset import Data
from forger.errors import ConfigError, closest
from forger.games.base import Game
from forger.metrics.evaluations.base import Evaluation, scores_of
from forger.watch.signals import relative_gap

logger = logging.getLogger(__name__)

#: Scores in a budget in minutes.
PARTS = 5


class Scoring(ScheduledCallback):
    """Evaluates the game at intervals and keeps ``best.ckpt`` by one of the scores.

    Choices use the validation split; `published` gives the scores on the test split.

    Args:
        evaluations: what to compute.
        data: the data set; its validation and test splits are the references.
        journal: gets the scores.
        checkpoints: saves the best state.
        budget: its minutes, if it has any, make scores due too.
        every_images: interval in real images shown.
        n: number of fakes.
        best: the score that chooses, by name; None keeps no best checkpoint.
        seed: of the fakes' latents.
    """

    def __init__(
        self,
        evaluations: Mapping[str, Evaluation],
        data: Data,
        journal: Journal,
        checkpoints: Checkpoints,
        budget: Budget,
        every_images: Annotated[int, Ge(1)] | None,
        n: Annotated[int, Ge(10)],
        best: str | None,
        seed: int = 0,
    ) -> None:
        self.evaluations = dict(evaluations)
        self.data = data
        self.journal = journal
        self.checkpoints = checkpoints
        self.budget = budget
        self.every_images = every_images
        self.n = n
        self.best = best
        self.seed = seed
        self.best_value: float | None = None
        self.best_scores: dict[str, dict[str, Any]] = {}

    @property
    def names(self) -> list[str] | None:
        """Names of the scores made through training; None if an evaluation only tells once it is made."""
        if self.every_images is None:
            return []
        names = [getattr(evaluation, "published", None) for evaluation in self.evaluations.values()]
        return None if None in names else [name for published in names for name in published or []]

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if self.evaluations and self.budget.due(pl_module, self.every_images, PARTS):
            self.score(trainer, pl_module)

    def due_at(self, game: Game) -> float:
        return next_due(game, self.every_images) if self.evaluations else math.inf

    def score(self, trainer: Trainer, game: Game) -> None:
        """Validation scores of this moment: a row, a line in the log, and ``best.ckpt`` if they are the best yet."""
        game.tell("on_validation_start")
        game.tell("on_validation_epoch_start")
        scores = self._evaluate(game, "validation")
        values = {name: score["value"] for name, score in scores.items()}
        self.journal.write(trainer, game, {f"score/{name}": value for name, value in values.items()})
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        logger.info("%s images: %s (validation)", f"{game.shown:,}", shown)
        if self.best is not None and values:
            self._keep_best(trainer, game, scores, values)
        game.tell("on_validation_epoch_end")
        game.tell("on_validation_end")

    def _keep_best(
        self, trainer: Trainer, game: Game, scores: dict[str, dict[str, Any]], values: dict[str, float]
    ) -> None:
        assert self.best is not None
        if self.best not in values:
            raise ConfigError(f"metrics.best={self.best}: no such score; {closest(self.best, values)}")
        value = values[self.best]
        sign = -1 if scores[self.best]["higher_is_better"] else 1
        if math.isfinite(value) and (self.best_value is None or sign * value < sign * self.best_value):
            self.best_value = value
            self.best_scores = {
                name: {**score, "images": game.shown, "chosen": name == self.best} for name, score in scores.items()
            }
            self.checkpoints.save(trainer, "best")

    def closing(self) -> dict[str, dict[str, Any]]:
        """The best scores; the one by which they were chosen has its ``last`` value and the relative ``gap`` as well.

        All are of the validation split. The gap is 0 if the last value was the best, 1 if it was worse by as much as
        the best value itself.
        """
        scores = {name: dict(score) for name, score in self.best_scores.items()}
        last = self.journal.latest.get(f"score/{self.best}")
        if self.best in scores and last is not None:
            best = scores[self.best]
            best |= {"last": last, "gap": relative_gap(last, best["value"], best["higher_is_better"])}
        return scores

    def published(self, game: Game) -> dict[str, dict[str, Any]]:
        """The scores on the test split: name → value, standard error, direction and passport."""
        return self._evaluate(game, "test", errors=True)

    def _evaluate(self, game: Game, split: str, *, errors: bool = False) -> dict[str, dict[str, Any]]:
        # Scoring must not move the training's random stream.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            evaluations = self.evaluations.values()
            return scores_of(evaluations, game, self.data, split, n=self.n, seed=self.seed, errors=errors)

    def state_dict(self) -> dict[str, Any]:
        return {"best_value": self.best_value, "best_scores": self.best_scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_value = state_dict["best_value"]
        self.best_scores = state_dict["best_scores"]
