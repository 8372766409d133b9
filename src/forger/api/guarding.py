"""Calls from a program that is not forger's: afterwards it is as it was, and an error is one line."""

import logging
import os
import random
import re
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from pytorch_lightning.utilities import rank_zero_only

from forger.config.explain import explain
from forger.config.shipped import config_groups
from forger.errors import ConfigError, ForgerError

_LOGGERS = (None, "forger", "pytorch_lightning", "lightning.pytorch", "lightning_fabric")


@contextmanager
def guarded() -> Iterator[None]:
    """A block, or a function, that leaves the process as it found it and fails in one line.

    What is put back: threads, deterministic algorithms and random streams of torch, warnings, loggers, signal handlers,
    the environment.

    Raises:
        ConfigError: the input or the config is wrong (also a ValueError).
        ForgerError: anything else went wrong.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            cuda = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
            stack.enter_context(torch.random.fork_rng(devices=list(cuda)))
            stack.enter_context(_environment())
            stack.enter_context(_signal_handlers())
            stack.callback(_restore, _state())
            yield
    except ConfigError as error:
        raise ConfigError(_in_python(str(error))) from None
    except ForgerError:
        raise
    except Exception as error:
        line, code = explain(error, config_groups())
        raise (ConfigError if code == ConfigError.exit_code else ForgerError)(_in_python(line)) from error


def _in_python(line: str) -> str:
    """A line that was written for the command line, with options as arguments."""
    line = line.replace("--trust", "trust=True").replace("data.root=FOLDER", "data_root=FOLDER")
    return re.sub(r"(?<!\S)--([a-z]+)\b", r"\1", line)


def _state() -> list[tuple[Any, ...]]:
    """What to call with what, so that all is as it is now."""
    backends, deterministic = torch.backends.cudnn, torch.utils.deterministic
    algorithms = torch.are_deterministic_algorithms_enabled()
    kept = [
        (torch.set_num_threads, torch.get_num_threads()),
        (_use_algorithms, algorithms, torch.is_deterministic_algorithms_warn_only_enabled()),
        (setattr, deterministic, "fill_uninitialized_memory", deterministic.fill_uninitialized_memory),
        (setattr, backends, "benchmark", backends.benchmark),
        (setattr, backends, "deterministic", backends.deterministic),
        (setattr, rank_zero_only, "rank", getattr(rank_zero_only, "rank", None)),
        (setattr, HydraConfig.instance(), "cfg", HydraConfig.instance().cfg),
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),  # noqa: NPY002
    ]
    for logger in map(logging.getLogger, _LOGGERS):
        kept += [(setattr, logger, "propagate", logger.propagate), (setattr, logger, "handlers", [*logger.handlers])]
        kept.append((logger.setLevel, logger.level))
    return kept


def _restore(kept: list[tuple[Any, ...]]) -> None:
    for call, *arguments in kept:
        call(*arguments)


def _use_algorithms(deterministic: bool, warn_only: bool) -> None:
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


@contextmanager
def _environment() -> Iterator[None]:
    """The environment's variables as they were; in the block none asks torch to run what is in a checkpoint."""
    before = dict(os.environ)
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    try:
        yield
    finally:
        # W&B's name the process that its client has started and goes on to use.
        for name in (name for name in {*before, *os.environ} if not name.startswith("WANDB_")):
            if name not in before:
                del os.environ[name]
            elif os.environ.get(name) != before[name]:
                os.environ[name] = before[name]


@contextmanager
def _signal_handlers() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
