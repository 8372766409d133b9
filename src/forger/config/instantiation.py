"""Objects from config nodes; a node that can't be built is a ConfigError with its key."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger

from forger.config.explain import one_line
from forger.config.schema import TrainerConfig
from forger.errors import ConfigError
from forger.tracking.loggers import RunInfo

#: Keys of `trainer` that are not Lightning's.
_OWN = ("threads", "compile", "profile", "accumulate", "recompute")


def built(place: str, node: Any, **more: Any) -> Any:
    """What a config node describes; an error names the node by its full key, which begins with ``place``."""
    try:
        return instantiate(node, **more)
    except InstantiationException as error:
        message, (inner, *_) = str(error), [*re.findall(r"full_key: (\S+)", str(error)), ""]
        key = f"{place}.{inner}" if inner else place
        error.args = (re.sub(r"full_key: \S+", "", message).rstrip() + f"\nfull_key: {key}",)
        raise


def built_callbacks(nodes: Mapping[str, Any]) -> dict[str, Callback]:
    """The user's own callbacks, by the names of their nodes.

    Raises:
        ConfigError: one of them is none of Lightning's.
    """
    callbacks = {}
    for name, node in nodes.items():
        callback = built(f"callbacks.{name}", node)
        if not isinstance(callback, Callback):
            kind = type(callback).__name__
            raise ConfigError(
                f"callbacks.{name}: a {kind} is no callback; name a subclass of pytorch_lightning.Callback"
            )
        callbacks[name] = callback
    return callbacks


def built_trainer(placement: TrainerConfig, **arguments: Any) -> Trainer:
    """Lightning's trainer, placed as the config's `trainer` group says.

    Raises:
        ConfigError: it can't start here with these settings; the message has Lightning's reason.
    """
    try:
        return Trainer(**{key: value for key, value in vars(placement).items() if key not in _OWN}, **arguments)
    except (RuntimeError, ValueError, TypeError, MisconfigurationException) as error:
        raise ConfigError(f"trainer: can't start here: {one_line(str(error), 400)}") from error


def built_loggers(nodes: Mapping[str, Any], run: RunInfo) -> Iterator[Logger]:
    """Loggers; functions that build one get the run's `RunInfo`, its config without secrets.

    Raises:
        ConfigError: one of them is none of Lightning's.
    """
    for name, node in nodes.items():
        logger: Any = built(f"logger.{name}", node)
        if not isinstance(logger, Logger):
            if isinstance(logger, type) or not callable(logger) or not node.get("_partial_"):
                raise ConfigError(f"logger.{name}: no logger; name a subclass of pytorch_lightning.loggers.Logger")
            logger = logger(run)
        yield logger
