"""The watch: signals at intervals, alarms from them, and what follows."""

import copy
import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from pytorch_lightning import Trainer
from torch import Tensor

from forger.callbacks.budget import Budget
from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.clock import ScheduledCallback, due, next_due
from forger.callbacks.journal import Journal
from forger.callbacks.scoring import Scoring
from forger.config.schema import Config
from forger.data.dataset import Data
from forger.errors import ConfigError, Diverged
from forger.games.base import Game
from forger.metrics.features.base import Extractor
from forger.run_folder import RunFolder
from forger.tracking import loggers as tracking
from forger.watch.alarms import Alarm, Alarms, strongest
from forger.watch.game_signals import GameSignals
from forger.watch.history import SignalHistory
from forger.watch.remedies import remedy

logger = logging.getLogger(__name__)

Action = Literal["warn", "stop", "rollback", "none"]
#: Without `every_images`: number of checks in a budget; most images and fewest rounds between two of them.
CHECKS, FURTHEST, ROUNDS = 40, 25_000, 10


class Watching(ScheduledCallback):
    """Checks the game's signals, raises alarms, and ends the run if the config says so.

    An alarm goes to ``alerts.jsonl``, the record, the log, the bar and the loggers, with its evidence and a
    remedy. Checks draw from no random stream of the training: weights are the same with and without them.

    Args:
        config: the run's: what the remedies are for, and the budget that the interval is
            derived from.
        data: the data set.
        folder: gets the alerts.
        journal: has the rows of training, gets the signals.
        scoring: has the score whose trend is watched, and an extractor.
        checkpoints: saves ``healthy.ckpt``, where a rollback goes, while no alarm is near.
        budget: its minutes, if it has any, make checks due too where ``every_images`` is None.
        action: what an alarm does besides warning; ``none`` checks nothing.
        every_images: interval between checks in real images shown; None divides the budget.
        n: fakes of a check, and reals.
        patience: unhealthy checks in a row that make an alarm.
        rollbacks: how often a run goes back before it stops.
    """

    def __init__(
        self,
        config: Config,
        data: Data,
        folder: RunFolder,
        journal: Journal,
        scoring: Scoring,
        checkpoints: Checkpoints,
        budget: Budget,
        action: Action = "warn",
        every_images: Annotated[int, Ge(1)] | None = None,
        n: Annotated[int, Ge(16)] = 256,
        patience: Annotated[int, Ge(1)] = 3,
        rollbacks: Annotated[int, Ge(0)] = 2,
    ) -> None:
        self.model = config.model
        self.folder = folder
        self.journal = journal
        self.scoring = scoring
        self.checkpoints = checkpoints
        self.budget = budget
        self.action = action
        self.every_images = None if action == "none" else every_images or interval(config)
        self._by_minutes = action != "none" and every_images is None
        self.rollbacks = rollbacks
        extractors = [getattr(each, "extractor", None) for each in scoring.evaluations.values()]
        extractor = next((each for each in extractors if isinstance(each, Extractor)), None)
        self.game_signals = GameSignals(data, n, extractor)
        self.history = SignalHistory()
        self.alarms = Alarms(patience)
        #: Rows of the alerts so far.
        self.alerts: list[dict[str, Any]] = []
        #: The alert that ends this attempt, if one does: its ``action`` is ``stop`` or ``rollback``.
        self.verdict: dict[str, Any] | None = None
        self._norms: dict[str, float] = {}
        #: The iteration of the latest check.
        self._checked = 0
        self._before: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if self.action == "none":
            return
        if self.action == "rollback" and trainer.world_size > 1:
            raise ConfigError(
                "watch.action=rollback needs a run in one process: trainer.devices=1, or watch.action=stop"
            )
        self._norms = self._norms or self._weights(pl_module)
        if self.action == "rollback" and pl_module.iteration == 0:
            self.checkpoints.save(trainer, "healthy")

    def record_round(self, game: Game) -> None:
        """Take in the round's row of training, if it has one."""
        self._before = None
        if self.action != "none" and game.iteration % self.journal.every == 0:
            self.history.observe({name: self.journal.latest[name] for name in game.observed})

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if due(pl_module, self.every_images) or self._due_by_minutes(pl_module):
            self._before = copy.deepcopy(self._state())
            self.check(trainer, pl_module)

    def due_at(self, game: Game) -> float:
        return next_due(game, self.every_images)

    def _due_by_minutes(self, game: Game) -> bool:
        rested = game.iteration - self._checked >= ROUNDS
        return self._by_minutes and rested and self.budget.crossed(CHECKS)

    def on_exception(self, trainer: Trainer, pl_module: Game, exception: BaseException) -> None:
        # Also without a watch, since it needs no check.
        if isinstance(exception, Diverged):
            evidence = {"kind": exception.kind, "tensor": exception.tensor, "value": str(exception.value)}
            evidence["saved"] = self.checkpoints.kept
            self._ring(trainer, pl_module, Alarm("divergence", 1.0, {**evidence, "player": exception.player}))

    def check(self, trainer: Trainer, game: Game) -> None:
        """Measure, write the signals, and raise alarms."""
        self._checked = game.iteration
        signals = self.measure(game)
        self.journal.write(trainer, game, signals)
        alarms = self.alarms.check(signals)
        for alarm in alarms:
            self._ring(trainer, game, alarm, acts=alarm is strongest(alarms))
        if self.verdict is None and self.alarms.calm and self.action == "rollback":
            self.checkpoints.save(trainer, "healthy")
        # Ranks see different batches, so one of them decides for all.
        self.verdict = trainer.strategy.broadcast(self.verdict)
        if self.verdict is not None:
            trainer.should_stop = True

    def measure(self, game: Game) -> dict[str, float]:
        """All signals of this moment, by full name."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            signals = self.game_signals(game)
            norms = self._weights(game)
        growth = [norms[name] / first for name, first in self._norms.items() if first > 0]
        signals["watch/weight_growth"] = max(growth, default=1.0)
        known = self.scoring.best_scores.get(self.scoring.best or "")
        score = self.journal.latest.get(f"score/{self.scoring.best}")
        return signals | self.history.derived(signals, score, bool(known and known["higher_is_better"]))

    @staticmethod
    def _weights(game: Game) -> dict[str, float]:
        """Euclidean norm of each player's weights."""

        def norm(tensors: list[Tensor]) -> float:
            return float(torch.nn.utils.get_total_norm([tensor.detach() for tensor in tensors]))

        return {name: norm(list(game.trained_by(name))) for name in game.players}

    def _ring(self, trainer: Trainer, game: Game, alarm: Alarm, acts: bool = True) -> None:
        found = remedy(alarm.name, self.model)
        row: dict[str, Any] = {
            "alarm": alarm.name,
            "confidence": round(alarm.confidence, 3),
            "images": game.shown,
            "iterations": game.iteration,
            "evidence": alarm.evidence,
            "remedy": found and found.override,
            "why": found and found.why,
            "action": "warn",
        }
        if acts and self.action in ("stop", "rollback"):
            gone_back = sum(alert["action"] == "rollback" for alert in self.alerts)
            again = self.action == "rollback" and found is not None and gone_back < self.rollbacks
            row["action"] = "rollback" if again else "stop"
            if found is not None and again:
                row["changes"] = found.changes
            self.verdict = row
        self.alerts.append(row)
        if not trainer.is_global_zero:
            return
        self.folder.append_alert(row)
        self.folder.update(alerts=self.alerts)
        text = alert_text(row)
        logger.warning("%s images: %s", f"{game.shown:,}", text)
        tracking.alert(trainer.loggers, f"forger: {alarm.name}", text)

    def state_dict(self) -> dict[str, Any]:
        # A state saved before the round counts as observed is checked again when the run continues.
        observed = self.checkpoints.state_dict().get("observed", True)
        return self._state() if observed or self._before is None else self._before

    def _state(self) -> dict[str, Any]:
        return {
            "panel": self.history.state_dict(),
            "alarms": self.alarms.state_dict(),
            "alerts": self.alerts,
            "verdict": self.verdict,
            "norms": self._norms,
            "checked": self._checked,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.load_state_dict(state_dict["panel"])
        self.alarms.load_state_dict(state_dict["alarms"])
        self.alerts = list(state_dict["alerts"])
        self.verdict = state_dict["verdict"]
        self._norms = dict(state_dict["norms"])
        self._checked = state_dict.get("checked", 0)


class HistoryUpdate(ScheduledCallback):
    """Feeds the watch with each round's row, before the round is saved; its checks come after."""

    def __init__(self, watching: Watching) -> None:
        self.watching = watching

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        self.watching.record_round(pl_module)


def interval(config: Config) -> int:
    """Images between two checks where the config does not say."""
    budget = config.budget.images
    wanted = FURTHEST if budget is None else min(FURTHEST, budget // CHECKS)
    return max(wanted, ROUNDS * config.data.batch_size)


def alert_text(alert: Mapping[str, Any]) -> str:
    """An alert in one line."""
    evidence = alert["evidence"]
    if "signals" in evidence:
        shown = ", ".join(
            f"{name} {sign['value']:.3g} {'<' if 'below' in sign else '>'} {sign.get('below', sign.get('above')):.3g}"
            for name, sign in evidence["signals"].items()
        )
        shown = f"{shown} at {evidence['checks']} checks in a row"
    else:
        shown = f"{evidence['tensor']} is {evidence['value']}"
    advice = f"; {alert['why']}: {alert['remedy']}" if alert["remedy"] else ""
    return f"{alert['alarm']} (confidence {alert['confidence']:.2f}): {shown}{advice}"
