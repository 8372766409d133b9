"""A trained game, built again from its run folder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import OmegaConf

from forger.callbacks.checkpoints import BadCheckpoint, VerifiedCheckpointIO
from forger.data.images import Data
from forger.errors import ConfigError
from forger.games.base import Game
from forger.listing import list_runs
from forger.records import RunFolder
from forger.run import build_game, load_data, prepare_torch
from forger.schema import validate

Checkpoint = Literal["final", "last", "best"]
#: What is read of a run unless a checkpoint is named, the first one that is there.
_NEWEST = ("final", "last", "previous")


@dataclass(frozen=True)
class Restored:
    """A run's game with the weights of one of its checkpoints.

    Args:
        folder: the run folder.
        settings: the run's config, checked.
        game: in evaluation mode, on the device that the run asks for if it is there, else on the CPU.
        checkpoint: the file its weights are from.
    """

    folder: RunFolder
    settings: dict[str, Any]
    game: Game
    checkpoint: Path

    @cached_property
    def data(self) -> Data:
        """The data set, which is loaded when something of it is asked for that the config does not say."""
        about = self.settings["data"]
        kind = "images" if about["dimension"] is None else "points"
        known = {"name": about["name"], "classes": about["classes"], "kind": kind}
        return _Deferred(lambda: load_data(self.settings), known)  # type: ignore[return-value]


def restored(path: str | Path, checkpoint: str | None = None, *, trust: bool = False) -> Restored:
    """The game of a run, finished or still going.

    Args:
        path: the run folder, or a folder with just this run in it.
        checkpoint: ``final``, ``last`` or ``best``; the final one by default, or the last of an unfinished run.
        trust: build whatever the config names, as for a run of your own.

    Raises:
        ConfigError: no run there, or several; no such checkpoint (yet); a config that is not to be trusted;
            weights that do not fit it.
        BadCheckpoint: the file is damaged.
    """
    folder = run_at(path)
    settings = _settings(folder, trust)
    prepare_torch(settings["trainer"])
    file, state = _checkpoint(folder, checkpoint)
    game = build_game(settings)
    try:
        game.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        version = folder.read()["versions"].get("forger")
        detail = " ".join(str(error).split())[:300]
        raise ConfigError(f"{file}: its weights don't fit the run's config; forger {version}? ({detail})") from None
    game.on_load_checkpoint(state)
    wants_gpu = settings["trainer"]["accelerator"] not in ("cpu", "mps") and torch.cuda.is_available()
    return Restored(folder, settings, game.to("cuda" if wants_gpu else "cpu").eval(), file)


def run_at(path: str | Path) -> RunFolder:
    """The run folder at a path: itself, or the only run in it.

    Raises:
        ConfigError: there is none, or more than one.
    """
    if not Path(path).is_dir():
        raise ConfigError(f"{path}: no such folder; `forger runs` lists runs")
    found = list_runs(path)
    runs = [entry.path for entry in found if entry.record is not None]
    if len(runs) == 1:
        return RunFolder(runs[0])
    if runs:
        raise ConfigError(f"{path} holds {len(runs)} runs; name one of them, {runs[0]} for example")
    raise ConfigError(f"{path}: {found[0].problem if found else 'no run in there'}; `forger runs` lists runs")


def _settings(folder: RunFolder, trust: bool) -> dict[str, Any]:
    if not folder.config_file.is_file():
        raise ConfigError(f"{folder}: no config.yaml, so the run can't be built again")
    config = OmegaConf.load(folder.config_file)
    try:
        return validate(config, untrusted=not trust)  # type: ignore[arg-type]
    except ConfigError as error:
        if "config that is not your own" in str(error):
            raise ConfigError(f"{error}; if it is, add --trust") from None
        raise


def _checkpoint(folder: RunFolder, name: str | None) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of this name, or else the newest that is whole, and what is in it."""
    files = [folder.checkpoints / f"{each}.ckpt" for each in ([name] if name else _NEWEST)]
    there = [file for file in files if file.is_file()]
    if not there:
        others = ", ".join(sorted(file.stem for file in folder.checkpoints.glob("[!.]*.ckpt")))
        told = f"no {name}.ckpt" if name else "no checkpoint yet"
        raise ConfigError(f"{folder.checkpoints}: {told}" + (f"; there are {others}" if others else ""))
    for file in there[:-1]:
        try:
            return file, VerifiedCheckpointIO().load_checkpoint(file)
        except BadCheckpoint:
            continue
    return there[-1], VerifiedCheckpointIO().load_checkpoint(there[-1])


class _Deferred:
    """Stands in for a data set: what is known of it is there, the rest is loaded when asked for."""

    def __init__(self, load: Callable[[], Data], known: dict[str, Any]) -> None:
        self.__dict__.update(known, _load=load)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if "_data" not in self.__dict__:
            self.__dict__["_data"] = self._load()
        return getattr(self.__dict__["_data"], name)
