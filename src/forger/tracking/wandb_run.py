"""A run of Weights & Biases whose start and end are bounded, and which gets no row twice."""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from forger.redaction import redacted
from forger.tracking.wandb_files import held
from forger.trial import ending, membership

if TYPE_CHECKING:
    from wandb import Run

logger = logging.getLogger(__name__)

_CLOCKS = ("images", "iterations")
#: Seconds before W&B sends an alert of the same title again.
_ALERTS_APART = 300
#: Seconds that W&B gets after a signal.
_LAST_SECONDS = 5.0


class RunLogger(WandbLogger):
    """Lightning's W&B logger with the images shown as x-axis, and a start and an end that are bounded."""

    def __init__(self, init_timeout: float, finish_timeout: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._timeouts = init_timeout, finish_timeout
        self._failed = False
        #: How many rows and pictures the run has logged, where it goes on: W&B is not given them again.
        self.position: int | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """The W&B run, begun when first asked for."""
        if self._experiment is None:
            self._experiment = self._begin()
            files = Path(str(self.save_dir)) / "wandb"
            self._held = max(self._experiment.starting_step, held(files, self._wandb_init["id"]))
            for clock in _CLOCKS:
                self._experiment.define_metric(clock, hidden=True)
            self._experiment.define_metric("*", step_metric="images")
        return self._experiment  # type: ignore[return-value]

    def _begin(self) -> "Run":
        import wandb
        from wandb.errors import CommError

        settings = wandb.Settings(silent=True, console="off")
        settings.init_timeout, settings.finish_timeout = self._timeouts
        given = {key: value for key, value in self._wandb_init.items() if value is not None}
        # A run of its own, even if the caller has one: W&B would hand that one out again.
        arguments = {**given, "settings": settings, "reinit": "create_new"}
        typed = sys.argv
        sys.argv = redacted(typed)  # the client keeps the command line
        try:
            return wandb.init(**arguments)
        except CommError as error:
            logger.warning("W&B: offline, the server can't be used (%s)", " ".join(str(error).split())[:200])
            return wandb.init(**{**arguments, "mode": "offline"})
        finally:
            sys.argv = typed

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log a row. ``step`` is not used as an axis, since rows have their clocks. A failure ends only the logging."""
        if self._failed:
            return
        try:
            experiment = self.experiment
            step = self._held if self.position is None else self.position
            self.position = step + 1
            if step >= self._held:
                experiment.log(dict(metrics), step=step, commit=True)
        except Exception as error:
            self._failed = True
            logger.warning("W&B: no longer logged (%s); metrics.jsonl has every row", error)

    @rank_zero_only
    def alert(self, title: str, text: str) -> None:
        """Send a W&B alert, which reaches people by mail or Slack as their account says."""
        if self._failed:
            return
        try:
            self.experiment.alert(title=title, text=text, level="WARN", wait_duration=_ALERTS_APART)
        except Exception as error:
            logger.warning("W&B: alert not sent (%s)", error)

    def finish(self, exit_code: int = 0) -> None:
        """End the run, if one was begun, within the time allowed."""
        if self._experiment is not None:
            trial = membership()
            if trial is not None:
                interrupted = ending("interrupted") if exit_code >= 128 else "failed"
                state = {0: "finished", 3: "diverged"}.get(exit_code, interrupted)
                self._experiment.summary["trial"] = {"number": trial.number, "state": state}
            if exit_code < 128:
                self._experiment.finish(exit_code=exit_code)
            else:
                _finish_at_once(self._experiment, exit_code)
            self._experiment = None


def _finish_at_once(experiment: "Run", exit_code: int) -> None:
    """End a run after a signal without waiting for uploads: the sender may kill it after about ten seconds."""

    def end() -> None:
        try:
            experiment.finish(exit_code=exit_code)
        except Exception as error:
            logger.warning("W&B did not end well: %s", error)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(_LAST_SECONDS)
    if thread.is_alive():
        rest = f"wandb sync {Path(experiment.dir).parent}"
        logger.warning("W&B: not everything is sent after %g s; `%s` sends the rest", _LAST_SECONDS, rest)
        # W&B would go on waiting when Python exits.
        atexit.register(os._exit, exit_code)
