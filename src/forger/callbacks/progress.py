"""A progress bar: how much of the budget is used up and what time is left, speed, losses and the latest score."""

import time
from typing import Any

from pytorch_lightning import Trainer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from forger.callbacks.budget import Budget
from forger.callbacks.clock import ScheduledCallback
from forger.callbacks.journal import Journal
from forger.console import console
from forger.games.base import Game
from forger.watch.alarms import Alarms


class ProgressBar(ScheduledCallback):
    """Drawn on a terminal only; a log file gets the lines that `Scoring` writes.

    Args:
        budget: of the run.
        journal: where the latest values are.
        alarms: those that are raised are named until they recover.
        seconds_between: least time between two updates.
    """

    def __init__(
        self, budget: Budget, journal: Journal, alarms: Alarms | None = None, seconds_between: float = 0.5
    ) -> None:
        self.budget = budget
        self.journal = journal
        self.alarms = alarms
        self.seconds_between = seconds_between
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._drawn = (0.0, 0)

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if not (trainer.is_global_zero and console.is_terminal):
            return
        columns = [TextColumn("{task.fields[speed]:>6,.0f} images/s"), BarColumn(20), TaskProgressColumn()]
        columns += [TimeRemainingColumn(), TextColumn("{task.fields[values]}")]
        # Drawn when there is something new: a thread of its own would take 1% of a small game's time.
        self._progress = Progress(*columns, console=console, auto_refresh=False)
        self._task = self._progress.add_task("", total=1.0, speed=0.0, values="")
        self._progress.update(self._task, completed=self.budget.share(pl_module))
        self._progress.start()
        self._drawn = (time.monotonic(), pl_module.shown)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if self._progress is None:
            return
        now, (then, shown) = time.monotonic(), self._drawn
        if now - then >= self.seconds_between:
            speed = (pl_module.shown - shown) / (now - then)
            values = self._values()
            share = self.budget.share(pl_module)
            self._progress.update(self._task, completed=share, speed=speed, values=values, refresh=True)
            self._drawn = (now, pl_module.shown)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        self._stop(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: Game, exception: BaseException) -> None:
        self._stop(pl_module)

    def _stop(self, game: Game) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=self.budget.share(game), values=self._values())
            self._progress.stop()
            self._progress = None

    def _values(self) -> str:
        losses: dict[str, float] = {}
        for name, value in self.journal.latest.items():
            kind, _, rest = name.partition("/")
            if kind == "train":
                player = rest.partition("/")[0]
                losses[player] = losses.get(player, 0.0) + value
        scores = [(name[6:], value) for name, value in self.journal.latest.items() if name.startswith("score/")]
        raised = [f"[bold red]{name}[/]" for name in (self.alarms.raised if self.alarms else [])]
        return "  ".join([*(f"{name} {value:.3g}" for name, value in [*losses.items(), *scores[:1]]), *raised])
