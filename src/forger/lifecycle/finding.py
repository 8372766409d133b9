"""Runs and checkpoints by their paths."""

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from forger.callbacks.checkpoint_files import BadCheckpoint, VerifiedCheckpointIO
from forger.config.schema import Config, validate
from forger.errors import ConfigError
from forger.lifecycle.listing import list_runs
from forger.lifecycle.ownership import placed, readers, sampled
from forger.lifecycle.stored_config import stored_config
from forger.run_folder import RunFolder

logger = logging.getLogger(__name__)

#: Prefix of the folder that holds the config of a fork while Hydra composes it (`forger.lifecycle.forking`).
FORK = "forger-fork-"
#: Checkpoints in the order in which they are looked for, unless one is named.
_NEWEST = ("final", "last", "previous")


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


def config_of(folder: RunFolder, *, trust: bool = False, places: Mapping[str, str] = {}) -> Config:
    """A run's config, checked; without trust, its root, loggers and callbacks are the reader's (`lifecycle.ownership`).

    Args:
        folder: the run.
        trust: allow whatever the config names, as for a run of your own.
        places: what the reader sets, by key: ``data.root``, ``run.parent``, `forger.lifecycle.ownership.SAMPLING`.

    Raises:
        ConfigError: there is none, it is no config, or it names what needs ``trust``.
    """
    file = folder.config_file
    config = sampled(stored_config_of(folder), places)
    try:
        return placed(validate(config if trust else readers(config, folder), untrusted=not trust), places)
    except ConfigError as error:
        if "config that is not your own" in str(error):
            raise ConfigError(f"{file}: {error}; if it is, add --trust") from None
        raise ConfigError(f"{file}: {error}") from None


def stored_config_of(folder: RunFolder) -> dict[str, Any]:
    """A run's config as it lies there.

    It is read as plain YAML: nothing in it is looked up in the environment or anywhere else.

    Raises:
        ConfigError: there is none, or it is no config.
    """
    file = folder.config_file
    try:
        config = stored_config(file)
    except FileNotFoundError:
        raise ConfigError(f"{folder}: no config.yaml, so the run can't be built again") from None
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None
    if (text := _interpolation(config)) is not None:
        raise ConfigError(f"{file}: {text!r} is not resolved, as a run's config is")
    return config


def _interpolation(node: Any) -> str | None:
    """A text in the config with an interpolation, which would be looked up when something is built from it."""
    if isinstance(node, str):
        return node if "${" in node else None
    inside = [*node.keys(), *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []
    return next((text for item in inside if (text := _interpolation(item)) is not None), None)


def checkpoint_of(folder: RunFolder, name: str | None = None) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of this name, or else the newest undamaged one, with its content; the log names damaged ones.

    Raises:
        ConfigError: there is no such checkpoint (yet).
        BadCheckpoint: it is damaged.
    """
    files = [folder.checkpoints / f"{each}.ckpt" for each in ([name] if name else _NEWEST)]
    there = [file for file in files if file.is_file()]
    if not there:
        others = ", ".join(sorted(file.stem for file in folder.checkpoints.glob("[!.]*.ckpt")))
        missing = f"no {name}.ckpt" if name else "no checkpoint yet"
        raise ConfigError(f"{folder.checkpoints}: {missing}" + (f"; there are {others}" if others else ""))
    for file, next_file in pairwise(there):
        try:
            return file, VerifiedCheckpointIO().load_checkpoint(file)
        except BadCheckpoint as error:
            logger.warning("%s; %s is used", error, next_file.name)
    return there[-1], VerifiedCheckpointIO().load_checkpoint(there[-1])
