"""Rolling back: a run continues from its last healthy state, with a remedy in its config."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from forger.callbacks.checkpoint_files import SavedState, VerifiedCheckpointIO, callback_states
from forger.callbacks.watching import alert_text
from forger.config.schema import Config
from forger.games.base import Game
from forger.records import Record
from forger.watch.alarms import Alarms
from forger.watch.remedies import remedied

logger = logging.getLogger(__name__)


def taken_up(
    config: Config, saved: SavedState | None, build: Callable[[Config], Game]
) -> tuple[Config, SavedState | None]:
    """The config that a run continues with, and the state: that of its command, with the remedies of its rollbacks.

    A rollback that was decided on before the process ended, but not carried out, is carried out now.

    Args:
        config: the one of the command.
        saved: the newest state; the rollbacks are in its state of the watch.
        build: makes a game from a config.
    """
    if saved is None:
        return config, None
    for alert in saved.alerts:
        if "seen_at" in alert:
            config = _remedied(config, alert)
    verdict = saved.verdict
    if verdict is None or verdict["action"] != "rollback":
        return config, saved
    saved = roll_back(saved.path.parent, config, build, verdict, saved.callbacks)
    return _remedied(config, verdict), saved


def stopped_by(record: Record | None, saved: SavedState | None) -> str | None:
    """What the watch said when it stopped the run of this record and state; None if it did not."""
    if record is None or record.status != "stopped" or saved is None:
        return None
    verdict = saved.verdict
    return alert_text(verdict) if verdict and verdict["action"] == "stop" else None


def roll_back(
    checkpoints: Path,
    config: Config,
    build: Callable[[Config], Game],
    verdict: Mapping[str, Any],
    abandoned: Mapping[str, Any],
) -> SavedState:
    """Make the last healthy state the run's newest checkpoint, which is returned, with the remedy recorded in it.

    Weights, moments of the optimisers and the watch's state are those of ``healthy.ckpt``; rates and other
    settings of the optimisers are the remedied ones, which a checkpoint would otherwise bring back.

    Args:
        checkpoints: the run's folder of them.
        config: the one so far.
        build: makes a game from a config.
        verdict: the alert that decided on it.
        abandoned: states of the callbacks in the part that is given up, some of which are kept.
    """
    io = VerifiedCheckpointIO()
    state = io.load_checkpoint(checkpoints / "healthy.ckpt")
    clock = state["clock"]
    game = build(_remedied(config, verdict))
    fresh = game.state_dict()
    state["state_dict"] = fresh | {name: value for name, value in state["state_dict"].items() if name in fresh}
    optimizers: Any = game.configure_optimizers()
    for saved, optimizer in zip(state["optimizer_states"], optimizers, strict=True):
        for group, wanted in zip(saved["param_groups"], optimizer.param_groups, strict=True):
            group |= {name: value for name, value in wanted.items() if name != "params"}
    states = callback_states(state)
    # The time of the abandoned part is spent, and best.ckpt may be of it.
    states["Budget"] |= {"seconds": abandoned["Budget"]["seconds"]}
    states["Scoring"] = abandoned["Scoring"]
    states["Journal"] |= {"logged": abandoned["Journal"].get("logged")}  # what comes now is new to W&B
    seen_at = {"images": verdict["images"], "iterations": verdict["iterations"]}
    here = {"images": clock["images"], "iterations": clock["iteration"], "seen_at": seen_at}
    watch = states["Watching"]
    # The remedied game is a new one, whose average begins with its own warm-up.
    watch |= {"alerts": [*watch["alerts"], {**verdict, **here}], "alarms": Alarms().state_dict()}
    last = checkpoints / "last.ckpt"
    io.save_checkpoint(state, last)
    (checkpoints / "previous.ckpt").unlink(missing_ok=True)
    logger.warning("back to %s images, with %s", f"{clock['images']:,}", verdict["remedy"])
    return SavedState(last, state)


def _remedied(config: Config, alert: Mapping[str, Any]) -> Config:
    return replace(config, model=remedied(config.model, alert["changes"]))
