"""What of a config that somebody else wrote is the reader's own: places, loggers, callbacks."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath
from typing import Any, cast

from omegaconf import OmegaConf

from forger.config.schema import Config, DataConfig, RunConfig
from forger.config.shipped import conf_folder
from forger.config.targets import Node
from forger.config.trust import is_place
from forger.errors import ConfigError
from forger.run_folder import RunFolder

logger = logging.getLogger(__name__)


def readers(config: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """A stranger's config with runs where the reader's lie, and without loggers and callbacks, which are left out.

    Args:
        config: plain containers, not checked yet.
        folder: the run that it belongs to, for the line that says what is left out.
    """
    if callbacks := config.get("callbacks"):
        named = ", ".join(map(str, callbacks))
        logger.warning("%s: its callbacks are left out (%s), they are not yours; --trust takes them", folder, named)
    own = {"logger": {}, "callbacks": {}}
    if isinstance(run := config.get("run"), Mapping):
        own["run"] = {**run, "root": "runs"}
    return {**config, **own}


#: What a reader may set of how samples are made, in games that make them step by step.
SAMPLING = ("model.steps", "model.solver", "model.guidance")


def sampled(config: dict[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """A config as it lies there with the reader's choice of `SAMPLING` in it, not checked yet.

    Raises:
        ConfigError: the model has no such choice.
    """
    given = {key.removeprefix("model."): places[key] for key in SAMPLING if key in places}
    if not given:
        return config
    model = config.get("model") or {}
    for name in given:
        if name not in model:
            raise ConfigError(f"model.{name}: this run's samples are not made step by step, as by flow and diffusion")
    return {**config, "model": {**model, **{name: _number(text) for name, text in given.items()}}}


def _number(text: str) -> int | float | str:
    """A number where there is one; the check of the config refuses what is none."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def placed(config: Config, places: Mapping[str, str]) -> Config:
    """The config with the reader's places in them.

    Args:
        config: a run's, checked.
        places: ``data.root`` (and with it whatever of the data lay below the former one) and ``run.parent``.
    """
    data, run = config.data, config.run
    if "data.root" in places:
        data = replace(data, root=places["data.root"], source=tied(data, places["data.root"]))
    if "run.parent" in places:
        run = replace(run, parent=places["run.parent"])
    return replace(config, data=data, run=run)


def tied(data: DataConfig, root: str) -> Node:
    """The data's source with another root in the place of ``data.root``."""
    former = data.root

    def moved(value: Any) -> Any:
        if former is None or not isinstance(value, str) or not (value == former or value.startswith(f"{former}/")):
            return value
        return root + value[len(former) :]

    return cast(Node, {name: moved(value) for name, value in data.source.items()})


def check_data(data: DataConfig, folder: RunFolder, given: Mapping[str, str]) -> None:
    """Have a stranger's config read the reader's data only: from the place that a data set has here, or a given one.

    Args:
        data: the run's, with the given places in it.
        folder: the run.
        given: what the reader has typed: ``data.root`` or ``data.source.NAME``.

    Raises:
        ConfigError: it names another place.
    """
    source = data.source
    allowed = [given["data.root"]] if "data.root" in given else list(_usual_roots(source["_target_"]))
    for name, value in source.items():
        foreign = is_place(name, value) and not any(_is_below(value, root) for root in allowed)
        if foreign and f"data.source.{name}" not in given:
            raise ConfigError(
                f"{folder.config_file}: data.source.{name}={value}: a place in a config that is not your own; "
                "name the data's folder yourself, data.root=FOLDER, or if it is, add --trust"
            )


def check_parent(run: RunConfig, folder: RunFolder, given: Mapping[str, str]) -> None:
    """Have a stranger's config start from no run but one that the reader has named.

    Raises:
        ConfigError: it names another.
    """
    parent = run.parent
    if parent is not None and "run.parent" not in given:
        raise ConfigError(
            f"{folder.config_file}: run.parent={parent}: a place in a config that is not your own; "
            "name the run that it starts from yourself, run.parent=RUN, or if it is, add --trust"
        )


def _usual_roots(target: str) -> Iterator[str]:
    """Where the shipped configs have the data of a function on this machine."""
    for file in sorted(conf_folder().glob("data/*.yaml")):
        config = OmegaConf.create({"data": OmegaConf.load(file)})
        if config.data.source._target_ == target and (root := OmegaConf.select(config, "data.root")) is not None:
            yield root


def _is_below(path: Any, root: str) -> bool:
    return isinstance(path, str) and PurePath(os.path.normpath(path)).is_relative_to(os.path.normpath(root))
