"""Rolling back: a run continues from its last healthy state, with a remedy in its config."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from forger.callbacks.checkpoints import VerifiedCheckpointIO, newest_checkpoint
from forger.callbacks.watching import told
from forger.config.schema import Config
from forger.games.base import Game
from forger.records import RunFolder
from forger.watch.alarms import Alarms
from forger.watch.remedies import remedied

logger = logging.getLogger(__name__)

#: States kept from the abandoned part: its time, and its best score, which best.ckpt belongs to.
_KEPT = ("Budget", "Scoring")


def taken_up(config: Config, checkpoints: Path, build: Callable[[Config], Game]) -> Config:
    """The config that a run continues with: that of its command, and the remedies of its rollbacks so far.

    A rollback that was decided on before the process ended, but not carried out, is carried out now.

    Args:
        config: the one of the command.
        checkpoints: the run's folder of them; the rollbacks are in their state of the watch.
        build: makes a game from a config.
    """
    members = _newest(checkpoints)
    if members is None:
        return config
    for alert in members["Watching"]["alerts"]:
        if "seen_at" in alert:
            config = _remedied(config, alert)
    verdict = members["Watching"]["verdict"]
    if verdict is None or verdict["action"] != "rollback":
        return config
    roll_back(checkpoints, config, build, verdict, {name: members[name] for name in (*_KEPT, "Journal")})
    return _remedied(config, verdict)


def stopped_by(folder: RunFolder, record: Mapping[str, Any] | None) -> str | None:
    """What the watch said when it stopped the run of this record; None if it did not."""
    if record is None or record["status"] != "stopped":
        return None
    members = _newest(folder.checkpoints)
    verdict = members and members["Watching"]["verdict"]
    return told(verdict) if verdict and verdict["action"] == "stop" else None


def roll_back(
    checkpoints: Path,
    config: Config,
    build: Callable[[Config], Game],
    verdict: Mapping[str, Any],
    kept: Mapping[str, Any],
) -> None:
    """Make the last healthy state the run's newest checkpoint, with the remedy recorded in it.

    Weights, moments of the optimisers and the watch's state are those of ``healthy.ckpt``; rates and other
    settings of the optimisers are the remedied ones, which a checkpoint would otherwise bring back.

    Args:
        checkpoints: the run's folder of them.
        config: the one so far.
        build: makes a game from a config.
        verdict: the alert that decided on it.
        kept: states of callbacks that are not rolled back.
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
    members = state["callbacks"]["Crew"]
    members |= {name: kept[name] for name in _KEPT}
    members["Journal"] |= {"logged": kept["Journal"].get("logged")}  # what comes now is new to W&B
    seen_at = {"images": verdict["images"], "iterations": verdict["iterations"]}
    here = {"images": clock["images"], "iterations": clock["iteration"], "seen_at": seen_at}
    watch = _watch(state)
    # The remedied game is a new one, whose average begins with its own warm-up.
    watch |= {"alerts": [*watch["alerts"], {**verdict, **here}], "alarms": Alarms().state_dict()}
    io.save_checkpoint(state, checkpoints / "last.ckpt")
    (checkpoints / "previous.ckpt").unlink(missing_ok=True)
    logger.warning("back to %s images, with %s", f"{clock['images']:,}", verdict["remedy"])


def _remedied(config: Config, alert: Mapping[str, Any]) -> Config:
    return replace(config, model=remedied(config.model, alert["changes"]))


def _watch(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    return checkpoint["callbacks"]["Crew"]["Watching"]


def _newest(checkpoints: Path) -> dict[str, Any] | None:
    """States of the callbacks in the newest checkpoint; None without one, or without a watch."""
    last = newest_checkpoint(checkpoints)
    members = last and VerifiedCheckpointIO().load_checkpoint(last)["callbacks"]["Crew"]
    return members if members and "Watching" in members else None
