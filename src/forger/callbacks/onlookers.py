"""Lightning callbacks of the user's: what a run can't offer them is refused by name before it begins.

A run is one epoch, each round a batch, and each scoring a validation without batches. Its rows are in the trainer's
``callback_metrics`` under their keys, scores also under their own names.
"""

from collections.abc import Collection, Mapping

from pytorch_lightning import Callback
from pytorch_lightning import callbacks as lightning
from pytorch_lightning.callbacks.timer import Interval

from forger.errors import ConfigError, closest

_AVERAGES = "it changes the weights that players train; a game has an average of its own (model.ema)"
_TUNES = "it tries out trainings before the run; `forger sweep` searches"
#: Lightning's own that have nothing to do in a run, and why.
_REFUSED: dict[type[Callback], str] = {
    lightning.Checkpoint: "a run keeps its own checkpoints (checkpoint.every_images, metrics.best)",
    lightning.ProgressBar: "a run draws its own bar",
    lightning.BatchSizeFinder: _TUNES,
    lightning.LearningRateFinder: _TUNES,
    lightning.GradientAccumulationScheduler: "each player steps on each batch; set data.batch_size",
    lightning.StochasticWeightAveraging: _AVERAGES,
    lightning.WeightAveraging: _AVERAGES,
    lightning.BaseFinetuning: "players freeze each other's networks in each round (model.players)",
    lightning.ModelPruning: "it prunes between epochs, and a run is one",
    lightning.BasePredictionWriter: "a run predicts nothing; `forger sample` does",
    lightning.SpikeDetection: "each player has a loss of its own; there is no single one",
}
#: Hooks that never come.
_NEVER = [
    *(f"on_{kind}_batch_{moment}" for kind in ("validation", "test", "predict") for moment in ("start", "end")),
    *(f"on_{kind}_{moment}" for kind in ("test", "predict", "sanity_check") for moment in ("start", "end")),
    *(f"on_{kind}_epoch_{moment}" for kind in ("test", "predict") for moment in ("start", "end")),
]
_NEED_A_LOGGER = (lightning.LearningRateMonitor, lightning.DeviceStatsMonitor, lightning.ThroughputMonitor)


def check_onlookers(callbacks: Mapping[str, Callback], scores: Collection[str] | None, *, logging: bool) -> None:
    """Refuse callbacks that would wait in vain.

    Args:
        callbacks: by the name of their config node.
        scores: names of what is computed through training; None if not all are known yet.
        logging: whether the run has a logger.

    Raises:
        ConfigError: the first of them, with the reason.
    """
    for name, callback in callbacks.items():
        reason = _reason(callback, scores, logging)
        if reason is not None:
            raise ConfigError(f"callbacks.{name}: {type(callback).__name__} can't be offered: {reason}")


def _reason(callback: Callback, scores: Collection[str] | None, logging: bool) -> str | None:
    for kind, reason in _REFUSED.items():
        if isinstance(callback, kind):
            return reason
    for hook in _NEVER:
        if hook in vars(callback) or _is_users(getattr(type(callback), hook)):
            return f"{hook} never comes; scores come between on_validation_start and on_validation_end"
    if isinstance(callback, _NEED_A_LOGGER) and not logging:
        return "it needs a logger; take logger=csv, tensorboard or wandb"
    if isinstance(callback, lightning.LearningRateMonitor) and callback.logging_interval == "epoch":
        return "a run is one epoch; set logging_interval=step"
    if isinstance(callback, lightning.Timer) and callback._interval == Interval.epoch:
        return "a run is one epoch; set interval=step"
    if isinstance(callback, lightning.EarlyStopping):
        return _vain_stopping(callback, scores)
    return None


def _vain_stopping(callback: lightning.EarlyStopping, scores: Collection[str] | None) -> str | None:
    if callback._check_on_train_epoch_end:
        return "a run is one epoch; leave out check_on_train_epoch_end, and it checks after each scoring"
    if scores is not None and not scores:
        return "it checks after each scoring, and there is none; set metrics and metrics.every_images"
    known = callback.monitor.startswith(("train/", "watch/"))
    if scores is None or known or callback.monitor.removeprefix("score/") in scores:
        return None
    return f"no such score as monitor={callback.monitor}; {closest(callback.monitor, scores)}"


def _is_users(method: object) -> bool:
    return not getattr(method, "__module__", "").startswith("pytorch_lightning.")
